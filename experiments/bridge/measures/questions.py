"""Probe questions for the games in which what acting and predicting need is known.

Where a statistic takes few values, one probe decodes all of it
(`experiments.bridge.measures.beliefs`). Where it takes too many, it is split into parts, and the
nats held and available are summed over these:

    Autoencode         each of some earlier cards, for the ordered list
    HigherLower        each rank's count, for the counts
    Concentration      what has been revealed of some cells, for the board
    MultiarmedBandit   the posterior mean of each arm, in groups of equal frequency
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy.special import entr
from scipy.stats import hypergeom

from experiments.bridge.measures import beliefs
from experiments.bridge.measures.overlap import Deck, deck_of
from experiments.bridge.measures.probes import NEVER, Question, ask
from popjax.core import Environment
from popjax.players import Episodes

PARTS, GROUPS = 8, 8


def in_one(env: Environment, who: str) -> bool:
    """Whether the whole statistic is one question."""
    return env.name in ("RepeatFirst", "RepeatPrevious", "CountRecall") or (
        env.name == "Autoencode" and who == "lm"
    )


def questions(
    env: Environment,
    who: str,
    episodes: Episodes,
    cards: Int[np.ndarray, "T N decks"],
    token: Int[np.ndarray, "T N"],
    t: int,
    size: int = 0,
) -> list[Question]:
    """The questions about the states after step t. cards: in a card game. token: the current token
    as one integer. size: see `beliefs.question`."""
    if in_one(env, who):
        return [beliefs.question(env, who, cards, t, size)]
    if env.name == "Autoencode":
        deck = deck_of(env)
        prior = np.log(one_card(deck))[cards[t, :, 0]]
        return [ask(cards[i, :, 0], deck.num_kinds, prior) for i in places(t)]
    if env.name == "HigherLower":
        return counted(deck_of(env), cards, t)
    if env.name == "Concentration":
        return seen_places(env, np.asarray(episodes.obs), t)
    return arms(env, episodes, token, t)


def places(t: int) -> list[int]:
    """Some of the t earlier steps, evenly spread."""
    return np.unique(np.linspace(0, t - 1, min(PARTS, t)).round().astype(int)).tolist()


def one_card(deck: Deck) -> Float[np.ndarray, "kinds kinds"]:
    """The distribution of any other card, given the current one."""
    return (deck.each - np.eye(deck.num_kinds)) / (deck.num_cards - 1)


def counted(deck: Deck, cards: Int[np.ndarray, "T N decks"], t: int, of: int = 0) -> list[Question]:
    """How many of each kind are among the t earlier cards of one of the decks, kind by kind."""
    values, questions = np.arange(deck.each + 1), []
    for kind in range(deck.num_kinds):
        count = np.sum(cards[:t, :, of] == kind, axis=0)
        others = deck.each - (cards[t, :, of] == kind)
        law = hypergeom.pmf(values, deck.num_cards - 1, others[:, None], t)
        prior = np.log(np.maximum(law, 1e-300))
        questions.append(ask(count, deck.each + 1, np.maximum(prior, NEVER)))
    return questions


def seen_places(env: Environment, obs: Int[np.ndarray, "T N cells"], t: int) -> list[Question]:
    """What has been revealed at some cells of the board: a kind, or nothing yet."""
    hidden, questions = env.num_kinds, []
    for place in np.linspace(0, env.num_cards - 1, PARTS).round().astype(int):
        shown = obs[: t + 1, :, place]
        known = np.min(shown, axis=0)  # hidden is the largest number
        questions.append(often(known, hidden + 1, shown[-1]))
    return questions


def arms(
    env: Environment, episodes: Episodes, token: Int[np.ndarray, "T N"], t: int
) -> list[Question]:
    """The posterior mean of each arm, after t pulls of all."""
    action, paid = np.asarray(episodes.action)[:t], np.asarray(episodes.next_obs)[:t]
    questions = []
    for arm in range(env.num_arms):
        pulled = action == arm
        mean = (1 + np.sum(pulled * paid, axis=0)) / (2 + pulled.sum(axis=0))
        edges = np.unique(np.quantile(mean, np.arange(1, GROUPS) / GROUPS))
        groups = np.searchsorted(edges, mean, side="right")
        questions.append(often(groups, len(edges) + 1, 2 * pulled[-1] + paid[-1] * pulled[-1]))
    return questions


def often(values: Int[np.ndarray, " n"], num_values: int, given: Int[np.ndarray, " n"]) -> Question:
    """The question about a value, with a prior of its frequencies among rows with the same given
    value."""
    shares = np.full((int(given.max()) + 1, num_values), 0.5 / num_values)
    np.add.at(shares, (given, values), 1.0)
    shares /= shares.sum(axis=1, keepdims=True)
    return ask(values, num_values, np.log(shares)[given])


def held_by_counts(env: Environment, times: tuple[int, ...]) -> float:
    """The share of the ordered list of Autoencode that its counts determine, card by card: what a
    minimal language model holds of these questions.

    >>> import popjax
    >>> round(held_by_counts(popjax.make("AutoencodeEasy"), (1, 10, 40)), 2)
    0.11
    """
    deck = deck_of(env)
    of_card = float(np.mean(entr(one_card(deck)).sum(axis=-1)))
    held, known = 0.0, 0.0
    for t in times:
        number = len(places(t))
        c = np.arange(min(deck.each, t) + 1)
        left = deck.num_kinds * hypergeom.pmf(c, deck.num_cards, deck.each, t) @ entr(c / t)
        held += number * (of_card - left)
        known += number * of_card
    return float(held / known)
