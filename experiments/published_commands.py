"""What was reached, kept with the sources: the command `popjax published`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from experiments.errors import UserError


@dataclass(frozen=True)
class Published:
    """Print the table of the results that are kept with the sources, or add those of a study.

    Example: popjax published

    Example: popjax published --add results/fast --name fast

    Example: popjax published --add results/paper --name paper --against-paper
    """

    add: Path | None = None
    """Folder of a study whose finished agents are kept, where they are better than what is kept."""
    name: str = "fast"
    """Name of the settings that they were trained with, and that are shown."""

    against_paper: bool = False
    """Print the paper's GRU score beside that of its settings here, by the paper's metric."""

    def run(self, console: Console) -> None:
        from experiments import published

        if self.add is not None:
            for path in published.add(self.add, self.name):
                console.print(f"kept {path.name}", highlight=False)
        chosen = [result for result in published.results() if result.name == self.name]
        if not chosen:
            raise UserError(f"no result is kept of settings called {self.name!r}")
        table = published.markdown(chosen, published.goals())
        print(published.against_paper(chosen) if self.against_paper else table)  # to be pasted
