"""What an accelerator would be given, read on a machine without one.

Programs are lowered for CUDA and TPU, not compiled: no host is called back from inside, and no
number is wider than 32 bits. Memory models take the way that they take on an accelerator.
"""

import re

import jax
import jax.numpy as jnp
import pytest
from jax import export

from agents.hyperparams import Hyperparams
from agents.memory import MEMORIES
from agents.ppo import PPOConfig, make_train
from experiments.results.spec import NetworkConfig, Settings
from experiments.train.build import build
from experiments.train.cell import cell
from popjax import ENVS, batch

PLATFORMS = ("cuda", "tpu")
CONFIG = PPOConfig(num_envs=2, num_steps=4, num_epochs=1, num_minibatches=1)
SETTINGS = Settings(
    total_steps=8, seeds=1, network=NetworkConfig(features=8, head_features=8), ppo=CONFIG
)


def lowered(function, *args):
    """The text of a program for both platforms at once."""
    checks = [export.DisabledSafetyCheck.custom_call(name) for name in KERNELS]
    made = export.export(jax.jit(function), platforms=PLATFORMS, disabled_checks=checks)(*args)
    assert made.platforms == PLATFORMS
    return made.mlir_module()


KERNELS = ("cu_threefry2x32_ffi", "cuthreefry2x32_ffi")


def check(text):
    called = set(re.findall(r"custom_call @(\w+)", text))
    assert not [name for name in called if "callback" in name or "host" in name.lower()], called
    wide = re.findall(r"tensor<(?:[\dx]*x)?(?:f64|i64|ui64|complex<f64>)>", text)
    assert "f64" not in text and not [kind for kind in wide if "f64" in kind]
    assert "send" not in called and "recv" not in called


@pytest.mark.by_default("ffm")
@pytest.mark.parametrize("memory", MEMORIES)
def test_training_needs_no_host_and_no_wide_numbers(memory, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    env, network = build(cell("RepeatFirstEasy", memory, SETTINGS))
    init, segment = make_train(env, network, CONFIG)
    hyperparams = Hyperparams()
    state = jax.eval_shape(lambda key: init(key, hyperparams, 1), jax.random.key(0))
    check(lowered(lambda state: segment(state, hyperparams, 1), state))


@pytest.mark.by_default(
    "MineSweeperEasy",
    "VelocityOnlyCartPoleEasy",
    "NoisyPositionOnlyPendulumEasy",
)
@pytest.mark.parametrize("name", [name for name in ENVS if name.endswith("Easy")])
def test_environments_need_no_host_and_no_wide_numbers(name):
    env = ENVS[name]

    def begin_and_step(key):
        states, _ = batch.reset(env, key, 4)
        actions = jax.vmap(env.action_space.sample)(jax.random.split(key, 4))
        return batch.step(env, key, states, actions)

    check(lowered(begin_and_step, jax.random.key(0)))


def test_a_callback_and_a_wide_number_would_be_seen():
    """The positive control of both checks."""

    def calls(x):
        return jax.pure_callback(lambda x: x, jax.ShapeDtypeStruct((), jnp.float32), x)

    text = jax.jit(calls).trace(jnp.float32(1)).lower(lowering_platforms=("cpu",)).as_text()
    with pytest.raises(AssertionError):
        check(text)
    with jax.enable_x64(True):
        text = lowered(lambda x: x * 2, jnp.zeros(3, jnp.float64))
    with pytest.raises(AssertionError):
        check(text)
