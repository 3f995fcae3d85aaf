"""The replays of the page: their actions are the ones that were taken, and the law says so."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.explorer import page as explorer_page
from experiments.explorer.networks import with_networks
from popjax import ENVS
from popjax.players import Player, play
from popjax.spaces import Box

SHIPPED = {name: explorer_page.unpack(packed) for name, packed in explorer_page.shipped().items()}
PLAYED_AGAIN = [
    name if name in with_networks() else pytest.param(name, marks=pytest.mark.slow)
    for name in SHIPPED
]


@pytest.mark.parametrize("env_id", SHIPPED)
def test_the_law_knows_more_than_a_uniform_guess(env_id):
    episode = SHIPPED[env_id]
    law, uniform = episode["law"], episode["token"]["uniform"]
    if law is not None:
        nats = np.mean(law["surprise"])
        assert nats < uniform or (nats == uniform and not law["exact"])


@pytest.mark.parametrize("env_id", [name for name, shown in SHIPPED.items() if "torque" in shown])
def test_who_reads_torques_reads_those_of_the_motor(env_id):
    """Model and filter know where a pendulum swings to under the torque applied, not under one of
    38 that was sampled: their losses are those of new episodes."""
    episode = SHIPPED[env_id]
    assert max(map(abs, episode["torque"])) <= 2.0
    assert np.mean(episode["law"]["surprise"]) < 1.5 * episode["floor"]["nats"] + 0.5
    if episode["language_model"] is not None:
        model = episode["language_model"]
        assert abs(np.mean(model["surprise"]) - model["nats"]) < 0.7


@pytest.mark.by_default(
    "RepeatFirstEasy",
    "VelocityOnlyCartPoleEasy",
    "PositionOnlyCartPoleEasy",
    "PositionOnlyPendulumEasy",
)
@pytest.mark.parametrize("env_id", PLAYED_AGAIN)
def test_the_recorded_actions_earn_the_recorded_return(env_id):
    """Played again on the same deck, board or start, in which the same keys deal and move."""
    episode, env = SHIPPED[env_id], ENVS[env_id]
    if isinstance(env.action_space, Box):
        actions = jnp.array(episode["torque"], jnp.float32)[:, None]
    else:
        actions = env.action_space.from_number(jnp.array(episode["did"]))
    assert jax.vmap(env.action_space.contains)(actions).all()
    script = Player(
        "what was recorded",
        "history",
        "baseline",
        lambda: jnp.int32(0),
        lambda key, t, obs, state: (t + 1, actions[t]),
    )
    key_play = jax.random.split(jax.random.key(episode["seed"]))[0]
    again = play(env, script, key_play, 1)
    steps = len(episode["reward"])
    np.testing.assert_allclose(again.reward[:steps, 0], episode["reward"], atol=1e-4)
    if steps == episode["length"]:
        assert int(again.lengths[0]) == steps
        np.testing.assert_allclose(again.returns[0], episode["return"], atol=1e-4)
