"""The LRU against the paper's recurrence in complex numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.lru import LRU
from tests.support.naive import check_loop, gelu, sigmoid


def loop(params, x):
    if "input" in params:
        x = x @ params["input"]["kernel"] + params["input"]["bias"]
    decay = np.exp(-np.exp(params["nu"]) + 1j * np.exp(params["theta"]))
    size = len(decay)
    b = params["B"]["kernel"].T
    b = b[:size] + 1j * b[size:]
    c = params["C"]["kernel"].T
    c = c[:, :size] - 1j * c[:, size:]
    h, ys = np.zeros(size, complex), []
    for u in x:
        h = decay * h + np.exp(params["log_gamma"]) * (b @ u)
        y = gelu((c @ h).real + params["D"] * u)
        value, gate = np.split(y @ params["output"]["kernel"] + params["output"]["bias"], 2)
        ys.append(value * sigmoid(gate))
    return np.stack(ys)


@pytest.mark.by_default("recurrent-memory1")
@pytest.mark.parametrize("memory", [LRU(features=8), LRU(features=5, state=3)])
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
def test_equals_the_loop(memory, mode):
    check_loop(memory.clone(mode=mode), loop)


def test_begins_on_the_ring_and_normalised():
    memory = LRU(features=1, state=4000, r_min=0.5, r_max=0.9)
    x = jnp.zeros((1, 1, 1))
    params = jax.jit(memory.init)(
        jax.random.key(0), memory.initial_carry(1), x, jnp.zeros((1, 1), bool)
    )["params"]
    radius = np.exp(-np.exp(params["nu"]))
    assert radius.min() >= 0.5 - 1e-6 and radius.max() <= 0.9 + 1e-6
    # uniform on the ring: half of the area lies within the root mean square of the radii
    assert abs(np.mean(radius < np.sqrt((0.5**2 + 0.9**2) / 2)) - 0.5) < 0.04
    np.testing.assert_allclose(np.exp(params["log_gamma"]) ** 2 + radius**2, 1, atol=1e-5)
    assert abs(np.mean(np.exp(params["theta"])) - np.pi) < 0.15
