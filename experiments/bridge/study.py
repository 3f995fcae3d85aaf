"""The common framework of all bridge experiments: what is trained and measured, one file each, and
what is shown.

A study is data. Its stages run in order; a stage holds one table per condition. Tables already on
disk are not computed again, so the same command resumes after any interruption.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from experiments.bridge.page import Shown
from experiments.results.errors import Stopped, UserError, positive
from experiments.results.files import Table, read_parquet, write_parquet
from experiments.results.store import open_study
from experiments.train.build import memory_name
from popjax.words import nearest

Watch = Callable[[Iterable], Iterable]
Tables = dict[Any, Table]


@dataclass(frozen=True)
class Context:
    """A running study: its settings, its folder, and the tables of finished stages, by stage and
    condition."""

    config: Any
    folder: Path
    console: Console
    tables: dict[str, Tables] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A stage: tables of one kind.

    conditions: `config -> conditions`, each with the stem of its file. title: of a condition, for
    the console. run: `(context, condition, watch) -> Table`; `watch` shows the progress of a loop.
    about: `(context, table) -> str`, the summary of its table on the line of a condition.
    """

    name: str
    conditions: Callable[[Any], Mapping[Hashable, str]]
    title: Callable[[Any], str]
    run: Callable[[Context, Any, Watch], Table]
    about: Callable[[Context, Table], str] = lambda context, table: ""


@dataclass(frozen=True)
class Study:
    """One experiment.

    name: of its folder and its kind. presets: `name -> config`, frozen dataclasses with `memory`
    and `seeds`. stages: see `Stage`. shown: `(context, preset) -> Shown`, tables, findings, figure
    and sections. record: `config -> dict` stored in study.json; a command resumes the study if it
    is unchanged. headline: `(context, number of tables, finished) -> str`, the first line.
    prepare: runs before the first stage. memories: the default memories of a preset, each a
    separate study.
    """

    name: str
    presets: Mapping[str, Any]
    stages: Sequence[Stage]
    shown: Callable[[Context, str], Shown]
    record: Callable[[Any], dict[str, Any]] = lambda config: record_of(config)
    headline: Callable[[Context, int, int], str] | None = None
    prepare: Callable[[Context], None] = lambda context: None
    memories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def record_of(config: Any) -> dict[str, Any]:
    """All settings that determine a result, as parsed from JSON."""
    return json.loads(json.dumps(asdict(config)))


def config_of(study: Study, preset: str, memory: str, seeds: int | None = None) -> Any:
    """The config of a preset, with another memory and another number of seeds.

    Raises UserError, with the nearest valid name, for an unknown preset or memory.
    """
    if preset not in study.presets:
        raise UserError(nearest(preset, study.presets, "preset"))
    config = replace(study.presets[preset], memory=memory_name(memory))
    if seeds is None:
        return config
    positive("seeds", seeds)
    return replace(config, seeds=seeds)


def run(study: Study, config: Any, out: Path, name: str, console: Console) -> Context:
    """Computes the missing tables in the folder `out / name`, stage by stage."""
    folder = open_study(out, name, {"kind": study.name, **study.record(config)})
    context = Context(config, folder, console)
    files = {
        stage.name: {
            condition: folder / f"{stem}.parquet"
            for condition, stem in stage.conditions(config).items()
        }
        for stage in study.stages
    }
    every = [path for paths in files.values() for path in paths.values()]
    finished = sum(path.exists() for path in every)
    headline = study.headline or default_headline
    console.print(headline(context, len(every), finished))
    study.prepare(context)
    for stage in study.stages:
        context.tables[stage.name] = tables_of(stage, files[stage.name], context)
    return context


def default_headline(context: Context, tables: int, finished: int) -> str:
    return (
        f"{tables} parts of {context.config.seeds} seeds in {context.folder}: {finished} finished"
    )


def curves_of(tables: Mapping[Hashable, Table], seeds: int) -> dict[Any, dict[str, np.ndarray]]:
    """The columns of tables with one row per look and seed, as `[seeds, looks]`."""
    return {
        condition: {name: column.reshape(-1, seeds).T for name, column in table.items()}
        for condition, table in tables.items()
    }


def mean_at_end(column: str) -> Callable[[Context, Table], str]:
    """For the line of a condition: the mean over seeds at the last look."""

    def about(context: Context, table: Table) -> str:
        return f"{column} {table[column][-context.config.seeds :].mean():.3f}, "

    return about


def tables_of(stage: Stage, files: dict[Any, Path], context: Context) -> Tables:
    """The tables of all conditions of a stage; missing ones are computed and written."""
    tables, console = {}, context.console
    for number, (condition, file) in enumerate(files.items(), 1):
        title = f"[{number}/{len(files)}] {stage.title(condition)}"
        took = "finished before"
        if not file.exists():
            began = time.perf_counter()
            try:
                write_parquet(file, stage.run(context, condition, watch(title, console)))
            except KeyboardInterrupt:
                line = f"stopped; the same command goes on after what is in {file.parent}"
                console.print(line, markup=False)
                raise Stopped from None
            took = f"{time.perf_counter() - began:.0f} s"
        tables[condition] = read_parquet(file)
        console.print(f"{title}  {stage.about(context, tables[condition])}{took}", markup=False)
    return tables


def watch(title: str, console: Console) -> Watch:
    """A progress bar over a loop, where the console is a terminal."""
    shown = {"console": console, "disable": not console.is_terminal}
    return partial(track, description=title, transient=True, **shown)
