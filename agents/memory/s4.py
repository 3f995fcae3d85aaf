"""S4: state spaces whose matrix is diagonal plus low rank, one for each channel."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Complex, Float

from agents.memory import hippo
from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.scans import recurrent_scan, where_start
from agents.memory.short_conv import short_convolution

CHUNK = 16  # time steps


class S4(Memory):
    """Structured state space sequence model (Gu et al. 2022, arXiv 2111.00396).

        dh/dt = (diag(lambda) - p p^*) h + B x      y = 2 Re(C h) + D x     for each channel

    begun at HiPPO-LegS, in the basis where its normal part is diagonal; of each conjugate pair one
    is kept. The real part of lambda is -exp(.), so that no state can grow (Goel et al. 2022, arXiv
    2202.09729). The bilinear rule with step delta makes it a recurrence whose matrix is again
    diagonal plus rank one, by Woodbury's identity. Output: a gated linear unit of gelu(y).

    The eigenvectors of LegS are too ill-conditioned to make the whole matrix diagonal, and the
    paper's convolution knows no resets. So "parallel" goes by chunks of C = 16 steps: what enters
    and leaves within one chunk is a convolution with C taps cut at starts; from chunk to chunk the
    state goes by the C-th power of the matrix. Powers and taps come from running the recurrence
    itself on unit vectors.

    An input of another width is first brought to `features`.

    State: `state` x features numbers. Time: "parallel" T / C steps of products, O(T features
    (C + state + state^2 / C)); "recurrent" T steps, O(T features state). Both keep O(T / C) states
    for the gradient.
    """

    state: int = 16
    delta_min: float = 0.001
    delta_max: float = 0.1
    mode: str = "auto"

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, self.state // 2, self.features), complex)

    @nn.compact
    def __call__(self, carry, x, start):
        if x.shape[-1] != self.features:
            x = Dense(self.features, name="input")(x)
        system = self._system()
        skip = self.param("D", nn.initializers.normal(1.0), (self.features,))
        carry, y = run(system, carry, x, start, self.mode)
        y = nn.gelu(y + skip * x)
        value, gate = jnp.split(Dense(2 * self.features, name="output")(y), 2, axis=-1)
        return carry, value * jax.nn.sigmoid(gate)

    def _system(self) -> System:
        eigenvalues, vectors = hippo.eigen(self.state)
        turned = vectors.conj().T
        p = turned @ hippo.low_rank(self.state)
        b = turned @ np.sqrt(2 * np.arange(self.state) + 1)

        def copies(values):
            column = jnp.array(np.float32(values))[..., None]
            return lambda _: jnp.broadcast_to(column, (*column.shape[:-1], self.features))

        def complex_param(name, init, *args):
            return jax.lax.complex(*self.param(name, init, *args))

        rate = jnp.exp(self.param("log_rate", copies(np.log(-eigenvalues.real))))
        frequency = self.param("frequency", copies(eigenvalues.imag))
        p = complex_param("P", copies([p.real, p.imag]))
        b = complex_param("B", copies([b.real, b.imag]))
        shape = (2, self.state // 2, self.features)
        c = complex_param("C", nn.initializers.normal(0.5**0.5), shape)
        delta = jnp.exp(self.param("log_delta", self._init_log_delta, (self.features,)))
        return bilinear(jax.lax.complex(-rate, frequency), p, b, c, delta)

    @nn.nowrap
    def _init_log_delta(self, key, shape):
        low, high = jnp.log(self.delta_min), jnp.log(self.delta_max)
        return jax.random.uniform(key, shape, minval=low, maxval=high)


class System(struct.PyTreeNode):
    """`h' = a h - w Re(q . h) + b x` and `y = Re(c . h')`, with `[N, F]` each, N = state / 2."""

    a: Complex[Array, "N F"]
    w: Complex[Array, "N F"]
    q: Complex[Array, "N F"]
    b: Complex[Array, "N F"]
    c: Complex[Array, "N F"]

    def step(self, h: Complex[Array, "*B N F"]) -> Complex[Array, "*B N F"]:
        return self.a * h - self.w * dot(self.q, h)[..., None, :]

    def advance(self, h, x):
        h = self.step(h) + self.b * x[..., None, :]
        return h, dot(self.c, h)


def dot(row: Complex[Array, "N F"], h: Complex[Array, "*B N F"]) -> Float[Array, "*B F"]:
    """Re(row . h) for each channel."""
    return jnp.sum(row.real * h.real - row.imag * h.imag, axis=-2)


def bilinear(eigenvalue, p, b, c, delta) -> System:
    """The bilinear rule for A = diag(eigenvalue) - p p^*, of which the conjugate half is implied.

    (2/delta - A)^-1 = G - G p p^* G / (1 + p^* G p), G diagonal, by Woodbury; h' = (2/delta -
    A)^-1 (4/delta h + 2 b x) - h. Over both halves p^* G h is twice the real part over one.
    """
    inverse = 1 / (2 / delta - eigenvalue)
    w = inverse * p / (1 + 2 * jnp.sum(jnp.abs(p) ** 2 * inverse.real, axis=0))
    row = 2 * p.conj() * inverse
    return System(
        a=4 / delta * inverse - 1,
        w=w,
        q=4 / delta * row,
        b=2 * (inverse * b - w * dot(row, b)),
        c=2 * c,
    )


def run(
    system: System,
    carry: Complex[Array, "B N F"],
    x: Float[Array, "T B F"],
    start: Bool[Array, "T B"],
    mode: str,
) -> tuple[Complex[Array, "B N F"], Float[Array, "T B F"]]:
    """The last state and all outputs."""
    first = len(x) % CHUNK if len(x) != 1 else 1
    initial = jnp.zeros_like(carry)

    def some_steps(carry, xs):
        return recurrent_scan(system.advance, initial, carry, *xs)

    ys = []
    if first:
        carry, y = some_steps(carry, (x[:first], start[:first]))
        ys.append(y)
    if first < len(x):
        xs = jax.tree.map(lambda leaf: leaf[first:].reshape(-1, CHUNK, *leaf.shape[1:]), (x, start))
        if mode == "recurrent":
            one_chunk = jax.checkpoint(some_steps, prevent_cse=False)
            carry, y = jax.lax.scan(one_chunk, carry, xs)
        else:
            carry, y = by_chunks(system, carry, *xs)
        ys.append(y.reshape(-1, *y.shape[2:]))
    return carry, jnp.concatenate(ys)


def by_chunks(system, carry, x, start):
    """As `run` for x `[M, C, B, F]`, start `[M, C, B]`."""
    width = carry.shape[-1]
    basis = jnp.eye(carry.shape[1])[..., None] * jnp.ones(width)
    vectors = jnp.concatenate([basis.astype(complex), 1j * basis, system.b[None]])

    def power(h, _):
        return system.step(h), (dot(system.c, h), h[-1])

    after, (reads, inputs) = jax.lax.scan(power, vectors, length=CHUNK)
    last_reads = dot(system.c, after)
    taps = reads[:, -1]  # [C, F]: what an input adds to the output as it ages
    reads = jnp.concatenate([reads[1:], last_reads[None]])[:, :-1]  # [C, 2 N, F] of the carry
    after, inputs = as_real(after[:-1]), as_real(inputs)[::-1]  # [2 N, 2 N, F], [C, 2 N, F]

    none = jnp.zeros((x.shape[2], CHUNK - 1, width))

    def one_chunk(h, inputs_and_starts):
        x, start = inputs_and_starts
        segment = jnp.cumsum(start, axis=0, dtype=jnp.int32)
        within = short_convolution(taps, none, x, segment)
        segment = segment[..., None]
        from_carry = jnp.where(segment == 0, jnp.einsum("bnf,cnf->cbf", h, reads), 0.0)
        x = jnp.where(segment == segment[-1], x, 0.0)
        h = where_start(segment[-1, :, 0] > 0, jnp.zeros_like(h), h)
        h = jnp.einsum("bnf,nmf->bmf", h, after) + jnp.einsum("cbf,cnf->bnf", x, inputs)
        return h, within + from_carry

    h, y = jax.lax.scan(one_chunk, as_real(carry), (x, start))
    carry = jax.lax.complex(*jnp.split(h, 2, axis=1))
    return carry, y


def as_real(h: Complex[Array, "*B N F"]) -> Float[Array, "*B 2N F"]:
    return jnp.concatenate([h.real, h.imag], axis=-2)
