"""The linear systems, attention and delta rules of memax 0.1.1 with the weights of ours.

What is compared where the two are not the same function:

- LRU, S5, S4D, S4: the recurrence, of S4 without its low-rank part; memax's LRU has no output unit.
- FWP: linear attention alone. memax's has other features and contracts the query with the values,
  as POPGym's published one did: keys and values change places.
- FART: memax's forgets the sum of the keys; `Sums` adds it up. It has a residual, no positions.
- DeltaNet, Gated DeltaNet: the delta rule alone; ours have a convolution and a norm. memax's
  erase on the values' side of their matrix; `erasing_keys` hands it over transposed.

memax has no matrix that decays by channel (GLA). What it shares with Mamba-2 is linear attention
that decays by head.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from memax.equinox import train_utils as memax  # where all its models are at hand

from agents.memory import MEMORIES
from agents.memory.chunks import chunked_scan, linear_attention
from agents.memory.delta_rule import delta_chunk, delta_steps
from tests.support.naive import dense, random_params
from tests.support.peer import (
    KEY,
    MODES,
    NO_POSITION,
    START,
    F,
    X,
    check,
    every_step,
    layer,
    ours,
    replace,
    theirs,
)

SIZE = 5


def halves(x, axis=0):
    return jax.lax.complex(*jnp.split(x, 2, axis))


def lru(p):
    decay = jnp.exp(jax.lax.complex(-jnp.exp(p["nu"]), jnp.exp(p["theta"])))
    b = jnp.exp(p["log_gamma"])[:, None] * halves(p["B"]["kernel"].T)
    return decay, b, halves(p["C"]["kernel"].T, 1).conj()


def s5(p):
    rate = jax.lax.complex(-jnp.exp(p["log_rate"]), p["frequency"])
    decay = jnp.exp(rate * jnp.exp(p["log_delta"]))
    return decay, ((decay - 1) / rate)[:, None] * halves(p["B"].T), halves(p["C"].T, 1).conj()


def s4d(p):
    rate = jax.lax.complex(-jnp.exp(p["log_minus_a_real"]), p["a_imag"])
    decay = jnp.exp(jnp.exp(p["log_dt"]) * rate)
    return by_channel(decay, (decay - 1) / rate, 2 * jax.lax.complex(p["c_re"], p["c_im"]))


def s4(p):
    """By the bilinear rule."""
    delta = jnp.exp(p["log_delta"])
    step = 0.5 * delta * jax.lax.complex(-jnp.exp(p["log_rate"]), p["frequency"])
    b, c = halves(p["B"])[0], halves(p["C"])[0]
    return by_channel((1 + step) / (1 - step), delta * b / (1 - step), 2 * c)


def by_channel(decay, b, c):
    """The system of all channels' systems, `[N, F]` each."""
    own = jnp.tile(jnp.eye(F), (len(b), 1))  # [N F, F]
    return decay.ravel(), b.reshape(-1, 1) * own, (c.reshape(-1, 1) * own).T


def output_unit(y, params):
    """Value and gate are of one layer, or of two, or the value is y."""
    y = nn.gelu(y)
    parts = [dense(y, params[name]) for name in ("value", "gate", "output") if name in params]
    joint = jnp.concatenate(parts, axis=-1)
    value, gate = (y, joint) if joint.shape == y.shape else jnp.split(joint, 2, axis=-1)
    return value * jax.nn.sigmoid(gate)


@pytest.mark.slow  # by default: their own loops
@pytest.mark.by_default("s5-16-recurrent")
@MODES
@pytest.mark.parametrize("system, state", [(lru, 12), (s5, 16), (s4d, 6), (s4, 6)])
def test_diagonal_systems(system, state, mode):
    name = system.__name__
    params = random_params(MEMORIES[name](F, state=state), F)["params"]
    params |= {"P": jnp.zeros_like(params["P"])} if name == "s4" else {}
    decay, b, c = system(params)
    size = 3 * F  # memax wants as many inputs as states

    def filled(matrix):
        rows, columns = matrix.shape
        return jnp.pad(matrix, [(0, size - rows), (0, size - columns)])

    nu, theta = -jnp.log(jnp.abs(decay)), jnp.angle(decay) % (2 * jnp.pi)
    model = replace(
        memax.LRU(size, size, KEY),
        lambda m: (m.nu_log, m.theta_log, m.gamma_log, m.B_re, m.B_im, m.C_re, m.C_im, m.D),
        *(jnp.log(jnp.pad(part, (0, size - len(part)))) for part in (nu, theta)),
        jnp.zeros(size),
        *(filled(part) for matrix in (b, c) for part in (matrix.real, matrix.imag)),
        jnp.pad(params["D"], (0, size - F)),
    )
    y = theirs(model, jnp.pad(X, [(0, 0), (0, 0), (0, size - F)]))[..., :F]
    check(ours(name, params, state=state, mode=mode), output_unit(y, params))


class Sums(memax.FARTSemigroup):
    def __call__(self, carry, inputs):
        return jax.tree.map(jnp.add, carry, inputs)


@pytest.mark.by_default("recurrent")
@MODES
def test_fart(mode):
    model = replace(memax.FART(F, SIZE, KEY), lambda m: (m.algebra.algebra,), Sums(SIZE))
    layers = {"query": model.Q, "key": model.K, "value": model.V, "output": model.output}
    params = {name: layer(linear) for name, linear in layers.items()} | NO_POSITION
    check(ours("fart", params, size=SIZE, mode=mode) + X, theirs(model))


def attend(query, key, value, log_decay, mode):
    """Our linear attention of one head."""
    query, key, value = (x[:, :, None] for x in (query, key, value))
    read, state = jax.jit(linear_attention, static_argnums=(6, 7)), jnp.zeros((2, 1, SIZE, SIZE))
    return read(query, key, value, log_decay, state, START, mode, 16)[1][:, :, 0]


@pytest.mark.slow  # by default: the loop of test_chunks.py
@MODES
def test_linear_attention(mode):
    model = memax.FWP(F, SIZE, KEY)
    query, key = (1 + jax.nn.elu(every_step(linear)) for linear in (model.Q, model.K))
    y = attend(query, every_step(model.V), key, None, mode)
    check(every_step(model.output, y), theirs(model))


def erasing_keys(model):
    class Transposed(model):
        def forward_map(self, x, key=None):
            (erase, write), start = super().forward_map(x)
            return (erase, write.T), start

        def backward_map(self, h, x, key=None):
            (erase, state), start = h
            return super().backward_map(((erase, state.T), start), x)

    return Transposed(F, SIZE, KEY)


def fast_weights(model, phi):
    """Query, key, value, strength and log decay of each step."""
    query, key = (phi(every_step(linear)) for linear in (model.Q, model.K))
    query, key = (u / (jnp.linalg.norm(u, axis=-1, keepdims=True) + 1e-6) for u in (query, key))
    beta = 2 * jax.nn.sigmoid(every_step(model.w))
    alpha = every_step(model.alpha) if hasattr(model, "alpha") else jnp.full_like(beta, jnp.inf)
    return query, key, every_step(model.V), beta, jax.nn.log_sigmoid(alpha)


@pytest.mark.by_default("GDN-silu-delta_chunk")
@pytest.mark.parametrize("rule", [delta_steps, delta_chunk])
@pytest.mark.parametrize("model, phi", [(memax.DeltaNet, jax.nn.relu), (memax.GDN, jax.nn.silu)])
def test_delta_rule(model, phi, rule):
    model = erasing_keys(model)
    xs = tuple(u[:, :, None] for u in fast_weights(model, phi))
    run = jax.jit(lambda xs: chunked_scan(rule, jnp.zeros((2, 1, SIZE, SIZE)), xs, START, 16)[1])
    check(every_step(model.output, run(xs)[:, :, 0]), theirs(model))


@pytest.mark.slow  # by default: the loop of test_chunks.py
@MODES
def test_linear_attention_with_decay(mode):
    """A delta rule that writes large values very weakly erases nothing."""
    model, weak = erasing_keys(memax.GDN), jnp.full(1, -14.0)
    model = replace(
        model,
        lambda m: (m.V.weight, m.w.weight, m.w.bias, m.alpha.bias),
        *(model.V.weight / jax.nn.sigmoid(weak), jnp.zeros((1, F)), weak, jnp.full(1, 1.5)),
    )
    query, key, value, beta, log_decay = fast_weights(model, jax.nn.silu)
    y = attend(query, key, beta * value, log_decay[..., None], mode)
    check(every_step(model.output, y), theirs(model))


@pytest.mark.slow
def test_transformer():
    """memax turns neighbouring channels together, ours those half a width apart."""
    model = replace(memax.Attention(F, 7, "rope", KEY), lambda m: (m.V.bias,), jnp.zeros(F))
    order = jnp.r_[0:F:2, 1:F:2]
    inputs = jnp.concatenate([model.Q.weight[order], model.K.weight[order], model.V.weight])
    params = {"query_key_value": {"kernel": inputs.T}, "output": {"kernel": jnp.eye(F)}}
    check(ours("transformer", params, window=7, heads=1), theirs(model))
