"""The flagship experiments of the bridge: the commands `popjax bridge same-deck`, `verdict`,
`loop`, `forgetting`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from experiments.commands import DEFAULT_OUT


@dataclass(frozen=True)
class Flagship:
    """What every flagship is asked."""

    preset: str = "mini"
    """How long: mini (minutes on two cores), gpu (hours on one), or smoke, which only shows that
    all of it works."""
    memory: str = "gru"
    """Memory model, such as gru."""
    seeds: int | None = None
    """How many seeds instead of the preset's."""
    out: Path = DEFAULT_OUT
    """Folder of all studies."""
    study: str = ""
    """Name of the study: a folder in `out`."""


@dataclass(frozen=True)
class BridgeSameDeck(Flagship):
    """Same deck, different memory: is what an agent remembers what a language model remembers?

    One architecture, the same cards, told the next card, the right answer, or right and wrong. What
    each network holds beside what the rules say it must, forgetting curves, likeness with its null
    and ceiling, order, and transplanted states, with what became of each hypothesis. Run it again
    to go on.

    Example: popjax bridge same-deck
    """

    study: str = "same-deck"
    """Name of the study: a folder in `out`."""

    def run(self, console: Console) -> None:
        from experiments.bridge.same_deck_study import present, same_deck

        folder, summary = same_deck(
            self.out, self.study, self.preset, self.memory, self.seeds, console
        )
        for path in present(folder, summary, console):
            console.print(f"written to {path}")


@dataclass(frozen=True)
class BridgeVerdict(Flagship):
    """The price of a verdict: how far does supervision alone explain the gap to language models?

    One network, its own histories, decks of 2, 4 and 8 suits; told labels, verdicts or sums. Tokens
    to a criterion beside the closed form, learning curves over tokens and nats, the signal and the
    noise of gradients, and what became of each hypothesis. Run it again to go on.

    Example: popjax bridge verdict
    """

    study: str = "verdict"
    """Name of the study: a folder in `out`."""

    def run(self, console: Console) -> None:
        from experiments.bridge import verdict_figure as figure
        from experiments.bridge import verdict_report as report
        from experiments.bridge.drawing import write
        from experiments.bridge.page import (
            Picture,
            Section,
            print_findings,
            print_grid,
            write_page,
        )
        from experiments.bridge.verdict import verdict
        from experiments.bridge.verdict_findings import findings, lead

        folder, setup, curves = verdict(
            self.out, self.study, self.preset, self.memory, self.seeds, console
        )
        found = findings(curves, setup)
        tables = [report.curve_table(curves, setup), report.parts_table(curves, setup)]
        for table in tables:
            print_grid(table, console)
        print_findings(found, console)
        console.print(lead(found), style="bold", soft_wrap=True)
        summary = figure.draw(curves, setup)
        pictures = [
            Picture(summary, "Tokens to a criterion against the closed form, and learning curves"),
            Picture(figure.draw_all_curves(curves, setup), "Learning curves on three axes"),
            Picture(figure.draw_gradients(curves, setup), "Signal, noise and direction on the way"),
        ]
        page = write_page(
            folder / "verdict.html",
            "The price of a verdict",
            lead(found),
            found,
            [Section("What it costs", report.WHAT, [pictures[0], *tables]),
             Section("On the way", "", pictures[1:])],
            {"preset": self.preset, **asdict(setup)},
        )  # fmt: skip
        for path in [*write(summary, folder, "verdict", dpi=110), page]:
            console.print(f"written to {path}")


@dataclass(frozen=True)
class BridgeLoop(Flagship):
    """Opening and closing the loop: what a model does when its own outputs come back to it.

    A clone that copies itself, one that believes its own guesses, a language model that dreams
    decks, and what tuning for reward forgets; each beside a closed form or an exact rule, and what
    became of each hypothesis. Run it again to go on.

    Example: popjax bridge loop
    """

    study: str = "loop"
    """Name of the study: a folder in `out`."""

    def run(self, console: Console) -> None:
        from experiments.bridge import loop_figure as figure
        from experiments.bridge import loop_report as report
        from experiments.bridge.drawing import write
        from experiments.bridge.loop import loop
        from experiments.bridge.loop_findings import findings, lead
        from experiments.bridge.page import (
            Picture,
            Section,
            print_findings,
            print_grid,
            write_page,
        )

        folder, setup, tables = loop(
            self.out, self.study, self.preset, self.memory, self.seeds, console
        )
        found = findings(tables, setup)
        deck, bandit = report.deck_table(tables, setup), report.bandit_table(tables, setup)
        dreams, frontier = report.dream_table(tables, setup), report.frontier_table(tables)
        for table in (deck, bandit, dreams, frontier):
            print_grid(table, console)
        print_findings(found, console)
        console.print(lead(found), style="bold", soft_wrap=True)
        summary = figure.draw(tables, setup)
        all_decks = figure.draw_decks(tables, setup)
        page = write_page(
            folder / "loop.html",
            "Opening and closing the loop",
            lead(found),
            found,
            [
                Section(
                    "In short",
                    report.WHAT,
                    [Picture(summary, "Both loops, lock-in, dreams and the frontier")],
                ),
                Section("Copying", "", [deck, Picture(all_decks, "Both loops, step by step")]),
                Section("Believing one's own guesses, dreaming, forgetting", "",
                        [bandit, dreams, frontier]),
            ],
            {"preset": self.preset, **asdict(setup)},
        )  # fmt: skip
        for path in [*write(summary, folder, "loop", dpi=100), page]:
            console.print(f"written to {path}")


@dataclass(frozen=True)
class BridgeForgetting:
    """How fast each memory forgets, as an agent and as a language model: the second score.

    Trains the cells that are absent, then reads back from the same histories what is left of each
    earlier token: half-life, and recoverable nats, beside the untrained network. Run it again to
    go on, or with more environments and memories.

    Example: popjax bridge forgetting --envs RepeatPreviousEasy --memories gru s5
    """

    preset: str = "mini"
    """How the cells are trained and looked at: mini, gpu or smoke."""
    envs: tuple[str, ...] = ()
    """Environments instead of the preset's; `all` for every one."""
    memories: tuple[str, ...] = ()
    """Memory models instead of the preset's."""
    seeds: int | None = None
    """How many seeds instead of the preset's."""
    out: Path = DEFAULT_OUT
    """Folder of all studies."""
    study: str = "forgetting"
    """Name of the study: a folder in `out`."""

    def run(self, console: Console) -> None:
        from experiments.bridge import suite_forgetting_report as report
        from experiments.bridge.drawing import write
        from experiments.bridge.page import Picture, Section, print_grid, write_page
        from experiments.bridge.suite_forgetting import suite_forgetting

        folder, preset, tables = suite_forgetting(
            self.out, self.study, self.preset, self.envs, self.memories, self.seeds, console
        )
        table, figure = report.suite_table(tables), report.draw(tables)
        print_grid(table, console)
        console.print(report.lead(tables), style="bold", soft_wrap=True)
        picture = Picture(figure, "Nats that can be read back, by lag, in both costumes")
        page = write_page(
            folder / "forgetting.html",
            "What each memory forgets, in both costumes",
            report.lead(tables),
            [],
            [Section("By lag", "", [picture, table])],
            asdict(preset),
        )
        for path in [*write(figure, folder, "forgetting", dpi=100), page]:
            console.print(f"written to {path}")
