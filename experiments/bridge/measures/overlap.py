"""How much of what an agent needs a language model needs as well, from the rules alone.

Z_LM is all that future observations depend on, Z_RL all that acting optimally depends on. Where
actions do not affect the cards, both are known: the counts of a deck, or an ordered list of some of
its cards. Given the clock and the current card o, over the steps t at which an action is rewarded,

    U(RL|LM) = sum I(Z_RL; Z_LM | o) / sum H(Z_RL | o)    the share of Z_RL that Z_LM determines
    U(LM|RL) = sum I(Z_RL; Z_LM | o) / sum H(Z_LM | o)    the share of Z_LM that Z_RL determines

(uncertainty coefficients, Theil 1970). They are computed in two ways. `exact`: all orders of a deck
are equally likely, so entropies of counts and of lists, given counts or not, are sums over
hypergeometric distributions of one suit. `sampled`: decks dealt by the environment, and the
surprisal of each list, of its counts, and of the counts given the list.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float, Int
from scipy.special import gammaln
from scipy.stats import hypergeom

from popjax.core import Environment
from popjax.families import FAMILIES
from popjax.players import Player, play
from popjax.players.base import random_player

STATISTICS = {
    name: family.statistics
    for name, family in FAMILIES.items()
    if family.statistics and not family.actions_matter
}
"""Where actions do not affect the cards: what acting needs, and what predicting needs."""
CAUSAL = {
    name: family.statistics[0]
    for name, family in FAMILIES.items()
    if family.statistics and family.actions_matter
}
"""Where actions affect observations, both need the same statistic, and RL the clock."""

LISTED = {"RepeatFirst": "first", "RepeatPrevious": "last", "Autoencode": "all"}


@dataclass(frozen=True)
class Deck:
    """What an environment deals and what acting requires.

    num_cards, num_kinds: of a deck. num_decks: dealt in parallel. steps: `(first, last)` number of
    cards seen where an action is rewarded. listed: how many of the t cards seen the agent must know
    in order, the current one included; None if it needs the counts of the first deck.

    >>> deck = Deck(num_cards=52, num_kinds=4, num_decks=1, steps=(4, 51), listed="last")
    >>> deck.each, len(deck.times), deck.list_length(20, k=4)
    (13, 48, 4)
    """

    num_cards: int
    num_kinds: int
    num_decks: int
    steps: tuple[int, int]
    listed: str | None

    @property
    def each(self) -> int:
        return self.num_cards // self.num_kinds

    @property
    def times(self) -> range:
        return range(self.steps[0], self.steps[1] + 1)

    def list_length(self, t: int, k: int = 0) -> int:
        return {"first": min(t, 2), "last": min(t, k), "all": t}[self.listed]


@dataclass(frozen=True)
class Overlap:
    """Nats at each step: of Z_RL and Z_LM given clock and token, and their mutual information.

    >>> overlap = Overlap(of_rl=np.array([2.0]), of_lm=np.array([1.0]), shared=np.array([1.0]))
    >>> overlap.rl_given_lm, overlap.lm_given_rl, overlap.kind
    (0.5, 1.0, 'RL richer')
    """

    of_rl: Float[np.ndarray, " steps"]
    of_lm: Float[np.ndarray, " steps"]
    shared: Float[np.ndarray, " steps"]

    @property
    def rl_given_lm(self) -> float:
        return float(self.shared.sum() / self.of_rl.sum())

    @property
    def lm_given_rl(self) -> float:
        return float(self.shared.sum() / self.of_lm.sum())

    @property
    def kind(self) -> str:
        """How the two relate."""
        agent_knows, model_knows = self.lm_given_rl > 0.999, self.rl_given_lm > 0.999
        if agent_knows:
            return "equal" if model_knows else "RL richer"
        return "LM richer" if model_knows else "disjoint"


def deck_of(env: Environment) -> Deck:
    """The deck of an environment whose cards do not depend on actions; a ValueError for others.

    >>> import popjax
    >>> deck_of(popjax.make("HigherLowerEasy")).num_kinds
    13
    """
    if env.name in STATISTICS:
        cards, first = env.deck, env.k if env.name == "RepeatPrevious" else 1
        decks = 2 if env.name == "CountRecall" else 1
        steps = first, cards.num_cards - 1
        return Deck(cards.num_cards, cards.kinds, decks, steps, LISTED.get(env.name))
    raise ValueError(f"obs of {env.name} depend on actions: no table of counts and lists")


def log_falling(n, k):
    """The logarithm of n (n - 1) ... (n - k + 1).

    >>> round(math.exp(log_falling(5, 2)), 6)  # 5 * 4
    20.0
    """
    return gammaln(np.asarray(n) + 1.0) - gammaln(np.asarray(n) - k + 1.0)


def log_choose(n, k):
    """The logarithm of how many ways there are to choose k of n.

    >>> round(math.exp(log_choose(5, 2)), 6)
    10.0
    """
    return log_falling(n, k) - gammaln(np.asarray(k) + 1.0)


def nats_of_counts(deck: Deck, t: int) -> float:
    """H(counts of t cards): ln C(n, t) - S E ln C(m, c), c cards of one kind.

    >>> deck = Deck(num_cards=2, num_kinds=2, num_decks=1, steps=(1, 1), listed=None)
    >>> round(nats_of_counts(deck, 1), 3), abs(round(nats_of_counts(deck, 2), 3))  # ln 2, then none
    (0.693, 0.0)
    """
    c = np.arange(max(0, t - deck.num_cards + deck.each), min(deck.each, t) + 1)
    chance = hypergeom.pmf(c, deck.num_cards, deck.each, t)
    return float(log_choose(deck.num_cards, t) - deck.num_kinds * chance @ log_choose(deck.each, c))


def nats_of_list(cards: int, of_a_kind: int, kinds: int, length: int) -> float:
    """H(an ordered list of w of n cards): ln (n)_w - S E ln (m)_v, v of them of one kind.

    >>> round(nats_of_list(cards=4, of_a_kind=1, kinds=4, length=2), 3)  # ln 4 * 3
    2.485
    """
    v = np.arange(min(of_a_kind, length) + 1)
    chance = hypergeom.pmf(v, cards, of_a_kind, length)
    return float(log_falling(cards, length) - kinds * chance @ log_falling(of_a_kind, v))


def nats_of_list_given_counts(deck: Deck, t: int, length: int) -> float:
    """H(list | counts of the t cards it is from): the counts c define another deck.

    >>> deck = Deck(num_cards=4, num_kinds=4, num_decks=1, steps=(1, 3), listed="all")
    >>> round(nats_of_list_given_counts(deck, 3, 3), 3)  # three known cards, in any of 3! orders
    1.792
    """
    c = np.arange(min(deck.each, t) + 1)
    chance = hypergeom.pmf(c, deck.num_cards, deck.each, t)
    of_kinds = [nats_of_list(t, count, 1, length) - log_falling(t, length) for count in c]
    return float(log_falling(t, length) + deck.num_kinds * chance @ np.array(of_kinds))


def exact(env: Environment) -> Overlap:
    """In closed form.

    >>> import popjax
    >>> overlap = exact(popjax.make("RepeatFirstEasy"))
    >>> round(overlap.rl_given_lm, 3), round(overlap.lm_given_rl, 3), overlap.kind
    (0.085, 0.026, 'disjoint')
    """
    deck, table = deck_of(env), []
    of_token = math.log(deck.num_kinds)
    for t in deck.times:
        token_given_counts = nats_of_list_given_counts(deck, t, 1)
        counts = nats_of_counts(deck, t) + token_given_counts - of_token
        if deck.listed is None:
            table.append((counts, deck.num_decks * counts, counts))
            continue
        w = deck.list_length(t, getattr(env, "k", 0))
        listed = nats_of_list(deck.num_cards, deck.each, deck.num_kinds, w) - of_token
        left = nats_of_list_given_counts(deck, t, w) - token_given_counts
        table.append((listed, counts, listed - left))
    return Overlap(*np.array(table).T)


def sampled(env: Environment, key: jax.Array, num_episodes: int = 2000) -> Overlap:
    """Estimated from decks that the environment deals to a random player. The key is consumed.

    >>> import popjax
    >>> env = popjax.make("RepeatFirstEasy")
    >>> overlap = sampled(env, jax.random.key(0), num_episodes=200)
    >>> abs(overlap.rl_given_lm - exact(env).rl_given_lm) < 0.05
    True
    """
    deck = deck_of(env)
    cards = dealt(env, random_player(env), key, num_episodes)
    kinds, table = np.arange(deck.num_kinds), []
    for t in deck.times:
        seen = cards[:t]  # [t, N, decks]
        counts = (seen[..., None] == kinds).sum(axis=0)  # [N, decks, kinds]
        token = (seen[-1][..., None] == kinds).astype(int)
        full = np.full_like(counts, deck.each)
        of_counts = surprise_of_counts(full - token, counts - token)
        if deck.listed is None:
            value = of_counts[:, 0].mean()
            table.append((value, of_counts.sum(axis=1).mean(), value))
            continue
        w = deck.list_length(t, getattr(env, "k", 0))
        earlier = seen[:1] if deck.listed == "first" else seen[t - w : -1]
        if w == 1:
            earlier = seen[:0]
        of_list, held = 0.0, token
        for card in (earlier[..., None] == kinds).astype(int):
            left = full - held
            of_list = of_list - np.log(np.sum(left * card, -1) / left.sum(-1))
            held = held + card
        to_holder = surprise_of_counts(full - held, counts - held)
        table.append((np.mean(of_list), of_counts.mean(), (of_counts - to_holder).mean()))
    return Overlap(*np.array(table, np.float64).T)


def surprise_of_counts(
    deck: Int[np.ndarray, "*batch kinds"], drawn: Int[np.ndarray, "*batch kinds"]
) -> Float[np.ndarray, "*batch"]:
    """Surprisal, in nats, of counts drawn from a deck (multivariate hypergeometric).

    >>> round(surprise_of_counts(np.array([2, 2]), np.array([1, 1])).item(), 3)  # 4 of 6 pairs
    0.405
    """
    ways = log_choose(deck, drawn).sum(axis=-1)
    return log_choose(deck.sum(axis=-1), drawn.sum(axis=-1)) - ways


def dealt(
    env: Environment, player: Player, key: jax.Array, num_episodes: int
) -> Int[np.ndarray, "T N decks"]:
    """The cards of whole episodes; for Autoencode, until the last card is dealt.

    >>> import popjax
    >>> env = popjax.make("RepeatFirstEasy")
    >>> dealt(env, random_player(env), jax.random.key(0), num_episodes=3).shape
    (51, 3, 1)
    """
    obs = np.asarray(play(env, player, key, num_episodes).obs)
    if env.name == "Autoencode":
        obs = obs[: env.num_cards, :, 1]
    return obs.reshape(*obs.shape[:2], -1)
