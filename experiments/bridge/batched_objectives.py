"""Many objectives in one program.

The gradient of every objective that judges or labels actions is that of a weighted sum of
log-probabilities of either the label or the learner's action. Objectives therefore differ only in
choices and weights, and the index of the objective is traced: one compiled program trains them all.
Who acts is traced as well: the learner or its teacher (the two ends of the DAgger mixture, Ross et
al. 2011). A test checks each step against `agents.objectives`.
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

SUPERVISION_METRICS = ("environment_tokens", "gradient_tokens", "supervision_nats")


def weighted_choices(
    agent: LanguageAgent, objective: Objective, batch: Batch
) -> tuple[Int[Array, "T B"], Float[Array, "T B"]]:
    """Choices and weights of an objective, whose gradient is that of
    `- sum_t weight_t ln p(choice_t)`."""
    if not objective.scored_head:
        return batch.label, batch.labelled / jnp.sum(batch.labelled)
    where = objective.counts(batch)
    weight = objective.advantage(agent, Hyperparams(), batch)[0]
    return batch.sampled, jnp.where(where, weight, 0.0) / jnp.sum(where)


def stacked_choices(
    agent: LanguageAgent, objectives: dict[str, Objective], batch: Batch
) -> tuple[Int[Array, "R T B"], Float[Array, "R T B"]]:
    """Choices and weights of every objective."""
    each = [weighted_choices(agent, objective, batch) for objective in objectives.values()]
    choices, weights = zip(*each, strict=True)
    return jnp.stack(choices), jnp.stack(weights)


def mix_with_expert(
    own: Chooser, env: Environment, teacher: Player, num_episodes: int, share: Any
) -> Chooser:
    """A learner whose teacher acts instead with probability `share` at each step."""
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


def make_batch_sampler(
    agent: LanguageAgent, num_episodes: int, oracle: Player | None
) -> Callable[[Any, Key[Array, ""], Any, Any], Batch]:
    """`(params, key, update, share) ->` a batch of new episodes in which the teacher acts with
    probability `share`, with every input an objective may use. The key is the run's."""
    env, N = agent.env, num_episodes
    teacher, make = oracle_of(env, oracle), make_batch(agent, OBJECTIVES["bandit"])

    def sample_batch(params, key, update, share):
        key_read, key_say = jax.random.split(key)
        chooser = mix_with_expert(by_agent(agent, params, N), env, teacher, N, share)
        key = jax.random.fold_in(key_read, update)
        found = histories(env, chooser, key, N, (teacher, follow(env)))
        return make(params, jax.random.fold_in(key_say, update), *found)

    return sample_batch


def make_objective_step(
    env: Environment,
    network: LanguageModel,
    config: LMConfig,
    objectives: dict[str, Objective],
    oracle: Player | None = None,
) -> tuple[Callable[..., TrainState], Callable[..., tuple[TrainState, dict[str, Array]]]]:
    """`init(key, hyperparams, num_updates) -> state` and `step(state, hyperparams, index, share) ->
    (state, metrics)`, both pure: one update of the objective with that index, on histories where
    the teacher acts with probability `share`."""
    init = make_train(env, network, config, OBJECTIVES["dagger"], oracle)[0]
    agent = LanguageAgent.of(env, network, inputs_of(env, config))
    sample_batch = make_batch_sampler(agent, config.num_episodes, oracle)

    def step(state: TrainState, hyperparams: Hyperparams, index, share):
        batch = sample_batch(state.params, state.key, state.update, share)
        choice, weight = (part[index] for part in stacked_choices(agent, objectives, batch))

        def loss(params):
            outputs = agent.outputs(params, batch)
            pi = log_probs(sizes_of(env), outputs.action)
            return -jnp.sum(weight * take_along_last(pi, choice)), outputs

        grads, outputs = jax.grad(loss, has_aux=True)(state.params)
        each = [one.supervision_metrics(agent, batch, outputs) for one in objectives.values()]
        state = state.apply_gradients(grads, hyperparams, config.lm_schedule, config.lm_warmup)
        return state, {
            name: jnp.stack([jnp.float32(one[name]) for one in each])[index]
            for name in SUPERVISION_METRICS
        }

    return init, step


def make_advance(
    step: Callable[..., tuple[TrainState, dict[str, Array]]], hyperparams: Hyperparams
) -> Callable[..., tuple[TrainState, dict[str, Array]]]:
    """`(states, index, share, number, rate) -> (states, sums of the metrics)` of all lanes.

    Compiles once for all objectives, teachers and numbers of updates. rate: `[lanes]` learning
    rates, which override the one in `hyperparams`. The states are donated.
    """

    def one(state, index, share, number, rate):
        mine = hyperparams if rate is None else hyperparams.replace(learning_rate=rate)

        def once(_, run):
            state, sums = run
            state, news = step(state, mine, index, share)
            return state, jax.tree.map(jnp.add, sums, news)

        nothing = dict.fromkeys(SUPERVISION_METRICS, jnp.float32(0))
        return jax.lax.fori_loop(0, number, once, (state, nothing))

    @partial(jax.jit, donate_argnums=0)
    def advance(states, index, share, number, rate=None):
        return jax.vmap(one, in_axes=(0, None, None, None, 0))(states, index, share, number, rate)

    return advance
