"""Corpora: whole episodes of a scripted player, made on the device."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from popjax.core import Environment
from popjax.players import KINDS, Episodes, Player, make_player, play
from popjax.players.follow import slipping
from popjax.words import nearest

SOURCES = (*KINDS, "mixture")
EPSILON = 0.1


@cache
def player_of(env: Environment, kind: str) -> Player:
    """The same player object every time, so that `play` is compiled once; what it computes of its
    task beforehand are numbers, even if it is first needed while a program is traced."""
    with jax.ensure_compile_time_eval():
        return make_player(env, kind)


@cache
def slips(env: Environment) -> Player:
    """The reference player, but every action is a random one with probability `EPSILON`."""
    with jax.ensure_compile_time_eval():
        return slipping(env, player_of(env, "reference"), EPSILON)


def players_of(env: Environment, kind: str) -> tuple[Player, ...]:
    """Who makes the histories: one player, or the three of the mixture in equal parts."""
    if kind not in SOURCES:
        raise ValueError(nearest(kind, SOURCES, "source"))
    if kind == "mixture":
        return player_of(env, "random"), player_of(env, "reference"), slips(env)
    return (player_of(env, kind),)


def source(env: Environment, kind: str) -> Literal["history", "privileged"]:
    """ "history" if all actions follow from what was seen, and chance; "privileged" if some player
    looks at the hidden state. Actions of the latter are evidence of it to any reader, and
    a model that acts on its own has no such evidence (Ortega et al., "Shaking the foundations",
    2021).

    >>> import popjax
    >>> source(popjax.make("MineSweeperEasy"), "mixture")
    'history'
    """
    privileged = any(player.sees == "privileged" for player in players_of(env, kind))
    return "privileged" if privileged else "history"


def corpus(env: Environment, kind: str, seed: int, size: int) -> Episodes:
    """`size` whole episodes: a pure function of its arguments.

    kind: "random", "memoryless", "reference", or "mixture": a third random, a third of the
        reference player, a third of it with slips, in this order.

    A smaller corpus is not the beginning of a larger one: keys are split by the number of
    episodes.

    >>> import popjax
    >>> corpus(popjax.make("RepeatFirstEasy"), "mixture", seed=0, size=4).obs.shape
    (51, 4)
    """
    return draw(env, kind, jax.random.key(seed), size)


@partial(jax.jit, static_argnames=("env", "kind", "size"))
def draw(env: Environment, kind: str, key: Key[Array, ""], size: int) -> Episodes:
    """`corpus` from a key, which is consumed."""
    return in_parts(players_of(env, kind), key, size, partial(play, env))


def in_parts(
    players: tuple[Player, ...],
    key: Key[Array, ""],
    size: int,
    make: Callable[[Player, Key[Array, ""], int], Any],
) -> Any:
    """`make(player, key, size)` for each player and its part of the size, side by side: the leaves
    of what it gives lead with `[T, size]`. The first parts are the larger ones. The key is
    consumed."""
    keys = jax.random.split(key, len(players))
    sizes = [len(range(i, size, len(players))) for i in range(len(players))]
    parts = [make(*part) for part in zip(players, keys, sizes, strict=True) if part[-1]]
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves, axis=1), *parts)


def stream(env: Environment, kind: str, seed: int, update: int | Array, size: int) -> Episodes:
    """The episodes of one update of an endless corpus; `update` may be traced."""
    return draw(env, kind, jax.random.fold_in(jax.random.key(seed), update), size)
