"""How a sweep ends: what is solved, what is on the way, which command takes the rest further."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table

from experiments.reports.tables import is_solved
from experiments.results.spec import CellSpec
from experiments.results.study import Row, labels
from experiments.results.tables import Spread, counted
from popjax import scores

HALFWAY = 0.5  # of the scale
STANDINGS = ("solved", "on the way", "needs more")


def standing_of(row: Row) -> str:
    """Where the mean of the seeds' final returns stands on the scale, in words."""
    if is_solved(row):
        return "solved"
    return "on the way" if _normalised(row) >= HALFWAY else "needs more"


def _normalised(row: Row) -> float:
    return float(scores.normalise(row.spec.env, Spread.of(row.final).mean))


def print_standings(
    rows: Sequence[Row], more: Callable[[CellSpec], str], console: Console, missing: int = 0
) -> None:
    """Prints the tasks by standing, a command for each that is not solved, and how many are.

    rows: the agents. more: the command that trains a cell for longer. missing: cells without a
    result.
    """
    if not rows:
        return
    lone = len({row.who for row in rows}) == 1 or len({row.spec.env for row in rows}) == len(rows)
    names = [
        row.spec.env if lone else f"{row.spec.env} {label}"
        for row, label in zip(rows, labels(rows), strict=True)
    ]
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for standing in STANDINGS:
        chosen = [
            f"{name} {_normalised(row):.2f}"
            for name, row in zip(names, rows, strict=True)
            if standing_of(row) == standing
        ]
        table.add_row(standing, str(len(chosen)), ", ".join(chosen))
    if missing:
        table.add_row("not finished", str(missing), "the same command goes on with them")
    console.print(table)
    unsolved = [row for row in rows if not is_solved(row)]
    for row in unsolved:
        steps = row.spec.env_steps // len(row.spec.seeds)
        console.print(
            f"{row.spec.env} needs more than {steps:,} steps: {more(row.spec)}",
            soft_wrap=True,
            highlight=False,
        )
    console.print(f"Normalised: {scores_words(rows)}", soft_wrap=True, highlight=False)
    things = counted(len(rows) + missing, "task" if lone else "cell")
    console.print(f"{len(rows) - len(unsolved)} of {things} solved", highlight=False)


def scores_words(rows: Sequence[Row]) -> str:
    """Of what, of which seeds and episodes the numbers are."""
    seeds = sorted({seed for row in rows for seed in row.spec.seeds})
    episodes = sorted({row.spec.settings.eval_episodes for row in rows})
    which = f"seed {seeds[0]}" if len(seeds) == 1 else f"the mean of seeds {_listed(seeds)}"
    count = f"{episodes[0]:,}" if len(episodes) == 1 else f"{episodes[0]:,} to {episodes[-1]:,}"
    return (
        f"0 is random play, 1 the reference player, {scores.SOLVED} solved; {which}, the last "
        f"policy, sampled, on {count} fresh episodes."
    )


def _listed(seeds: Sequence[int]) -> str:
    """Seeds in short.

    >>> _listed([0, 1, 2]), _listed([0, 2])
    ('0 to 2', '0, 2')
    """
    whole = len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1
    return f"{seeds[0]} to {seeds[-1]}" if whole else ", ".join(map(str, seeds))
