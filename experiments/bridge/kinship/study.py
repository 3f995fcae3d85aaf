"""`popjax bridge kinship`: trains, measures and judges the cells of the table, one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from experiments.bridge.kinship import figures, kept
from experiments.bridge.kinship.config import (
    CHANGED,
    COSTUMES,
    PRESETS,
    KinshipConfig,
    spec_of,
)
from experiments.bridge.kinship.measures import measured
from experiments.bridge.kinship.networks import Networks
from experiments.bridge.kinship.verdict import Verdict, record, verdict
from experiments.bridge.page import Grid, Section, Shown
from experiments.bridge.study import Context, Stage, Study, Watch, record_of, run
from experiments.results.errors import UserError
from experiments.results.files import Table, checksum
from experiments.results.store import Cell, read_record
from experiments.results.tables import counted
from experiments.sweep.estimate import make_plan, print_plan
from experiments.sweep.run import run_cells
from popjax.words import nearest

Part = tuple[str, str]


def run_cell_of_table(context: Context, part: Part, watch: Watch) -> Table:
    """Tunes, trains and measures both kinds of networks of one cell."""
    return measured(trained(context, part))


def trained(context: Context, part: Part) -> Networks:
    """The networks of a cell, trained if missing. Times are stored with the cells."""
    config = context.config
    specs = {c: chosen_spec(context, part, c) for c in COSTUMES}
    train(context, list(specs.values()))
    return Networks(config, {c: Cell(context.folder, spec) for c, spec in specs.items()})


def chosen_spec(context: Context, part: Part, costume: str):
    """The reporting cell, at the best learning rate on tuning seeds."""
    config: KinshipConfig = context.config
    if len(config.rates) == 1:
        return spec_of(config, *part, costume, config.rates[0])
    tuning = {rate: spec_of(config, *part, costume, rate, tuning=True) for rate in config.rates}
    train(context, list(tuning.values()))
    levels = {rate: levels_of(context, costume, spec) for rate, spec in tuning.items()}
    return spec_of(config, *part, costume, best_rate(levels))


def levels_of(context: Context, costume: str, spec: Any) -> np.ndarray:
    """`[seeds]` scores of tuning runs: mean returns, or negative nats per token. A diverged run
    scores worst."""
    _, found, _ = Cell(context.folder, spec).read()
    levels = []
    for seed in spec.seeds:
        own = found["seed"] == seed
        if costume == "agent":
            levels.append(found["return"][own & (found["policy"] == "sampled")].mean())
        else:
            levels.append(-found["nats"][own].sum() / found["tokens"][own].sum())
    return np.nan_to_num(np.array(levels, float), nan=-np.inf)


def best_rate(levels: dict[float, np.ndarray]) -> float:
    """The lowest rate within a standard error of the best mean.

    >>> best_rate({0.001: np.array([0.90, 0.92]), 0.01: np.array([0.80, 1.04]), 0.1: np.zeros(2)})
    0.001
    """
    means = {rate: level.mean() for rate, level in levels.items()}
    top = max(means, key=means.get)
    error = levels[top].std(ddof=1) / np.sqrt(len(levels[top])) if len(levels[top]) > 1 else 0.0
    return min(rate for rate, mean in means.items() if mean >= means[top] - error)


def train(context: Context, specs: list) -> None:
    left = [spec for spec in specs if not Cell(context.folder, spec).finished]
    if left and not set(run_cells(context.folder, left, context.console)) <= {
        "finished",
        "skipped",
    }:
        raise UserError("not all networks were trained: the same command tries again")


def provenance(context: Context, part: Part) -> dict[str, Any]:
    """The record of a run: settings, commit, machine and seconds, including tuning runs."""
    env, memory = part
    config = context.config
    found: dict[str, Any] = {"env": env, "memory": memory, "config": config_of(config, env)}
    for costume in COSTUMES:
        cell = Cell(context.folder, chosen_spec(context, part, costume))
        record, summary = read_record(cell.folder), cell.read()[2]
        tuning = [spec_of(config, *part, costume, rate, tuning=True) for rate in config.rates]
        times = [Cell(context.folder, spec).read()[2] for spec in tuning if len(tuning) > 1]
        found[costume] = {
            "rate": cell.spec.hyperparams["learning_rate"],
            "steps": cell.spec.num_updates * cell.spec.steps_per_update,
            "seeds": list(cell.spec.seeds),
            "parameters": summary["parameters"],
            "seconds": round(sum(one["train_seconds"] for one in (*times, summary)), 1),
            "cpu_seconds": round(sum(one["cpu_seconds"] for one in (*times, summary)), 1),
            "settings": cell.spec.resolved()["settings"],
            **{name: record.get(name) for name in ("commit", "cpu", "cores", "versions")},
        }
    return found


def config_of(config: KinshipConfig, env: str) -> dict[str, Any]:
    """All settings that determine the cells of one environment."""
    steps = {name: {env: getattr(config, name)[env]} for name in ("agent_steps", "model_steps")}
    own = replace(config, envs=(env,), memories=(), many=(), seeds=config.seeds_of(env), **steps)
    return record_of(own)


def files_of(config: KinshipConfig) -> dict[Part, str]:
    """The file stem of each cell, which names all its settings."""
    stems = {}
    for part in config.cells:
        specs = [spec_of(config, *part, costume, config.rates[0]).id for costume in COSTUMES]
        stems[part] = "-".join([*part, checksum({"specs": specs, **config_of(config, part[0])})])
    return stems


def shown_of(verdicts: dict[Part, Verdict], tables: dict[Part, Table], settings: Any) -> Shown:
    """The matrix, registered predictions beside results, and forgetting in both costumes."""
    matched = [found for found in verdicts.values() if found.verdict != "unmatched"]
    agree = [found for found in matched if found.verdict == found.registered]
    pictures = figures.pictures(verdicts, tables)
    return Shown(
        "kinship",
        "Is the representation the same kind of thing?",
        lead(verdicts, len(agree), len(matched)),
        [],
        [verdict_grid(verdicts), held_grid(verdicts, tables)],
        [
            Section(
                "Verdicts",
                rules_in_words(),
                [*pictures["matrix"], verdict_grid(verdicts)],
            ),
            Section("What is held, probed through noise", "", [held_grid(verdicts, tables)]),
            Section("Forgetting", "", pictures["forgetting"]),
        ],
        figures.matrix(verdicts),
        120,
        settings,
    )


def rules_in_words() -> str:
    changed = " ".join(CHANGED) or "Nothing was changed after seeing results."
    return f"Rules, gate and predictions were registered before the runs. {changed}"


def lead(verdicts: dict[Part, Verdict], agree: int, matched: int) -> str:
    """The outcome in a sentence or two."""
    total, unmatched = len(verdicts), len(verdicts) - matched
    words = f"Of {counted(total, 'cell')}, {unmatched} unmatched"
    if matched:
        same = sum(found.verdict == "same" for found in verdicts.values())
        words += (
            f"; of the {matched} others {agree} fall as registered, and in {same} agent and "
            "language model hold the same kind of state"
        )
    return words + "."


def verdict_grid(verdicts: dict[Part, Verdict]) -> Grid:
    rows = []
    for (env, memory), found in verdicts.items():
        skill = found.competence
        rows.append(
            (
                f"{env}, {memory}",
                found.registered,
                found.verdict,
                f"{skill.agent:.3f}",
                f"{skill.model:.4f} of {skill.worth:.3f}",
                in_words(found.to_agent),
                in_words(found.to_model),
                *(in_words(found.ratios[who]) for who in ("rl", "lm")),
                "; ".join(skill.faults),
            )
        )
    return Grid(
        "kinship of agents and language models",
        ("cell", "registered", "verdict", "agent", "model", "to agent", "to model", "held, acting",
         "held, predicting", "fails the gate by"),
        rows,
        "agent: return, 0 random play and 1 the reference player. model: nats per token above the "
        "floor, of the value of memory. to agent, to model: recovery with the other's state [95 % "
        "interval]. held: nats held by agents over nats held by models, through noise of 0.1.",
    )  # fmt: skip


def in_words(found: Any) -> str:
    return f"{found.middle:.2f} [{found.low:.2f}, {found.high:.2f}]"


def held_grid(verdicts: dict[Part, Verdict], tables: dict[Part, Table]) -> Grid:
    rows = []
    for part, found in verdicts.items():
        held = record(found, tables[part], {})["held"]
        for who, name in (("rl", "acting"), ("lm", "predicting")):
            own = held[who]
            rows.append(
                (
                    f"{', '.join(part)}: {name}",
                    f"{own['known']:.2f}",
                    *(" / ".join(f"{x:.2f}" for x in own[n]) for n in ("0", "0.1", "0.3")),
                    " / ".join(f"{100 * x:.1f}" for x in own["variance"]),
                )
            )
    return Grid(
        "nats held of each statistic: agent / model / untrained",
        ("statistic", "there is", "noise 0", "noise 0.1", "noise 0.3", "variance, %"),
        rows,
        "Beyond the clock and the current card, summed over the probed steps.",
    )


def list_cells(config: KinshipConfig, folder: Path, console: Console) -> None:
    """The cells, what each trains, and the estimated cost on this machine."""
    specs = []
    for part in config.cells:
        for costume in COSTUMES:
            for rate in config.rates if len(config.rates) > 1 else ():
                specs.append(spec_of(config, *part, costume, rate, tuning=True))
            specs.append(spec_of(config, *part, costume, config.rates[0]))
    for env, memory in config.cells:
        seeds = config.seeds_of(env)
        steps = config.agent_steps[env], config.model_steps[env]
        console.print(
            f"{env} {memory}: {counted(seeds, 'seed')}, {steps[0]:,} steps as an agent and "
            f"{steps[1]:,} as a language model; {counted(len(config.rates), 'rate')} on "
            f"{counted(config.trials, 'tuning seed')}",
            markup=False,
        )
    print_plan(make_plan(folder, specs), console)


def compare_again(part: Part, out: Path, name: str, console: Console) -> None:
    """Retrains a kept cell from its record and reports whether the results lie within the kept
    intervals."""
    kept_cells = {(env, memory): (table, spec) for env, memory, table, spec in kept.cells()}
    if part not in kept_cells:
        known = [" ".join(one) for one in kept_cells]
        raise UserError(nearest(" ".join(part), known, "kept cell"))
    table, spec = kept_cells[part]
    fields = dict(spec["config"])
    config = KinshipConfig(
        **{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        | {"memories": (part[1],)}
    )
    context = run(STUDY, config, out, name, console)
    before, now = verdict(*part, table), verdict(*part, context.tables["cells"][part])
    for way in ("to_agent", "to_model"):
        old, new = getattr(before, way), getattr(now, way)
        inside = old.low <= new.middle <= old.high
        console.print(
            f"recovery {way.replace('_', ' ')}: {new.middle:.3f}, kept {in_words(old)}: "
            f"{'within' if inside else 'outside'} the kept interval"
        )
    console.print(f"verdict: {now.verdict}, kept {before.verdict}")


def shown(context: Context, preset: str) -> Shown:
    tables = context.tables["cells"]
    verdicts = {part: verdict(*part, table) for part, table in tables.items()}
    return shown_of(verdicts, tables, {"preset": preset, **record_of(context.config)})


STUDY = Study(
    name="kinship",
    presets=PRESETS,
    stages=[
        Stage(
            "cells",
            conditions=files_of,
            title=" ".join,
            run=run_cell_of_table,
            about=lambda context, table: "",
        )
    ],
    shown=shown,
    record=lambda config: {},  # its file names state the settings
    headline=lambda context, tables, finished: (
        f"{counted(tables, 'cell')} in {context.folder}: {finished} finished"
    ),
)
