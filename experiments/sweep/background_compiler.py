"""The next program compiles while the present one runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from experiments.results.spec import CellSpec
from experiments.train.compile import Program, compile_program, program_code


class BackgroundCompiler:
    """Gives programs, made one after another on a thread of their own.

    Cells that share a program get the same one, and its seconds are those of the first. XLA leaves
    Python while it compiles, so an accelerator is kept busy meanwhile; on a CPU the two share the
    cores.
    """

    def __init__(self, make: Callable[[CellSpec], Program] = compile_program):
        self._make = make
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compile")
        self._programs: dict[str, Future[Program]] = {}
        self._given: set[str] = set()

    def __enter__(self) -> BackgroundCompiler:
        return self

    def __exit__(self, *_: Any) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def begin(self, spec: CellSpec) -> None:
        """Lets the program of a cell be made, after those begun before."""
        code = program_code(spec)
        if code not in self._programs:
            self._programs[code] = self._thread.submit(self._make, spec)

    def __call__(self, spec: CellSpec) -> Program:
        """The program of a cell; waits for it. If it could not be made, the next call tries."""
        self.begin(spec)
        code = program_code(spec)
        future = self._programs[code]
        try:
            while not future.done():  # a wait without end would not hear Ctrl-C
                time.sleep(0.02)
            program = future.result()
        except BaseException:
            self._programs.pop(code, None)
            raise
        if code in self._given:
            return replace(program, seconds=0.0)
        self._given.add(code)
        return program

    def keep(self, specs: Iterable[CellSpec]) -> None:
        """Forgets the programs of all other cells."""
        codes = {program_code(spec) for spec in specs}
        for code in self._programs.keys() - codes:
            self._programs.pop(code).cancel()
            self._given.discard(code)
