"""Results kept with the sources: the command `popjax published`."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from agents.ranges import Seed
from experiments.cli.train import DEFAULT_OUT, run_study
from experiments.results.errors import UserError, positive
from experiments.results.spec import Seeds


@dataclass(frozen=True)
class Published:
    """Print the table of the results kept with the sources, or add runs to it.

    Every run on reporting seeds is kept; the table shows the mean over all seeds that were trained
    with the newest settings.

    Example: popjax published

    Example: popjax published --add results/fast --name fast

    Example: popjax published --rerun CountRecallEasy-s5-fast --seeds 5

    Example: popjax published --name paper --against-paper --format md
    """

    name: str = "fast"
    """Name of the settings with which the results were trained."""
    against_paper: bool = False
    """Compare with the paper's GRU scores, by the paper's metric (with --name paper)."""
    short: bool = False
    """Print the main columns only."""
    format: Literal["table", "md", "json"] = "table"
    """How to print: a table for the terminal, Markdown, or JSON."""

    add: Path | None = None
    """Folder of a study whose finished agents to keep, each as one more run."""
    commit: str | None = None
    """With --add: the commit that trained the study, if its records lack it."""
    cpu: str | None = None
    """With --add: the processor that trained the study, if its records lack it."""

    rerun: str | None = None
    """A kept file, such as CountRecallEasy-s5-fast: train its newest settings again with new
    seeds, and keep the run."""
    seeds: Seeds = 5
    """With --rerun: number of seeds."""
    first_seed: Seed | None = None
    """With --rerun: the first seed; by default the next one that is not kept."""
    out: Path = DEFAULT_OUT
    """With --rerun: folder of all studies."""
    study: str = "rerun"
    """With --rerun: name of the study, a folder in `out`."""

    def run(self, console: Console) -> None:
        from experiments.reports import published as published_tables
        from experiments.results import published

        if self.add is not None and self.rerun is not None:
            raise UserError("give --add or --rerun, not both")
        name = self.name
        if self.add is not None:
            if not self.name or set(self.name) & set("-/\\"):
                raise UserError(f"a name of settings has no dash and no slash: not {self.name!r}")
            self._keep(self.add, name)
        if self.rerun is not None:
            name = self._train_again(console)
        chosen = [result for result in published.results() if result.name == name]
        if not chosen:
            raise UserError(f"no result is kept of settings called {name!r}")
        goals = published_tables.goals()
        if self.format == "json":
            print(json.dumps(published_tables.records(chosen, goals), indent=1))
            return
        sheet = published_tables.paper_sheet(chosen) if self.against_paper else None
        if self.short and not sheet:
            sheet = published_tables.short_sheet(chosen)
        sheet = sheet or published_tables.best_sheet(chosen, goals)
        if self.format == "md":
            from experiments.results.tables import markdown

            print(markdown(sheet), end="")
            return
        from experiments.reports.terminal import print_sheet

        print_sheet(sheet, console)

    def _keep(self, study: Path, name: str, only: str | None = None) -> None:
        """Adds the runs of a study; a UserError if every one of them is there already."""
        from experiments.results import published

        given = {"commit": self.commit, "cpu": self.cpu}
        paths, refused = published.add(study, name, only=only, **given)
        if not paths:
            others = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
            raise UserError(refused[0] + others if refused else f"no agent of {study} is finished")
        for path in paths:
            print(f"kept {path.name}", file=sys.stderr)
        for why in refused:
            print(f"not added: {why}", file=sys.stderr)

    def _train_again(self, console: Console) -> str:
        """Trains a kept file's newest settings with more seeds and keeps them; their name."""
        from experiments.results import published
        from experiments.results.provenance import commit

        positive("seeds", self.seeds)
        result = published.find(self.rerun)
        spec = published.rerun_spec(result, self.seeds, self.first_seed, commit())
        run_study(self.out, self.study, {"kind": "rerun"}, [spec], console)
        self._keep(self.out / self.study, result.name, only=spec.id)
        return result.name
