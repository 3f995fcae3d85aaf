"""Exact expectations of a rung's gradient: over all that could be said, each as likely as it is.

The network is a table: logits linear in what is read. All of it in float64.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from agents.choices import sizes_of
from agents.hyperparams import Hyperparams
from agents.language_agent import LanguageAgent
from agents.objectives.histories import Batch
from popjax.tokens import target_of

FEATURES = 3


class Table(NamedTuple):
    """In a `LanguageModel`'s place."""

    sizes: tuple[int, ...]

    def initial_carry(self, batch_size):
        return ()

    def apply(self, params, carry, x, start, action, token):
        return carry, x @ params["token"], x @ params["action"]


class Problem(NamedTuple):
    """Episodes of T steps in which nothing that is seen depends on what is said.

    params: the table. x: `[T, d]` what is read. label, token: `[T]` what is right. pay: a function
    of what was said up to each step, `[n, T] -> [n, T]`.
    """

    env: object
    params: dict
    x: np.ndarray
    label: np.ndarray
    token: np.ndarray
    pay: object

    @property
    def num_actions(self):
        return sizes_of(self.env)[0]


def problem(env, num_steps, seed=0):
    """A random one."""
    rng, T = np.random.default_rng(seed), num_steps
    K, (V,) = sizes_of(env)[0], target_of(env).sizes
    table = rng.normal(size=(T, K)), rng.normal(size=(T, K, K))

    def pay(said):  # for each word, and for each word after the one before
        own = np.stack([table[0][t][said[:, t]] for t in range(T)], 1)
        pairs = [0 * said[:, 0], *(table[1][t][said[:, t - 1], said[:, t]] for t in range(1, T))]
        return own + np.stack(pairs, 1)

    shapes = {"action": (FEATURES, K), "token": (FEATURES, V)}
    params = {name: jnp.asarray(rng.normal(size=shape)) for name, shape in shapes.items()}
    label, token = rng.integers(K, size=T), rng.integers(V, size=T)
    return Problem(env, params, rng.normal(size=(T, FEATURES)), label, token, pay)


def log_prob_of(problem, params, head, said):
    """`[n]` the log-probability of whole sequences `said[n, T]`."""
    log_pi = jax.nn.log_softmax(problem.x @ params[head])
    return jnp.sum(log_pi[np.arange(said.shape[1]), said], axis=1)


def sequences(num_words, num_steps):
    """`[num_words ** num_steps, num_steps]` all there are."""
    return np.array(list(itertools.product(range(num_words), repeat=num_steps)))


def expected_gradient(problem, regime, value=0.0, beta=0.0, tau=0.0, reference=None):
    """The gradient of `Objective.loss`, averaged over all that a group could say."""
    head = regime.scored_head
    G, T, env = regime.group, len(problem.x), problem.env
    words = problem.params[head].shape[1]
    alone = sequences(words, T)
    chance = jnp.exp(log_prob_of(problem, problem.params, head, alone))
    groups = sequences(len(alone), G)  # who says which sequence
    said = jnp.asarray(np.moveaxis(alone[groups], 1, 2))  # [n, T, G]

    def step_log_probs(params):
        log_pi = jax.nn.log_softmax(problem.x @ params[head])
        return log_pi[np.arange(T)[:, None], said]

    agent = LanguageAgent.of(env, Table(target_of(env).sizes), "obs")
    hyperparams = Hyperparams(kl=beta, entropy=tau)
    everywhere = jnp.ones((T, G), bool)
    pay = problem.pay(alone) if head == "action" else np.zeros(alone.shape)
    shared = lambda rows: jnp.broadcast_to(jnp.asarray(rows)[:, None], (T, G))  # noqa: E731

    def gradient(said, log_prob, reward, reference):
        batch = Batch(
            x=jnp.broadcast_to(problem.x[:, None], (T, G, FEATURES)),
            start=everywhere,
            valid=everywhere,
            action=jnp.zeros((T, G, problem.num_actions)),
            token=shared(problem.token)[..., None],
            label=shared(problem.label),
            labelled=everywhere,
            sampled=said,
            log_prob=log_prob,
            reward=reward,
            reference=reference,
            weight=jnp.zeros((T, G)),
        )
        weight, _ = regime.advantage(agent, hyperparams, batch, value)
        batch = batch.replace(weight=weight)
        return jax.grad(regime.loss, has_aux=True)(problem.params, agent, hyperparams, batch)[0]

    own = step_log_probs(problem.params)
    frozen = own if reference is None else step_log_probs(reference)
    reward = jnp.asarray(np.moveaxis(pay[groups], 1, 2))
    grads = jax.jit(jax.vmap(gradient))(said, own, reward, frozen)
    weight = jnp.prod(chance[groups], axis=1)
    return jax.tree.map(lambda leaf: np.tensordot(weight, leaf, axes=1), grads)


def expected_return(problem, params, beta=0.0, reference=None):
    """`E[sum r] - beta KL(pi || reference)`, a differentiable sum over all sequences."""
    said = sequences(problem.num_actions, len(problem.x))
    log_prob = log_prob_of(problem, params, "action", said)
    total = jnp.asarray(problem.pay(said).sum(1))
    if reference is not None:
        total = total - beta * (log_prob - log_prob_of(problem, reference, "action", said))
    return jnp.sum(jnp.exp(log_prob) * total)
