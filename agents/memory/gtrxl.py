"""GTrXL: the gated Transformer-XL, attention whose residuals are GRU gates."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.positions import sines
from agents.memory.windows import HIDDEN, attend, join_blocks, newest, split_blocks, visible


class Remembered(struct.PyTreeNode):
    """The normed inputs of the newest W steps, the newest last; zeros where there were none.

    x: `[B, W, F]`. length: `[B]` how many of the slots are filled.
    """

    x: Float[Array, "B W F"]
    length: Int[Array, " B"]


class GTrXL(Memory):
    """One block of the gated Transformer-XL (Parisotto et al. 2019, arXiv 1910.06764).

        y = gate_1(x, relu(attention(norm(x))))   y' = gate_2(y, relu(mlp(norm(y))))
        gate(x, y): r = sigmoid(W_r y + U_r x)          z = sigmoid(W_z y + U_z x - gate_bias)
                    h = tanh(W_h y + U_h (r * x))       output (1 - z) x + z h

    Attention sees the newest `window` steps, the present one included, with the relative positions
    of Transformer-XL (Dai et al. 2019, arXiv 1901.02860): the score of the step of age a is
    ((q + u) . k + (q + v) . W_p sines(a)) / sqrt(D). As in the paper the memory holds the inputs
    of attention, not keys and values; unlike there each step sees equally far back, wherever a
    training segment was cut, so that acting and learning agree.

    State: window x features + 1 numbers. Time: O(T window features) in blocks of `window` queries,
    O(1) deep, in O(T window heads) memory; one step O(window features heads).
    """

    window: int = 128
    heads: int = 4
    expand: int = 2
    gate_bias: float = 2.0

    @nn.nowrap
    def initial_carry(self, batch_size):
        x = jnp.zeros((batch_size, self.window, self.features))
        return Remembered(x=x, length=jnp.zeros(batch_size, jnp.int32))

    @nn.compact
    def __call__(self, carry, x, start):
        if x.shape[-1] != self.features:
            x = Dense(self.features, name="input")(x)
        normed = nn.LayerNorm(name="attention_norm")(x)
        carry, y = Attention(self.features, self.window, self.heads)(carry, normed, start)
        x = Gate(self.gate_bias, name="attention_gate")(x, jax.nn.relu(y))
        y = nn.LayerNorm(name="mlp_norm")(x)
        y = jax.nn.relu(Dense(self.expand * self.features, name="mlp_in")(y))
        y = jax.nn.relu(Dense(self.features, name="mlp_out")(y))
        return carry, Gate(self.gate_bias, name="mlp_gate")(x, y)


class Gate(nn.Module):
    """A GRU cell in place of the residual sum; a positive bias starts it near `x` itself."""

    bias: float

    @nn.compact
    def __call__(self, x: Float[Array, "*n F"], y: Float[Array, "*n F"]) -> Float[Array, "*n F"]:
        width = x.shape[-1]
        of_y = Dense(3 * width, use_bias=False, name="y")(y)
        of_x = Dense(2 * width, use_bias=False, name="x")(x)
        reset = jax.nn.sigmoid(of_y[..., :width] + of_x[..., :width])
        bias = self.param("bias", nn.initializers.constant(self.bias), (width,))
        update = jax.nn.sigmoid(of_y[..., width : 2 * width] + of_x[..., width:] - bias)
        candidate = Dense(width, use_bias=False, name="candidate")(reset * x)
        return (1 - update) * x + update * jnp.tanh(of_y[..., 2 * width :] + candidate)


class Attention(nn.Module):
    """Multi-head attention over the newest `window` steps, with relative positions."""

    features: int
    window: int
    heads: int

    @nn.compact
    def __call__(self, carry, x, start):
        shape = (self.features, self.heads, self.features // self.heads)
        if shape[1] * shape[2] != self.features:
            raise ValueError(f"features={self.features} is no multiple of heads={self.heads}")
        into = nn.initializers.lecun_normal(in_axis=0, out_axis=(1, 2))
        out = nn.initializers.lecun_normal(in_axis=(1, 2), out_axis=0)
        weights = {
            name: self.param(name, init, shape)
            for name, init in dict(query=into, key=into, value=into, position=into, out=out).items()
        }
        weights |= {
            name: self.param(name, nn.initializers.zeros, shape[1:])
            for name in ("content_bias", "position_bias")
        }
        query = jnp.einsum("tbf,fhd->tbhd", x, weights["query"]) / shape[-1] ** 0.5
        ages = sines(jnp.arange(self.window)[::-1], self.features)  # the oldest first, as in memory
        ages = jnp.einsum("wf,fhd->hwd", ages, weights["position"])
        read = one_step if len(start) == 1 else all_steps
        carry, y = read(weights, carry, query, ages, x, start)
        return carry, jnp.einsum("tbx,fx->tbf", y, weights["out"].reshape(self.features, -1))


def one_step(weights, carry, query, ages, x, start):
    """T = 1. Queries and means pass through the weights of keys and values, not the memory."""
    query, fresh, window = query[0], start[0], carry.x.shape[1]
    past = jnp.where(fresh[:, None, None], 0.0, carry.x[:, 1:])
    memory = jnp.concatenate([past, x[0, :, None]], axis=1)
    length = jnp.minimum(jnp.where(fresh, 0, carry.length) + 1, window)

    content = jnp.einsum("bhd,fhd->bhf", query + scaled(weights, "content_bias"), weights["key"])
    scores = content @ memory.mT
    position = query + scaled(weights, "position_bias")
    scores = scores + jnp.einsum("bhd,hwd->bhw", position, ages)
    seen = jnp.arange(window) >= window - length[:, None, None]
    mean = jax.nn.softmax(jnp.where(seen, scores, HIDDEN), axis=-1) @ memory
    y = jnp.einsum("bhf,fhd->bhd", mean, weights["value"])
    return Remembered(memory, length), y.reshape(1, len(fresh), -1)


def all_steps(weights, carry, query, ages, x, start):
    """Block by block, each with the one before it as its past; query: `[T, B, H, D]`."""
    length, window = len(start), carry.x.shape[1]
    seen, remembered = visible(start, carry.length, window)
    past_key, past_value = (
        jnp.einsum("bwf,fhd->bhwd", carry.x, weights[name]) for name in ("key", "value")
    )
    key, value = (jnp.einsum("tbf,fhd->tbhd", x, weights[name]) for name in ("key", "value"))
    _, content = split_blocks(past_key, query + scaled(weights, "content_bias"))
    _, position = split_blocks(past_key, query + scaled(weights, "position_bias"))
    keys = jnp.concatenate(split_blocks(past_key, key), axis=3)
    scores = content @ keys.mT + skew(position @ ages.mT)
    y = attend(scores, seen, *split_blocks(past_value, value))
    carry = Remembered(newest(carry.x, x, remembered), remembered.sum(axis=1, dtype=jnp.int32))
    return carry, join_blocks(y, length)


def scaled(weights, name):
    """A bias of the queries, divided as they are."""
    return weights[name] / weights[name].shape[-1] ** 0.5


def skew(scores: Float[Array, "*n C W"]) -> Float[Array, "*n C W_C"]:
    """From the score of each age, the oldest first, to the score of each key of a block.

    Query i sees ages W - 1, ..., 0 at keys i + 1, ..., i + W: each row moves on by one more place,
    which a row one number longer than the result does by itself.
    """
    *n, size, window = scores.shape
    scores = jnp.pad(scores, [(0, 0)] * (len(n) + 1) + [(1, size)])
    return scores.reshape(*n, -1)[..., :-size].reshape(*n, size, window + size)
