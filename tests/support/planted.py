"""Memories whose contents are known, held as a network might hold them."""

import numpy as np


def in_noise(states, width, noise, seed):
    """The same memory `[n, d]` in a basis of its own, `[n, width]`, with noise."""
    draw = np.random.default_rng(seed)
    turn = np.linalg.qr(draw.normal(size=(max(width, states.shape[1]),) * 2))[0]
    turned = states @ turn[: states.shape[1], :width]
    return turned + noise * draw.normal(size=turned.shape)
