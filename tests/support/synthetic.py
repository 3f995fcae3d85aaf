"""Studies that nobody trained: cells whose tables are written as a run would write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.results.spec import NetworkConfig, Settings
from experiments.results.store import Cell, Table, open_study
from experiments.train.cell import cell
from popjax import scores

EPISODES = 8


def write_study(
    out: Path,
    study: str,
    skill: dict[str, float],
    envs: list[str],
    seeds: int = 3,
    updates: int = 20,
    regime: str = "ppo",
) -> Path:
    """A study in `out`. skill: memory: about what normalised return it comes to."""
    folder = open_study(out, study, {"kind": "sweep", "preset": "none", "seeds": seeds})
    generator = np.random.default_rng(0)
    settings = Settings(total_steps=16_384 * updates, seeds=seeds, network=NetworkConfig(8))
    for env in envs:
        known = scores.scores(env)
        zero, one = (known[kind]["mean"] for kind in ("random", "reference"))
        for memory, level in skill.items():
            spec = cell(env, memory, settings, regime)
            written = Cell(folder, spec)
            written.open()
            ends = zero + (one - zero) * np.clip(generator.normal(level, 0.06, seeds), -1, 1)
            acts = regime == "ppo"
            written.finish(
                learning(spec, ends if acts else None, known["random"]["mean"], generator),
                returns(spec, ends, generator) if acts else nats(spec, generator),
                {
                    "compile_seconds": 4.0,
                    "train_seconds": 60.0,
                    "eval_seconds": 2.5,
                    "steps_per_second": 12_345,
                    "parameters": 1_000,
                    "state_size": 8,
                    "diverged": {},
                },
            )
    return folder


def learning(spec, ends, began, generator) -> Table:
    """A row an update and seed: from `began` towards `ends`, or falling nats if `ends` is None."""
    update, lane = (index.ravel() for index in np.indices((spec.num_updates, len(spec.seeds))))
    rise = 1 - np.exp(-4 * (update + 1) / spec.num_updates)
    noise = generator.normal(0, 0.02, update.size)
    if ends is None:
        headline = {"nats": 2.5 - rise + noise}
    else:
        headline = {"return": began + (ends[lane] - began) * rise + noise}
        headline["return"][update == 0] = np.nan  # no episode has ended yet
    return {
        "seed": np.array(spec.seeds)[lane],
        "update": update,
        "step": (update + 1) * spec.steps_per_update,
        "loss": 1 - rise,
        **headline,
        "diverged": np.zeros(update.size, bool),
    }


def returns(spec, ends, generator) -> Table:
    """Final returns of a few episodes under both policies."""
    policy, lane, episode = (i.ravel() for i in np.indices((2, len(spec.seeds), EPISODES)))
    return {
        "policy": np.array(["sampled", "greedy"])[policy],
        "seed": np.array(spec.seeds)[lane],
        "episode": episode,
        "return": ends[lane] + generator.normal(0, 0.01, lane.size),
    }


def nats(spec, generator) -> Table:
    """Sums over the tokens of held-out episodes."""
    lane, episode = (i.ravel() for i in np.indices((len(spec.seeds), EPISODES)))
    floor = generator.uniform(50, 60, lane.size)
    return {
        "seed": np.array(spec.seeds)[lane],
        "episode": episode,
        "nats": floor + generator.uniform(1, 3, lane.size),
        "floor": floor,
        "tokens": np.full(lane.size, 50),
        "correct": np.full(lane.size, 20),
    }
