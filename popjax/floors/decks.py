"""The law of the next card: a deck is drawn from without replacement.

Of `left` cards `c` are of a kind, so the next one is of that kind with probability `c / left`. All
orders of the deck are equally likely, so every episode has the same code length after the first
card, `ln(n! / (m!)^S) - ln S` for n cards, m of each of S kinds: the floor has no variance, and
no policy changes it. (Multinomial coefficients; see Cover and Thomas, "Elements of Information
Theory", 2006, 11.1.)
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
import scipy  # its parts load when they are used: stats takes half a second
from jaxtyping import Array, Float, Int

from popjax.envs.autoencode import PLAY, WATCH
from popjax.floors.base import Law

BOUND = ""


class DeckLaw(Law):
    """RepeatFirst, RepeatPrevious, HigherLower: one card a step, and the token is its kind. The
    belief is `[kinds]`, the cards of each kind that are still to come."""

    num_decks = 1

    @property
    def num_tokens(self):
        return self.env.observation_space.sizes

    def begin(self, obs):
        kinds = np.arange(self.num_tokens)
        return jnp.int32(self.env.deck.each) - (kinds == obs)

    def log_probs(self, belief, action):
        return log_share(belief)

    def update(self, belief, action, token):
        return jnp.maximum(belief - (np.arange(self.num_tokens) == token), 0)


class TwoDecksLaw(DeckLaw):
    """CountRecall: a card and a query from a deck each; the token is card * kinds + query. The
    belief is `[2, kinds]`."""

    num_decks = 2

    @property
    def num_tokens(self):
        return self.env.deck.kinds**2

    def begin(self, obs):
        kinds = np.arange(self.env.deck.kinds)
        return jnp.int32(self.env.deck.each) - (kinds == obs[:, None])

    def log_probs(self, belief, action):
        card, query = log_share(belief)
        return (card[:, None] + query).reshape(-1)

    def token(self, action, timestep):
        return timestep.obs[0] * self.env.deck.kinds + timestep.obs[1]

    def update(self, belief, action, token):
        shown = jnp.stack(jnp.divmod(token, self.env.deck.kinds))
        return jnp.maximum(belief - (np.arange(self.env.deck.kinds) == shown[:, None]), 0)


class WatchedDeckLaw(DeckLaw):
    """Autoencode: the token is mode * kinds + suit. The mode turns to PLAY with the last card;
    after that nothing is dealt and nothing is in doubt."""

    @property
    def num_tokens(self):
        return 2 * self.env.deck.kinds

    def begin(self, obs):
        return jnp.int32(self.env.deck.each) - (np.arange(self.env.deck.kinds) == obs[1])

    def log_probs(self, belief, action):
        left = jnp.sum(belief)
        suit = jnp.where(left > 0, log_share(belief), jnp.log(jnp.eye(self.env.deck.kinds)[0]))
        mode = jnp.where(left > 1, jnp.log(jnp.eye(2)[WATCH]), jnp.log(jnp.eye(2)[PLAY]))
        return (mode[:, None] + suit).reshape(-1)

    def token(self, action, timestep):
        return timestep.obs[0] * self.env.deck.kinds + timestep.obs[1]

    def update(self, belief, action, token):
        kinds = self.env.deck.kinds
        return jnp.maximum(belief - (np.arange(kinds) == token % kinds), 0)


LAWS = {"Autoencode": WatchedDeckLaw, "CountRecall": TwoDecksLaw}


def log_share(counts: Int[Array, "... kinds"]) -> Float[Array, "... kinds"]:
    """Of each kind among what is left."""
    return jnp.log(counts / jnp.maximum(jnp.sum(counts, axis=-1, keepdims=True), 1))


def law(env) -> Law:
    """The law of a card game."""
    return LAWS.get(env.name, DeckLaw)(env)


def orders(num_cards: int, num_kinds: int) -> float:
    """The logarithm of the number of different orders of a deck, `ln(n! / (m!)^S)`.

    >>> round(orders(52, 4) - math.log(4), 3), round(orders(52, 13) - math.log(13), 3)
    (64.766, 112.481)
    """
    return math.lgamma(num_cards + 1) - num_kinds * math.lgamma(num_cards // num_kinds + 1)


def nats_per_episode(env) -> float:
    """The code length of every episode, after its first observation.

    >>> import popjax
    >>> round(nats_per_episode(popjax.make("CountRecallHard")), 3)
    1008.994
    """
    deck = env.deck
    return law(env).num_decks * (orders(deck.num_cards, deck.kinds) - math.log(deck.kinds))


def without_memory(env) -> float:
    """Nats an episode for a predictor that sees nothing but the card on the table, and the clock:
    the next is any other of the deck."""
    deck = env.deck
    nats = entropy_after_one(deck.num_cards, deck.kinds)
    return law(env).num_decks * (deck.num_cards - 1) * nats


def entropy_after_one(num_cards: int, num_kinds: int) -> float:
    """Of a card of a deck, given one other."""
    each = num_cards // num_kinds
    same, other = (each - 1) / (num_cards - 1), each / (num_cards - 1)
    certain = same * math.log(same) if same else 0.0
    return -certain - (num_kinds - 1) * other * math.log(other)


def entropies(num_cards: int, num_kinds: int) -> Float[np.ndarray, " steps"]:
    """`[n - 1]` expected nats of each card after the first: their sum is the code length.

    The counts of what is left have a hypergeometric law, and a kind of which c of `left` cards are
    left comes next with probability `c / left`.
    """
    each = num_cards // num_kinds
    nats = []
    for left in range(num_cards - 1, 0, -1):
        c = np.arange(1, min(each, left) + 1)
        share = scipy.stats.hypergeom.pmf(c, num_cards, each, left) * c / left
        nats.append(-num_kinds * np.sum(share * np.log(c / left)))
    return np.array(nats)
