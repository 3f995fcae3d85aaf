"""What the tokens of each environment stand for, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from popjax.envs import cartpole, pendulum
from popjax.envs.autoencode import WATCH, Autoencode
from popjax.envs.battleship import Battleship
from popjax.envs.concentration import Concentration
from popjax.envs.count_recall import CountRecall
from popjax.envs.higher_lower import HIGHER, HigherLower
from popjax.envs.labyrinth import Labyrinth
from popjax.envs.minesweeper import MineSweeper
from popjax.envs.multiarmed_bandit import MultiarmedBandit
from popjax.envs.repeat_first import RepeatFirst
from popjax.envs.repeat_previous import RepeatPrevious

if TYPE_CHECKING:
    from popjax.tokens.vocabulary import Vocabulary

SPECIAL = ("PAD", "BOS", "EOS", "SEP")
COLORS = ("black", "red")
SUITS = ("spade", "diamond", "club", "heart")
RANKS = ("ace", "2", "3", "4", "5", "6", "7", "8", "9", "10", "jack", "queen", "king")
KINDS = {2: COLORS, 4: SUITS, 13: RANKS}
SQUARES = ("free", "wall", "start", "goal", "hidden")
WAYS = ("left", "right", "up", "down")
REWARDS, ENDS = ("loses", "earns nothing", "earns"), ("goes on", "is over")


def words_of(vocabulary: Vocabulary) -> tuple[str, ...]:
    """A name for each token, all different."""
    env = vocabulary.env
    words = [*SPECIAL]
    for i, size in enumerate(vocabulary.components):
        words += [observation_word(vocabulary, i, value) for value in range(size)]
    if not vocabulary.tie_obs_act:
        words += [action_word(vocabulary, value) for value in range(vocabulary.num_actions)]
    words += REWARDS if vocabulary.rewards else ()
    words += ENDS if vocabulary.ends else ()
    assert len(set(words)) == len(words) == vocabulary.size, f"names of {env.name}"
    return tuple(words)


def observation_word(vocabulary: Vocabulary, component: int, value: int) -> str:
    """Of one value of a component."""
    env = vocabulary.env
    if isinstance(env, RepeatFirst | RepeatPrevious):
        return SUITS[value]
    if isinstance(env, Autoencode):
        return f"{'watch' if value // 4 == WATCH else 'play'} {SUITS[value % 4]}"
    if isinstance(env, CountRecall):
        card, query = divmod(value, env.num_kinds)
        return f"{KINDS[env.num_kinds][card]}, how many {KINDS[env.num_kinds][query]}?"
    if isinstance(env, HigherLower):
        return RANKS[value]
    if isinstance(env, Concentration):
        kind = "down" if value == env.num_kinds else KINDS[env.num_kinds][value]
        return f"card {component + 1} {kind}"
    if isinstance(env, MultiarmedBandit):
        return ("refused", "paid")[value]
    if isinstance(env, Battleship):
        return ("miss", "hit")[value]
    if isinstance(env, MineSweeper):
        return f"{value} around"
    if isinstance(env, Labyrinth):
        return f"{_place(component, 3)} {SQUARES[value]}"
    if isinstance(env, cartpole.CartPole | pendulum.Pendulum):
        return f"{_quantity(env, component)} bin {value}"
    return f"sees {value} in {component}"


def action_word(vocabulary: Vocabulary, value: int) -> str:
    """Of one action."""
    env = vocabulary.env
    if isinstance(env, RepeatFirst | RepeatPrevious | Autoencode):
        return f"say {SUITS[value]}"
    if isinstance(env, CountRecall):
        return f"say {value}"
    if isinstance(env, HigherLower):
        return "higher" if value == HIGHER else "lower"
    if isinstance(env, Concentration):
        return f"turn card {value + 1}"
    if isinstance(env, MultiarmedBandit):
        return f"pull arm {value + 1}"
    if isinstance(env, Battleship):
        return f"shoot at {_place(value, env.size)}"
    if isinstance(env, MineSweeper):
        return f"open {_place(value, env.size)}"
    if isinstance(env, Labyrinth):
        return f"go {WAYS[value]}"
    if isinstance(env, cartpole.CartPole):
        return ("push left", "push right")[value]
    if isinstance(env, pendulum.Pendulum):
        levels = np.linspace(*env.action_space.low, *env.action_space.high, vocabulary.num_actions)
        return f"torque {levels[value]:g}"
    return f"does {value}"


def _place(cell: int, size: int) -> str:
    """Row and column, counted from 1."""
    return f"{cell // size + 1}/{cell % size + 1}"


def _quantity(env, component: int) -> str:
    if isinstance(env, pendulum.PositionOnlyPendulum):
        return "angle"
    if isinstance(env, pendulum.Pendulum):
        return ("cosine", "sine")[component]
    if isinstance(env, cartpole.VelocityOnlyCartPole):
        return ("velocity", "turning")[component]
    return ("place", "angle")[component]
