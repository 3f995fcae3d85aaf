"""How the figures of the experiments look, and where they go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogFormatterSciNotation, NullFormatter

INK, GREY = "#222222", "#8a8a8a"
DOTS = {"color": GREY, "linewidth": 0.6, "linestyle": (0, (1, 2)), "zorder": 0}


def furnish(panel: Axes) -> None:
    """Two quiet axes."""
    panel.tick_params(length=2, labelsize=8, colors=INK)
    panel.tick_params(which="minor", length=0)
    panel.spines[["top", "right"]].set_visible(False)


def few_powers(axis: Axis) -> None:
    """Names few ticks of a log axis, so that they do not crowd; to be called once all is drawn.
    At most five powers of ten; 1, 2 and 5 times them where fewer than two are seen."""
    low, high = axis.get_view_interval()
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    seen = powers[(powers >= low) & (powers <= high)]
    if len(seen) < 2:
        between = np.outer(powers, (1, 2, 5)).ravel()
        seen = between[(between >= low) & (between <= high)]
    axis.set_major_locator(FixedLocator(seen[:: -(-len(seen) // 5) or 1]))
    axis.set_major_formatter(LogFormatterSciNotation(10, minor_thresholds=(np.inf, np.inf)))
    axis.set_minor_formatter(NullFormatter())


def write(figure: Figure, folder: Path, name: str, dpi: int) -> list[Path]:
    """As a picture and as lines."""
    FigureCanvasAgg(figure)
    paths = [folder / f"{name}.{kind}" for kind in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=dpi)
    return paths
