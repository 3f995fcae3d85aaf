"""The forgetting curves of the page, told of memories whose curves are known: shift registers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from agents.networks import ActorCritic, LanguageModel
from experiments.explorer.forgetting import LONGEST, forgetting
from experiments.explorer.pairs import Pair, TrainedModel

AGENT_HOLDS, MODEL_HOLDS, WIDTH = 4, 2, 16
ENV_ID = "RepeatPreviousEasy"


class Register(nn.Module):
    """A backbone that gives the last `held` cards, one-hot, in `WIDTH` numbers, times a gain that
    begins as 0: untrained it tells nothing."""

    held: int

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros((self.held - 1, batch_size, 4))

    @nn.compact
    def __call__(self, carry, x, start):
        gain = self.param("gain", nn.initializers.zeros, ())
        cards = jnp.concatenate([carry, x[..., :4]])  # the suit comes first in what is read
        steps = len(x)
        lags = [cards[self.held - 1 - lag :][:steps] for lag in range(self.held)]
        spare = jnp.zeros((*x.shape[:2], WIDTH - 4 * self.held))
        return cards[steps:], gain * jnp.concatenate([*lags, spare], axis=-1)


def costume(network):
    params = {"params": {"backbone": {"gain": jnp.float32(1)}}}
    return TrainedModel(popjax.make(ENV_ID), network, params, "obs", {})


@pytest.fixture(scope="module")
def curves():
    agent = ActorCritic(Register(AGENT_HOLDS), num_actions=4, head_features=8)
    model = LanguageModel(Register(MODEL_HOLDS), (4,), head_features=8)
    return forgetting(ENV_ID, Pair(costume(agent), costume(model)), jax.random.key(0))


@pytest.mark.slow
def test_a_card_is_worth_the_nats_of_a_suit(curves):
    assert len(curves["worth"]) == LONGEST
    np.testing.assert_allclose(curves["worth"], np.log(4), atol=0.01)


@pytest.mark.slow  # by default: test_forgetting.py of the bridge probes registers
@pytest.mark.parametrize(
    ("name", "held"), [("agent", AGENT_HOLDS), ("language_model", MODEL_HOLDS), ("untrained", 0)]
)
def test_a_register_keeps_what_it_holds_and_nothing_else(curves, name, held):
    """Beyond, each card tells a little of the others, for the deck is finite: one of 52."""
    kept = np.array(curves[name])
    np.testing.assert_allclose(kept[:held], np.log(4), atol=0.03)
    np.testing.assert_allclose(kept[held:], 0, atol=0.05)
    assert abs(curves["total"][name] - held * np.log(4)) < 0.15
    assert curves["half_life"][name] == held


def test_there_is_no_curve_where_tokens_depend_on_actions():
    env_id = "MultiarmedBanditEasy"
    one = TrainedModel(popjax.make(env_id), None, None, "obs", {})
    assert forgetting(env_id, Pair(one, one), jax.random.key(0)) is None
