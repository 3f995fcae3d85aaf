"""What there is: the commands `popjax envs` and `popjax memories`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from rich.console import Console
from rich.table import Table

from agents.ranges import Within
from experiments.results.errors import UserError
from experiments.results.spec import Width


@dataclass(frozen=True)
class Envs:
    """List the environments: spaces, longest episode, reference returns.

    Example: popjax envs
    """

    def run(self, console: Console) -> None:
        from popjax import ENVS, scores

        table = Table(title=f"{len(ENVS)} environments")
        for name in ("id", "observation", "action"):
            table.add_column(name, no_wrap=True)
        for name in ("steps", "previous action", "random", "memoryless", "reference"):
            table.add_column(name, justify="right")
        for name, env in ENVS.items():
            known = scores.scores(name)
            means = [
                f"{known[kind]['mean']:.3f}" if known.get(kind) else ""
                for kind in ("random", "memoryless", "reference")
            ]
            table.add_row(
                name,
                space_words(env.observation_space),
                space_words(env.action_space),
                str(env.max_steps),
                "needed" if env.needs_previous_action else "",
                *means,
            )
        console.print(table)


@dataclass(frozen=True)
class Memories:
    """List the memory models: parameters and state at equal widths, or widths at equal sizes.

    Example: popjax memories --parameters 100000
    """

    features: Width = 128
    """Width of the models."""
    parameters: Annotated[int, Within(0, 10**10)] = 0
    """Choose each width so that a model has at most this many parameters."""
    state: Annotated[int, Within(0, 10**9)] = 0
    """Choose each width so that a model remembers at most this many numbers."""

    def run(self, console: Console) -> None:
        from agents.memory import MEMORIES
        from experiments.results.spec import NetworkConfig
        from experiments.train.build import memory_of
        from experiments.train.widths import num_parameters

        size = NetworkConfig(self.features, parameters=self.parameters, state=self.state)
        table = Table(title=f"{len(MEMORIES)} memory models")
        for name in ("name", "what it is"):
            table.add_column(name)
        for name in ("width", "parameters", "state (numbers a sequence)"):
            table.add_column(name, justify="right")
        for name, kind in MEMORIES.items():
            about = (kind.__doc__ or "").strip().splitlines()[0]
            try:
                memory = memory_of(name, size)
            except UserError as error:
                table.add_row(name, about, "", str(error), "")
                continue
            table.add_row(
                name,
                about,
                str(memory.features),
                f"{num_parameters(memory, memory.features):,}",
                f"{memory.state_size():,}",
            )
        console.print(table)
        for name, kind in MEMORIES.items():
            if kind.caution:
                console.print(f"{name}: {kind.caution}")


def space_words(space) -> str:
    """A space in a few words.

    >>> from popjax import Discrete
    >>> space_words(Discrete((3, 3, 3)))
    '3 x {0..2}'
    """
    from popjax import Box

    if isinstance(space, Box):
        return f"{len(space.low)} reals"
    if not space.shape:
        return f"{{0..{space.sizes - 1}}}"
    if len(set(space.sizes)) == 1:
        return f"{len(space.sizes)} x {{0..{space.sizes[0] - 1}}}"
    return " x ".join(f"{{0..{n - 1}}}" for n in space.sizes)
