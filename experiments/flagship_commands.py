"""The flagship experiments of the bridge: the commands `popjax bridge same-deck`, `verdict`,
`loop`, `forgetting`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from experiments.commands import DEFAULT_OUT
from experiments.errors import UserError
from experiments.specs import Seeds, memory_name


@dataclass(frozen=True)
class Flagship:
    """What every flagship is asked."""

    preset: str = "mini"
    """How long: mini (minutes on two cores), gpu (hours on one), or smoke, which only shows that
    all of it works."""
    memory: str = ""
    """Memory model, such as s5, or several with commas between them, each a study of its own; gru
    if not given, and in the preset gpu all that the experiment was planned with."""
    seeds: Seeds | None = None
    """How many seeds instead of the preset's."""
    out: Path = DEFAULT_OUT
    """Folder of all studies."""
    study: str = ""
    """Name of the study: a folder in `out`."""

    def each(self, memories: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
        """Memory and study of all that is to be run. memories: of the presets that have several."""
        names = self.memory.split(",") if self.memory else memories.get(self.preset, ("gru",))
        names = [name.strip() for name in names]
        if not all(names):
            raise UserError(f"a memory is missing between the commas of {self.memory!r}")
        names = list(dict.fromkeys(map(memory_name, names)))
        if len(names) == 1:
            return [(names[0], self.study)]
        return [(name, f"{self.study}-{name}") for name in names]


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
        from experiments.bridge.same_deck import MEMORIES_OF
        from experiments.bridge.same_deck_study import present, same_deck

        for memory, study in self.each(MEMORIES_OF):
            folder, summary = same_deck(self.out, study, self.preset, memory, self.seeds, console)
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
        from experiments.bridge.presenting import show
        from experiments.bridge.verdict import MEMORIES_OF
        from experiments.bridge.verdict_factorial import six_cells
        from experiments.bridge.verdict_shown import shown
        from experiments.bridge.verdict_study import verdict

        for memory, study in self.each(MEMORIES_OF):
            asked = (self.out, study, self.preset, memory, self.seeds, console)
            folder, setup, curves, tried = verdict(*asked)
            six = six_cells(folder, setup, console)
            show(shown(curves, setup, self.preset, tried, six), folder, console)


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
        from experiments.bridge.loop import MEMORIES_OF, loop
        from experiments.bridge.loop_shown import shown
        from experiments.bridge.presenting import show

        for memory, study in self.each(MEMORIES_OF):
            asked = (self.out, study, self.preset, memory, self.seeds, console)
            folder, setup, tables = loop(*asked)
            show(shown(tables, setup, self.preset), folder, console)


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
    seeds: Seeds | None = None
    """How many seeds instead of the preset's."""
    out: Path = DEFAULT_OUT
    """Folder of all studies."""
    study: str = "forgetting"
    """Name of the study: a folder in `out`."""

    def run(self, console: Console) -> None:
        from experiments.bridge import suite_forgetting_report as report
        from experiments.bridge.page import Picture, Section
        from experiments.bridge.presenting import Shown, show
        from experiments.bridge.suite_forgetting import suite_forgetting

        folder, preset, tables = suite_forgetting(
            self.out, self.study, self.preset, self.envs, self.memories, self.seeds, console
        )
        table, figure = report.suite_table(tables), report.draw(tables)
        picture = Picture(figure, "Nats that can be read back, by lag, in both costumes")
        found = Shown(
            "forgetting",
            "What each memory forgets, in both costumes",
            report.lead(tables),
            [],
            [table],
            [Section("By lag", "", [picture, table])],
            figure,
            100,
            asdict(preset),
        )
        show(found, folder, console)
