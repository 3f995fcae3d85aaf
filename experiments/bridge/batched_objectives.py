"""Many ways of being told in one program.

The gradient of every rung that judges or labels actions is that of a weighted sum of
log-probabilities, of the label or of what the learner did, so rungs differ in words and weights
alone, and which of them is a traced number: what compiles once trains them all. Who acts is one as
well: the learner, or its teacher in its place (Ross et al. 2011, the mixture of DAgger at its two
ends). Each step is the one of `agents.objectives`, which a test holds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from agents.choices import log_probs, sizes_of, take_along_last
from agents.hyperparams import Hyperparams
from agents.language_agent import LanguageAgent
from agents.lm import LMConfig, inputs_of
from agents.networks import LanguageModel
from agents.objectives import OBJECTIVES, Objective, make_train
from agents.objectives.histories import Batch, Chooser, by_agent, histories
from agents.objectives.oracles import oracle_of
from agents.objectives.train import TrainState, make_batch
from popjax.core import Environment
from popjax.players import Player
from popjax.players.follow import follow

AXES = ("environment_tokens", "gradient_tokens", "supervision_nats")


def terms(
    agent: LanguageAgent, rung: Objective, batch: Batch
) -> tuple[Int[Array, "T B"], Float[Array, "T B"]]:
    """Words and weights of a rung: its gradient is that of the mean over episodes of
    `- sum_t weight_t ln p(word_t)`."""
    if not rung.scored_head:
        return batch.label, batch.labelled / jnp.sum(batch.labelled)
    where = rung.counts(batch)
    weight = rung.advantage(agent, Hyperparams(), batch)[0]
    return batch.sampled, jnp.where(where, weight, 0.0) / jnp.sum(where)


def pairs(
    agent: LanguageAgent, rungs: dict[str, Objective], batch: Batch
) -> tuple[Int[Array, "R T B"], Float[Array, "R T B"]]:
    """Words and weights of all rungs."""
    words, weights = zip(*(terms(agent, rung, batch) for rung in rungs.values()), strict=True)
    return jnp.stack(words), jnp.stack(weights)


def led(own: Chooser, env: Environment, teacher: Player, num_episodes: int, share: Any) -> Chooser:
    """A learner in whose place its teacher acts with probability `share`, step by step."""
    correct = follow(env)

    def act(key, memory, obs, states, previous, start):
        key_own, key_teach, key_lead = jax.random.split(key, 3)
        mine, taught = memory
        mine, action = own.act(key_own, mine, obs, states, previous, start)
        keys = jax.random.split(key_teach, num_episodes)
        after, best = jax.vmap(teacher.act)(keys, taught, obs, states)
        leads = jax.random.bernoulli(key_lead, share, (num_episodes,))
        action = jnp.where(leads, best, action)
        return (mine, jax.vmap(correct)(taught, after, action)), action

    return Chooser(lambda: (own.begin(), teacher.begin_all(num_episodes)), act)


def make_reads(
    agent: LanguageAgent, num_episodes: int, oracle: Player | None
) -> Callable[[Any, Key[Array, ""], Any, Any], Batch]:
    """`(params, key, update, share) ->` a batch of new episodes, in which the teacher acts with
    probability `share`, and all that a rung may be told of them. The key is the run's."""
    env, N = agent.env, num_episodes
    teacher, make = oracle_of(env, oracle), make_batch(agent, OBJECTIVES["bandit"])

    def reads(params, key, update, share):
        key_read, key_say = jax.random.split(key)
        chooser = led(by_agent(agent, params, N), env, teacher, N, share)
        key = jax.random.fold_in(key_read, update)
        found = histories(env, chooser, key, N, (teacher, follow(env)))
        return make(params, jax.random.fold_in(key_say, update), *found)

    return reads


def make_told(
    env: Environment,
    network: LanguageModel,
    config: LMConfig,
    rungs: dict[str, Objective],
    oracle: Player | None = None,
) -> tuple[Callable[..., TrainState], Callable[..., tuple[TrainState, dict[str, Array]]]]:
    """`init(key, hyperparams, num_updates) -> state` and `step(state, hyperparams, told, share) ->
    (state, metrics)`, both pure: one update of the rung of number `told`, on histories in which the
    teacher acts with probability `share`."""
    init = make_train(env, network, config, OBJECTIVES["dagger"], oracle)[0]
    agent = LanguageAgent.of(env, network, inputs_of(env, config))
    reads = make_reads(agent, config.num_episodes, oracle)

    def step(state: TrainState, hyperparams: Hyperparams, told, share):
        batch = reads(state.params, state.key, state.update, share)
        word, weight = (part[told] for part in pairs(agent, rungs, batch))

        def loss(params):
            outputs = agent.outputs(params, batch)
            pi = log_probs(sizes_of(env), outputs.action)
            return -jnp.sum(weight * take_along_last(pi, word)), outputs

        grads, outputs = jax.grad(loss, has_aux=True)(state.params)
        seen = [rung.supervision_metrics(agent, batch, outputs) for rung in rungs.values()]
        state = state.apply_gradients(grads, hyperparams, config.schedule, config.warmup)
        return state, {
            axis: jnp.stack([jnp.float32(one[axis]) for one in seen])[told] for axis in AXES
        }

    return init, step


def make_advance(
    step: Callable[..., tuple[TrainState, dict[str, Array]]], hyperparams: Hyperparams
) -> Callable[..., tuple[TrainState, dict[str, Array]]]:
    """`(states, told, share, number, rate) -> (states, sums of the metrics)` of all lanes, compiled
    once for all rungs, teachers and numbers of updates. rate: `[lanes]` learning rates, instead of
    the one of `hyperparams`. The states are given away."""

    def one(state, told, share, number, rate):
        mine = hyperparams if rate is None else hyperparams.replace(learning_rate=rate)

        def once(_, run):
            state, sums = run
            state, news = step(state, mine, told, share)
            return state, jax.tree.map(jnp.add, sums, news)

        return jax.lax.fori_loop(0, number, once, (state, dict.fromkeys(AXES, jnp.float32(0))))

    @partial(jax.jit, donate_argnums=0)
    def advance(states, told, share, number, rate=None):
        return jax.vmap(one, in_axes=(0, None, None, None, 0))(states, told, share, number, rate)

    return advance
