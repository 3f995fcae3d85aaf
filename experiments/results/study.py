"""Reading a study back: one row a finished cell."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.held_out import per_token
from agents.lm import LMConfig
from agents.objectives import OBJECTIVES
from agents.own_memory import memory_class
from agents.ppo import PPOConfig
from experiments.results.errors import UserError
from experiments.results.files import DamagedError, Table
from experiments.results.spec import CellSpec, NetworkConfig, Settings, id_of
from experiments.results.store import RESTORED, again, failure_in, read_record, read_results
from popjax import scores
from popjax.places import is_place
from popjax.registry import ENVS, canonical


@dataclass(frozen=True)
class Row:
    """One finished cell, one number a seed.

    final, greedy: mean return of the last policy, sampling or taking the likeliest action.
    mmer: the best mean return over training, the paper's metric (it is optimistic).
    A seed that diverged counts as random play in all three (NaN where that is not known), since
    parameters that are no numbers play nothing: see `diverged`.
    tokens: what `agents.held_out.per_token` says of the last model, one dict a seed, NaN for one
    that diverged.
    What the regime does not train is None.
    metrics: the columns of `metrics.parquet`, a row an update and seed.
    record: `spec.json`: the resolved spec, versions, device, cores.

    >>> from experiments.train.cell import cell
    >>> spec = cell("HigherLowerEasy", "s5", Settings(), regime="lm")
    >>> Row(spec, None, None, None, None, {}, {}, {}).who
    's5 as lm'
    """

    spec: CellSpec
    final: np.ndarray | None
    greedy: np.ndarray | None
    mmer: np.ndarray | None
    tokens: list[dict[str, float]] | None
    summary: dict[str, Any]
    metrics: Table
    record: dict[str, Any]

    @property
    def diverged(self) -> tuple[int, ...]:
        """The seeds whose parameters or loss stopped being numbers."""
        return tuple(seed for seed in self.spec.seeds if str(seed) in self.summary["diverged"])

    @property
    def who(self) -> str:
        """The memory, and the regime if it is not PPO."""
        regime = self.spec.regime
        return self.spec.memory if regime == "ppo" else f"{self.spec.memory} as {regime}"


def read_study(folder: Path) -> list[Row]:
    """All finished cells of a study, in the order of `ENVS` and of the memories' names.

    >>> import tempfile
    >>> from experiments.results.store import open_study
    >>> with tempfile.TemporaryDirectory() as out:
    ...     read_study(open_study(Path(out), "mine", {}))  # nothing is finished
    []
    """
    rows, faults = read_rows(folder)
    if faults:
        raise faults[0]
    return rows


def read_rows(folder: Path) -> tuple[list[Row], list[UserError]]:
    """All finished cells of a study that can be read, as in `read_study`, and what is wrong with
    the others.

    >>> read_rows(Path("nowhere"))
    Traceback (most recent call last):
        ...
    experiments.results.errors.UserError: there is no study in nowhere: run popjax sweep first
    """
    if not (folder / "study.json").exists():
        others = sorted(path.parent.name for path in folder.parent.glob("*/study.json"))
        near = difflib.get_close_matches(folder.name, others, n=1)
        there = f"there are {', '.join(others[:MANY])}{' ...' if others[MANY:] else ''}"
        cure = there if others else "run popjax sweep first"
        cure = f"did you mean {near[0]!r}? ({there})" if near else cure
        raise UserError(f"there is no study in {folder}: {cure}")
    if (folder / "points.parquet").exists():
        raise UserError(f"{folder} is a search: the command that made it prints it again")
    rows, faults = [], []
    for path in sorted(folder.glob("*/metrics.parquet")):
        try:
            rows.append(read_cell(path.parent))
        except UserError as error:
            faults.append(error)
    order = {name: place for place, name in enumerate(ENVS)}
    return sorted(rows, key=lambda row: (order[row.spec.env], row.spec.memory)), faults


MANY = 10  # studies that a line can name
SUMMARY = ("train_seconds", "diverged")
COSTS = ("compile_seconds", "eval_seconds", "steps_per_second", "parameters", "state_size")


def read_cell(folder: Path) -> Row:
    """One finished cell; a UserError if any file of it is damaged.

    >>> read_cell(Path("nowhere"))
    Traceback (most recent call last):
    experiments.results.files.DamagedError: nowhere/spec.json is missing: run the same command again
    """
    spec, record = read_spec(folder), read_record(folder)
    if id_of(record["spec"]) != folder.name:
        raise DamagedError(folder / "spec.json", "another spec than its folder's name", RESTORED)
    for name, kind in (("device", str), ("versions", dict)):
        if not isinstance(record.get(name), kind):
            raise DamagedError(folder / "spec.json", f"it lacks {name}", RESTORED)
    metrics, evaluation, summary = read_results(folder)
    check_summary(folder, summary, SUMMARY)
    for name, table in (("metrics", metrics), ("evaluation", evaluation)):
        if "seed" not in table or set(table["seed"].tolist()) != set(spec.seeds):
            raise DamagedError(folder / f"{name}.parquet", "it is of other seeds", again(folder))
    acts, predicts = "return" in evaluation, "nats" in evaluation
    lost = summary["diverged"]
    try:
        best = np.array([_best(metrics, seed) for seed in spec.seeds]) if acts else None
        return Row(
            spec,
            final=_played(spec, _by_seed(spec, evaluation, "sampled"), lost) if acts else None,
            greedy=_played(spec, _by_seed(spec, evaluation, "greedy"), lost) if acts else None,
            mmer=_played(spec, best, lost) if acts else None,
            tokens=_tokens(spec, evaluation, lost) if predicts else None,
            summary=summary,
            metrics=metrics,
            record=record,
        )
    except (KeyError, TypeError, ValueError) as error:
        fault = f"its columns are others: {error}"
        raise DamagedError(folder / "evaluation.parquet", fault, again(folder)) from None


def check_summary(folder: Path, summary: dict[str, Any], names: Sequence[str] = COSTS) -> None:
    """A UserError unless the summary of a cell has these; a report needs what training cost.

    >>> check_summary(Path("a"), {"seconds": 1.0, "diverged": {}}, names=("seconds",))
    """
    if lacking := [name for name in names if name not in summary]:
        fault = f"it lacks {', '.join(lacking)}"
        raise DamagedError(folder / "summary.json", fault, again(folder))
    if not isinstance(summary["diverged"], dict):
        raise DamagedError(folder / "summary.json", "diverged seeds by no name", again(folder))


def unfinished(folder: Path) -> list[tuple[str, str]]:
    """The cells of a study that have no result: their names, and why the last attempt failed, ""
    if none did.

    >>> import tempfile
    >>> from experiments.results.store import Cell
    >>> from experiments.train.cell import cell
    >>> with tempfile.TemporaryDirectory() as study:
    ...     one = Cell(Path(study), cell("RepeatFirstEasy", "gru", Settings()))
    ...     one.open()
    ...     one.fail(MemoryError("too wide"))
    ...     [why for _, why in unfinished(Path(study))]
    ['MemoryError: too wide']
    """
    found = []
    for path in sorted(folder.glob("*/spec.json")):
        if not (path.parent / "metrics.parquet").exists():
            found.append((path.parent.name, failure_in(path.parent) or ""))
    return found


def labels(rows: Sequence[Row]) -> list[str]:
    """Names that tell the rows of one environment apart: who, and where several cells are of the
    same environment and memory, the settings in which those differ.

    >>> from experiments.train.cell import cell
    >>> specs = [cell("RepeatFirstEasy", "gru", Settings(seeds=n)) for n in (2, 3)]
    >>> nothing = [None] * 4 + [{}, {}]
    >>> labels([Row(spec, *nothing, {"spec": spec.resolved()}) for spec in specs])
    ['gru, seeds 2', 'gru, seeds 3']
    """
    settings = [
        flat(row.record["spec"]["settings"]) | {"own code": row.record["spec"].get("own_code")}
        for row in rows
    ]
    groups: dict[tuple[str, str], list[int]] = {}
    for i, row in enumerate(rows):
        groups.setdefault((row.spec.env, row.who), []).append(i)
    names = [row.who for row in rows]
    for group in groups.values():
        first = settings[group[0]]
        differing = [k for k in first if len({str(settings[i].get(k)) for i in group}) > 1]
        for i in group:
            names[i] += "".join(f", {k} {settings[i].get(k)}" for k in differing)
    return names


def flat(settings: dict[str, Any]) -> dict[str, Any]:
    """Nested settings as one level.

    >>> flat({"seeds": 2, "network": {"features": 8}})
    {'seeds': 2, 'features': 8}
    """
    plain = {}
    for name, value in settings.items():
        plain.update(value if isinstance(value, dict) else {name: value})
    return plain


def read_spec(folder: Path) -> CellSpec:
    """The spec stored in a cell's folder.

    >>> import tempfile
    >>> from experiments.results.store import Cell
    >>> from experiments.train.cell import cell
    >>> spec = cell("RepeatFirstEasy", "gru", Settings(seeds=2))
    >>> with tempfile.TemporaryDirectory() as study:
    ...     Cell(Path(study), spec).open()
    ...     read_spec(Path(study) / spec.id).id == spec.id
    True
    """
    path, plain = folder / "spec.json", read_record(folder)["spec"]
    try:
        settings = plain.pop("settings")
        for name, kind in (("network", NetworkConfig), ("ppo", PPOConfig), ("lm", LMConfig)):
            if name in settings:
                settings[name] = kind(**settings[name])
        settings["hyperparams"] = {k: float(v) for k, v in settings["hyperparams"].items()}
        spec = CellSpec(**plain, settings=Settings(**settings))
        if not isinstance(spec.env, str) or not isinstance(spec.memory, str):
            raise TypeError("its environment and memory have no names")
        if spec.regime not in ("ppo", "lm", *OBJECTIVES):
            raise ValueError(f"no regime is called {spec.regime!r:.40}")
        _check_known(folder, spec)
        _ = spec.seeds, spec.num_updates
    except UnknownNameError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        fault = f"{type(error).__name__}: {str(error)[:100]}"
        raise DamagedError(path, fault, RESTORED) from None
    return spec


class UnknownNameError(UserError):
    """A cell is of an environment or a memory that this process does not know.

    >>> issubclass(UnknownNameError, UserError)
    True
    """


def _check_known(folder: Path, spec: CellSpec) -> None:
    """An UnknownNameError unless environment and memory can be found by their names."""
    for kind, name, find in (
        ("environment", spec.env, canonical),
        ("memory", spec.memory, memory_class),
    ):
        try:
            find(name)
        except ValueError as error:
            how = "popjax.register" if kind == "environment" else "agents.memory.MEMORIES"
            cure = f"register it first ({how})"
            if is_place(name):
                cure = f"run this where its file lies ({error})"
            raise UnknownNameError(
                f"{folder} is of the {kind} {name}, which is not known here: {cure}"
            ) from None


def _by_seed(spec: CellSpec, evaluation: dict[str, np.ndarray], policy: str) -> np.ndarray:
    chosen = evaluation["policy"] == policy
    returns, seeds = evaluation["return"][chosen], evaluation["seed"][chosen]
    return np.array([returns[seeds == seed].mean() for seed in spec.seeds])


def _played(spec: CellSpec, values: np.ndarray, diverged: dict[str, int]) -> np.ndarray:
    """Returns by seed, those of diverged seeds as random play."""
    random = scores.scores(spec.env).get("random", {}).get("mean", np.nan)
    lost = [str(seed) in diverged for seed in spec.seeds]
    return np.where(lost, random, values)


def _tokens(
    spec: CellSpec, evaluation: dict[str, np.ndarray], diverged: dict[str, int]
) -> list[dict[str, float]]:
    counted = np.isfinite(evaluation["nats"].astype(np.float64))
    sums = {name: evaluation[name] for name in ("nats", "floor", "tokens", "correct")}
    found = []
    for seed in spec.seeds:
        own = evaluation["seed"] == seed
        lost = str(seed) in diverged or not (own & counted).any()
        chosen = own if lost else own & counted
        found.append(per_token({k: np.where(lost, np.nan, v[chosen]) for k, v in sums.items()}))
    return found


def _best(metrics: dict[str, np.ndarray], seed: int) -> float:
    returns = metrics["return"][metrics["seed"] == seed]
    returns = returns[np.isfinite(returns)]
    return float(returns.max()) if returns.size else float("nan")
