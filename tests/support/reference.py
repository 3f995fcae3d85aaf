"""Replaying our episodes in the reference package, step by step."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from popjax.core import Environment
from popjax.players import Episodes, Player, play

NUM_EPISODES = 200
ENOUGH_EPISODES, ENOUGH_STEPS = 20, 10_000  # the reference takes a second for 20,000 steps


def reference_env(env_id: str) -> Any:
    """The environment of that id in `popgym` 1.0.7, bare."""
    name = env_id
    module = importlib.import_module("popgym.envs")
    return getattr(module, name)()


def flat(value: Any) -> np.ndarray:
    """Any nesting of the reference's observations or states as one float vector."""
    if isinstance(value, tuple | list):
        return np.concatenate([flat(v) for v in value])
    return np.asarray(value, np.float64).reshape(-1)


def check_replay(
    env: Environment,
    env_id: str,
    player: Player,
    inject: Callable[[Any, Episodes, int], Any],
    num_episodes: int = NUM_EPISODES,
    seed: int = 0,
    atol: float = 1e-5,
    same_markov_state: bool = True,
    to_reference: Callable[[np.ndarray], Any] = lambda action: action,
    before_step: Callable[[Any, Episodes, int, int], None] | None = None,
) -> None:
    """Plays episodes of ours and repeats each in the reference with our hidden state in it.

    `inject(reference, episodes, n)` resets the reference, puts the hidden state of our episode `n`
    into it, and returns the first observation that it then shows. Observation, reward, both flags
    (and the Markov state) must agree at every step. Where rounding errors grow with time, or
    chance decides a step, `before_step(reference, episodes, n, t)` puts our state (or our chance)
    into the reference before each step. The last episodes are left out once `ENOUGH_EPISODES` and
    `ENOUGH_STEPS` were repeated: in a long game every rule has come up many times by then. The
    slow tests repeat all of them.
    """
    episodes = play(env, player, jax.random.key(seed), num_episodes, keep_states=True)
    markov = jax.jit(jax.vmap(jax.vmap(env.markov_state)))(episodes.next_state)
    ours, markov = jax.device_get((episodes, markov))
    reference = reference_env(env_id)
    steps_before = np.cumsum(ours.valid.sum(axis=0)) - ours.valid.sum(axis=0)
    enough = (steps_before >= ENOUGH_STEPS) & (np.arange(num_episodes) >= ENOUGH_EPISODES)
    for n in np.flatnonzero(~enough):
        where = f"{env_id}, episode {n}"
        length = int(ours.valid[:, n].sum())
        theirs = [(flat(inject(reference, ours, n)), 0.0, False, False)]
        states = []
        for t in range(length):
            if before_step:
                before_step(reference, ours, n, t)
            step = reference.step(to_reference(ours.action[t, n]))
            theirs.append((flat(step[0]), *step[1:4]))
            states.append(flat(reference.get_state()) if same_markov_state else ())
        obs, reward, terminated, truncated = (
            np.array(column) for column in zip(*theirs, strict=True)
        )
        ours_obs = np.concatenate([ours.obs[:1, n], ours.next_obs[:length, n]])
        np.testing.assert_allclose(
            ours_obs.reshape(length + 1, -1), obs, atol=atol, err_msg=f"obs of {where}"
        )
        np.testing.assert_allclose(
            ours.reward[:length, n], reward[1:], atol=atol, err_msg=f"reward of {where}"
        )
        np.testing.assert_array_equal(
            ours.terminated[:length, n], terminated[1:], err_msg=f"terminated of {where}"
        )
        np.testing.assert_array_equal(
            ours.truncated[:length, n], truncated[1:], err_msg=f"truncated of {where}"
        )
        if same_markov_state:
            np.testing.assert_allclose(
                markov[:length, n], np.array(states), atol=atol, err_msg=f"state of {where}"
            )
        assert terminated[-1] or truncated[-1], f"{where}: ours ended before the reference"


class Given:
    """In the place of the reference's random numbers: the noise, or the chance, that ours drew."""

    def __init__(self, value: Any):
        self.value = value

    def normal(self, mean: float, sigma: Any) -> np.ndarray:
        return np.asarray(self.value, np.float64)

    def random(self) -> float:
        return float(self.value)


def stack_deck(deck: Any, shown: np.ndarray, kind_of_card: np.ndarray) -> None:
    """Orders a reference deck so that it deals the kinds `shown`, first to last.

    Cards that our episode never showed follow in any order. Fails if `shown` could not have come
    from that deck.
    """
    cards_of_kind = {kind: list(np.flatnonzero(kind_of_card == kind)) for kind in set(kind_of_card)}
    order = [cards_of_kind[int(kind)].pop() for kind in shown]
    rest = sorted(set(range(len(kind_of_card))) - set(order))
    deck.idx = np.array((order + rest)[::-1])  # the reference deals from the end
