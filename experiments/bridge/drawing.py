"""How the figures of the experiments look, and where they go."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, GREY = "#222222", "#8a8a8a"
DOTS = {"color": GREY, "linewidth": 0.6, "linestyle": (0, (1, 2)), "zorder": 0}


def furnish(panel: Axes) -> None:
    """Two quiet axes."""
    panel.tick_params(length=2, labelsize=8, colors=INK)
    panel.tick_params(which="minor", length=0)
    panel.spines[["top", "right"]].set_visible(False)


def write(figure: Figure, folder: Path, name: str, dpi: int) -> list[Path]:
    """As a picture and as lines."""
    FigureCanvasAgg(figure)
    paths = [folder / f"{name}.{kind}" for kind in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=dpi)
    return paths
