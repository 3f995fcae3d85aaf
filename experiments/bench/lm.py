"""Training speed of a language model and of PPO, on the same tokens and the same backbone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from agents import lm, ppo
from agents.hyperparams import Hyperparams
from agents.lm import LMConfig
from agents.networks import ActorCritic, LanguageModel
from agents.ppo import PPOConfig
from experiments.bench.envs import compiled, device_words, rate_words, timed_by_turns
from experiments.bench.ppo import gradient_steps
from experiments.results.spec import NetworkConfig, Settings
from experiments.train.build import backbone_of, build
from experiments.train.cell import cell
from popjax.core import Environment
from popjax.tokens import target_of

NUM_UPDATES = 1000  # of the run whose first update is timed


def bench_lm(env_id: str, memory: str, features: int, repeats: int, console: Console) -> None:
    """Alternates training steps of a language model and of PPO; prints their tokens per second.

    The language model's step is all of it: histories are played, read, and learned from. PPO's is
    its update alone, from data that was collected before, with one pass in one part and with its
    default passes; a last line has its rollout too. Each token is counted as often as it is in a
    gradient.
    """
    spec = cell(env_id, memory, Settings(network=NetworkConfig(features=features)))
    env, agent = build(spec)
    model = LanguageModel(backbone_of(spec), target_of(env).sizes)
    default, plain = PPOConfig(), PPOConfig(num_epochs=1, num_minibatches=1)
    num_episodes = max(1, default.steps_per_update // env.max_steps)
    runs = {
        "language model: play, loss, step": lm_step(env, model, num_episodes),
        "PPO, 1 pass in 1 part: update alone": ppo_update(env, agent, plain),
        "PPO, 4 passes in 8 parts: update alone": ppo_update(env, agent, default),
        "PPO, 1 pass in 1 part: rollout and update": ppo_step(env, agent, plain),
    }
    calls = [call for call, _ in runs.values()]
    seconds, _ = timed_by_turns(calls, list(jax.random.split(jax.random.key(0), repeats + 1)))
    rates = np.array([[tokens] for _, tokens in runs.values()]) / seconds
    table = Table(title=f"{env_id}, {memory} {features}: training, {device_words()}")
    table.add_column("step", no_wrap=True)
    for name in ("tokens", "ms", "tokens/s", "language model / this"):
        table.add_column(name, justify="right")
    for i, (name, (_, tokens)) in enumerate(runs.items()):
        table.add_row(
            name,
            f"{tokens:,}",
            f"{1e3 * np.median(seconds[i]):.0f}",
            rate_words(float(np.median(rates[i]))),
            f"{np.median(rates[0] / rates[i]):.2f}",
        )
    console.print(table)


Run = tuple[Callable[[Any], Any], int]  # a call of a key, and the tokens in its gradients


def lm_step(env: Environment, model: LanguageModel, num_episodes: int) -> Run:
    """The model reads what the agent reads, its previous action too."""
    step = first_update(lm.make_train(env, model, LMConfig(num_episodes, previous_action="on")))
    return step, int(step(jax.random.key(0))[1]["gradient_tokens"].sum())


def ppo_step(env: Environment, agent: ActorCritic, config: PPOConfig) -> Run:
    return first_update(ppo.make_train(env, agent, config)), config.steps_per_update


def first_update(train: tuple[Callable, Callable]) -> Callable[[Any], Any]:
    """The compiled call of a key that makes a run's first update, from `(init, segment)`."""
    init, segment = train
    hyperparams = Hyperparams()
    state = jax.jit(lambda key: init(key, hyperparams, NUM_UPDATES))(jax.random.key(0))
    program, _ = compiled(jax.jit(lambda state: segment(state, hyperparams, 1)), state)
    return lambda key: program(state.replace(key=key))


def ppo_update(env: Environment, agent: ActorCritic, config: PPOConfig) -> Run:
    """PPO's gradient steps on one rollout."""
    return gradient_steps(env, agent, config)[0], config.num_epochs * config.steps_per_update
