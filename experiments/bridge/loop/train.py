"""Parallel seeds: programs that train all conditions of one game, and single objectives."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from agents.hyperparams import Hyperparams
from agents.lanes import lane_keys
from agents.language_agent import LanguageAgent
from agents.lm import LMConfig, inputs_of
from agents.objectives import Objective, make_train
from experiments.bridge.batched_objectives import make_advance, make_objective_step
from experiments.bridge.loop.config import LoopConfig, rungs
from experiments.bridge.measures.closed_loop import best_arm, habits
from experiments.bridge.measures.exposure_bias import judge
from popjax.core import Environment
from popjax.players import Player


class Programs(NamedTuple):
    """Functions compiled once for all conditions of one game with one kind of input and expert.
    begin: `keys -> states`. advance: see `make_advance`. judge: `(params, keys) ->` the measures of
    `exposure_bias.judge` for all seeds. agent: the one that acts."""

    begin: Callable[..., Any]
    advance: Callable[..., Any]
    judge: Callable[..., Any]
    agent: LanguageAgent


@cache
def programs_of(
    setup: LoopConfig,
    env: Environment,
    num_updates: int,
    previous_action: str,
    sees_best: bool,
    memory: str | None = None,
) -> Programs:
    bandit = env.name == "MultiarmedBandit"
    network, expert = setup.network(env, memory), best_arm(env) if sees_best else None
    config = LMConfig(setup.num_episodes, previous_action=previous_action, lm_warmup=0.0)
    gamma = 1.0 if bandit else 0.0  # elsewhere actions do not affect observations
    objectives = rungs(gamma, setup.num_episodes)
    init, step = make_objective_step(env, network, config, objectives, expert)
    hyperparams = Hyperparams(learning_rate=setup.learning_rate, max_grad_norm=1.0)
    more = partial(habits, num_arms=setup.arms) if bandit else None
    agent = LanguageAgent.of(env, network, inputs_of(env, config))
    one = partial(judge, agent, setup.judged, oracle=expert, more=more)
    return Programs(
        jax.jit(jax.vmap(lambda key: init(key, hyperparams, num_updates))),
        make_advance(step, hyperparams),
        jax.jit(jax.vmap(one)),
        agent,
    )


class Tuning:
    """Parallel seeds of one objective: `state`, and `on(num_updates)` to continue training."""

    def __init__(
        self,
        setup: LoopConfig,
        env: Environment,
        regime: Objective,
        num_updates: int,
        expert: Player | None = None,
        begin_with: Any = None,
        betas: tuple[float, ...] = (0.0,),
        previous_action: str = "off",
        player: str = "random",
    ):
        """begin_with: parameters `[seeds]`. betas: KL penalties, each with one run per seed.
        previous_action: whether it is an input besides cards. player: generates the histories where
        neither the expert nor the learner does."""
        config = LMConfig(
            setup.num_episodes, player=player, previous_action=previous_action, lm_warmup=0.0
        )
        self.network = setup.network(env)
        init, segment = make_train(env, self.network, config, regime, expert)
        lanes = np.tile(np.arange(setup.seeds), len(betas))
        keys, self.keys = (keys[lanes] for keys in lane_keys(tuple(range(setup.seeds))))
        one = Hyperparams(learning_rate=setup.learning_rate, max_grad_norm=1.0, entropy=0.0)
        all_alike = jax.tree.map(lambda value: jnp.full(len(lanes), value), one)
        self.hyperparams = all_alike.replace(kl=jnp.repeat(jnp.array(betas), setup.seeds))
        given = None if begin_with is None else jax.tree.map(lambda a: a[lanes], begin_with)

        @jax.jit
        @jax.vmap
        def begin(key, hyperparams, params):
            return init(key, hyperparams, num_updates, params)

        @partial(jax.jit, donate_argnums=0)
        @partial(jax.vmap, in_axes=(0, 0, None))
        def advance(state, hyperparams, number):
            return jax.lax.fori_loop(
                0, number, lambda _, state: segment(state, hyperparams, 1)[0], state
            )

        self.state, self._advance = begin(keys, self.hyperparams, given), advance

    def on(self, num_updates: int) -> Any:
        """The parameters after further updates."""
        self.state = self._advance(self.state, self.hyperparams, num_updates)
        return self.state.params
