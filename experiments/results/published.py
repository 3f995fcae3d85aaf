"""What was reached: small files of results that are kept with the sources, and the tables of them.

    experiments/results/published/<environment>-<memory>-<settings>.json

Each holds every run on reporting seeds that was ever kept of one environment, one memory and the
settings of one name: nothing is replaced and nothing left out, so that no table is the best of
several tries. A table has the mean over all seeds of all runs whose settings are those of the
newest run, whatever their commits; runs of other settings are counted beside it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from agents.ppo import PPOConfig
from experiments.results.errors import UserError
from experiments.results.files import read_json, write_atomically
from experiments.results.lock import lock
from experiments.results.seeds import REPORTING_SEEDS
from experiments.results.spec import DEFAULT_HYPERPARAMS, CellSpec, NetworkConfig, Settings
from experiments.results.study import Row, read_study
from popjax.words import nearest

FOLDER = Path(__file__).with_name("published")
GOALS = FOLDER / "goals.json"
MACHINE = ("versions", "device", "cpu", "cores")


@dataclass(frozen=True)
class Run:
    """Some seeds that were trained together.

    final, greedy, mmer: one number a seed, as in `experiments.results.study.Row`: a diverged seed
    counts as random play.
    diverged: seed: the update at which it did.
    steps: environment steps of each seed. seconds, cpu_seconds: wall and processor time of
    training, all seeds together.
    settings: all of them, resolved. commit, machine: of what trained.
    What was not recorded is None.
    """

    seeds: tuple[int, ...]
    steps: int
    seconds: float | None
    cpu_seconds: float | None
    final: tuple[float, ...]
    greedy: tuple[float, ...]
    mmer: tuple[float, ...]
    diverged: dict[str, int]
    settings: dict[str, Any]
    commit: str | None
    machine: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """All runs of one environment, one memory and the settings of one name, oldest first."""

    env: str
    memory: str
    name: str
    runs: tuple[Run, ...]

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.env}-{self.memory}-{self.name}.json"

    @property
    def counted(self) -> tuple[Run, ...]:
        """The runs whose settings are those of the newest."""
        newest = comparable(self.runs[-1].settings)
        return tuple(run for run in self.runs if comparable(run.settings) == newest)

    @property
    def earlier(self) -> tuple[Run, ...]:
        """The runs of other settings."""
        counted = self.counted
        return tuple(run for run in self.runs if run not in counted)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those of the runs that count."""
        return tuple(seed for run in self.counted for seed in run.seeds)

    @property
    def diverged(self) -> int:
        """How many of these seeds did."""
        return sum(len(run.diverged) for run in self.counted)

    def returns(self, metric: str) -> np.ndarray:
        """`[seeds]` of the runs that count. metric: final, greedy or mmer."""
        return np.array([value for run in self.counted for value in getattr(run, metric)])

    def seconds_a_seed(self, kind: str) -> float | None:
        """Mean over the runs that count and have it recorded. kind: seconds or cpu_seconds."""
        runs = [run for run in self.counted if getattr(run, kind) is not None]
        total = sum(getattr(run, kind) for run in runs)
        return total / sum(len(run.seeds) for run in runs) if runs else None

    @property
    def network(self) -> str:
        """cells if the same network stands at every cell, card or arm; else plain."""
        return "cells" if self.runs[-1].settings["network"]["style"] == "cells" else "plain"


def comparable(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings without the seeds, and with the defaults of what they do not say.

    >>> one, other = Settings(seeds=3).plain("ppo"), Settings(seeds=5, first_seed=3).plain("ppo")
    >>> comparable(one) == comparable(other)
    True
    """
    whole = Settings(hyperparams=DEFAULT_HYPERPARAMS).plain("ppo")
    for name, value in settings.items():
        is_part = isinstance(value, dict) and isinstance(whole.get(name), dict)
        whole[name] = whole[name] | value if is_part else value
    hyperparams = {k: float(v) for k, v in whole["hyperparams"].items()}
    whole |= {"hyperparams": hyperparams, "seeds": None, "first_seed": None}
    return json.loads(json.dumps(whole))  # as a file has it: lists for tuples


def run_of(row: Row, commit: str | None = None, cpu: str | None = None) -> Run:
    """A finished cell in a few numbers. commit, cpu: where its record does not name them; a record
    without a commit may have the version instead."""

    def rounded(values: np.ndarray) -> tuple[float, ...]:
        return tuple(round(float(value), 4) for value in values)

    spec, summary, record = row.spec, row.summary, row.record
    own = record.get("commit")
    # Times are since training last began: those of a run that went on after a stop are not whole.
    whole = summary.get("trained_steps", spec.env_steps) == spec.env_steps
    machine = {key: record.get(key) for key in MACHINE}
    return Run(
        seeds=spec.seeds,
        steps=spec.env_steps // len(spec.seeds),
        seconds=summary["train_seconds"] if whole else None,
        cpu_seconds=summary.get("cpu_seconds") if whole else None,
        final=rounded(row.final),
        greedy=rounded(row.greedy),
        mmer=rounded(row.mmer),
        diverged={str(seed): summary["diverged"][str(seed)] for seed in row.diverged},
        settings=spec.resolved()["settings"],
        commit=commit or own if own in (None, version("popjax")) else own,
        machine=machine | {"cpu": machine["cpu"] or cpu},
    )


def add(
    study: Path,
    name: str,
    folder: Path | None = None,
    *,
    commit: str | None = None,
    cpu: str | None = None,
    only: str | None = None,
) -> tuple[list[Path], list[str]]:
    """Keeps every finished agent of a study as one more run: never in the place of another.

    commit, cpu: what trained them, for records that do not name it. only: the id of the one cell
    that is wanted.

    Returns the files, and why some cells were refused: seeds that are there already under the same
    settings and commit. Raises UserError for seeds that are not reporting seeds, and writes
    nothing then.
    """
    folder = folder or FOLDER
    rows = [r for r in read_study(study) if r.final is not None and only in (None, r.spec.id)]
    for row in rows:
        check_seeds(row.spec.seeds)
    paths, refused = [], []
    for row in sorted(rows, key=lambda row: row.spec.settings.first_seed):
        run = run_of(row, commit, cpu)
        path = folder / f"{row.spec.env}-{row.spec.memory}-{name}.json"
        folder.mkdir(parents=True, exist_ok=True)
        with lock(path.with_suffix(".lock")) as ours:
            if not ours:
                raise UserError(f"another process is at work on {path}: try again")
            result = Result(row.spec.env, row.spec.memory, name, ())
            result = read(path) if path.exists() else result
            if twice := already(result, run.settings, run.seeds, run.commit):
                refused.append(f"{path.name}: {twice}")
                continue
            write(dataclasses.replace(result, runs=(*result.runs, run)), folder)
        paths.append(path)
    return list(dict.fromkeys(paths)), refused


def already(
    result: Result, settings: dict[str, Any], seeds: Sequence[int], commit: str | None
) -> str:
    """Which seeds are kept under the same settings and commit, in words; "" if none is."""
    there = {
        seed
        for run in result.runs
        if run.commit == commit and comparable(run.settings) == comparable(settings)
        for seed in run.seeds
    }
    if twice := sorted(there.intersection(seeds)):
        known = f"commit {commit}" if commit else "no commit on record"
        return f"seeds {list(seeds)} are not added, since {twice} are kept ({known}, same settings)"
    return ""


def check_seeds(seeds: Sequence[int]) -> None:
    """A UserError unless all are reporting seeds."""
    if not set(seeds) <= set(REPORTING_SEEDS):
        raise UserError(
            f"seeds {min(seeds)} to {max(seeds)} are not kept: reporting seeds are "
            f"{REPORTING_SEEDS[0]} to {REPORTING_SEEDS[-1]}, the others are for searches"
        )


def rerun_spec(
    result: Result, seeds: int, first_seed: int | None = None, commit: str | None = None
) -> CellSpec:
    """The cell of the newest run with other seeds: those after all that are kept, unless given.

    A UserError if they are not reporting seeds, or kept already under the same commit.
    """
    used = [seed for run in result.runs for seed in run.seeds]
    first = max(used) + 1 if first_seed is None else first_seed
    plain = dict(result.runs[-1].settings)
    plain |= {"network": NetworkConfig(**plain["network"]), "ppo": PPOConfig(**plain["ppo"])}
    plain["hyperparams"] = {k: float(v) for k, v in plain["hyperparams"].items()}
    settings = Settings(**plain | {"seeds": seeds, "first_seed": first})
    spec = CellSpec(result.env, result.memory, settings, source=f"newest run of {result.file}")
    check_seeds(spec.seeds)
    if twice := already(result, spec.resolved()["settings"], spec.seeds, commit):
        raise UserError(f"{result.file}: {twice}")
    return spec


def write(result: Result, folder: Path | None = None) -> Path:
    """Writes the file of a result, whole or not at all."""
    path = (folder or FOLDER) / result.file
    write_atomically(path, (json.dumps(dataclasses.asdict(result), indent=1) + "\n").encode())
    return path


def read(path: Path) -> Result:
    """A file of results; a UserError if it is damaged."""
    lists = ("seeds", "final", "greedy", "mmer")
    try:
        plain = read_json(path)
        runs = [Run(**run | {k: tuple(run[k]) for k in lists}) for run in plain["runs"]]
        if not runs or any(len(getattr(run, k)) != len(run.seeds) for run in runs for k in lists):
            raise ValueError("a number a seed is missing")
        return Result(**plain | {"runs": tuple(runs)})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged ({type(error).__name__})") from None


def find(file: str, folder: Path | None = None) -> Result:
    """The result of a file, by its path or its name, with or without `.json`."""
    folder = folder or FOLDER
    name = Path(file).name.removesuffix(".json") + ".json"
    path = Path(file) if Path(file).is_file() else folder / name
    if not path.is_file():
        there = [known.name for known in sorted(folder.glob("*-*.json"))]
        raise UserError(nearest(name, there, "kept result"))
    return read(path)


def results(folder: Path | None = None) -> list[Result]:
    """All that is kept, in order of environment, the best memory first."""
    every = [read(path) for path in sorted((folder or FOLDER).glob("*-*.json"))]
    return sorted(every, key=lambda r: (r.env, r.name, -np.mean(r.returns("final"))))
