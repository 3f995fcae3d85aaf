"""The law of a turned card: what was seen is known, what was not is drawn from the rest.

A card turned for the first time is of a kind with the share of that kind among the cards not seen
yet. All else on the board follows from the history. So the surprise of a whole board is the same
for every policy that sees all of it: `ln(n! / (m!)^S)` for n cards, m of each of S kinds. Policies
choose when to be surprised, not how much.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from popjax.envs.concentration import Concentration
from popjax.floors.base import Law
from popjax.floors.decks import log_share, orders

BOUND = ""


class ConcentrationLaw(Law):
    """The token is the kind of the card just turned: with the history and the action it gives the
    whole board. The belief is `[cards]`, the kind of each card seen so far, and `num_kinds` for
    the others."""

    env: Concentration

    @property
    def num_tokens(self):
        return self.env.num_kinds

    def begin(self, obs):
        return obs

    def log_probs(self, belief, action):
        kinds = np.arange(self.env.num_kinds)
        seen = jnp.sum(belief[:, None] == kinds, axis=0)
        unseen = self.env.deck.each - seen
        known = belief[action] < self.env.num_kinds
        return jnp.where(known, jnp.log(1.0 * (kinds == belief[action])), log_share(unseen))

    def token(self, action, timestep):
        return timestep.obs[action]

    def update(self, belief, action, token):
        return jnp.where(np.arange(self.env.num_cards) == action, token, belief)


def law(env: Concentration) -> Law:
    return ConcentrationLaw(env)


def whole_board(env: Concentration) -> float:
    """Nats of any episode that leaves no card in doubt.

    >>> import popjax
    >>> [round(whole_board(env), 2) for env in popjax.FAMILIES["Concentration"].values()]
    [33.84, 69.54, 115.05]
    """
    return orders(env.num_cards, env.num_kinds)
