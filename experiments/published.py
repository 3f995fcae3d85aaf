"""What was reached: small files of results that are kept with the sources, and the table of them.

    experiments/published/<environment>-<memory>-<settings>.json

Each holds one finished cell: its spec, returns by seed, steps, wall time, versions. The table is
made of these files alone, beside the return that each task should reach (`goals.json`).
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.errors import UserError
from experiments.files import read_json, write_atomically
from experiments.results import machine
from experiments.studies import Row, read_study
from popjax import scores

FOLDER = Path(__file__).with_name("published")
GOALS = FOLDER / "goals.json"


@dataclass(frozen=True)
class Result:
    """One cell. final, greedy, mmer: one number a seed, as in `experiments.studies.Row`.

    steps: environment steps of each seed. seconds: wall time of training, all seeds together.
    """

    env: str
    memory: str
    name: str
    seeds: tuple[int, ...]
    steps: int
    seconds: float
    final: tuple[float, ...]
    greedy: tuple[float, ...]
    mmer: tuple[float, ...]
    settings: dict[str, Any]
    machine: dict[str, Any]


def result_of(row: Row, name: str) -> Result:
    """A finished cell in a few numbers; `name` is that of its settings."""

    def rounded(values: np.ndarray) -> tuple[float, ...]:
        return tuple(round(float(value), 4) for value in values)

    spec = row.spec
    return Result(
        env=spec.env,
        memory=spec.memory,
        name=name,
        seeds=spec.seeds,
        steps=spec.env_steps // len(spec.seeds),
        seconds=row.summary["train_seconds"],
        final=rounded(row.final),
        greedy=rounded(row.greedy),
        mmer=rounded(row.mmer),
        settings=spec.resolved()["settings"],
        machine=machine(),
    )


def add(study: Path, name: str, folder: Path = FOLDER) -> list[Path]:
    """Keeps every finished agent of a study that has no result of its kind here, or a worse one."""
    paths = []
    for row in read_study(study):
        if row.final is None or row.summary["diverged"]:
            continue
        result = result_of(row, name)
        path = folder / f"{result.env}-{result.memory}-{name}.json"
        if path.exists() and np.mean(read(path).final) > np.mean(result.final):
            continue
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, (json.dumps(dataclasses.asdict(result), indent=1) + "\n").encode())
        paths.append(path)
    return paths


def read(path: Path) -> Result:
    """A file of results; a UserError if it is damaged."""
    try:
        plain = read_json(path)
        lists = {k: tuple(plain[k]) for k in ("seeds", "final", "greedy", "mmer")}
        return Result(**(plain | lists))
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} is damaged ({type(error).__name__})") from None


def results(folder: Path = FOLDER) -> list[Result]:
    """All that is kept, in order of environment, the best memory first."""
    every = [read(path) for path in sorted(folder.glob("*-*.json"))]
    return sorted(every, key=lambda r: (r.env, r.name, -np.mean(r.final)))


def markdown(chosen: list[Result], goals: dict[str, float]) -> str:
    """The table of some results as Markdown: sampled final returns beside goals and the paper's.

    steps: of each seed. min: minutes of training, all seeds side by side.
    """
    head = ("task", "memory", "seeds", "return", "greedy", "goal", "published best", "steps", "min")
    lines = ["| " + " | ".join(head) + " |", "|---|---|" + "---:|" * (len(head) - 2)]
    for result in chosen:
        goal = goals.get(result.env)
        mean, greedy = np.mean(result.final), np.mean(result.greedy)
        spread = f" ± {np.std(result.final, ddof=1):.3f}" if len(result.final) > 1 else ""
        places = result.settings["network"]["style"] == "places"
        reached = goal is not None and round(max(mean, greedy), 3) >= goal
        cells = (
            result.env,
            result.memory + (" at every place" if places else ""),
            str(len(result.seeds)),
            f"{mean:.3f}{spread}",
            f"{greedy:.3f}",
            "" if goal is None else f"{goal:g} {'reached' if reached else 'missed'}",
            published_best(result.env),
            f"{result.steps / 1e6:.1f}M",
            f"{result.seconds / 60:.0f}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def against_paper(chosen: list[Result]) -> str:
    """Trials with the paper's settings beside the paper's GRU, by its own metric, as Markdown.

    MMER: mean of the trials, and their standard deviation. apart: the distance of the means in
    standard deviations of the paper's trials (of 0.0005 at least, as its table has three decimals).
    """
    head = ("task", "trials", "steps", "MMER", "paper's GRU", "apart", "within two")
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 2) + "---|"]
    for result in chosen:
        known = scores.scores(result.env).get("paper_gru")
        if result.memory != "gru" or not known or known["std"] is None:
            continue
        mean = np.mean(result.mmer)
        spread = f" ± {np.std(result.mmer, ddof=1):.3f}" if len(result.mmer) > 1 else ""
        apart = (mean - known["mean"]) / max(known["std"], 0.0005)
        cells = (
            result.env,
            str(len(result.mmer)),
            f"{result.steps / 1e6:.1f}M",
            f"{mean:.3f}{spread}",
            f"{known['mean']:.3f} ± {known['std']:.3f}",
            f"{apart:+.1f}",
            "yes" if abs(apart) <= 2 else "above" if apart > 0 else "below",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def published_best(env: str) -> str:
    """The best published score of a task and whose it is.

    >>> published_best("CountRecallEasy")
    '0.509 (LSTM)'
    """
    known = scores.scores(env)
    for kind, who in (("paper_best", None), ("ppo_gru", "PPO-GRU")):
        if known.get(kind):
            return f"{known[kind]['mean']:.3f} ({who or known[kind].get('model', 'paper')})"
    return ""


def goals(path: Path = GOALS) -> dict[str, float]:
    """The return that each task should reach."""
    return read_json(path)
