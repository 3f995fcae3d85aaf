"""What there is: the commands `popjax envs` and `popjax memories`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from agents.ranges import Within
from experiments.results.errors import UserError
from experiments.results.spec import Width
from experiments.results.tables import Column, Sheet, counted

COLUMNS = (
    Column("id"),
    Column("observation"),
    Column("action"),
    Column("steps", 0, "of the longest episode"),
    Column("previous action", about="whether the agent must be shown it", wide=True),
    Column("random", 3),
    Column("memoryless", 3),
    Column("reference", 3),
)


@dataclass(frozen=True)
class Envs:
    """List the environments, or tell all of one: rules, spaces, scores, what learns it.

    Example: popjax envs

    Example: popjax envs CountRecallEasy
    """

    env: tyro.conf.Positional[str] = ""
    """Environment to describe, such as CountRecallEasy; all are listed if not given."""

    def run(self, console: Console) -> None:
        from experiments.reports.terminal import print_sheet
        from popjax import ENVS

        if self.env:
            print_env(self.env, console)
            return
        rows = [
            {
                "id": name,
                "observation": space_words(env.observation_space),
                "action": space_words(env.action_space),
                "steps": env.max_steps,
                "previous action": "needed" if env.needs_previous_action else "",
                **means(name),
            }
            for name, env in ENVS.items()
        ]
        caption = (
            "Mean returns: of uniform play, of the best policy known without memory, of a scripted "
            "player that remembers.",
            "popjax envs NAME tells all of one.",
        )
        print_sheet(Sheet("envs", f"{len(ENVS)} environments", COLUMNS, rows, caption), console)


def means(name: str) -> dict[str, float]:
    """Mean returns of the scripted players, as far as they are known."""
    from popjax import scores

    known = scores.scores(name)
    kinds = ("random", "memoryless", "reference")
    return {kind: known[kind]["mean"] for kind in kinds if known.get(kind)}


def print_env(word: str, console: Console) -> None:
    """All that is known of an environment, and a picture where the terminal can show one."""
    from experiments.train.build import env_name, level_note
    from experiments.train.settings.tuned import best_memory
    from popjax import ENVS
    from popjax.play import rules

    name = env_name(word)
    env = ENVS[name]
    if note := level_note(word):
        console.print(note, highlight=False)
    print(rules(env, name))
    lines = {
        "observation": space_words(env.observation_space),
        "action": space_words(env.action_space),
        "length": f"at most {env.max_steps} steps",
        "made by": f"popjax.make({name!r}) = {env}",
        **score_lines(name),
        **settings_lines(name),
        "play": f"popjax play {name}",
        "train": f"popjax train {name} --memory {best_memory(name)} --settings fast",
    }
    if env.needs_previous_action:
        lines["previous action"] = "needed: an agent without it cannot know what it did"
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for head, text in lines.items():
        table.add_row(head, text)
    console.print(table)
    if console.is_terminal:
        print(moment(env))


def score_lines(name: str) -> dict[str, str]:
    """Who earns what, by the kind of player."""
    from popjax import scores

    lines = {}
    for kind, known in scores.scores(name).items():
        if not isinstance(known, dict) or "mean" not in known:
            continue
        who = known.get("model") or known.get("player") or ""
        metric = "MMER" if kind.startswith("paper") else known.get("metric", "")
        details = [known.get("best", ""), metric]
        about = ", ".join(filter(None, [who, *details]))
        scaled = float(scores.normalise(name, known["mean"]))
        place = "" if scaled != scaled else f", normalised {scaled:.2f}"
        lines[kind.replace("_", " ")] = f"{known['mean']:.3f}{place}" + (
            f" ({about})" if about else ""
        )
    return lines


def settings_lines(name: str) -> dict[str, str]:
    """Which memories have settings found for it, and what those reached."""
    from experiments.results import published
    from experiments.train.settings.tuned import tuned, tuned_memories

    lines = {}
    own = tuned_memories(name)
    lines["fast settings"] = (
        "none of its own"
        if not own
        else "; ".join(
            f"{memory}, {tuned(name, memory).total_steps or 0:,} steps" for memory in own
        )
    )
    kept = [result for result in published.results() if result.env == name]
    if kept:
        lines["reached"] = "; ".join(
            f"{result.memory} ({result.name}) {result.returns('final').mean():.3f} over "
            f"{counted(len(result.seeds), 'seed')}"
            for result in kept
        )
    return lines


def moment(env) -> str:
    """A picture of the second moment of an episode, in colours."""
    import jax

    from popjax.play import picture

    key = jax.random.key(0)
    state, timestep = jax.jit(env.reset)(key)
    action = env.action_space.sample(key)
    state, timestep = jax.jit(env.step)(key, state, action)
    return picture(env, state, timestep, reveal=False, colour=True)


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
