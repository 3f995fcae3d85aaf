"""Reading a study back: one row a finished cell."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.held_out import per_token
from agents.lm import LMConfig
from agents.ppo import PPOConfig
from experiments.errors import UserError
from experiments.results import Table, read_results
from experiments.specs import SILENT, CellSpec, NetworkConfig, Settings, id_of
from popjax import scores
from popjax.registry import ENVS


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

    >>> from experiments.specs import cell
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

    Those of older versions too, whose specs lack settings that came later.

    >>> import tempfile
    >>> from experiments.results import open_study
    >>> with tempfile.TemporaryDirectory() as out:
    ...     read_study(open_study(Path(out), "mine", {}))  # nothing is finished
    []
    """
    if not (folder / "study.json").exists():
        others = [path.parent.name for path in folder.parent.glob("*/study.json")]
        near = difflib.get_close_matches(folder.name, others, n=1)
        cure = f"did you mean {near[0]!r}?" if near else "run popjax sweep first"
        raise UserError(f"there is no study in {folder}: {cure}")
    if (folder / "points.parquet").exists():
        raise UserError(f"{folder} is a search: the command that made it prints it again")
    rows = []
    for path in sorted(folder.glob("*/metrics.parquet")):
        spec = read_spec(path.parent)
        record = json.loads((path.parent / "spec.json").read_text())
        if id_of(record["spec"]) != path.parent.name:
            raise UserError(f"{path.parent} holds another spec than its name says: remove it")
        metrics, evaluation, summary = read_results(path.parent)
        acts, predicts = "return" in evaluation, "nats" in evaluation
        lost = summary["diverged"]
        best = np.array([_best(metrics, seed) for seed in spec.seeds]) if acts else None
        rows.append(
            Row(
                spec,
                final=_played(spec, _by_seed(spec, evaluation, "sampled"), lost) if acts else None,
                greedy=_played(spec, _by_seed(spec, evaluation, "greedy"), lost) if acts else None,
                mmer=_played(spec, best, lost) if acts else None,
                tokens=_tokens(spec, evaluation, lost) if predicts else None,
                summary=summary,
                metrics=metrics,
                record=record,
            )
        )
    order = {name: place for place, name in enumerate(ENVS)}
    return sorted(rows, key=lambda row: (order[row.spec.env], row.spec.memory))


def unfinished(folder: Path) -> list[tuple[str, str]]:
    """The cells of a study that have no result: their names, and why the last attempt failed, ""
    if none did.

    >>> import tempfile
    >>> from experiments.results import Cell
    >>> from experiments.specs import cell
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
            failure = path.with_name("failure.txt")
            why = failure.read_text().splitlines() if failure.exists() else []
            found.append((path.parent.name, why[0] if why else ""))
    return found


def labels(rows: Sequence[Row]) -> list[str]:
    """Names that tell the rows of one environment apart: who, and where several cells are of the
    same environment and memory, the settings in which those differ.

    >>> from experiments.specs import cell
    >>> specs = [cell("RepeatFirstEasy", "gru", Settings(seeds=n)) for n in (2, 3)]
    >>> nothing = [None] * 4 + [{}, {}]
    >>> labels([Row(spec, *nothing, {"spec": spec.resolved()}) for spec in specs])
    ['gru, seeds 2', 'gru, seeds 3']
    """
    settings = [flat(row.record["spec"]["settings"]) for row in rows]
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
    >>> from experiments.results import Cell
    >>> from experiments.specs import cell
    >>> spec = cell("RepeatFirstEasy", "gru", Settings(seeds=2))
    >>> with tempfile.TemporaryDirectory() as study:
    ...     Cell(Path(study), spec).open()
    ...     read_spec(Path(study) / spec.id).id == spec.id
    True
    """
    try:
        plain = json.loads((folder / "spec.json").read_text())["spec"]
        settings = plain.pop("settings")
        for name, kind in (("network", NetworkConfig), ("ppo", PPOConfig), ("lm", LMConfig)):
            if name in settings:
                settings[name] = kind(**{**SILENT.get(name, {}), **settings[name]})
        settings["hyperparams"] = {k: float(v) for k, v in settings["hyperparams"].items()}
        return CellSpec(**plain, settings=Settings(**settings))
    except (OSError, json.JSONDecodeError, KeyError, TypeError, ValueError):
        raise UserError(f"{folder / 'spec.json'} is missing or damaged: remove {folder}") from None


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
