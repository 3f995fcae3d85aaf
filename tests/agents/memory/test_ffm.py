"""FFM against the closed form of its paper: traces that fade and turn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.ffm import FFM
from tests.support.naive import check_loop, layer_norm, sigmoid

PLAIN = {"scale": 1.0, "bias": 0.0}


def closed_form(trace, context, features):
    def run(params, x):
        projected = x @ params["input"]["kernel"] + params["input"]["bias"]
        u, u_gate, skip, gate = np.split(
            projected, [trace, 2 * trace, 2 * trace + features], axis=1
        )
        u, gate = u * sigmoid(u_gate), sigmoid(gate)
        ys = []
        for t in range(len(x)):
            state = np.zeros((trace, context), complex)
            for s in range(t + 1):
                fade = np.exp(-np.abs(params["alpha"]) * (t - s))
                turn = np.exp(-1j * params["omega"] * (t - s))
                state += u[s][:, None] * np.outer(fade, turn)
            z = np.concatenate([state.real.ravel(), state.imag.ravel()])
            z = layer_norm(z @ params["read"]["kernel"] + params["read"]["bias"], PLAIN)
            ys.append(gate[t] * z + (1 - gate[t]) * skip[t])
        return np.stack(ys)

    return run


@pytest.mark.by_default("recurrent")
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
def test_equals_the_closed_form(mode):
    check_loop(FFM(features=6, trace=5, context=3, mode=mode), closed_form(5, 3, 6), length=40)


def test_begins_with_the_papers_horizon():
    memory = FFM(features=8, horizon=100)
    x, start = jnp.zeros((1, 1, 8)), jnp.zeros((1, 1), bool)
    params = jax.jit(memory.init)(jax.random.key(0), memory.initial_carry(1), x, start)["params"]
    assert np.exp(-params["alpha"].min() * 100) == pytest.approx(0.01, rel=1e-4)
    np.testing.assert_allclose(2 * np.pi / params["omega"], [1, 34, 67, 100], rtol=1e-5)


def test_state_size_does_not_depend_on_the_width():
    assert FFM(features=8).state_size() == FFM(features=512).state_size() == 2 * 32 * 4
