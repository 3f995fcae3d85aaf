"""A policy's accuracy by step: the lines used in every figure of the loops."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes

from experiments.reports.statistics import iqm
from experiments.reports.style import GREY, INK

OWN = "#c2410c"


def over_seeds(values: Float[np.ndarray, "seeds T"]) -> Float[np.ndarray, " T"]:
    """Interquartile means; NaN where any seed has none."""
    return np.where(np.isnan(values).any(axis=0), np.nan, iqm(values, axis=0))


def plot_loops(
    panel: Axes,
    opened: Float[np.ndarray, "seeds T"],
    closed: Float[np.ndarray, "seeds T"],
    copier: Float[np.ndarray, "seeds T"] | None = None,
) -> None:
    """Grey: the expert acts. Colour: the policy acts. Thin: seeds, thick: interquartile mean,
    dashed: a copier with the same errors."""
    t = np.arange(1, opened.shape[1] + 1)
    panel.plot(t, closed.T, color=OWN, linewidth=0.6, alpha=0.35)
    panel.plot(t, over_seeds(opened), color=GREY, linewidth=4)
    panel.plot(t, over_seeds(closed), color=OWN, linewidth=1.8)
    if copier is not None:
        panel.plot(t, over_seeds(copier), color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
