"""One line of a table as a picture: where a return lies between what is known of the task."""

from __future__ import annotations

import numpy as np

from popjax import scores

WIDTH, HEIGHT = 150, 16


def scale_svg(env: str, returns: np.ndarray) -> str:
    """Seeds as dots on a line from the lowest to the highest of what is known: ticks at random
    play, the best policy without memory and the reference player, a ring at the paper's GRU."""
    known = {kind: entry["mean"] for kind, entry in scores.scores(env).items() if entry}
    ends = [known[kind] for kind in ("random", "memoryless", "reference") if kind in known]
    returns = returns[np.isfinite(returns)]
    low, high = min([*ends, *returns], default=0.0), max([*ends, *returns], default=1.0)
    width = (high - low) or 1.0

    def x(value: float) -> str:
        return f"{3 + (WIDTH - 6) * (value - low) / width:.1f}"

    middle, parts = HEIGHT / 2, []
    line = 'stroke="var(--rule)" stroke-width="1"'
    parts.append(f'<line x1="3" y1="{middle}" x2="{WIDTH - 3}" y2="{middle}" {line}/>')
    for value in ends:
        tick = 'y1="3" y2="13" stroke="var(--quiet)" stroke-width="1"'
        parts.append(f'<line x1="{x(value)}" x2="{x(value)}" {tick}/>')
    if "paper_gru" in known:
        ring = f'cx="{x(known["paper_gru"])}" cy="{middle}" r="3" fill="none"'
        parts.append(f'<circle {ring} stroke="var(--c1)" stroke-width="1.3"/>')
    for value in returns:
        dot = f'cx="{x(value)}" cy="{middle}" r="2.6" fill="var(--c0)"'
        parts.append(f'<circle {dot} fill-opacity="0.75"/>')
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg class="scale" {box} aria-hidden="true">{"".join(parts)}</svg>'
