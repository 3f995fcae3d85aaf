"""The parts of an experiment, one file each: what is there is not made again."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Hashable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from experiments.results.files import Table, read_parquet, write_parquet
from experiments.train.process import Stopped

Part = TypeVar("Part", bound=Hashable)


def plain(setup: Any, since: Collection[str]) -> dict[str, Any]:
    """The settings of an experiment as JSON gives them back, without those that came `since` its
    first studies, whose folders go on, wherever they are left at their defaults.

    >>> from experiments.bridge.factorial.conditions import Setup
    >>> "seeds" in plain(Setup(), ["seeds"]), plain(Setup(seeds=7), ["seeds"])["seeds"]
    (False, 7)
    """
    before = type(setup)()
    silent = {name for name in since if getattr(setup, name) == getattr(before, name)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(setup).items()
        if name not in silent
    }


def tables_of(
    files: dict[Part, Path],
    titles: dict[Part, str],
    make: Callable[[Part, str], Table],
    console: Console,
    about: Callable[[Table], str] = lambda table: "",
) -> dict[Part, Table]:
    """The tables of all parts, those that no file holds made by `make(part, title)` and written.
    about: what the line of a part says of its table."""
    tables = {}
    for number, (part, file) in enumerate(files.items(), 1):
        title = f"[{number}/{len(files)}] {titles[part]}"
        took = "finished before"
        if not file.exists():
            began = time.perf_counter()
            try:
                write_parquet(file, make(part, title))
            except KeyboardInterrupt:
                line = f"stopped; the same command goes on after what is in {file.parent}"
                console.print(line, markup=False)
                raise Stopped from None
            took = f"{time.perf_counter() - began:.0f} s"
        tables[part] = read_parquet(file)
        console.print(f"{title}  {about(tables[part])}{took}", markup=False)
    return tables
