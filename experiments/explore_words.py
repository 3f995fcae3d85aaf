"""Episodes in words: what was seen and what was done, one word each, as the page writes them."""

from __future__ import annotations

import numpy as np

from popjax.core import Environment
from popjax.envs.concentration import Concentration
from popjax.envs.labyrinth import Labyrinth
from popjax.envs.minesweeper import MineSweeper
from popjax.players import Episodes
from popjax.spaces import Box
from popjax.tokens import Vocabulary, target_of
from popjax.tokens.words import KINDS, SQUARES, observation_word

GLYPHS = "·█SG?"  # of the squares of a maze: free, wall, start, goal, hidden


def action_words(env: Environment) -> list[str]:
    """One for each action; nine torques stand for all of them."""
    vocabulary = Vocabulary(env)
    at = vocabulary.action_ids
    return list(vocabulary.words[at : at + vocabulary.num_actions])


def action_numbers(env: Environment, action: np.ndarray) -> np.ndarray:
    """Which of those words: `[...]` int."""
    vocabulary = Vocabulary(env)
    return np.asarray(vocabulary.of_action(action)) - vocabulary.action_ids


def token_words(env: Environment) -> list[str]:
    """One for each value of a component of the token that is predicted; bins have numbers.

    >>> import popjax
    >>> token_words(popjax.make("MultiarmedBanditEasy"))
    ['refused', 'paid']
    """
    size = target_of(env).sizes[0]
    if isinstance(env, Concentration):
        return list(KINDS[env.num_kinds])
    if isinstance(env, MineSweeper):
        return [
            f"{value // 2}, a mine" if value % 2 else f"{value // 2} around"
            for value in range(size)
        ]
    if isinstance(env, Labyrinth):
        return list(SQUARES)
    if isinstance(env.observation_space, Box):
        return [str(value) for value in range(size)]
    vocabulary = Vocabulary(env)
    return [observation_word(vocabulary, 0, value) for value in range(size)]


def component_words(env: Environment) -> list[str]:
    """What each component of the token is called; one component needs no name."""
    vocabulary = Vocabulary(env)
    size = len(target_of(env).sizes)
    if size == 1 and not isinstance(env.observation_space, Box):
        return [""]
    if isinstance(env, Labyrinth):
        return [f"row {i // 3 + 1}, column {i % 3 + 1}" for i in range(size)]
    return [observation_word(vocabulary, i, 0).rpartition(" bin")[0] for i in range(size)]


def seen_words(env: Environment, episodes: Episodes, steps: int) -> list[str]:
    """The first observation and the `steps` answers to the actions of the first episode."""
    tokens = np.asarray(target_of(env).tokens(episodes))[:steps, 0]
    return [first_word(env, episodes), *(_word(env, token) for token in tokens)]


def first_word(env: Environment, episodes: Episodes) -> str:
    """What the first observation shows."""
    if isinstance(env, Concentration):
        return "all face down"
    if isinstance(env, MineSweeper):
        return "all closed"
    vocabulary = Vocabulary(env)
    written = np.asarray(vocabulary.of_obs(episodes.obs[:1, :1], True))[0, 0]
    return _word(env, written - np.array(vocabulary.observation_ids))


def _word(env: Environment, token: np.ndarray) -> str:
    if isinstance(env, Labyrinth):
        rows = np.reshape([GLYPHS[square] for square in token], (3, 3))
        return " ".join("".join(row) for row in rows)
    if isinstance(env.observation_space, Box):
        names = component_words(env)
        return ", ".join(f"{name} {value}" for name, value in zip(names, token, strict=True))
    return token_words(env)[token[0]]
