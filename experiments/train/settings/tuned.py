"""The `fast` settings: what was found by search, in `tuned.json`, and which seeds found it.

    {environment: {memory: {"best": true, "settings": {...}, "source": "how it was found"}}}

An environment is an id, a family (for its other levels) or `*`; a memory is a name or `*`. The
settings are those of `experiments.results.spec.Settings` that differ from the defaults:
`total_steps`, and parts of `network`, `ppo` and `hyperparams`. The source gives command, tuning
seeds and steps.
At most one memory of an environment is marked as the best.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from agents.memory import MEMORIES
from agents.ppo import PPOConfig
from experiments.results.errors import UserError
from experiments.results.files import DamagedError, read_json, write_atomically
from experiments.results.lock import STALE_SECONDS, lock, owner
from experiments.results.spec import NetworkConfig, Settings
from popjax.registry import ENVS, FAMILIES, make
from popjax.words import nearest

TUNED = Path(__file__).with_name("tuned.json")

PARTS = {"network": NetworkConfig, "ppo": PPOConfig}
Entries = dict[str, dict[str, dict[str, Any]]]


def read_tuned(path: Path = TUNED) -> Entries:
    """All of the file; a UserError if it is damaged or knows a word that does not exist.

    >>> sorted(read_tuned()["*"]["*"])
    ['settings', 'source']
    """
    try:
        entries = read_json(path, cure="")
        for env, by_memory in entries.items():
            if env not in ("*", *ENVS, *FAMILIES):
                raise UserError(nearest(env, (*ENVS, *FAMILIES), "environment"))
            for memory, entry in by_memory.items():
                if memory not in ("*", *MEMORIES):
                    raise UserError(nearest(memory, MEMORIES, "memory"))
                settings_from(entry["settings"])
            if sum(bool(entry.get("best")) for entry in by_memory.values()) > 1:
                raise UserError(f"two memories are marked as the best of {env}")
    except DamagedError:
        raise
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is missing or damaged ({type(error).__name__}: {error})") from None
    return entries


def settings_from(plain: dict[str, Any]) -> Settings:
    """The defaults with what differs from them, which is plain JSON data.

    >>> settings_from({"total_steps": 1000, "ppo": {"num_steps": 32}}).ppo.num_steps
    32
    """
    known = {f.name for f in dataclasses.fields(Settings)} - {"lm"}
    changed = {}
    for name, value in plain.items():
        if name not in known:
            raise UserError(nearest(name, known, "setting"))
        if name in PARTS:
            fields = [f.name for f in dataclasses.fields(PARTS[name])]
            for part, chosen in value.items():
                if part not in fields:
                    raise UserError(nearest(part, fields, f"setting of {name}"))
                check_choice(name, part, chosen)
            value = PARTS[name](**value)
        changed[name] = value
    return Settings(**changed)


def check_choice(part: str, name: str, value: object) -> None:
    """A UserError if a field of the network or of PPO has its choices, and the value is none.

    >>> check_choice("ppo", "schedule", "cosine")
    >>> check_choice("ppo", "schedule", "cosines")
    Traceback (most recent call last):
        ...
    experiments.results.errors.UserError: no choice of schedule is called 'cosines': did you mean
    'cosine'?
    """
    kind = get_type_hints(PARTS[part])[name]
    if get_origin(kind) is Literal and value not in get_args(kind):
        raise UserError(nearest(str(value), get_args(kind), f"choice of {name}"))


def differences(settings: Settings) -> dict[str, Any]:
    """What differs from the defaults, as plain JSON data: `settings_from` backwards.

    >>> differences(Settings(seeds=5, ppo=PPOConfig(num_steps=32)))
    {'seeds': 5, 'ppo': {'num_steps': 32}}
    """
    plain, silent = dataclasses.asdict(settings), dataclasses.asdict(Settings())
    changed = {k: v for k, v in plain.items() if v != silent[k] and k != "lm"}
    for name in PARTS.keys() & changed.keys():
        changed[name] = {k: v for k, v in plain[name].items() if v != silent[name][k]}
    return changed


def family_of(env: str) -> str:
    """The family of an environment's id.

    >>> family_of("NoisyPositionOnlyCartPoleHard")
    'NoisyPositionOnlyCartPole'
    """
    return make(env).name


def key_of(env: str, memory: str, path: Path = TUNED) -> tuple[str, str]:
    """Where the entry of a cell stands, or the nearest more general one: of the environment with
    any memory, of its family, of any environment.

    >>> key_of("RepeatPreviousEasy", "gru"), key_of("RepeatPreviousHard", "lru")
    (('RepeatPreviousEasy', 'gru'), ('*', '*'))
    """
    entries = read_tuned(path)
    for place in (env, family_of(env), "*"):
        for name in (memory, "*"):
            if name in entries.get(place, {}):
                return place, name
    raise UserError(f"{path} has nothing for {env} with {memory}, and no default")


def entry_of(env: str, memory: str, path: Path = TUNED) -> dict[str, Any]:
    """The entry of a cell, or the nearest more general one: see `key_of`.

    >>> sorted(entry_of("RepeatPreviousEasy", "gru").keys() & {"settings", "source"})
    ['settings', 'source']
    """
    place, name = key_of(env, memory, path)
    return read_tuned(path)[place][name]


def borrowed(env: str, memory: str, path: Path = TUNED) -> str:
    """Which settings stand in for a cell that has no `fast` ones of its own, in words; "" if it
    has.

    >>> borrowed("RepeatPreviousEasy", "gru"), borrowed("RepeatPreviousHard", "lru")
    ('', 'the defaults')
    """
    place, name = key_of(env, memory, path)
    if (place, name) == (env, memory):
        return ""
    if not entry_of(env, memory, path)["settings"]:
        return "the defaults"
    whose = "any environment" if place == "*" else place
    return f"those of {whose} with {'any memory' if name == '*' else name}"


def tuned(env: str, memory: str, path: Path = TUNED) -> Settings:
    """The `fast` settings of a cell.

    >>> tuned("RepeatPreviousEasy", "gru").seeds
    3
    """
    return settings_from(entry_of(env, memory, path)["settings"])


def best_memory(env: str, path: Path = TUNED) -> str:
    """The memory that is marked as the best for an environment, its family, or any.

    >>> best_memory("RepeatPreviousEasy") in MEMORIES
    True
    """
    entries = read_tuned(path)
    for place in (env, family_of(env), "*"):
        for memory, entry in entries.get(place, {}).items():
            if entry.get("best") and memory != "*":
                return memory
    raise UserError(f"{path} marks no memory as the best for {env}")


def tuned_memories(env: str, path: Path = TUNED) -> list[str]:
    """The memories that have `fast` settings of their own for an environment, the best first.

    >>> tuned_memories("RepeatPreviousEasy"), tuned_memories("RepeatPreviousHard")
    (['gru'], [])
    """
    own = read_tuned(path).get(env, {})
    return sorted(own.keys() - {"*"}, key=lambda name: not own[name].get("best"))


def write_tuned(
    env: str, memory: str, settings: Settings, source: str, path: Path = TUNED
) -> dict[str, Any]:
    """Puts the settings of a cell into the file, whole or not at all; what is marked stays so.

    Returns the new entry.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "tuned.json"
    ...     _ = path.write_text("{}")
    ...     _ = write_tuned("RepeatFirstEasy", "gru", Settings(seeds=5), "by hand", path)
    ...     tuned("RepeatFirstEasy", "gru", path).seeds
    5
    """
    beside = path.with_name(f".{path.name}.lock")
    with lock(beside, wait_seconds=2 * STALE_SECONDS) as ours:
        if not ours:
            raise UserError(f"another process writes settings: {owner(beside)}; run it again")
        entries = read_tuned(path)
        by_memory = entries.setdefault(env, {})
        old = by_memory.get(memory, {})
        entry = {k: v for k, v in old.items() if k == "best"}
        entry |= {"settings": differences(settings), "source": source}
        by_memory[memory] = entry
        write_atomically(path, (json.dumps(entries, indent=1) + "\n").encode())
    return entry
