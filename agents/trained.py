"""`agents.train`: an agent for an environment in one call.

trained = agents.train(env, memory="gru", total_steps=300_000, seeds=2)
trained.evaluate(256).mean(), trained.curves["return"]
trained.save("policy.npz")
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Num

from agents import policy, ppo
from agents.agent import Agent
from agents.evaluate import evaluate_both
from agents.hyperparams import Hyperparams
from agents.lanes import compiled, lane_keys, lane_programs, whole_segments
from agents.memory import MEMORIES, Memory
from agents.networks import Backbone, actor_critic
from agents.own_memory import check_memory, memory_class
from agents.policy import Policy
from agents.ppo import PPOConfig
from agents.ranges import complaint, ranges_of
from agents.sharding import lane_mesh, lane_sharding, over_lanes, padded, placed, placed_like
from popjax.contract import as_environment
from popjax.core import Environment
from popjax.places import is_place
from popjax.words import nearest

SMALL = {"num_envs": 16, "num_steps": 64, "num_minibatches": 4, "learning_rate": 2.5e-3}
"""What most Easy tasks learn fastest with on a CPU, at a width of 64."""


@dataclass(frozen=True, eq=False)
class TrainedAgent:
    """The agents of all seeds, and how they learned.

    name: of the environment. params: the networks' parameters, each leaf `[seeds, ...]`.
    curves: `step`, `[updates]`, environment steps of each seed so far; and metrics by name,
    `[seeds, updates]`: `return`, the mean return of the episodes that ended in an update
    (not-a-number where none did), `length`, `loss`, `entropy` and others.

    >>> from agents.small import small
    >>> env, network, params = small()
    >>> two = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), params)
    >>> trained = TrainedAgent("RepeatFirst", env, Agent.of(env, network), two, (0, 1), {})
    >>> trained.evaluate(episodes=3).shape, trained.policy(seed=1).seed
    ((2, 3), 1)
    """

    name: str
    env: Environment
    agent: Agent
    params: Any
    seeds: tuple[int, ...]
    curves: dict[str, Num[np.ndarray, "..."]]

    def __repr__(self) -> str:
        return f"TrainedAgent({self.policy(self.seeds[0])!r:.200}, seeds {self.seeds})"

    def evaluate(
        self, episodes: int = 256, greedy: bool = False
    ) -> Float[np.ndarray, "seeds episodes"]:
        """The undiscounted return of each of so many fresh episodes of each seed's agent, the same
        ones every time. greedy: it takes the likeliest action instead of a sample."""
        mesh = lane_mesh(len(self.seeds))
        place = lane_sharding(mesh) if mesh else None
        given = placed(place, padded(mesh, (self.params, lane_keys(self.seeds)[1])))
        returns = _evaluate(self.env, self.agent, mesh, episodes)(*given)
        return np.asarray(returns, np.float64)[: len(self.seeds), int(greedy)]

    def policy(self, seed: int | None = None) -> Policy:
        """The agent of one seed, the first unless another is named, which acts: `Policy.act`."""
        seed = self.seeds[0] if seed is None else seed
        if seed not in self.seeds:
            raise ValueError(f"trained were the seeds {self.seeds}, not {seed}")
        lane = self.seeds.index(seed)
        own = jax.tree.map(lambda leaf: jnp.asarray(leaf[lane]), self.params)
        return Policy(own, self.agent, self.name, seed)

    def save(self, path: str | Path) -> None:
        """Writes the agents of all seeds to one file, which `agents.load` reads."""
        policy.save(Path(path), self.agent, self.params, self.name, self.seeds)


def train(
    env: Environment | str,
    memory: str | type[Memory] | Memory = "gru",
    *,
    total_steps: int = 500_000,
    seeds: int = 1,
    first_seed: int = 0,
    features: int = 64,
    num_layers: int = 1,
    num_segments: int = 20,
    report: Callable[[str], Any] | None = print,
    **settings: Any,
) -> TrainedAgent:
    """Trains a memory model on an environment with PPO, every seed in one program.

    env: an environment, an id, or `module:NAME` in a file of yours. memory: a name of
    `agents.memory.MEMORIES`, `module:Class`, a class, or one memory block of any width.
    total_steps: environment steps of each seed. features: width of the network. num_layers: memory
    blocks on top of one another. num_segments: compiled stretches of training, after each of which
    `report` is called with a line (None: silence).
    settings: fields of `agents.ppo.PPOConfig` and `agents.hyperparams.Hyperparams` by name, such as
    `num_envs=64, gamma=0.9`, in the place of `SMALL` and their defaults.

    Raises ValueError, one line, for what cannot be trained. Equal arguments give equal results on
    an equal machine: those of `popjax train` with these settings.

    >>> few = {"num_envs": 2, "num_steps": 4, "num_minibatches": 1, "num_epochs": 1}
    >>> agent = train("RepeatFirstEasy", "mlp", total_steps=16, features=8, report=None, **few)
    >>> agent.curves["return"].shape  # seeds, updates
    (1, 2)
    """
    name = env if isinstance(env, str) else env.name if isinstance(env, Environment) else ""
    env = as_environment(env)
    block = memory_block(memory, features)
    config, hyperparams = chosen(settings)
    for what, value in (("total_steps", total_steps), ("seeds", seeds)):
        if value < 1:
            raise ValueError(f"{what} must be a whole number from 1, not {value}")
    backbone = Backbone(tuple(block.clone() for _ in range(num_layers)))
    network = actor_critic(env.action_space, backbone, head_features=block.features)
    agent = Agent.of(env, network, config.inputs)
    num_updates, stride = whole_segments(total_steps, config.steps_per_update, num_segments)

    lanes = tuple(range(first_seed, first_seed + seeds))
    mesh = lane_mesh(seeds)
    place = lane_sharding(mesh) if mesh else None
    each = jax.tree.map(lambda value: np.full(seeds, value, np.float32), hyperparams)
    keys, each = placed(place, padded(mesh, (lane_keys(lanes)[0], each)))
    start, advance = lane_programs(
        mesh, place, *ppo.make_train(env, network, config), num_updates, stride
    )
    shapes = placed_like(place, jax.eval_shape(start, keys, each))
    start, advance = compiled(lambda: start.lower(keys, each), lambda: advance.lower(shapes, each))
    state, rows, clock = start(keys, each), [], time.perf_counter()
    for update in range(stride, num_updates + 1, stride):
        state, metrics = advance(state, each)
        rows.append(jax.tree.map(lambda leaf: np.asarray(leaf)[:seeds], metrics))
        if report:
            steps = update * config.steps_per_update
            speed = steps * seeds / (time.perf_counter() - clock)
            report(progress_line(steps, rows[-1]["return"], speed))
    curves = {key: np.concatenate([row[key] for row in rows], axis=1) for key in rows[0]}
    curves["step"] = config.steps_per_update * np.arange(1, num_updates + 1)
    params = jax.tree.map(lambda leaf: np.asarray(leaf)[:seeds], state.params)
    return TrainedAgent(name, env, agent, params, lanes, curves)


@functools.lru_cache(maxsize=8)
def _evaluate(env: Environment, agent: Agent, mesh: Mesh | None, episodes: int) -> Any:
    """`(params, keys) -> [seeds, 2, episodes]`, jitted."""
    return jax.jit(
        over_lanes(mesh, lambda params, key: evaluate_both(env, agent, params, key, episodes))
    )


def memory_block(memory: str | type[Memory] | Memory, features: int) -> Memory:
    """One memory block, checked.

    >>> memory_block("lstm", 8).features
    8
    """
    if isinstance(memory, str):
        if memory not in MEMORIES and not is_place(memory):
            raise ValueError(nearest(memory, MEMORIES, "memory"))
        memory = memory_class(memory)
    if isinstance(memory, type) and issubclass(memory, Memory):
        memory = memory(features=features)
    if not isinstance(memory, Memory):
        raise ValueError(f"a memory is an agents.memory.Memory or its name, not {memory!r:.60}")
    return check_memory(memory)


def chosen(settings: dict[str, Any]) -> tuple[PPOConfig, Hyperparams]:
    """`SMALL` with these settings in its place; a ValueError names the nearest right word or the
    range of a number.

    >>> chosen({"num_steps": 32, "gamma": 0.9})[0].steps_per_update
    512
    >>> chosen({"gama": 0.9})
    Traceback (most recent call last):
    ...
    ValueError: no setting is called 'gama': did you mean 'gamma'?
    """
    static, traced = (
        {field.name for field in dataclasses.fields(kind)} for kind in (PPOConfig, Hyperparams)
    )
    for name in settings:
        if name not in static | traced:
            raise ValueError(nearest(name, sorted(static | traced), "setting"))
    for name in settings.keys() & ranges_of(Hyperparams).keys():
        if said := complaint(name, settings[name], *ranges_of(Hyperparams)[name]):
            raise ValueError(said)
    settings = SMALL | settings
    config = PPOConfig(**{k: v for k, v in settings.items() if k in static})
    return config, Hyperparams(**{k: v for k, v in settings.items() if k in traced})


def progress_line(steps: int, returns: Float[np.ndarray, "seeds updates"], speed: float) -> str:
    """What has been reached after so many steps.

    >>> progress_line(2048, np.array([[np.nan, 0.5]]), 12_345.0)
    '2,048 steps: return 0.500, 12 thousand steps/s'
    """
    known = returns[np.isfinite(returns)]
    reached = f"return {known.mean():.3f}" if known.size else "no episode has ended"
    return f"{steps:,} steps: {reached}, {speed / 1000:.0f} thousand steps/s"
