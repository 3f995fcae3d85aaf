"""The interactive page: the commands `popjax explore` and `popjax bridge gears`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.ranges import Seed
from experiments.results.errors import UserError
from popjax.words import nearest

DEFAULT_OUT = Path("results")
COLOURS = {"exact": "green", "analogy": "yellow", "breaks": "red"}


@dataclass(frozen=True)
class Explore:
    """Write the interactive page: one self-contained HTML file.

    It shows every concept under its RL and its LM name, an episode of each of the 16 families step
    by step, and the experiments. With a study it adds its table and curves, and replays its own
    networks wherever it trained an agent (ppo) and a language model (lm) with the same memory.

    Example: popjax explore

    Example: popjax explore quick

    Example: popjax explore --seed 7 --envs RepeatPreviousEasy MineSweeperEasy
    """

    study: tyro.conf.Positional[str] = ""
    """Name of a study; the page is written into its folder."""
    file: Path | None = None
    """Where to write instead; without a study explore.html."""
    out: Path = DEFAULT_OUT
    """Folder of all studies."""
    record: bool = False
    """First train the small networks that ship with the page, and record their episodes again."""
    keep_networks: bool = False
    """With --record: train nothing, only record the networks that ship."""
    seed: Seed | None = None
    """Show the episodes of this seed instead, recorded now with the networks that ship."""
    envs: tuple[str, ...] = ()
    """With --record or --seed: only these environments."""

    def run(self, console: Console) -> None:
        from experiments.explorer import page as explorer_page
        from experiments.explorer.study import (
            forgotten,
            pairs_in,
            record_shipped,
            recordings,
            shipped_pairs,
            table_of,
        )
        from experiments.results.study import read_study
        from experiments.train.build import env_name

        names = [env_name(name) for name in self.envs]
        if self.record and self.study:
            raise UserError("--record is for the page that ships, without a study")
        if self.seed is not None and (self.record or self.study):
            raise UserError("--seed is for other episodes of the networks that ship, by itself")
        if names and not self.record and self.seed is None:
            raise UserError("--envs goes with --record or --seed")
        if self.keep_networks and not self.record:
            raise UserError("--keep-networks goes with --record")
        if self.record:
            path = record_shipped(self.out, names, console, train=not self.keep_networks)
            console.print(f"written to {path}")
        command = f"popjax explore {self.study}".strip()
        path = self.file or Path("explore.html")
        if self.seed is not None:
            own = recordings(names or explorer_page.shipped(), shipped_pairs(), console, self.seed)
            text = explorer_page.page(own, command=f"{command} --seed {self.seed}", only=own)
            write(path, text, console)
            return
        if not self.study:
            write(path, explorer_page.page(command=command), console)
            return
        folder = self.out / self.study
        table, pairs = table_of(self.study, read_study(folder)), pairs_in(folder)
        if not table["cells"]:
            raise UserError(f"no cell of {folder} is finished yet")
        own = recordings(pairs, pairs, console)
        curves = forgotten(pairs, pairs, console)
        text = explorer_page.page(own, table, command, curves)
        write(self.file or folder / "explore.html", text, console)


def write(path: Path, text: str, console: Console) -> None:
    """Writes the page, or says in one line why it cannot."""
    from experiments.results.files import write_atomically

    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise UserError(f"cannot write to {path}: {error.strerror}") from None
    console.print(f"written to {path}, {path.stat().st_size / 1e6:.1f} MB: open it in a browser")


@dataclass(frozen=True)
class BridgeGears:
    """Every concept under its RL and its LM name, and whether the correspondence is exact.

    Example: popjax bridge gears

    Example: popjax bridge gears --only supervision --as lm
    """

    only: str = ""
    """The id of one concept, with all that is known about it."""
    costume: Annotated[Literal["rl", "lm"], tyro.conf.arg(aliases=["--as"])] = "rl"
    """Which symbols to show with it."""

    def run(self, console: Console) -> None:
        from experiments.explorer.gears import gears

        table = {gear.id: gear for gear in gears()}
        if self.only and self.only not in table:
            raise UserError(nearest(self.only, table, "gear"))
        if self.only:
            print_gear(table[self.only], self.costume, console)
        else:
            print_gears(table.values(), console)


def print_gears(gears, console: Console) -> None:
    """One line a gear."""
    table = Table(title="the same concepts in two vocabularies", row_styles=("", "dim"))
    for name in ("id", "concept", "reinforcement learning", "language model", "holds"):
        table.add_column(name)
    for gear in gears:
        holds = Text(gear.holds, style=COLOURS[gear.holds])
        table.add_row(gear.id, gear.concept, gear.rl, gear.lm, holds)
    console.print(table)
    console.print("popjax bridge gears --only ID shows the formula, the code and the caveat")


def print_gear(gear, costume: str, console: Console) -> None:
    """All of one gear, in a costume."""
    words, symbol = getattr(gear, costume), getattr(gear, f"{costume}_symbol")
    lines = {
        gear.concept: f"{words}, {symbol}",
        "formula": gear.formula,
        "holds": gear.holds,
        "caveat": gear.caveat,
        "in the code": gear.module,
        "see it": gear.experiment,
        "tested by": gear.test,
    }
    table = Table(box=None, show_header=False)
    for name, text in lines.items():
        table.add_row(name, text)
    console.print(table)
