"""One line of a table as a picture: where returns lie between random play and the reference."""

from __future__ import annotations

import numpy as np

from popjax import scores

WIDTH, HEIGHT = 150, 16
LOW, HIGH = -0.3, 1.2  # of the scale, the same in every line; what lies beyond stands at the end


def scale_svg(env: str, returns: np.ndarray) -> str:
    """Seeds as dots on the normalised scale: long ticks at random play (0) and the reference player
    (1), a short one at the best policy without memory, a ring at the paper's GRU; an empty line
    where the scale is not known."""
    middle, parts = HEIGHT / 2, []
    line = 'stroke="var(--rule)" stroke-width="1"'
    parts.append(f'<line x1="3" y1="{middle}" x2="{WIDTH - 3}" y2="{middle}" {line}/>')

    def x(value: float) -> str:
        share = (np.clip(value, LOW, HIGH) - LOW) / (HIGH - LOW)
        return f"{3 + (WIDTH - 6) * share:.1f}"

    def on_scale(kind: str) -> list[float]:
        known = scores.scores(env).get(kind)
        values = scores.normalise(env, [known["mean"]] if known else [])
        return list(values[np.isfinite(values)])

    for kind, ends in (("random", (3, 13)), ("memoryless", (5.5, 10.5)), ("reference", (3, 13))):
        for value in on_scale(kind):
            tick = f'y1="{ends[0]}" y2="{ends[1]}" stroke="var(--quiet)" stroke-width="1"'
            parts.append(f'<line x1="{x(value)}" x2="{x(value)}" {tick}/>')
    for value in on_scale("paper_gru"):
        ring = f'cx="{x(value)}" cy="{middle}" r="3" fill="none"'
        parts.append(f'<circle {ring} stroke="var(--c1)" stroke-width="1.3"/>')
    values = scores.normalise(env, returns)
    for value in values[np.isfinite(values)]:
        dot = f'cx="{x(value)}" cy="{middle}" r="2.6" fill="var(--c0)"'
        parts.append(f'<circle {dot} fill-opacity="0.75"/>')
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg class="scale" {box} aria-hidden="true">{"".join(parts)}</svg>'
