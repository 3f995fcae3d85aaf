"""What happens when a model's own outputs come back to it: exposure bias, self-delusion, and
hallucination, each against an exact rule."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from agents.choices import take_along_last
from agents.dream import dream
from agents.inputs import agent_input
from agents.language_agent import LanguageAgent
from agents.networks import LanguageModel
from popjax.core import Environment
from popjax.envs.multiarmed_bandit import MultiarmedBandit
from popjax.players import Episodes, Player, random_player
from popjax.players.multiarmed_bandit import empty_tally


def copied(error: np.ndarray, choices: int = 4) -> np.ndarray:
    """`[..., T]` probability of the right action in a copier's own loop, from its errors
    `[..., T]` in the expert's.

    >>> copied(np.array([0.0, 0.01, 0.01])).round(4).tolist()
    [1.0, 0.99, 0.9801]
    """
    right = [1 - error[..., 0]]
    for slip in np.moveaxis(error[..., 1:], -1, 0):
        right.append(right[-1] * (1 - slip) + (1 - right[-1]) * slip / (choices - 1))
    return np.stack(right, axis=-1)


def expected_return(right: np.ndarray) -> np.ndarray:
    """`[...]` return of an episode that pays 1 / T for a right action and -1 / T for another, from
    the probability of being right `[..., T]`.

    >>> expected_return(np.array([1.0, 1.0, 0.5])).round(3).item()
    0.667
    """
    return np.mean(2 * right - 1, axis=-1)


def excess_error(open_nats: np.ndarray, closed_nats: np.ndarray) -> np.ndarray:
    """`[...]` %ExAccErr of Arora et al. 2022 (arXiv 2204.01171) at the end of an episode: by how
    many per cent the divergence from the expert that a policy gathers in its own loop exceeds what
    it would gather at the expert's rate. Both divergences are `[..., T]`.

    >>> excess_error(np.array([0.1, 0.1]), np.array([0.1, 0.3])).round(1).item()
    100.0
    """
    length = open_nats.shape[-1]
    gathered = closed_nats.sum(axis=-1) / open_nats.mean(axis=-1)
    return 100 * (gathered - length) / length


class InBothLoops:
    """What follows from how right a policy is where the expert acts, and where it does itself.

    open_right, closed_right: probability of the right action; open_nats, closed_nats: divergence
    from the expert.
    """

    open_right: Float[np.ndarray, "seeds T"]
    closed_right: Float[np.ndarray, "seeds T"]
    open_nats: Float[np.ndarray, "seeds T"]
    closed_nats: Float[np.ndarray, "seeds T"]

    @property
    def copier(self) -> Float[np.ndarray, "seeds T"]:
        """How often a copier with the same errors would be right in its own loop."""
        return copied(1 - self.open_right)

    @property
    def as_copier(self) -> Float[np.ndarray, " seeds"]:
        """What such a copier would earn."""
        return expected_return(self.copier)

    @property
    def as_rememberer(self) -> Float[np.ndarray, " seeds"]:
        """What one would earn whose errors never depend on its own actions."""
        return expected_return(self.open_right)

    @property
    def excess(self) -> Float[np.ndarray, " seeds"]:
        """%ExAccErr, see `excess_error`."""
        return excess_error(self.open_nats, self.closed_nats)


def best_arm(env: MultiarmedBandit) -> Player:
    """Pulls the arm that pays most often, which it sees: an expert whose actions tell a reader of
    its transcripts what the reader's own would not (Ortega et al. 2021, arXiv 2110.10819)."""

    def act(key, tally, obs, state):
        return tally, jnp.argmax(state.payoffs)

    return Player("best arm", "privileged", "optimal", lambda: empty_tally(env), act)


def habits(episodes: Episodes, num_arms: int) -> dict[str, Float[Array, ""]]:
    """How a bandit was played, means over episodes.

    return; stayed: share of episodes in which no other arm than the first was ever pulled. locked:
    share whose second half is all on the first arm. entropy: of the arms of an episode, in nats.
    """
    action = episodes.action
    half = action[len(action) // 2 :]
    shares = jnp.mean(jax.nn.one_hot(action, num_arms), axis=0)
    return {
        "return": jnp.mean(episodes.returns),
        "stayed": jnp.mean(jnp.all(action == action[0], axis=0)),
        "locked": jnp.mean(jnp.all(half == action[0], axis=0)),
        "entropy": jnp.mean(jnp.sum(jax.scipy.special.entr(shares), axis=-1)),
    }


def hallucination(
    env: Environment,
    network: LanguageModel,
    params: Any,
    key: Key[Array, ""],
    num_dreams: int,
    each: int,
) -> dict[str, Float[Array, "..."]]:
    """Whole decks dreamt by a language model of cards, read against the deck that there is.

    impossible: `[T]` share of dreams whose card at that step is one more than the deck holds.
    broken: `[T]` share in which that came by then; legal: `[]` share of whole decks in which it
        never came. model_nats: `[T]` what the dreamt cards cost the model. bayes_nats: `[T]` what
        they cost who counts, where they can be. excess: `[T]` divergence of the model's law from
        the exact one in dreams that are not broken yet; it is what a loss would show.
    """
    player = random_player(env)
    dreamt = dream(LanguageAgent.of(env, network, "obs"), params, key, num_dreams, player)
    first = dreamt.obs[:1]
    cards = jnp.concatenate([first, dreamt.next_obs])
    return against_deck(env, network, params, cards, each)


def against_deck(
    env: Environment, network: LanguageModel, params: Any, cards: Int[Array, "T1 N"], each: int
) -> dict[str, Float[Array, "..."]]:
    """What `hallucination` measures, of given decks, dreamt or dealt."""
    kinds = network.sizes[0]
    shown = jnp.cumsum(jax.nn.one_hot(cards, kinds), axis=0)
    left = each - shown[:-1]  # before each card to come
    card = cards[1:]
    start = jnp.arange(len(card))[:, None] == jnp.zeros_like(card)
    x = agent_input(env, cards[:-1], jnp.zeros_like(card), start, "obs")
    logits = network.apply(params, network.initial_carry(cards.shape[1]), x, start)[1]
    log_model = jax.nn.log_softmax(logits)

    impossible = take_along_last(left, card) < 1
    broken = jnp.cumsum(impossible, axis=0) > 0
    before = jnp.concatenate([jnp.zeros_like(broken[:1]), broken[:-1]])  # by earlier cards
    law = jnp.maximum(left, 0) / jnp.maximum(jnp.sum(jnp.maximum(left, 0), -1, keepdims=True), 1)
    log_law = jnp.log(jnp.maximum(law, 1e-30))
    divergence = jnp.sum(law * (log_law - log_model), axis=-1)

    def mean(values, where):
        return jnp.sum(values * where, axis=1) / jnp.maximum(jnp.sum(where, axis=1), 1)

    return {
        "impossible": jnp.mean(impossible, axis=1),
        "broken": jnp.mean(broken, axis=1),
        "legal": jnp.mean(~broken[-1]),
        "model_nats": -jnp.mean(take_along_last(log_model, card), axis=1),
        "bayes_nats": mean(-take_along_last(log_law, card), ~broken),
        "excess": mean(divergence, ~before),
    }
