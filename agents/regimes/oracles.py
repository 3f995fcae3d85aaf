"""Who knows the right action: players that label a history, their own or another's.

A player remembers what it did. To label a history that another plays, its memory must hold what
was done instead; `follow` puts it there. It is plain where actions change nothing that is seen,
and known for some other families; the rest are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from agents.regimes.choices import index, sizes_of
from popjax.core import Environment
from popjax.envs.concentration import NONE
from popjax.players import Player, make_player, random_player
from popjax.players.battleship import NEVER
from popjax.tokens import target_of

Follow = Callable[[Any, Any, Array], Any]  # (memory before, memory after, action taken) -> memory


def oracle_of(env: Environment, privileged: Player | None = None) -> Player:
    """The reference player, which knows no more than the history does.

    privileged: a player that sees the hidden state, if one is wanted: its actions tell a reader of
    its transcripts what the reader's own actions would not (Ortega et al. 2021, arXiv 2110.10819).
    """
    sizes_of(env)
    player = privileged or make_player(env, "reference")
    if player.sees == "privileged" and privileged is None:
        raise ValueError(f"the reference player of {env.name} sees the hidden state")
    return player


def follow(env: Environment) -> Follow:
    """Corrects the memory of the reference player of a family after an action that was not its
    own; a ValueError where that is not known."""
    if not target_of(env).needs_action:  # nor does the player's memory
        return lambda before, after, action: after
    if env.name not in FOLLOW:
        raise ValueError(
            f"the reference player of {env.name} takes it that its own action was taken, so it "
            "cannot label what another plays: use a regime of its own histories (clone, all)"
        )
    return lambda before, after, action: FOLLOW[env.name](before, after, index(env, action))


def _bandit(before, after, arm):
    return after.replace(last=arm)


def _battleship(before, after, cell):
    """A second shot at a cell tells nothing, and is a miss even where a ship lies."""
    hits, misses, _ = after
    return hits, misses, jnp.where((hits | misses).reshape(-1)[cell], NEVER, cell)


def _minesweeper(before, after, cell):
    opened, counts, _, time = after
    return opened, counts, cell, time


def _concentration(before, after, card):
    """A card whose pair is found, or the one that lies open, ends the turn without a pair."""
    _, _, turned = before
    seen, matched, _ = after
    lying = jnp.where(turned[1] != NONE, NONE, turned[0])
    turned = jnp.where(lying == NONE, jnp.stack([card, NONE]), jnp.stack([lying, card]))
    wasted = matched[card] | (card == lying)
    return seen, matched, jnp.where(wasted, NONE, turned)


FOLLOW: dict[str, Callable[[Any, Any, Array], Any]] = {
    "Battleship": _battleship,
    "Concentration": _concentration,
    "MineSweeper": _minesweeper,
    "MultiarmedBandit": _bandit,
}


def mediocre(env: Environment, share: float) -> Player:
    """The reference player that takes a random action instead of its own with that chance."""
    oracle, chance, correct = oracle_of(env), random_player(env), follow(env)

    def act(key, memory, obs, state):
        key_oracle, key_random, key_which = jax.random.split(key, 3)
        after, best = oracle.act(key_oracle, memory, obs, state)
        _, other = chance.act(key_random, (), obs, state)
        slips = jax.random.bernoulli(key_which, share)
        action = jnp.where(slips, other, best)
        return correct(memory, after, action), action

    return Player(f"{oracle.name}, {share:.0%} random", "history", "baseline", oracle.begin, act)
