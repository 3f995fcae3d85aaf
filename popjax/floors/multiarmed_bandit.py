"""The law of a payoff: Laplace's rule of succession, arm by arm.

The chance of an arm is uniform at first, so after s payoffs in n pulls it pays next with
probability `(s + 1) / (n + 2)`. By the chain rule an episode's code length is a sum over arms of
`ln((n + 1)! / (s! (n - s)!))`, whatever the order of the pulls.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import scipy  # its parts load when they are used: stats takes half a second

from popjax.envs.multiarmed_bandit import MultiarmedBandit
from popjax.floors.base import Law

BOUND = ""


class BanditLaw(Law):
    """The token is 1 if the arm paid, else 0. The belief is `[arms, 2]`, how often each arm has
    refused and paid."""

    env: MultiarmedBandit

    @property
    def num_tokens(self):
        return 2

    def begin(self, obs):
        return jnp.zeros((self.env.num_arms, 2), jnp.int32)

    def log_probs(self, belief, action):
        tally = belief[action] + 1
        return jnp.log(tally / jnp.sum(tally))

    def update(self, belief, action, token):
        pulled = np.arange(self.env.num_arms) == action
        return belief + (pulled[:, None] & (np.arange(2) == token))


def law(env: MultiarmedBandit) -> Law:
    return BanditLaw(env)


def random_floor(env: MultiarmedBandit) -> float:
    """Nats a token under uniform play, exactly. An arm was pulled n times with a binomial
    probability, and paid in any number of these, all equally likely.

    >>> import popjax
    >>> round(random_floor(popjax.make("MultiarmedBanditEasy")), 3)
    0.557
    """
    pulls = np.arange(env.max_steps)
    pays = np.tri(env.max_steps) * (np.arange(env.max_steps) + 1.0) / (pulls[:, None] + 2)
    inside = pays > 0
    p = np.where(inside, pays, 0.5)
    entropy = np.where(inside, -p * np.log(p) - (1 - p) * np.log1p(-p), 0.0)
    given_pulls = entropy.sum(1) / (pulls + 1)
    law_of_pulls = scipy.stats.binom.pmf(pulls, pulls[:, None], 1 / env.num_arms)
    return np.mean(law_of_pulls @ given_pulls).item()


def code_length_of_tally(paid, refused) -> float:
    """Nats of any sequence of pulls that ends in these counts `[arms]`."""
    gammaln = scipy.special.gammaln
    return np.sum(gammaln(paid + refused + 2.0) - gammaln(paid + 1.0) - gammaln(refused + 1.0))
