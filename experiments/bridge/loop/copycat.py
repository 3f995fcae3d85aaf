"""`popjax bridge copycat`: the conditions of the loop that separate copying from remembering, and
their returns on longer episodes.

In RepeatFirst the expert repeats one action, so a model that reads its own previous action can
predict the next by copying it, without memory (Wen et al. 2020, arXiv 2010.14876).
"""

from __future__ import annotations

from dataclasses import replace

from matplotlib.figure import Figure

from experiments.bridge.loop import study
from experiments.bridge.loop.config import CRITERION, DECK_WAYS, STOPS, LoopConfig
from experiments.bridge.loop.figures import draw_deck, name_loops
from experiments.bridge.loop.report import Deck, Tables, deck_table
from experiments.bridge.page import Grid, Picture, Section, Shown
from experiments.bridge.study import Context, record_of
from experiments.reports.statistics import iqm
from experiments.reports.style import INK
from popjax import make

PRESETS = {
    "mini": LoopConfig(
        features=32,
        num_episodes=64,
        learning_rate=1e-3,
        updates=(600, 0, 0, 0, 0),
        looks=60,
        judged=512,
        decks=("RepeatFirstEasy",),
        games=("decks",),
        deck_ways=("clone", "memoryless", "dagger", "blind"),
        levels=("RepeatFirstMedium", "RepeatFirstHard"),
    ),
    "smoke": LoopConfig(
        features=16,
        head_features=16,
        num_episodes=16,
        learning_rate=1e-2,
        updates=(60, 0, 0, 0, 0),
        looks=6,
        judged=64,
        decks=("RepeatFirstEasy",),
        games=("decks",),
        deck_ways=("clone",),
    ),
}


def rows_of(tables: Tables, setup: LoopConfig, level: str = "") -> dict[tuple[str, str], Deck]:
    """The results at each stop of each condition that any seed reached."""
    found = {
        (way, stop): Deck(tables[f"deck {setup.decks[0]}", way], stop, level)
        for way in setup.ways
        for stop in STOPS
    }
    return {key: it for key, it in found.items() if it.came}


def copies(it: Deck) -> bool:
    """Whether its return is closer to a copier's than to that of an agent with memory."""
    own, copier, rememberer = map(iqm, (it.returns, it.as_copier, it.as_rememberer))
    return bool(abs(own - copier) < abs(own - rememberer))


def reading(found: dict[tuple[str, str], Deck]) -> str:
    """A short summary of the clone's result and those of the other conditions."""
    clone = found.get(("clone", STOPS[0]))
    if clone is None:
        return f"No clone ever predicted {CRITERION:.0%} of the expert's actions: no result."
    own, copier, rememberer = map(iqm, (clone.returns, clone.as_copier, clone.as_rememberer))
    words = (
        f"The clone predicts {iqm(clone.open_right.mean(axis=1)):.1%} of the expert's actions and "
        f"earns {own:.2f} in its own loop; a copier with its errors would earn {copier:.2f}, an "
        f"agent with memory {rememberer:.2f}: it {'copies' if copies(clone) else 'does not copy'}"
    )
    others = [
        f"{DECK_WAYS[way].title} {iqm(it.returns):.2f}"
        for (way, stop), it in found.items()
        if way != "clone" and stop == STOPS[0]
    ]
    return words + (f". At the same open-loop accuracy: {'; '.join(others)}." if others else ".")


def levels_table(tables: Tables, setup: LoopConfig) -> Grid:
    """Returns on longer episodes than those trained on, beside both closed forms."""
    levels = {"": setup.decks[0], **{level: level for level in setup.levels}}
    each = [rows_of(tables, setup, level) for level in levels]
    rows = []
    for way, stop in each[0]:
        three = [
            (it.returns, it.as_copier, it.as_rememberer) for it in (r[way, stop] for r in each)
        ]
        cells = [" / ".join(f"{iqm(x):.2f}" for x in values) for values in three]
        rows.append((DECK_WAYS[way].title, stop, *cells))
    titles = [f"{name}, {make(name).max_steps} steps" for name in levels.values()]
    return Grid(
        "return: its own / a copier's / of an agent with memory",
        ("trained as", "stop", *titles),
        rows,
    )


def draw(found: dict[tuple[str, str], Deck], deck: str) -> Figure | None:
    """One panel per condition, at the first stop."""
    drawn = {way: it for (way, stop), it in found.items() if stop == STOPS[0]}
    if not drawn:
        return None
    figure = Figure(figsize=(2.9 * len(drawn) + 0.6, 3.4), layout="constrained")
    words = f"{deck}: each predicts {CRITERION:.0%} of an expert's actions"
    figure.suptitle(words, x=0.01, ha="left", fontsize=11, color=INK)
    panels = figure.subplots(1, len(drawn), sharex=True, sharey=True, squeeze=False)[0]
    for panel, (way, it) in zip(panels, drawn.items(), strict=True):
        draw_deck(panel, it, DECK_WAYS[way].title, alone="\nearns {:.2f} by itself")
        panel.set_xlim(1, it.open_right.shape[1])
        panel.set_xticks([1, it.open_right.shape[1]])
    name_loops(panels[0])
    return figure


def shown(context: Context, preset: str) -> Shown:
    """The table of the training level, the returns on all levels, and the summary."""
    tables, setup = context.tables["parts"], context.config
    found = rows_of(tables, setup)
    figure = draw(found, setup.decks[0])
    grids = [deck_table(tables, setup)]
    grids += [levels_table(tables, setup)] if setup.levels else []
    words = f"{setup.decks[0]}: accuracy of each policy by step, in both loops"
    pictures = [Picture(figure, words)] if figure else []
    settings = {"preset": preset, **record_of(setup)}
    sections = [Section("In both loops", "", [*pictures, *grids])]
    return Shown("copycat", "A copycat", reading(found), [], grids, sections, figure, 130, settings)


STUDY = replace(study.STUDY, name="copycat", presets=PRESETS, shown=shown, memories={})
