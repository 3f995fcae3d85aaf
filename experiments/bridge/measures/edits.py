"""Two exact changes of a history of cards: is a memory a list or a multiset?

A swap of two cards leaves all counts as they were, so a predictor of the next card must not move;
one card replaced by another changes the counts. How far outputs move is measured in total
variation, and compared with the exact Bayesian rule on the same histories.

An `Answer` is any function from histories `[T, N]` of cards to probabilities `[N, K]` at their
last step: a trained network, the exact rule, or a hand-written one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from agents.choices import log_probs, sizes_of
from agents.inputs import agent_input
from agents.language_agent import LanguageAgent
from agents.networks import LanguageModel
from popjax import cards as decks
from popjax.core import Environment

Answer = Callable[[Int[Array, "T N"]], Float[Array, "N K"]]


class Effects(NamedTuple):
    """Mean total variation by the lag of the edited card, 0 for the newest, `[T]`."""

    swap: Float[Array, " T"]
    replace: Float[Array, " T"]

    @property
    def order_index(self) -> Float[Array, ""]:
        """Swaps' share of both: 0 for a multiset, 2/3 for a register of one earlier card: a
        swap edits two positions, a replacement one."""
        return jnp.mean(self.swap) / (jnp.mean(self.swap) + jnp.mean(self.replace))


def deal_histories(
    key: Key[Array, ""], length: int, num_histories: int, each: int, suits: int = 4
) -> Int[Array, "T N"]:
    """The first `length` cards of so many shuffled decks. The key is consumed."""
    deck = jnp.broadcast_to(each * jnp.arange(1, suits + 1), (num_histories, suits))

    def one(deck, key):
        return decks.deal(key, deck)

    return jax.lax.scan(one, deck, jax.random.split(key, length))[1]


def swapped(
    key: Key[Array, ""], cards: Int[Array, "T N"]
) -> tuple[Int[Array, "T T N"], Bool[Array, "T N"]]:
    """For each lag the histories with that card and a random other one swapped, and which
    histories changed. The key is consumed."""
    T, N = cards.shape
    place = (T - 1 - jnp.arange(T))[:, None]
    other = (place + jax.random.randint(key, (T, N), 1, T)) % T
    mine, its = cards[place[:, 0]], jnp.take_along_axis(cards, other, axis=0)
    times = jnp.arange(T)[None, :, None]
    edited = jnp.where(times == place[..., None], its[:, None], cards)
    return jnp.where(times == other[:, None], mine[:, None], edited), mine != its


def replaced(
    key: Key[Array, ""], cards: Int[Array, "T N"], each: int, suits: int = 4
) -> tuple[Int[Array, "T T N"], Bool[Array, "T N"]]:
    """For each lag the histories with that card replaced by one of another suit, and where the
    deck still holds such a card. The key is consumed."""
    T = len(cards)
    place = T - 1 - jnp.arange(T)
    mine = cards[place]
    counts = jnp.sum(jax.nn.one_hot(cards, suits), axis=0)
    possible = (counts < each) & (jnp.arange(suits) != mine[..., None])
    new = jax.random.categorical(key, jnp.where(possible, 0.0, -jnp.inf))
    times = jnp.arange(T)[None, :, None]
    edited = jnp.where(times == place[:, None, None], new[:, None], cards)
    return edited, jnp.any(possible, axis=-1)


def moved(
    answer: Answer, cards: Int[Array, "T N"], edited: Int[Array, "L T N"], where: Bool[Array, "L N"]
) -> Float[Array, " L"]:
    """Mean total variation between the answers before and after, where there was a change."""
    L, T, N = edited.shape
    before = answer(cards)
    after = answer(edited.transpose(1, 0, 2).reshape(T, L * N)).reshape(L, N, -1)
    distance = 0.5 * jnp.sum(jnp.abs(after - before), axis=-1)
    return jnp.sum(distance, axis=1, where=where) / jnp.maximum(jnp.sum(where, axis=1), 1)


def effects(
    answer: Answer, cards: Int[Array, "T N"], key: Key[Array, ""], each: int, suits: int = 4
) -> Effects:
    """Effects of both edits at every lag; equal keys edit equal histories alike. The key is
    consumed."""
    key_swap, key_replace = jax.random.split(key)
    return Effects(
        swap=moved(answer, cards, *swapped(key_swap, cards)),
        replace=moved(answer, cards, *replaced(key_replace, cards, each, suits)),
    )


def next_card(each: int, suits: int = 4) -> Answer:
    """The exact distribution of the next card: a counter."""

    def answer(cards):
        left = each - jnp.sum(jax.nn.one_hot(cards, suits), axis=0)
        return left / jnp.sum(left, axis=-1, keepdims=True)

    return answer


def card_before(lag: int, suits: int = 4) -> Answer:
    """The card that lies `lag` before the newest: a register. -1: the first of all."""
    return lambda cards: jax.nn.one_hot(cards[0 if lag < 0 else -1 - lag], suits)


def network_answer(
    env: Environment, network: LanguageModel, params: Any, says: str = "action"
) -> Answer:
    """The last-step output of a network that reads only cards: its "action" probabilities, or its
    prediction of the next "token"."""

    agent = LanguageAgent.of(env, network, "obs")

    def answer(cards):
        start = jnp.arange(len(cards))[:, None] == jnp.zeros_like(cards)
        x = agent_input(env, cards, jnp.zeros_like(cards), start, "obs")
        carry = network.initial_carry(cards.shape[1])
        if says == "token":
            return jax.nn.softmax(network.apply(params, carry, x, start)[1][-1])
        policy = agent.action_outputs(params, carry, x, start)[1]
        return jnp.exp(log_probs(sizes_of(env), policy[-1]))

    return answer
