"""The toggle and its page: the commands `popjax bridge gears` and `popjax explore`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from experiments.errors import UserError
from popjax.words import nearest

COLOURS = {"exact": "green", "analogy": "yellow", "breaks": "red"}


@dataclass(frozen=True)
class BridgeGears:
    """Every concept under its name in each costume, and whether the likeness holds.

    Example: popjax bridge gears
    Example: popjax bridge gears --only supervision --as lm
    """

    only: str = ""
    """One gear, with all that is known of it."""
    costume: Annotated[Literal["rl", "lm"], tyro.conf.arg(aliases=["--as"])] = "rl"
    """Whose symbols to show with it."""

    def run(self, console: Console) -> None:
        from experiments.bridge.gears import gears

        table = {gear.id: gear for gear in gears()}
        if self.only and self.only not in table:
            raise UserError(nearest(self.only, table, "gear"))
        if self.only:
            print_gear(table[self.only], self.costume, console)
        else:
            print_gears(table.values(), console)


def print_gears(gears, console: Console) -> None:
    """One line a gear."""
    table = Table(title="the same gears, in two costumes", row_styles=("", "dim"))
    for name in ("id", "concept", "reinforcement learning", "language model", "holds"):
        table.add_column(name)
    for gear in gears:
        holds = f"[{COLOURS[gear.holds]}]{gear.holds}[/]"
        table.add_row(gear.id, gear.concept, gear.rl, gear.lm, holds)
    console.print(table)
    console.print("popjax bridge gears --only ID tells the formula, the code and the caveat")


def print_gear(gear, costume: str, console: Console) -> None:
    """All of one gear, in a costume."""
    words, symbol = getattr(gear, costume), getattr(gear, f"{costume}_symbol")
    lines = {
        gear.concept: f"{words}, {symbol}",
        "formula": gear.formula,
        "holds": gear.holds,
        "mind": gear.caveat,
        "in the code": gear.module,
        "see it": gear.experiment,
        "tested by": gear.test,
    }
    table = Table(box=None, show_header=False)
    for name, text in lines.items():
        table.add_row(name, escape(text))
    console.print(table)
