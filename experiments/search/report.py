"""The output of a search: its plan, its progress, and its result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich import progress as bars
from rich.console import Console
from rich.table import Table

from experiments.reports.statistics import interval, iqm
from experiments.results.files import read_parquet
from experiments.search.figure import drawn, write_figure
from experiments.search.halving import Heat
from experiments.search.run import Found, Group, mean_score, read_timing
from experiments.search.space import Range
from experiments.train.process import Interrupt
from popjax import scores


def print_plan(
    groups: list[Group], space: dict[str, Range], engine: str, folder: Path, console: Console
) -> None:
    """What will be done: points, lanes, compilations, steps."""
    spec, plan = groups[0].spec, groups[0].plan
    steps = sum(group.plan.env_steps for group in groups)
    console.print(
        f"search of {spec.env} with {spec.memory} in {folder}: {engine} over {', '.join(space)}"
    )
    console.print(
        f"{plan.lanes} lanes, {len(groups)} program{'s' * (len(groups) > 1)} to compile, at most "
        f"{steps / 1e6:.2f} million environment steps"
    )
    for group in groups:
        if len(groups) > 1:
            console.print(group.label)
        for heat in group.plan.heats:
            who = "the winner and point 0" if heat.rung < 0 else f"{heat.num_points} points"
            console.print(
                f"  {heat.name}: {who} x {len(heat.seeds)} seeds ({_span(heat)}) x "
                f"{group.plan.steps_of(heat):,} steps"
            )


def _span(heat: Heat) -> str:
    first, last = heat.seeds[0], heat.seeds[-1]
    return str(first) if first == last else f"{first} to {last}"


class Progress:
    """The bar: updates of all heats, and the best point of the present one. Ctrl-C is heard where
    a segment has been saved."""

    def __init__(self, groups: list[Group], console: Console, interrupt: Interrupt):
        self._interrupt = interrupt
        total = sum(heat.num_updates for group in groups for heat in group.plan.heats[:-1])
        total += groups[0].plan.heats[-1].num_updates
        self._console = console
        self._over: dict[tuple[str, str], int] = {}
        self._bar = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=24),
            bars.MofNCompleteColumn(),
            bars.TimeElapsedColumn(),
            bars.TimeRemainingColumn(),
            bars.TextColumn("{task.fields[news]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("search", total=total, news="")

    def __enter__(self) -> Progress:
        self._bar.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.__exit__(*error)

    def tell(self, news: dict[str, Any]) -> None:
        """One piece of news of `experiments.search.run`."""
        if "updates" in news:
            self._interrupt.check()
        self._interrupt.running = "updates" in news
        label = news["group"].label
        title = "" if label == "all" else f"{label}, "
        if "heat" not in news:
            self._bar.update(self._task, description=f"{title}{news['stage']}")
            return
        heat = news["heat"]
        updates = heat.num_updates if news.get("over") else news["updates"]
        self._over[label, heat.name] = updates
        best = "" if news.get("over") else f"best point {news['best']:.3f}"
        done = sum(self._over.values())
        self._bar.update(self._task, description=f"{title}{heat.name}", completed=done, news=best)
        if news.get("over"):
            self._console.print(f"{title}{heat.name} is over")


def better(found: Found) -> bool:
    """Whether the winner's mean on the fresh seeds is above point 0's."""
    return found.ours is not None and mean_score(found.ours) > mean_score(found.theirs)


def print_found(found: Found, space: dict[str, Range], folder: Path, console: Console) -> None:
    """The last rung, the trial on fresh seeds, the times, the figure."""
    env = found.first.group.spec.env
    table = Table(title=f"{folder.name}: the last rung, mean return over its tuning seeds")
    varied = len({c.group.label for c, _ in found.ranking}) > 1
    for name in ("", *(("settings",) if varied else ()), "return", "normalised", *space):
        table.add_column(name, justify="left" if name == "settings" else "right")
    for place, (contender, own) in enumerate(found.ranking, 1):
        mean = mean_score(own)
        values = [f"{contender.point[name]:.4g}" for name in space]
        label = [contender.group.label] if varied else []
        scaled = f"{scores.normalise(env, mean):.2f}" if np.isfinite(mean) else ""
        table.add_row(str(place), *label, f"{mean:.3f}", scaled, *values)
    console.print(table)
    console.print(verdict(found))
    for line in times(found):
        console.print(line)
    group = found.winner.group
    data = drawn(read_parquet(folder / "points.parquet"), space, found.winner.point, group.label)
    title = f"{group.spec.env}, {group.spec.memory}: {len(data.scores)} points in the first rung"
    for path in write_figure(data, space, title, folder):
        console.print(f"written to {path}")


def verdict(found: Found) -> str:
    """The winner against point 0 on the fresh seeds, with an interval of the paired difference."""
    if found.ours is None:
        return "the winner is point 0 itself: nothing better was found"
    ours, theirs = mean_score(found.ours), mean_score(found.theirs)
    fresh = found.winner.group.plan.heats[-1]
    line = f"on {len(found.ours)} fresh seeds ({_span(fresh)})"
    line += f" the winner {ours:.3f}, point 0 {theirs:.3f}"
    gain = found.ours - found.theirs
    if not np.isfinite(gain).all():
        lost = [int(np.sum(~np.isfinite(own))) for own in (found.ours, found.theirs)]
        return f"{line}; {lost[0]} runs of the winner diverged and {lost[1]} of point 0"
    low, high = interval([gain])
    word = "better" if low > 0 else "worse" if high < 0 else "not distinguishable"
    return (
        f"{line}; paired difference, interquartile mean {iqm(gain):.3f} "
        f"(95 % {low:.3f} to {high:.3f}): {word}"
    )


def times(found: Found) -> list[str]:
    """Seconds of compilation and training, and of a point in the first rung."""
    lines = []
    for group in {c.group.label: c.group for c, _ in found.ranking}.values():
        path = group.folder / "timing.json"
        timing = read_timing(path)
        if not timing:
            continue
        first = [heat for heat in group.plan.heats if heat.rung == 0]
        seconds = sum(timing.get(heat.name, 0.0) for heat in first)
        points = sum(heat.num_points for heat in first)
        trained = sum(v for k, v in timing.items() if k != "compilation")
        title = "" if group.label == "all" else f"{group.label}: "
        lines.append(
            f"{title}compiled in {timing.get('compilation', 0.0):.1f} s, trained in "
            f"{trained:.1f} s; {seconds / points:.2f} s a point in the first rung"
        )
    return lines


def source_of(found: Found, command: str) -> str:
    """What `tuned.json` says of where an entry comes from."""
    plan = found.winner.group.plan
    last = plan.heats[-2]
    return (
        f"{command}; tuning seeds {plan.heats[0].seeds[0]} to {last.seeds[-1]}, "
        f"{plan.steps_of(last):,} steps a run in the last rung; {verdict(found)}"
    )
