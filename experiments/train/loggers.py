"""Where a run tells its numbers beside its own `progress.jsonl`: TensorBoard, Weights & Biases.

Both are extras and off by default (`--log tensorboard wandb`). A sink gets what the host has
read between two compiled segments anyway, so nothing runs inside a compiled program. A run that
was cut off and resumes may log the last numbers again; they are the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from experiments.results.errors import UserError
from experiments.results.store import Cell
from experiments.train.profile import Profile
from popjax.words import nearest


class Sink(Protocol):
    """Takes numbers by name."""

    def write(self, step: int, values: dict[str, float]) -> None:
        """step: environment steps of one seed so far."""

    def close(self) -> None:
        """Nothing more will be written."""


class TensorBoard:
    """Event files in the folder `tensorboard` of the cell, by tensorboardX."""

    def __init__(self, cell: Cell):
        module = _imported(PACKAGES["tensorboard"], "tensorboard")
        self._writer = module.SummaryWriter(str(cell.folder / "tensorboard"))

    def write(self, step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """One run a cell, in the project `popjax`, the study its group; resumes where it stopped."""

    def __init__(self, cell: Cell):
        module = _imported(PACKAGES["wandb"], "wandb")
        self._run = module.init(
            project="popjax",
            group=Path(cell.folder).parent.name,
            name=cell.folder.name,
            id=cell.folder.name,
            resume="allow",
            config=json.loads(json.dumps(cell.spec.resolved())),
            dir=str(cell.folder),
        )
        self._run.define_metric("*", step_metric="env_steps")

    def write(self, step: int, values: dict[str, float]) -> None:
        self._run.log({"env_steps": step, **values})

    def close(self) -> None:
        self._run.finish()


SINKS: dict[str, Callable[[Cell], Sink]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "profile": Profile,
}
"""`profile` logs nothing: it measures time, see `experiments.train.profile`."""
PACKAGES = {"tensorboard": "tensorboardX", "wandb": "wandb"}
"""What must be there, an extra of the sink's name."""


def sink_names(names: Iterable[str]) -> tuple[str, ...]:
    """The same names, if there are such sinks; a UserError names the nearest one, or what must be
    installed first."""
    for name in names:
        if name not in SINKS:
            raise UserError(nearest(name, SINKS, "log"))
        if name in PACKAGES:
            _imported(PACKAGES[name], name)
    return tuple(dict.fromkeys(names))


class Sinks:
    """Several sinks of a cell as one, closed when the context ends."""

    def __init__(self, names: Sequence[str], cell: Cell):
        self._sinks = [SINKS[name](cell) for name in sink_names(names)]

    def tell(self, rows: list[dict[str, Any]]) -> None:
        """Rows as in `progress.jsonl`, one an update and seed: `return/seed0` and its like."""
        for step, values in by_step(rows).items():
            for sink in self._sinks:
                sink.write(step, values)

    def __enter__(self) -> Sinks:
        return self

    def __exit__(self, *reason: object) -> None:
        for sink in self._sinks:
            sink.close()


def by_step(rows: list[dict[str, Any]]) -> dict[int, dict[str, float]]:
    """Rows of several seeds gathered by step; what is no number is left out.

    >>> by_step([{"seed": 3, "update": 0, "step": 64, "loss": 0.5, "return": None}])
    {64: {'loss/seed3': 0.5}}
    """
    steps: dict[int, dict[str, float]] = {}
    for row in rows:
        values = steps.setdefault(row["step"], {})
        for name, value in row.items():
            if name not in ("seed", "update", "step", "diverged") and value is not None:
                values[f"{name}/seed{row['seed']}"] = value
    return steps


def _imported(module: str, extra: str) -> ModuleType:
    try:
        return __import__(module)
    except ImportError:
        raise UserError(
            f'{module} is not installed: pip install "popjax[{extra}]", or leave out --log {extra}'
        ) from None
