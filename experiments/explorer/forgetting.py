"""What a pair still holds of each earlier token: the forgetting curves that the page shows.

Agent, language model and an untrained network read the same histories, of random, good and slipping
players alike; at one step a linear probe asks each state for the token that came so many steps
before (`experiments.bridge.measures.retention`). For the card games that actions do not change,
where a token is a card or two.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import numpy as np

from agents.lm import LMConfig, episode_inputs
from experiments.bridge.forgetting import histories_of
from experiments.bridge.measures.retention import (
    features_along,
    half_life,
    recoverable,
    retention,
    word,
)
from experiments.explorer.pairs import Pair, TrainedModel
from popjax.tokens import target_of

LONGEST, HISTORIES = 16, 1024


def forgetting(env_id: str, pair: Pair, key: jax.Array) -> dict[str, Any] | None:
    """Nats of each earlier token in either state, by lag, 0 for the newest; None where tokens
    depend on actions. The key, for the untrained network, is consumed."""
    if target_of(pair.agent.env).needs_action:
        return None
    read = histories_of(env_id, LMConfig(player="mixture"), LONGEST, HISTORIES)
    fresh = _untrained(pair.agent, key, read)
    nets = {"agent": pair.agent, "language_model": pair.language_model, "untrained": fresh}
    states = np.stack([_state(costume, read) for costume in nets.values()])
    tokens = np.moveaxis(read.earlier, -1, 0)
    kept = sum(retention(states, part, read.classes) for part in tokens)
    worth = sum(
        np.array([word(column, read.classes).known.mean() for column in part.T]) for part in tokens
    )
    rows = dict(zip(nets, kept, strict=True))
    return {
        "step": len(read.x),
        "worth": _rounded(worth),
        **{name: _rounded(row) for name, row in rows.items()},
        "total": {name: round(float(recoverable(row)), 3) for name, row in rows.items()},
        "half_life": {name: _lag(half_life(row, np.zeros(len(row)))) for name, row in rows.items()},
    }


def _untrained(agent: TrainedModel, key: jax.Array, read: Any) -> TrainedModel:
    """The agent's network before it learned anything."""
    carry = agent.network.initial_carry(1)
    x, start = episode_inputs(agent.env, read.episodes, agent.inputs)
    params = agent.network.init(key, carry, x[:1, :1], start[:1, :1])
    return TrainedModel(agent.env, agent.network, params, agent.inputs, {})


def _state(costume: TrainedModel, read: Any) -> np.ndarray:
    """`[N, d]` what the heads read at the last step, each network by its own inputs."""
    along = jax.jit(partial(features_along, costume.network))
    inputs = episode_inputs(costume.env, read.episodes, costume.inputs)
    return np.asarray(along(costume.params, *inputs))[-1]


def _rounded(row: np.ndarray) -> list[float]:
    return [round(float(value), 3) for value in row]


def _lag(lag: np.ndarray) -> int | None:
    """None: longer than was looked at."""
    return int(lag) if np.isfinite(lag) else None
