"""Small sequence tasks that tell memory models apart, all of one shape.

Symbols in, one of 16 classes out at every step that counts, `LENGTH` steps. Episodes end and begin
within a sequence, as in training on rollouts.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int, Key

LENGTH = 64
INPUTS = 16
CLASSES = 16
SHORT_LAG = 3
LONG_LAG = 32
PARITY_STEPS = 16  # the longest episode that parity is trained on


class Examples(struct.PyTreeNode):
    """Inputs, starts, right answers, and where an answer counts."""

    x: Float[Array, "T B inputs"]
    start: Bool[Array, "T B"]
    target: Int[Array, "T B"]
    counts: Bool[Array, "T B"]


Task = Callable[[Key[Array, ""], int], Examples]


def one_episode(batch: int) -> Bool[Array, "T B"]:
    return jnp.zeros((LENGTH, batch), bool).at[0].set(True)


def copy(lag: int) -> Task:
    """Name the symbol, one of 8, of `lag` steps ago."""

    def draw(key, batch):
        symbol = jax.random.randint(key, (LENGTH, batch), 0, 8)
        counts = jnp.broadcast_to(jnp.arange(LENGTH)[:, None] >= lag, symbol.shape)
        x = jax.nn.one_hot(symbol, INPUTS)
        return Examples(x, one_episode(batch), jnp.roll(symbol, lag, axis=0), counts)

    return draw


def recall(key: Key[Array, ""], batch: int) -> Examples:
    """Multi-query associative recall: see 8 keys, each beside a value; then name the value of each
    key, in another order. (Arora et al. 2023, arXiv 2312.04927, with the pair in one step.)"""
    keys = jax.random.split(key, 3)
    episodes = LENGTH // 16 * batch

    def orders(key):
        return jnp.argsort(jax.random.uniform(key, (8, episodes)), axis=0)

    seen, asked = orders(keys[0]), orders(keys[1])
    value_of = jax.random.randint(keys[2], (8, episodes), 0, 8)
    answer = jnp.take_along_axis(value_of, asked, axis=0)
    value = jax.nn.one_hot(jnp.take_along_axis(value_of, seen, axis=0), 8)
    pair = jnp.concatenate([jax.nn.one_hot(seen, 8), value], axis=-1)
    question = jnp.concatenate([jax.nn.one_hot(asked, 8), jnp.zeros_like(value)], axis=-1)

    def rows(first, second):
        both = jnp.concatenate([first, second])  # [16, episodes, ...]
        both = both.reshape(16, LENGTH // 16, batch, *both.shape[2:])
        return jnp.moveaxis(both, 1, 0).reshape(LENGTH, batch, *both.shape[3:])

    counts = rows(jnp.zeros_like(answer, bool), jnp.ones_like(answer, bool))
    start = jnp.broadcast_to(jnp.arange(LENGTH)[:, None] % 16 == 0, counts.shape)
    return Examples(rows(pair, question), start, rows(answer, answer), counts)


def count(key: Key[Array, ""], batch: int) -> Examples:
    """How often the present symbol, one of 4, was seen before in the 32 steps of the episode."""
    symbol = jax.nn.one_hot(jax.random.randint(key, (LENGTH, batch), 0, 4), INPUTS)
    start = jnp.broadcast_to(jnp.arange(LENGTH)[:, None] % 32 == 0, (LENGTH, batch))
    by_episode = symbol.reshape(-1, 32, *symbol.shape[1:])
    before = (jnp.cumsum(by_episode, axis=1) - by_episode).reshape(symbol.shape)
    target = jnp.minimum((before * symbol).sum(axis=-1), CLASSES - 1).astype(jnp.int32)
    return Examples(symbol, start, target, jnp.ones_like(start))


def parity(key: Key[Array, ""], batch: int) -> Examples:
    """Whether the number of ones so far is odd, in episodes of up to `PARITY_STEPS` steps."""
    key_bits, key_lengths = jax.random.split(key)
    lengths = jax.random.randint(key_lengths, (LENGTH, batch), 1, PARITY_STEPS + 1)

    def step(left, length):
        start = left == 0
        return jnp.where(start, length, left) - 1, start

    _, start = jax.lax.scan(step, jnp.zeros(batch, jnp.int32), lengths)
    return _parity(key_bits, start)


def long_parity(key: Key[Array, ""], batch: int) -> Examples:
    """The same over `LENGTH` steps; only those longer than any in training count."""
    examples = _parity(key, one_episode(batch))
    beyond = jnp.arange(LENGTH)[:, None] >= PARITY_STEPS
    return examples.replace(counts=examples.counts & beyond)


def _parity(key, start):
    bit = jax.random.bernoulli(key, 0.5, start.shape).astype(jnp.int32)

    def step(odd, inputs):
        bit, start = inputs
        odd = jnp.where(start, bit, odd ^ bit)
        return odd, odd

    _, target = jax.lax.scan(step, jnp.zeros_like(bit[0]), (bit, start))
    return Examples(jax.nn.one_hot(bit, INPUTS), start, target, jnp.ones_like(start))


# What is trained on, and what is tested afterwards with the parameters of which training task.
TRAINED: dict[str, Task] = {
    f"copy {SHORT_LAG}": copy(SHORT_LAG),
    f"copy {LONG_LAG}": copy(LONG_LAG),
    "recall": recall,
    "count": count,
    "parity": parity,
}
TESTED: dict[str, tuple[Task, str]] = {
    **{name: (task, name) for name, task in TRAINED.items()},
    "long parity": (long_parity, "parity"),
}
