"""Compares a memory model with a plain loop over one sequence, written from the paper."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from agents.memory import Memory


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gelu(x):
    """As `flax.linen.gelu`, by the hyperbolic tangent."""
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def softmax(x):
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return x / x.sum(axis=-1, keepdims=True)


def layer_norm(x, params):
    x = x - x.mean(axis=-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)
    return x * params["scale"] + params["bias"]


def leaky_relu(x):
    return np.where(x > 0, x, 0.01 * x)


def dense(x, params):
    return x @ params["kernel"] + params.get("bias", 0.0)


def with_position(x, params):
    """`(1 - s) x + s e` with the sine code of the steps 0, 1, ... of an episode `[T, d]`."""
    half = (x.shape[1] + 1) // 2
    angle = np.arange(len(x))[:, None] / 10_000 ** (np.arange(half) / half)
    code = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)[:, : x.shape[1]]
    share = sigmoid(params["share"])
    return (1 - share) * x + share * code


def random_params(memory: Memory, width: int, seed: int = 0, noise: float = 0.2):
    """Parameters of a memory, none of them left at zero or one. The noise is NumPy's: nothing is
    compiled for it."""
    x, start = jnp.zeros((1, 1, width)), jnp.zeros((1, 1), bool)
    params = jax.jit(memory.init)(jax.random.key(seed), memory.initial_carry(1), x, start)
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda p: p + jnp.float32(noise * rng.normal(size=p.shape)), params)


def check_loop(
    memory: Memory,
    loop: Callable[[dict, np.ndarray], np.ndarray],
    length: int = 60,
    width: int = 5,
    scale: float = 1.0,
    tolerance: float = 2e-5,
) -> None:
    """`loop(params, x)` maps an episode `[T, width]` to outputs `[T, features]`, all in float64.

    The memory gets two sequences of several episodes each, in two calls of one program: length is
    even.
    """
    params = random_params(memory, width)
    x = np.float32(scale * np.random.default_rng(1).normal(size=(length, 2, width)))
    begins = [[0, length // 3, length // 3 + 1], [0, length // 2 + 3]]
    start = np.zeros((length, 2), bool)
    for b, ts in enumerate(begins):
        start[ts[1:], b] = True  # at t = 0 the carry is initial anyway
    apply, cut = jax.jit(memory.apply), length // 2
    carry, first = apply(params, memory.initial_carry(2), x[:cut], start[:cut])
    _, second = apply(params, carry, x[cut:], start[cut:])
    got = np.concatenate([first, second])

    exact = jax.tree.map(lambda p: np.asarray(p, np.float64), params)["params"]
    for b, ts in enumerate(begins):
        for begin, end in zip(ts, [*ts[1:], length], strict=True):
            want = loop(exact, np.asarray(x[begin:end, b], np.float64))
            error = np.abs(got[begin:end, b] - want).max() / np.abs(want).max()
            assert error < tolerance, (b, begin, error)
