"""Gated linear attention against the loop over its matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.gla import GLA
from tests.support.naive import check_loop, sigmoid

HEADS, RANK, TEMPER = 2, 3, 4.0


def loop(params, x):
    features = params["output"]["kernel"].shape[1]
    keys = features // 2
    q, k, v, gate = np.split(
        x @ params["query_key_value_gate"]["kernel"], [keys, 2 * keys, 2 * keys + features], axis=1
    )
    forget = x @ params["forget_down"]["kernel"] @ params["forget_up"]["kernel"]
    alpha = sigmoid(forget + params["forget_up"]["bias"]) ** (1 / TEMPER)
    q, k, v, alpha = (part.reshape(len(x), HEADS, -1) for part in (q, k, v, alpha))
    state, ys = np.zeros((HEADS, k.shape[2], v.shape[2])), []
    for t in range(len(x)):
        for h in range(HEADS):
            state[h] = np.diag(alpha[t, h]) @ state[h] + np.outer(k[t, h], v[t, h])
        y = np.stack([state[h].T @ q[t, h] / np.sqrt(k.shape[2]) for h in range(HEADS)])
        y = y / np.sqrt((y**2).mean(axis=1, keepdims=True) + 1e-6) * params["norm"]["scale"]
        ys.append((y.ravel() * gate[t] * sigmoid(gate[t])) @ params["output"]["kernel"])
    return np.stack(ys)


@pytest.mark.by_default("recurrent")
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
def test_equals_the_loop(mode):
    memory = GLA(features=12, heads=HEADS, rank=RANK, temper=TEMPER, mode=mode)
    check_loop(memory, loop, length=150)


def test_sizes_must_fit():
    memory = GLA(features=12)
    with pytest.raises(ValueError, match="no multiple"):
        jax.eval_shape(memory.init, jax.random.key(0), memory.initial_carry(1),
                       jnp.zeros((1, 1, 3)), jnp.zeros((1, 1), bool))  # fmt: skip
