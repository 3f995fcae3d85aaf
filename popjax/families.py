"""Every family of environments as one record: the only place that lists them.

A record holds the levels of a family and where its parts lie: players, floor, scene, words, keys.
These are named by module, and imported when they are first read, so that a step function needs no
pictures and a picture no players. To add a game, write its files and one record here; for one of
your own, `popjax.register`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from popjax.core import Environment
from popjax.envs import (
    autoencode,
    battleship,
    cartpole,
    concentration,
    count_recall,
    higher_lower,
    labyrinth,
    minesweeper,
    multiarmed_bandit,
    pendulum,
    repeat_first,
    repeat_previous,
)


class Part:
    """A field that holds a thing, or where it lies: `package.module` or `package.module:name`.
    It is imported when it is read."""

    def __init__(self, default: str | None = None):
        self.default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, record: Any, owner: type | None = None) -> Any:
        if record is None:
            return self.default
        value = vars(record)[self.name]
        return pkgutil.resolve_name(value) if isinstance(value, str) else value

    def __set__(self, record: Any, value: Any) -> None:
        vars(record)[self.name] = value


@dataclass(frozen=True, eq=False)
class Family(Mapping[str, Environment]):
    """What is known of a family, which is also the mapping of its levels.

    levels: difficulty -> environment.
    players: module with `memoryless(env)` and `reference(env)`, and `follow(before, after, action)`
        where the reference player must know that something else was done than it chose.
    floor: module with the law of the next token, see `popjax.floors.laws`.
    scene: `(env, state, timestep) -> Scene`.
    words, target, written: classes for a language model, see `popjax.tokens`: what tokens are
        called, which token answers an action, and how an observation is written.
    keys: `env -> Keys`, how a person types an action; None: as the action space has it.
    answerable: `(env, obs, t) -> bool[]`, the action at step t can be paid for;
        None: always.
    actions_matter: observations depend on actions.
    rewards_are_verdicts: one amount is paid for the best action, and another for all others.
    floor_needs_states: `floor.code_lengths` reads episodes played with their states.
    statistics: what acting best depends on, and what the next observation depends on, besides the
        clock; None if not known.

    >>> list(FAMILIES["RepeatFirst"]), FAMILIES["RepeatFirst"].actions_matter
    (['Easy', 'Medium', 'Hard'], False)
    """

    levels: Mapping[str, Environment] = field(default_factory=dict)
    players: ModuleType | str | None = Part()
    floor: ModuleType | str | None = Part()
    scene: Callable[..., Any] | str | None = Part()
    words: type | str = Part("popjax.tokens.words:Words")
    target: type | str = Part("popjax.tokens.targets:Target")
    written: type | str = Part("popjax.tokens.observations:Whole")
    keys: Callable[..., Any] | str | None = Part()
    answerable: Callable[..., Any] | str | None = Part()
    actions_matter: bool = True
    rewards_are_verdicts: bool = False
    floor_needs_states: bool = False
    statistics: tuple[str, str] | None = None

    def __getitem__(self, level: str) -> Environment:
        return self.levels[level]

    def __iter__(self) -> Iterator[str]:
        return iter(self.levels)

    def __len__(self) -> int:
        return len(self.levels)


def _cards(module: ModuleType, statistics: tuple[str, str], **parts: Any) -> Family:
    """A game in which cards are shown whatever is done."""
    name = module.__name__.rpartition(".")[2]
    return Family(
        module.LEVELS,
        players=f"popjax.players.{name}",
        floor="popjax.floors.decks",
        scene=f"popjax.render.cards:{name}",
        actions_matter=False,
        statistics=statistics,
        **parts,
    )


def _maze(levels: Mapping[str, Environment]) -> Family:
    return Family(
        levels,
        players="popjax.players.labyrinth",
        floor="popjax.floors.labyrinth",
        scene="popjax.render.maze:labyrinth",
        words="popjax.tokens.maze:MazeWords",
        written="popjax.tokens.maze:View",
        keys="popjax.keyboard:moves",
        floor_needs_states=True,
    )


def _control(levels: Mapping[str, Environment], name: str, hidden: str, **parts: Any) -> Family:
    """A pole or a pendulum."""
    return Family(
        levels,
        players=f"popjax.players.{name}",
        floor="popjax.floors.control",
        scene=f"popjax.render.control:{name}",
        written="popjax.tokens.control:Binned",
        statistics=(hidden, hidden),
        **parts,
    )


_POLE = {"words": "popjax.tokens.control:PoleWords", "keys": "popjax.keyboard:pushes"}
_PENDULUM = {"words": "popjax.tokens.control:PendulumWords"}

FAMILIES: dict[str, Family] = {
    "Autoencode": _cards(
        autoencode,
        ("all cards in order", "counts"),
        words="popjax.tokens.cards:AutoencodeWords",
        keys="popjax.keyboard:suits",
        answerable="popjax.envs.autoencode:answerable",
        rewards_are_verdicts=True,
    ),
    "Battleship": Family(
        battleship.LEVELS,
        players="popjax.players.battleship",
        floor="popjax.floors.battleship",
        scene="popjax.render.boards:battleship",
        words="popjax.tokens.boards:ShotWords",
        statistics=("posterior of the board",) * 2,
    ),
    "Concentration": Family(
        concentration.LEVELS,
        players="popjax.players.concentration",
        floor="popjax.floors.concentration",
        scene="popjax.render.cards:concentration",
        words="popjax.tokens.cards:TableWords",
        target="popjax.tokens.cards:TurnedCard",
        keys="popjax.keyboard:table",
        statistics=("cards seen, by place",) * 2,
    ),
    "CountRecall": _cards(
        count_recall,
        ("counts of values", "counts of values and of queries"),
        words="popjax.tokens.cards:CountRecallWords",
        rewards_are_verdicts=True,
    ),
    "HigherLower": _cards(
        higher_lower,
        ("counts", "counts"),
        words="popjax.tokens.cards:HigherLowerWords",
        keys="popjax.keyboard:bets",
    ),
    "LabyrinthEscape": _maze(labyrinth.ESCAPE),
    "LabyrinthExplore": _maze(labyrinth.EXPLORE),
    "MineSweeper": Family(
        minesweeper.LEVELS,
        players="popjax.players.minesweeper",
        floor="popjax.floors.minesweeper",
        scene="popjax.render.boards:minesweeper",
        words="popjax.tokens.boards:MineWords",
        target="popjax.tokens.boards:OpenedCell",
        statistics=("posterior of the board",) * 2,
    ),
    "MultiarmedBandit": Family(
        multiarmed_bandit.LEVELS,
        players="popjax.players.multiarmed_bandit",
        floor="popjax.floors.multiarmed_bandit",
        scene="popjax.render.boards:multiarmed_bandit",
        words="popjax.tokens.boards:ArmWords",
        statistics=("hits and pulls of each arm",) * 2,
    ),
    "NoisyPositionOnlyCartPole": _control(
        cartpole.NOISY_POSITION_ONLY, "cartpole", "filtered state", **_POLE
    ),
    "NoisyPositionOnlyPendulum": _control(
        pendulum.NOISY_POSITION_ONLY, "pendulum", "filtered state", **_PENDULUM
    ),
    "PositionOnlyCartPole": _control(cartpole.POSITION_ONLY, "cartpole", "velocities", **_POLE),
    "PositionOnlyPendulum": _control(
        pendulum.POSITION_ONLY, "pendulum", "angular velocity", **_PENDULUM
    ),
    "RepeatFirst": _cards(
        repeat_first,
        ("the first card", "counts"),
        words="popjax.tokens.cards:RepeatWords",
        keys="popjax.keyboard:suits",
        rewards_are_verdicts=True,
    ),
    "RepeatPrevious": _cards(
        repeat_previous,
        ("the last k cards in order", "counts"),
        words="popjax.tokens.cards:RepeatWords",
        keys="popjax.keyboard:suits",
        answerable="popjax.envs.repeat_previous:answerable",
        rewards_are_verdicts=True,
    ),
    "VelocityOnlyCartPole": _control(cartpole.VELOCITY_ONLY, "cartpole", "positions", **_POLE),
}

UNKNOWN = Family()


def family_of(env: Environment) -> Family:
    """The record of an environment's family; one that is not registered has only defaults."""
    return FAMILIES.get(env.name, UNKNOWN)
