"""What `experiments.bench_ppo` found, as tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.table import Table

from experiments.bench import device_words, rate_words


def tables(rows: Sequence[dict[str, Any]]) -> list[Table]:
    """Medians, with quartiles where they are ratios; "CPU" for ratios of processor time."""
    lanes = rows[0]["lanes"]
    one = ("steps/s", "plain", "times plain", "CPU", f"{lanes} lanes", "times one's time", "CPU")
    rest = ("update s", "GFLOP/s", "peak", "of peak %", "CPU %", "compile s", "new process s")
    rest += ("second s", "of it JAX s", "MB", f"MB a lane of {lanes}", "process MB")
    speeds, costs = Table(title=f"PPO, environment steps per second, {device_words()}"), Table()
    for table, names in ((speeds, one), (costs, rest)):
        table.add_column("environment", no_wrap=True)
        table.add_column("memory", no_wrap=True)
        for name in names:
            table.add_column(name, justify="right")
    for row in rows:
        speeds.add_row(
            row["env"],
            row["memory"],
            rate_words(row["steps_per_second"][1]),
            words(row, "plain_steps_per_second", rate_words),
            spread(row.get("times_plain"), 2),
            words(row, "times_plain_cpu", "{:.2f}".format),
            words(row, "lanes_steps_per_second", rate_words),
            spread(row.get("lanes_time"), 1),
            words(row, "lanes_time_cpu", "{:.1f}".format),
        )
        costs.add_row(
            row["env"],
            row["memory"],
            f"{row['update_seconds'][1]:.2f}",
            f"{row['update_flops'] / row['update_seconds'][1] / 1e9:.1f}",
            f"{row['peak_flops_per_second'][1] / 1e9:.1f}",
            spread([100 * share for share in row["share_of_peak"]], 0),
            f"{100 * row['share_of_peak_cpu'][1]:.0f}",
            f"{row['compile_seconds']:.1f}",
            words(row, "first_start_seconds", "{:.1f}".format),
            words(row, "second_start_seconds", "{:.1f}".format),
            words(row, "second_jax_seconds", "{:.1f}".format),
            f"{row['program_bytes'] / 1e6:.0f}",
            f"{row['lanes_program_bytes'] / lanes / 1e6:.1f}" if lanes > 1 else "",
            f"{row['process_bytes'] / 1e6:.0f}",
        )
    return [speeds, costs]


def words(row: dict[str, Any], name: str, write: Callable[[float], str]) -> str:
    """A number or the median of its quartiles, nothing if it was not measured."""
    number = row.get(name)
    if number is None:
        return ""
    return write(number[1] if isinstance(number, list) else number)


def spread(numbers: Sequence[float] | None, digits: int) -> str:
    """A median and its quartiles.

    >>> spread([1.0, 2.0, 3.0], 1)
    '2.0 (1.0 to 3.0)'
    """
    if numbers is None:
        return ""
    low, middle, high = (f"{number:.{digits}f}" for number in numbers)
    return f"{middle} ({low} to {high})"
