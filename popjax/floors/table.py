"""The floors of all environments: closed forms, and what was measured over played episodes.

Where the policy matters, a floor belongs to the player that makes the histories. `floors.json`
holds, for each id and each kind of player, what `python -m popjax.floors --measure --store` found.
"""

from __future__ import annotations

import argparse
import copy
import functools
import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from popjax.entries import Entries, read_entries, write_entries
from popjax.families import family_of
from popjax.floors.laws import code_lengths, floor_of
from popjax.players import KINDS, make_player, play
from popjax.registry import ENVS, canonical
from popjax.words import nearest

TABLE = Path(__file__).with_name("floors.json")
ANY = "any"
MOST_AT_ONCE = 1024  # episodes, of which all steps are held in memory


@dataclass(frozen=True)
class Floor:
    """The least expected loss of any predictor of the next token, in nats.

    player: whose histories; "any" where it does not matter.
    nats_per_token: over all steps of all episodes, the answer to the last action included and the
        first observation not. standard_error: of it; 0 for a closed form.
    nats_per_episode, tokens_per_episode: their ratio is `nats_per_token`.
    kind: "exact", or "at most": the number is an upper bound of the floor, which lies between 0
        and it, and a model can go below the number.
    how: where the number comes from.
    episode_error: standard error of `nats_per_episode`; None if it was not kept.
    without_memory: nats a token of the best predictor that sees the present observation alone, and
        the clock; None if not known.
    """

    env_id: str
    player: str
    nats_per_token: float
    nats_per_episode: float
    tokens_per_episode: float
    standard_error: float
    kind: str
    how: str
    episode_error: float | None = None
    without_memory: float | None = None


@functools.cache
def _table() -> Entries:
    return read_entries(TABLE)


def floor(env_id: str, player: str = "reference") -> Floor:
    """The floor of an environment for a kind of player ("random", "memoryless", "reference").

    >>> easy = floor("RepeatPreviousEasy")
    >>> round(easy.nats_per_token, 4), easy.kind, easy.how
    (1.2699, 'exact', 'closed form')
    """
    env_id = canonical(env_id)
    env = ENVS[env_id]
    if player not in KINDS:
        raise ValueError(nearest(player, KINDS, "player"))
    if not family_of(env).actions_matter:
        total = floor_of(env).nats_per_episode(env)
        return Floor(
            env_id,
            ANY,
            nats_per_token=total / env.max_steps,
            nats_per_episode=total,
            tokens_per_episode=env.max_steps,
            standard_error=0.0,
            kind="exact",
            how="closed form",
            episode_error=0.0,
            without_memory=floor_of(env).without_memory(env) / env.max_steps,
        )
    known = _table().get(env_id, {})
    if player not in known:
        raise ValueError(
            f"the floor of {env_id} is not measured: python -m popjax.floors --measure"
        )
    return Floor(env_id, player, **known[player])


def floor_table() -> list[Floor]:
    """All floors that are known, one a row."""
    rows = []
    for env_id, env in ENVS.items():
        if family_of(env).floor is None:  # of one that was just added nothing is known
            continue
        if not family_of(env).actions_matter:
            rows.append(floor(env_id))
        else:
            rows += [
                floor(env_id, player) for player in KINDS if player in _table().get(env_id, {})
            ]
    return rows


def measure(env_id: str, player: str, num_episodes: int, seed: int = 0) -> dict[str, Any]:
    """The floor over so many played episodes: an entry of `floors.json`.

    Every player has episodes of its own, so that the numbers of two players are independent.

    >>> entry = measure("MultiarmedBanditEasy", "random", 8)
    >>> entry["tokens_per_episode"], entry["kind"]
    (200.0, 'exact')
    """
    env_id = canonical(env_id)
    env = ENVS[env_id]
    keep_states = family_of(env).floor_needs_states
    key = jax.random.fold_in(jax.random.key(seed), list(KINDS).index(player))
    nats, tokens = [], []
    for first in range(0, num_episodes, MOST_AT_ONCE):
        size = min(MOST_AT_ONCE, num_episodes - first)
        own = jax.random.fold_in(key, first)
        episodes = play(env, make_player(env, player), own, size, keep_states)
        nats.append(code_lengths(env, episodes))
        tokens.append(np.asarray(episodes.lengths, np.float64))
    nats, tokens = np.concatenate(nats), np.concatenate(tokens)
    rate = nats.sum() / tokens.sum()
    error = np.std(nats - rate * tokens) / tokens.mean() / math.sqrt(num_episodes)
    episode_error = np.std(nats) / math.sqrt(num_episodes)
    bound, episodes_played = floor_of(env).BOUND, f"Monte Carlo, {num_episodes} episodes"
    return {
        "nats_per_token": round(rate.item(), 5),
        "nats_per_episode": round(nats.mean().item(), 4),
        "tokens_per_episode": round(tokens.mean().item(), 4),
        "standard_error": round(error.item(), 5),
        "kind": "at most" if bound else "exact",
        "how": f"{bound}; {episodes_played}" if bound else episodes_played,
        "episode_error": round(episode_error.item(), 5),
    }


def store(env_id: str, player: str, entry: dict[str, Any]) -> None:
    """Puts an entry into `floors.json`."""
    table = copy.deepcopy(_table())
    table.setdefault(canonical(env_id), {})[player] = entry
    write_entries(TABLE, {name: table[name] for name in ENVS if name in table})
    _table.cache_clear()


LINE = "{:30} {:10} {:>8} {:>8} {:>10} {:>8} {:>8}   {:7} {}".format
HEAD = LINE(
    *("environment", "player", "/token", "± s.e.", "/episode", "± s.e.", "tokens", "kind", "how")
)


def line(env_id: str, player: str, entry: dict[str, Any]) -> str:
    """One row of the printed table; upper bounds are marked."""
    error, most = entry.get("episode_error"), "≤ " if entry["kind"] == "at most" else ""
    return LINE(
        env_id,
        player,
        f"{most}{entry['nats_per_token']:.4f}",
        f"{entry['standard_error']:.4f}",
        f"{most}{entry['nats_per_episode']:.3f}",
        "" if error is None else f"{error:.4f}",
        f"{entry['tokens_per_episode']:.2f}",
        entry["kind"],
        entry["how"],
    )


def main(arguments: list[str] | None = None) -> None:
    """The command `python -m popjax.floors`: prints the floors in nats, or measures them again."""
    parser = argparse.ArgumentParser(prog="python -m popjax.floors", description=main.__doc__)
    parser.add_argument("--measure", nargs="*", metavar="ID", help="these environments, or all")
    parser.add_argument("--players", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", action="store_true", help="and keep them in floors.json")
    options = parser.parse_args(arguments)
    if options.episodes < 1 or (options.store and options.measure is None):
        parser.error("give at least one episode, and --store only with --measure")
    try:
        names = [canonical(name) for name in options.measure or ENVS]
    except ValueError as error:
        parser.error(str(error))
    print(HEAD)
    if options.measure is None:
        for row in floor_table():
            print(line(row.env_id, row.player, vars(row)))
        return
    for name, player in itertools.product(names, options.players):
        if family_of(ENVS[name]).actions_matter:
            entry = measure(name, player, options.episodes, options.seed)
            print(line(name, player, entry), flush=True)
            if options.store:
                store(name, player, entry)
