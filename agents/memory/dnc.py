"""DNC: a network that reads and writes the rows of a matrix by content, order and need."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from agents.memory import lstm
from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.initialisers import orthogonal_blocks
from agents.memory.scans import recurrent_scan

EPSILON = 1e-6
TIE = 1e-5  # rows whose usage differs by less are as free: roundings must not choose the order


class Rows(struct.PyTreeNode):
    """The external memory: N rows of W numbers, and where R heads stand."""

    matrix: Float[Array, "B N W"]
    usage: Float[Array, "B N"]
    link: Float[Array, "B N N"]  # link[i, j]: i was written just after j
    precedence: Float[Array, "B N"]  # where was written last
    write: Float[Array, "B N"]  # weights of the write head
    read: Float[Array, "B R N"]  # weights of the read heads


class Interface(struct.PyTreeNode):
    """What the controller has the memory do at one step."""

    read_key: Float[Array, "B R W"]
    read_strength: Float[Array, "B R"]
    write_key: Float[Array, "B W"]
    write_strength: Float[Array, " B"]
    erase: Float[Array, "B W"]
    write: Float[Array, "B W"]
    free_gate: Float[Array, "B R"]
    allocation_gate: Float[Array, " B"]
    write_gate: Float[Array, " B"]
    read_mode: Float[Array, "B R 3"]  # backwards, by content, forwards


class DNC(Memory):
    """Differentiable neural computer (Graves et al. 2016, Nature 538).

        h' = LSTM(x, r, h)          z = W_z h'
        M', links, usage = write(M, z)      r' = read(M', z)       y = W_h h' + W_r r' + b

    with the memory's equations as in the paper's methods: see `write` and `read`.

    State: 2 x features + cells (cell_size + cells + 3 + read_heads) + read_heads x cell_size
    numbers (1,200 for 256 features, 16 cells of 16 and 4 heads). Time: O(T) steps, each O(features
    (features + read_heads cell_size) + cells^2 read_heads). The gradient computes the memory's
    inner values again, so that of each step the state alone is kept.
    """

    cells: int = 16
    cell_size: int = 16
    read_heads: int = 4

    @nn.nowrap
    def initial_carry(self, batch_size):
        def zeros(*shape):
            return jnp.zeros((batch_size, *shape))

        n, w, r = self.cells, self.cell_size, self.read_heads
        rows = Rows(zeros(n, w), zeros(n), zeros(n, n), zeros(n), zeros(n), zeros(r, n))
        return (zeros(self.features), zeros(self.features)), rows, zeros(r, w)

    @nn.compact
    def __call__(self, carry, x, start):
        width, (r, w) = self.features, (self.read_heads, self.cell_size)
        inputs = {gate: Dense(width, name=gate)(x) for gate in lstm.GATES}
        shape = (width, len(lstm.GATES) * width)
        from_h = jnp.split(self.param("from_h", orthogonal_blocks, shape), 4, axis=1)
        lecun = nn.initializers.lecun_normal()
        from_reads = jnp.split(self.param("from_reads", lecun, (r * w, shape[1])), 4, axis=1)
        num_signals = r * w + 3 * w + 5 * r + 3
        interface = self.param("interface", lecun, (width, num_signals))

        def step(carry, inputs):
            state, rows, reads = carry
            reads = reads.reshape(len(reads), -1)
            gates = {
                gate: inputs[gate] + state[0] @ u + reads @ v
                for gate, u, v in zip(lstm.GATES, from_h, from_reads, strict=True)
            }
            state, h = lstm.cell((), state, gates)
            rows, reads = access(rows, split_signals(h @ interface, r, w))
            return (state, rows, reads), (h, reads)

        initial = jax.tree.map(jnp.zeros_like, carry)
        carry, (h, reads) = recurrent_scan(step, initial, carry, inputs, start)
        y = Dense(width, name="output_h")(h)
        reads = reads.reshape(*reads.shape[:2], -1)
        return carry, y + Dense(width, use_bias=False, name="output_reads")(reads)


def split_signals(z: Float[Array, "B S"], r: int, w: int) -> Interface:
    sizes = [r * w, r, w, 1, w, w, r, 1, 1]
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
    parts = jnp.split(z, ends, axis=-1)

    def oneplus(x):
        return 1 + jax.nn.softplus(x)

    return Interface(
        read_key=parts[0].reshape(-1, r, w),
        read_strength=oneplus(parts[1]),
        write_key=parts[2],
        write_strength=oneplus(parts[3][:, 0]),
        erase=jax.nn.sigmoid(parts[4]),
        write=parts[5],
        free_gate=jax.nn.sigmoid(parts[6]),
        allocation_gate=jax.nn.sigmoid(parts[7][:, 0]),
        write_gate=jax.nn.sigmoid(parts[8][:, 0]),
        read_mode=jax.nn.softmax(parts[9].reshape(-1, r, 3)),
    )


@jax.checkpoint
def access(rows: Rows, z: Interface) -> tuple[Rows, Float[Array, "B R W"]]:
    return read(write(rows, z), z)


def write(rows: Rows, z: Interface) -> Rows:
    """Usage, write weights, matrix and links; the read weights stay."""
    kept = jnp.prod(1 - z.free_gate[..., None] * rows.read, axis=1)
    usage = (rows.usage + rows.write - rows.usage * rows.write) * kept
    by_content = similar_rows(rows.matrix, z.write_key[:, None], z.write_strength[:, None])[:, 0]
    share = z.allocation_gate[:, None]
    weights = share * allocation(usage) + (1 - share) * by_content
    weights = z.write_gate[:, None] * weights

    erased = rows.matrix * (1 - weights[..., None] * z.erase[:, None])
    matrix = erased + weights[..., None] * z.write[:, None]
    to, of = weights[:, :, None], weights[:, None, :]
    link = (1 - to - of) * rows.link + to * rows.precedence[:, None]
    link = link * (1 - jnp.eye(link.shape[-1]))
    precedence = (1 - weights.sum(axis=-1, keepdims=True)) * rows.precedence + weights
    return rows.replace(matrix=matrix, usage=usage, link=link, precedence=precedence, write=weights)


def read(rows: Rows, z: Interface) -> tuple[Rows, Float[Array, "B R W"]]:
    """Each head moves along the links, back or forth, or to rows like its key."""
    ways = (
        rows.read @ rows.link,
        similar_rows(rows.matrix, z.read_key, z.read_strength),
        rows.read @ rows.link.mT,
    )
    weights = sum(z.read_mode[..., i : i + 1] * way for i, way in enumerate(ways))
    return rows.replace(read=weights), weights @ rows.matrix


def similar_rows(
    matrix: Float[Array, "B N W"], key: Float[Array, "B R W"], strength: Float[Array, "B R"]
) -> Float[Array, "B R N"]:
    """Softmax over the rows of strength times cosine similarity; a row of zeros is like none."""

    def unit(x):
        return x * jax.lax.rsqrt(jnp.sum(x**2, axis=-1, keepdims=True) + EPSILON)

    return jax.nn.softmax(strength[..., None] * (unit(key) @ unit(matrix).mT))


def allocation(usage: Float[Array, "B N"]) -> Float[Array, "B N"]:
    """Weight on free rows: (1 - u[i]) times the usage of all the rows that are freer.

    The paper sorts; comparing all pairs is the same and, for few rows, faster. Of rows that are as
    free (see `TIE`) the first is taken first.
    """
    usage = EPSILON + (1 - EPSILON) * usage  # so that the logarithm has a gradient
    u, v = usage[:, :, None], usage[:, None, :]
    row = jnp.arange(usage.shape[1])
    freer = (v < u - TIE) | ((v <= u + TIE) & (row[None, :] < row[:, None]))
    return (1 - usage) * jnp.exp(jnp.where(freer, jnp.log(v), 0.0).sum(axis=-1))
