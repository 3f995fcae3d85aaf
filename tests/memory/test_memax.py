"""The models that memax 0.1.1 has as well, with the same weights: an independent implementation.

What is compared where the two are not the same function:

- FWP: linear attention alone. memax's has other features and contracts the query with the values,
  as POPGym's published one did: keys and values change places.
- FART: memax's forgets the sum of the keys; `Sums` adds it up. It has a residual, no positions.
- DeltaNet, Gated DeltaNet: the delta rule alone; ours have a convolution and a norm. memax's
  erase on the values' side of their matrix; `erasing_keys` hands it over transposed.
- GRU: memax's resets before the product, the same where the candidate's matrix is diagonal.
- LSTM: memax's has no tanh of the cell, the same for small cells.
- FFM: memax's norms after the output gate, the same where the gate is open or shut.
- LRU, S5, S4D, S4: the recurrence, of S4 without its low-rank part; memax's LRU has no output unit.
- Mamba: the scan of one state a channel; memax's S6 has a zero-order hold and no convolution.
- minGRU, minLSTM: an S6 that keeps as much as it does not let in.

memax has no LMU, DNC, GTrXL, SHM, sLSTM or mLSTM, and no matrix that decays by channel (GLA). What
it shares with Mamba-2 is linear attention that decays by head.
"""

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from memax.equinox import train_utils as memax  # where all its models are at hand

from agents.memory import MEMORIES
from agents.memory.chunks import chunked_scan, linear_attention
from agents.memory.delta_rule import delta_chunk, delta_steps
from agents.memory.selective import selective_scan
from tests.memory.naive import dense, random_params

F, SIZE = 8, 5
KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (40, 2, F))
START = jnp.zeros((40, 2), bool).at[jnp.array([0, 13, 14, 30]), 0].set(True).at[21, 1].set(True)
NO_POSITION = {"position": {"share": jnp.float32(-1e3)}}
MODES = pytest.mark.parametrize("mode", ["parallel", "recurrent"])


@eqx.filter_jit
def theirs(model, x=X):
    """The outputs `[T, B, F]` of a model that reads one sequence."""
    read = jax.vmap(lambda x, s: model(model.initialize_carry(), (x, s))[1], in_axes=1, out_axes=1)
    return read(x, START)


def ours(name, params, **options):
    memory = MEMORIES[name](F, **options)
    return jax.jit(memory.apply)({"params": params}, memory.initial_carry(2), X, START)[1]


def check(got, want, tolerance=1e-5):
    want = np.asarray(want)
    assert got.shape == want.shape and want.std() > 0
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * np.abs(want).max())


def replace(model, where, *values):
    return eqx.tree_at(where, model, values)


def layer(linear, sign=1):
    bias = {} if linear.bias is None else {"bias": sign * linear.bias}
    return {"kernel": sign * linear.weight.T} | bias


def side_by_side(*layers):
    return {k: jnp.concatenate([part[k] for part in layers], axis=-1) for k in layers[0]}


def every_step(function, x=X):
    return jax.vmap(jax.vmap(function))(x)


@pytest.mark.parametrize("name", ["mlp", "pos_mlp"])
def test_mlp(name):
    layers = [memax.MLP(F, key) for key in jax.random.split(KEY)]
    params = {f"Dense_{i}": layer(mlp.project.layers[0]) for i, mlp in enumerate(layers)}
    params |= NO_POSITION if name == "pos_mlp" else {}
    check(ours(name, params), theirs(layers[1], theirs(layers[0])))


def test_tcn():
    model = memax.Stack(F, 4, KEY)
    kernel = jnp.moveaxis(model.g.weight.reshape(F, 4, F), 0, 2)[::-1]  # the newest first
    check(ours("tcn", {"kernel": kernel, "bias": model.g.bias} | NO_POSITION), theirs(model))


def test_frame_stack():
    """Four stacks of frames of two numbers give eight."""
    stacks = [memax.Stack(F // 4, 4, key) for key in jax.random.split(KEY, 4)]
    mlp, compress = memax.MLP(F, KEY), jax.random.normal(KEY, (F, F // 4))
    params = {
        "compress": {"kernel": compress},
        "Dense_0": side_by_side(*(layer(stack.g) for stack in stacks)),
        "Dense_1": layer(mlp.project.layers[0]),
    }
    hidden = jnp.concatenate([theirs(stack, X @ compress) for stack in stacks], axis=-1)
    check(ours("frame_stack", params | NO_POSITION), theirs(mlp, nn.leaky_relu(hidden)))


def elman(recurrent, inputs, **options):
    """An Elman network that puts out its state."""

    def weights(m):
        hidden = m.algebra.algebra.U_h
        return hidden.weight, hidden.bias, m.W_h.weight, m.W_y.weight, m.W_y.bias

    values = recurrent.T, inputs["bias"], inputs["kernel"].T, jnp.eye(F), jnp.zeros(F)
    return replace(memax.Elman(F, F, key=KEY, **options), weights, *values)


def test_elman():
    params = random_params(MEMORIES["elman"](F), F)["params"]
    check(ours("elman", params), theirs(elman(params["recurrent"], params["input"])))


def test_ind_rnn():
    """Two rectified Elman networks with diagonal recurrent matrices."""
    params, y = random_params(MEMORIES["ind_rnn"](F), F)["params"], X
    for i in range(2):
        params[f"recurrent_{i}"] = jnp.linspace(-1.0, 1.0, F)  # within the bound of ours
        recurrent = jnp.diag(params[f"recurrent_{i}"])
        y = theirs(elman(recurrent, params[f"layer_{i}"], activation=jax.nn.relu), y)
    check(ours("ind_rnn", params), y)


@pytest.mark.parametrize("model, reset, update", [(memax.GRU, "r", "z"), (memax.MGU, "f", "f")])
def test_gru(model, reset, update):
    """Also the minimal gated unit, whose two gates are one."""
    diagonal = jnp.diag(jnp.linspace(-2.0, 2.0, F))
    model = replace(model(F, KEY), lambda m: (m.algebra.algebra.U_h.weight,), diagonal)
    cell = model.algebra.algebra
    u = {gate: getattr(cell, f"U_{gate}").weight.T for gate in (reset, update, "h")}
    params = {
        "recurrent": jnp.concatenate([u[reset], -u[update], u["h"]], axis=1),
        "candidate_bias": jnp.zeros(F),
        "reset": layer(getattr(cell, f"W_{reset}")),
        "update": layer(getattr(cell, f"W_{update}"), -1),  # ours is what is kept
        "candidate": layer(cell.W_h),
    }
    check(ours("gru", params), theirs(model))


def test_lstm():
    """Little is let into the cells, and large recurrent weights make it felt."""
    names = {"input": "i", "forget": "f", "candidate": "c", "output": "o"}

    def recurrent(model):
        return [getattr(model.algebra.algebra, f"U_{gate}").weight for gate in names.values()]

    model = memax.LSTM(F, KEY)
    model = replace(model, recurrent, *(300 * weight for weight in recurrent(model)))
    model = replace(model, lambda m: (m.algebra.algebra.W_i.bias,), jnp.full(F, -6.5))
    params = {k: layer(getattr(model.algebra.algebra, f"W_{gate}")) for k, gate in names.items()}
    params["recurrent"] = jnp.concatenate([weight.T for weight in recurrent(model)], axis=1)
    check(ours("lstm", params), theirs(model), 1e-4)


@MODES
@pytest.mark.parametrize("name", ["min_gru", "min_lstm"])
def test_gates_of_the_input(name, mode):
    """An S6 of rate 1 keeps sigmoid(-u) of its state and lets in sigmoid(u)."""
    zeros, values = jnp.zeros((F, F)), jnp.linspace(-2.0, 2.0, F)
    model = replace(
        memax.S6(F, F, KEY),
        lambda m: (m.A_log, m.B.weight, m.B.bias, m.C.weight, m.C.bias),
        *(zeros[0], zeros, values, zeros, jnp.ones(F)),
    )
    update = model.dt.layers[0]
    gates = [layer(update)] if name == "min_gru" else [layer(update, -1), layer(update)]
    candidate = {"kernel": jnp.diag(values), "bias": zeros[0]}
    params = {"input": side_by_side(*gates, candidate)}
    check(ours(name, params, mode=mode), theirs(model))


@MODES
def test_selective_scan(mode):
    model = memax.S6(F, F, KEY)
    rate, delta = jnp.exp(model.A_log)[None], every_step(model.dt)
    x = every_step(model.B) * X * -jnp.expm1(-delta * rate) / (delta * rate)
    one, carry = jnp.ones((*START.shape, 1)), jnp.zeros((2, 1, F))
    _, h = jax.jit(selective_scan, static_argnums=7)(rate, delta, x, one, one, carry, START, mode)
    check(every_step(model.C) * h, theirs(model))


@MODES
def test_ffm(mode):
    """The output gate is all open or all shut, by the input."""
    trace, context = 3, 4
    model = memax.FFM(F, trace, context, KEY)
    model = replace(
        model,
        lambda m: (m.mix.weight, m.gate_out.linear.weight, m.gate_out.linear.bias),
        100 * model.mix.weight,  # before so large a spread the constant of the norms is nothing
        jnp.full((F, F), 1e4),
        jnp.zeros(F),
    )
    inputs = [layer(linear) for linear in (model.pre, model.gate_in.linear)]
    inputs += [{"kernel": jnp.eye(F), "bias": jnp.zeros(F)}, layer(model.gate_out.linear)]
    mix = jnp.moveaxis(model.mix.weight.reshape(F, trace, 2, context), 2, 1)
    mix = mix * jnp.array([1, -1])[:, None, None]  # ours turns the other way
    alpha, omega = model.algebra.algebra.params
    params = {"alpha": alpha, "omega": omega, "input": side_by_side(*inputs)}
    params["read"] = {"kernel": mix.reshape(F, -1).T, "bias": model.mix.bias}
    check(ours("ffm", params, trace=trace, context=context, mode=mode), theirs(model))


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


@pytest.mark.parametrize("rule", [delta_steps, delta_chunk])
@pytest.mark.parametrize("model, phi", [(memax.DeltaNet, jax.nn.relu), (memax.GDN, jax.nn.silu)])
def test_delta_rule(model, phi, rule):
    model = erasing_keys(model)
    xs = tuple(u[:, :, None] for u in fast_weights(model, phi))
    run = jax.jit(lambda xs: chunked_scan(rule, jnp.zeros((2, 1, SIZE, SIZE)), xs, START, 16)[1])
    check(every_step(model.output, run(xs)[:, :, 0]), theirs(model))


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


def test_transformer():
    """memax turns neighbouring channels together, ours those half a width apart."""
    model = replace(memax.Attention(F, 7, "rope", KEY), lambda m: (m.V.bias,), jnp.zeros(F))
    order = jnp.r_[0:F:2, 1:F:2]
    inputs = jnp.concatenate([model.Q.weight[order], model.K.weight[order], model.V.weight])
    params = {"query_key_value": {"kernel": inputs.T}, "output": {"kernel": jnp.eye(F)}}
    check(ours("transformer", params, window=7, heads=1), theirs(model))
