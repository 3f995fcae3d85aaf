"""The statistics of a deck after t + 1 cards, as questions for probes.

The statistics are those of `experiments.bridge.measures.overlap`: what acting requires ("rl") and
what predicting requires ("lm"), given the clock and the current card. Both depend only on earlier
cards, and a probe's prior is their exact distribution given the current card.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from experiments.bridge.measures.overlap import Deck, deck_of, log_choose, log_falling
from experiments.bridge.measures.probes import NEVER, Question
from popjax.core import Environment

Who = Literal["rl", "lm"]


class Statistic(NamedTuple):
    """All values that a statistic can take at one step.

    values: `[K, m]` int. prior: `[tokens, K]` log-probability given the current card (the
    first deck's, then the second's). parts: `[K, F]` 0 or 1, see
    `experiments.bridge.measures.probes`.
    """

    values: Int[np.ndarray, "K m"]
    prior: Float[np.ndarray, "tokens K"]
    parts: Float[np.ndarray, "K F"]


def question(
    env: Environment, who: Who, cards: Int[np.ndarray, "T N decks"], t: int, size: int = 0
) -> Question:
    """The question about the states after card t, counted from 0, of N decks. size: of the table,
    to give questions of several steps one shape; padded values are impossible."""
    deck = deck_of(env)
    statistic = statistic_of(env, who, t)
    known = known_of(env, who, cards, t)
    place = {tuple(value): i for i, value in enumerate(statistic.values.tolist())}
    index = np.array([place[tuple(row)] for row in known.tolist()])
    token = np.ravel_multi_index(cards[t].T, (deck.num_kinds,) * cards.shape[-1])
    more = max(0, size - len(place))
    return Question(
        np.eye(len(place) + more)[index],
        np.pad(statistic.prior[token], ((0, 0), (0, more)), constant_values=NEVER),
        np.pad(statistic.parts, ((0, more), (0, 0))),
    )


def most_values(env: Environment, who: Who, times: Sequence[int]) -> int:
    """The size of the largest table at any of these steps."""
    return max(len(statistic_of(env, who, t).values) for t in times)


def known_of(
    env: Environment, who: Who, cards: Int[np.ndarray, "T N decks"], t: int
) -> Int[np.ndarray, "N m"]:
    """The value of the statistic in each deck: earlier cards in order, or the counts of them."""
    deck = deck_of(env)
    if who == "rl" and deck.listed:
        first, last = listed(env, deck, t)
        return cards[first:last, :, 0].T
    decks = 1 if who == "rl" else deck.num_decks
    counts = (cards[:t, :, :decks, None] == np.arange(deck.num_kinds)).sum(axis=0)
    return counts.reshape(len(counts), -1)


def listed(env: Environment, deck: Deck, t: int) -> tuple[int, int]:
    """The range of earlier cards whose order the agent must know."""
    earlier = deck.list_length(t + 1, getattr(env, "k", 0)) - 1
    return (0, earlier) if deck.listed == "first" else (t - earlier, t)


@lru_cache
def statistic_of(env: Environment, who: Who, t: int) -> Statistic:
    """The values, prior and parts of a statistic after card t."""
    deck = deck_of(env)
    if who == "rl" and deck.listed:
        first, last = listed(env, deck, t)
        one = lists(deck, last - first)
    else:
        one = counts(deck, t)
    if deck.num_decks == 1:
        return one
    if who == "rl":  # the second deck's card is independent of the first deck
        return one._replace(prior=np.repeat(one.prior, deck.num_kinds, axis=0))
    return both(one, one)


def lists(deck: Deck, length: int) -> Statistic:
    """Ordered lists of cards from a deck without the current card. The parts are each card of a
    list and the list itself, since the counts alone rule some lists out."""
    kinds = np.arange(deck.num_kinds)
    values = np.array(list(itertools.product(kinds, repeat=length)), int).reshape(-1, length)
    drawn = (values[..., None] == kinds).sum(axis=1)  # [K, kinds]
    left = deck.each - np.eye(deck.num_kinds, dtype=int)[:, None]
    ways = np.where(drawn <= left, log_falling(left, np.minimum(drawn, left)), -np.inf).sum(-1)
    prior = np.maximum(ways - log_falling(deck.num_cards - 1, length), NEVER)
    places = (values[..., None] == kinds).reshape(len(values), -1)
    return Statistic(values, prior, np.concatenate([places, np.eye(len(values))], axis=1))


def counts(deck: Deck, drawn: int) -> Statistic:
    """Counts of each kind among so many cards from a deck without the current card."""
    most = range(min(deck.each, drawn) + 1)
    values = np.array(
        [c for c in itertools.product(most, repeat=deck.num_kinds) if sum(c) == drawn]
    )
    left = deck.each - np.eye(deck.num_kinds, dtype=int)[:, None]
    ways = np.where(values <= left, log_choose(left, np.minimum(values, left)), -np.inf).sum(-1)
    prior = np.maximum(ways - log_choose(deck.num_cards - 1, drawn), NEVER)
    parts = (values[..., None] == np.arange(deck.each + 1)).reshape(len(values), -1)
    return Statistic(values, prior, parts.astype(float))


def both(one: Statistic, other: Statistic) -> Statistic:
    """The joint of two independent statistics."""
    i, j = (a.reshape(-1) for a in np.indices((len(one.values), len(other.values))))
    prior = one.prior[:, None, i] + other.prior[None, :, j]
    return Statistic(
        np.concatenate([one.values[i], other.values[j]], axis=1),
        np.maximum(prior, NEVER).reshape(-1, len(i)),
        np.concatenate([one.parts[i], other.parts[j]], axis=1),
    )
