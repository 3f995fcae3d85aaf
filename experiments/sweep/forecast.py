"""`popjax sweep --plan --devices 8xH100`: what a sweep would take on machines that are not here."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.results.errors import UserError, positive
from experiments.results.tables import counted, format_duration
from experiments.sweep.estimate import KINDS, Job, Outcome, Plan, inline, jobs_of, run
from popjax.words import nearest

# Published memory bandwidth in GB/s, from the makers' data sheets.
BANDWIDTH = {
    **{"T4": 320, "L4": 300, "V100": 900, "A100": 2039, "L40S": 864, "H100": 3350, "H200": 4800},
    **{"B200": 8000, "RTX4090": 1008, "RTX5090": 1792, "TPUv4": 1228, "TPUv5e": 819},
    **{"TPUv5p": 2765, "TPUv6e": 1640},
}
START_SECONDS = 20.0  # assumed: a process starts, imports JAX and finds its device


@dataclass(frozen=True)
class Devices:
    """So many devices, each `speed` times as fast as this machine; `why` says who says so."""

    number: int
    name: str
    speed: float
    why: str


def devices_of(words: str, speed: float | None) -> Devices:
    """`8xH100`, or a number of machines like this one; a UserError names the nearest device.

    speed: as measured by the caller, instead of the ratio of memory bandwidths.
    """
    found = re.fullmatch(r"(\d+)(?:\s*x\s*(\w+))?", words.strip() or str(jax.local_device_count()))
    if not found or int(found[1]) < 1:
        raise UserError(f"devices are a number and a name, such as 8xH100, not {words!r}")
    number, name = int(found[1]), found[2] or ""
    if speed is not None:
        positive("speed", speed)
        return Devices(number, name or "device", speed, "as given by --speed")
    if not name:
        return Devices(number, "device like this one", 1.0, "as measured here")
    known = {device.lower(): device for device in BANDWIDTH}
    if name.lower() not in known:
        raise UserError(f"{nearest(name, BANDWIDTH, 'device')} Or give --speed")
    name = known[name.lower()]
    here, how = _bandwidth_here()
    why = (
        f"assumed: memory bandwidth {BANDWIDTH[name]:,} GB/s (published) over {here:,.0f} ({how}). "
        "A small network gains less, since starting its kernels takes most of the time: train one "
        "cell there and give --speed"
    )
    return Devices(number, name, BANDWIDTH[name] / here, why)


def _bandwidth_here() -> tuple[float, str]:
    """GB/s, and where it is known from: a copy of 128 MB that is timed, or the device's name."""
    kind = jax.local_devices()[0].device_kind.replace(" ", "").upper()
    for name, speed in sorted(BANDWIDTH.items(), key=lambda item: -len(item[0])):
        if jax.default_backend() != "cpu" and name.upper() in kind:
            return speed, f"published for the {name} here"
    source = np.ones(1 << 24)
    target, seconds = np.zeros_like(source), []
    for _ in range(3):
        clock = time.perf_counter()
        np.copyto(target, source)
        seconds.append(time.perf_counter() - clock)
    return 2 * source.nbytes / min(seconds) / 1e9, "measured here"


def outlooks(jobs: list[Job], devices: Devices) -> dict[str, Outcome]:
    """The same cells in the two ways of using many devices."""
    faster = [
        replace(
            job,
            train=tuple(seconds / devices.speed for seconds in job.train),
            evaluate=job.evaluate / devices.speed,
        )
        for job in jobs
    ]
    single = [replace(job, train=(seconds,)) for job in faster for seconds in job.train]
    single.sort(key=lambda job: job.seconds, reverse=True)
    elsewhere = devices.speed != 1 or jax.default_backend() != "cpu"
    return {
        "one process, seeds over all devices (inline)": inline(
            faster, devices.number, beside=elsewhere, start=START_SECONDS
        ),
        "one cell a device (slurm, ray)": run(
            single, devices.number, beside=False, start=START_SECONDS, each=True
        ),
    }


def print_outlook(plan: Plan, devices: Devices, console: Console) -> None:
    """A table with the hours, and where they go."""
    if not plan.left:
        console.print("nothing is left to do")
        return
    console.print(
        f"{devices.number} x {devices.name}, each {devices.speed:.3g} times as fast as this "
        f"machine ({devices.why}). Compilation is as fast as here; a process starts in "
        f"{START_SECONDS:.0f} s.",
        highlight=False,
    )
    table = Table(
        title=f"{counted(len(plan.left), 'cell')}: how long, and what the devices do meanwhile"
    )
    table.add_column("how", no_wrap=True)
    for name in ("time", *KINDS):
        table.add_column(name, justify="right", no_wrap=True)
    for how, outcome in outlooks(jobs_of(plan), devices).items():
        shares = (f"{100 * outcome.shares[kind]:.0f} %" for kind in KINDS)
        table.add_row(how, format_duration(outcome.seconds), *shares)
    console.print(table)
