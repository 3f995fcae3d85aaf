"""The models that memax 0.1.1 has as well, with the same weights: an independent implementation.

What is compared where the two are not the same function:

- GRU: memax's resets before the product, the same where the candidate's matrix is diagonal.
- LSTM: memax's has no tanh of the cell, the same for small cells.
- FFM: memax's norms after the output gate, the same where the gate is open or shut.
- Mamba: the scan of one state a channel; memax's S6 has a zero-order hold and no convolution.
- minGRU, minLSTM: an S6 that keeps as much as it does not let in.

memax has no LMU, DNC, GTrXL, SHM, sLSTM or mLSTM. Linear systems and attention: see
`test_memax_linear`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest
from memax.equinox import train_utils as memax  # where all its models are at hand

from agents.memory import MEMORIES
from agents.memory.selective import selective_scan
from tests.support.naive import random_params
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
    side_by_side,
    theirs,
)


@pytest.mark.parametrize("name", ["mlp", "pos_mlp"])
def test_mlp(name):
    layers = [memax.MLP(F, key) for key in jax.random.split(KEY)]
    params = {f"Dense_{i}": layer(mlp.project.layers[0]) for i, mlp in enumerate(layers)}
    params |= NO_POSITION if name == "pos_mlp" else {}
    check(ours(name, params), theirs(layers[1], theirs(layers[0])))


@pytest.mark.slow  # by default: its own loop
def test_tcn():
    model = memax.Stack(F, 4, KEY)
    kernel = jnp.moveaxis(model.g.weight.reshape(F, 4, F), 0, 2)[::-1]  # the newest first
    check(ours("tcn", {"kernel": kernel, "bias": model.g.bias} | NO_POSITION), theirs(model))


@pytest.mark.slow  # by default: its own loop
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


@pytest.mark.slow  # by default: its own loop
def test_elman():
    params = random_params(MEMORIES["elman"](F), F)["params"]
    check(ours("elman", params), theirs(elman(params["recurrent"], params["input"])))


@pytest.mark.slow  # by default: its own loop
def test_ind_rnn():
    """Two rectified Elman networks with diagonal recurrent matrices."""
    params, y = random_params(MEMORIES["ind_rnn"](F), F)["params"], X
    for i in range(2):
        params[f"recurrent_{i}"] = jnp.linspace(-1.0, 1.0, F)  # within the bound of ours
        recurrent = jnp.diag(params[f"recurrent_{i}"])
        y = theirs(elman(recurrent, params[f"layer_{i}"], activation=jax.nn.relu), y)
    check(ours("ind_rnn", params), y)


@pytest.mark.by_default("GRU-r-z")
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


@pytest.mark.slow  # by default: its own loop
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


@pytest.mark.slow  # by default: its own loop
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


@pytest.mark.slow  # by default: its own loop
@MODES
def test_selective_scan(mode):
    model = memax.S6(F, F, KEY)
    rate, delta = jnp.exp(model.A_log)[None], every_step(model.dt)
    x = every_step(model.B) * X * -jnp.expm1(-delta * rate) / (delta * rate)
    one, carry = jnp.ones((*START.shape, 1)), jnp.zeros((2, 1, F))
    _, h = jax.jit(selective_scan, static_argnums=7)(rate, delta, x, one, one, carry, START, mode)
    check(every_step(model.C) * h, theirs(model))


@pytest.mark.by_default("recurrent")
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
