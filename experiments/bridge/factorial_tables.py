"""The factorial as tables: a line a cell, a line an edge of the square, and theory beforehand."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.bridge.factorial import CELLS, FEEDBACK, TARGETS, Curves, Setup
from experiments.bridge.factorial_report import (
    LEVELS,
    NATS,
    TOKENS,
    Cell,
    Reached,
    judged_steps,
    reached,
    reading,
    short,
    slowdown,
    told_at_first,
)
from experiments.bridge.tiny import SUITS, best_without_memory

CELLS_TITLE = "competence: 0 = best without memory, 1 = best there is (spread: s.d. over seeds)"
CELLS_NOTE = (
    "tokens, nats: read and expected to be told until that competence, geometric mean over seeds; "
    "> if a seed never got there.\nnats/token: until 0.5."
)
EDGES_TITLE = (
    f"how many times more to competence {LEVELS[0]} (95 % intervals, by bootstrap over seeds)"
)
EDGES_NOTE = (
    "if nats were all: the ratio of tokens at which equal nats are told to a learner that believes "
    "nothing yet."
)
CELL_NAMES = ("target", "feedback", "regime")
CELL_NUMBERS = (
    "competence",
    *(f"{what} to {level}" for what in ("tokens", "nats") for level in LEVELS),
    "nats/token",
    "seconds",
)
EDGE_NAMES, EDGE_NUMBERS = ("from", "to"), ("tokens", "nats", "if nats were all")


def cell_rows(curves: dict[Cell, Curves]) -> list[tuple[str, ...]]:
    """One line a cell."""
    when = [reached(curves, axis, level) for axis in (TOKENS, NATS) for level in LEVELS]
    rows = []
    for cell, curve in curves.items():
        last = curve["competence"][:, -1]
        rate = when[2].mean(cell) / when[0].mean(cell)
        rows.append((
            *cell,
            CELLS[cell],
            f"{last.mean():.3f} ± {np.std(last, ddof=min(1, len(last) - 1)):.3f}",
            *(("" if r.everywhere(cell) else "> ") + short(r.mean(cell)) for r in when),
            f"{rate:.3f}",
            f"{curve['seconds'].max():.0f}",
        ))  # fmt: skip
    return rows


def edge_rows(curves: dict[Cell, Curves], setup: Setup) -> list[tuple[str, ...]]:
    """One line an edge of the square, and its diagonal."""
    half = LEVELS[0]
    tokens, nats = reached(curves, TOKENS, half), reached(curves, NATS, half)
    told = {target: told_at_first(n) for target, n in judged_steps(setup).items()}
    rows = []
    for under, over in EDGES:
        share = [n / setup.env.max_steps for n in map(judged_steps(setup).get, (under[0], over[0]))]
        by_nats = told[under[0]][under[1]] * share[0] / (told[over[0]][over[1]] * share[1])
        rows.append((
            " by ".join(under),
            " by ".join(over),
            *(interval_words(r, over, under) for r in (tokens, nats)),
            f"{by_nats:.1f}",
        ))  # fmt: skip
    return rows


def print_rows(
    title: str, note: str, names: tuple[str, ...], numbers: tuple[str, ...], rows, console: Console
) -> None:
    """A table of the terminal, its numbers to the right."""
    table = Table(title=title, caption=note, caption_justify="left")
    for name in names:
        table.add_column(name, no_wrap=True)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def edges() -> list[tuple[Cell, Cell]]:
    """From the cell that is told more to that which is told less, or from the next observation to
    the action; the diagonal last."""
    (look, act), (label, verdict, total) = TARGETS, FEEDBACK
    steps = ((label, verdict), (verdict, total), (label, total))
    by_feedback = [((target, a), (target, b)) for target in TARGETS for a, b in steps]
    by_target = [((look, feedback), (act, feedback)) for feedback in FEEDBACK]
    return [*by_feedback, *by_target, ((look, label), (act, total))]


EDGES = edges()


def print_theory(setup: Setup, console: Console) -> None:
    """What can be said beforehand."""
    for target, judged in judged_steps(setup).items():
        told = told_at_first(judged)
        words = ", ".join(f"{name} {nats:.3f}" for name, nats in told.items())
        ratios = " : ".join(f"{nats / told['sum']:.1f}" for nats in told.values())
        console.print(f"nats a judged step at first, {target}: {words} ({ratios})")
    bottom = best_without_memory(setup.env)
    words = [f"{slowdown(SUITS, 0.5):.1f} to probability 1/2"]
    for level in LEVELS:
        p = bottom + level * (1 - bottom)
        words.append(f"{slowdown(SUITS, p):.1f} to {p:.3f} (competence {level})")
    console.print(f"verdicts over labels without noise, one softmax of 4: {', '.join(words)}")


def print_factorial(curves: dict[Cell, Curves], setup: Setup, console: Console) -> None:
    """All of it."""
    cells, edges = cell_rows(curves), edge_rows(curves, setup)
    print_rows(CELLS_TITLE, CELLS_NOTE, CELL_NAMES, CELL_NUMBERS, cells, console)
    print_rows(EDGES_TITLE, EDGES_NOTE, EDGE_NAMES, EDGE_NUMBERS, edges, console)
    print_theory(setup, console)
    console.print(reading(reached(curves, TOKENS, LEVELS[0])), style="bold", soft_wrap=True)


def interval_words(when: Reached, over: Cell, under: Cell) -> str:
    ratio, low, high = when.ratio(over, under)
    bound = {(True, True): "", (False, True): "> ", (True, False): "< "}
    known = bound.get((when.everywhere(over), when.everywhere(under)))
    return "unknown" if known is None else f"{known}{ratio:.2f} ({low:.2f} to {high:.2f})"
