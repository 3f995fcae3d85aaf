"""A player that follows another's actions knows what a patient note-taker would.

Each reference player labels random play. Its notes are compared with plain loops over what was
done and seen, and with the hidden state of the environment where that says what is known.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from popjax import players
from popjax.families import family_of
from popjax.players import make_player, pendulum
from popjax.players.follow import follow, slipping

N = 4
STEPS = {"LabyrinthEscape": 200}
ONE_OF_EACH = (
    *("Battleship", "Concentration", "LabyrinthEscape", "MineSweeper", "MultiarmedBandit"),
    *("PositionOnlyCartPole", "PositionOnlyPendulum"),
)


@pytest.fixture(scope="module", autouse=True)
def _no_aim():
    """Where the pendulum is steered to takes long to find, and no note depends on it. Players are
    kept for the next who asks, and those made here must not be."""
    players._player.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        shape = pendulum.ANGLES, pendulum.SPEEDS
        patch.setattr(pendulum, "cost_to_go", lambda sigma: np.zeros(shape, np.float32))
        yield
    players._player.cache_clear()


@cache
def followed(family):
    """Random play of `N` episodes as NumPy `[T, N, ...]`: obs, action, hidden state, the player's
    memory after obs and the action, over; and whether its own action would have called for no
    correction."""
    env = popjax.FAMILIES[family]["Easy"]
    player, correct = make_player(env), follow(env)

    def one_step(carry, key):
        memory, state, obs, over = carry
        key_act, key_random, key_step = jax.random.split(key, 3)
        after, own = player.act(key_act, memory, obs, state)
        same = jax.tree.map(jnp.array_equal, correct(memory, after, own), after)
        action = env.action_space.sample(key_random)
        memory = correct(memory, after, action)
        next_state, timestep = env.step(key_step, state, action)
        record = {
            "obs": obs,
            "action": action,
            "state": state,
            "memory": memory,
            "over": over,
            "same": jnp.all(jnp.stack(jax.tree.leaves(same))) | over,
        }
        carry = (memory, next_state, timestep.obs, over | timestep.last)
        return carry, record

    def one_episode(key):
        key_reset, key_steps = jax.random.split(key)
        state, timestep = env.reset(key_reset)
        carry = (player.begin(), state, timestep.obs, timestep.last)
        keys = jax.random.split(key_steps, STEPS.get(family, env.max_steps))
        return jax.lax.scan(one_step, carry, keys)[1]

    play = jax.jit(jax.vmap(one_episode, out_axes=1))
    return env, jax.tree.map(np.asarray, play(jax.random.split(jax.random.key(0), N)))


def steps_of(record, n):
    """`(t, obs, action done before)` of one episode, as long as it lasts."""
    for t in range(int((~record["over"][:, n]).sum())):
        yield t, record["obs"][t, n], record["action"][t - 1, n] if t else None


@pytest.mark.by_default("MultiarmedBandit")
@pytest.mark.parametrize("family", ONE_OF_EACH)
def test_ones_own_action_needs_no_correction(family):
    assert followed(family)[1]["same"].all()


def test_all_families_can_be_followed_and_slip():
    for levels in popjax.FAMILIES.values():
        env = levels["Easy"]
        assert slipping(env, make_player(env), 0.5).sees == make_player(env).sees
        if not hasattr(family_of(env).players, "follow"):
            assert follow(env)("before", "after", 0) == "after"


def test_arms_are_tallied():
    env, record = followed("MultiarmedBandit")
    for n in range(N):
        paid, refused = np.zeros((2, env.num_arms), int)
        for t, obs, arm in steps_of(record, n):
            if t:
                paid[arm] += obs
                refused[arm] += 1 - obs
            np.testing.assert_array_equal(record["memory"].paid[t, n], paid)
            np.testing.assert_array_equal(record["memory"].refused[t, n], refused)


def test_shots_are_marked():
    """What lies under a cell is told by the first shot at it."""
    _, record = followed("Battleship")
    hits, misses, _ = record["memory"]
    again = 0
    for n in range(N):
        known = {}
        for t, obs, action in steps_of(record, n):
            if t:
                again += tuple(action) in known
                known.setdefault(tuple(action), int(obs))
            for noted, answer in ((hits, 1), (misses, 0)):
                cells = {tuple(cell) for cell in np.argwhere(noted[t, n])}
                assert cells == {cell for cell, was in known.items() if was == answer}
    assert again > N


def test_counts_are_noted():
    _, record = followed("MineSweeper")
    opened, counts, _, time = record["memory"]
    for n in range(N):
        known = {}
        for t, obs, action in steps_of(record, n):
            if t:
                known[tuple(action)] = int(obs)
            assert {tuple(cell) for cell in np.argwhere(opened[t, n])} == set(known)
            assert all(counts[t, n][cell] == count for cell, count in known.items())
            assert time[t, n] == t + 1


def test_cards_and_turns_are_remembered():
    """Seen: all that ever lay face up. Found pairs and the card that waits for its turn's second
    are the environment's own."""
    env, record = followed("Concentration")
    seen, matched, _ = record["memory"]
    live = ~record["over"]
    np.testing.assert_array_equal(matched[live], record["state"].matched[live])
    up = record["obs"] != env.num_kinds
    ever = np.maximum.accumulate(up, axis=0)
    np.testing.assert_array_equal((seen != env.num_kinds)[live], ever[live])
    assert (seen == record["state"].layout)[ever & live[..., None]].all()
    assert matched[-1].any()


def test_the_place_on_the_map_is_the_true_one():
    """Counted from the start, on a torus of the maze's size; it may lead back to the start."""
    env, record = followed("LabyrinthEscape")
    walked = record["state"].position - record["state"].start
    going_on = ~record["over"][1:]
    places = record["memory"].position[:-1]
    np.testing.assert_array_equal(places[going_on], (walked % env.side)[1:][going_on])
    assert (walked[10:] == 0).all(axis=-1).any()


@pytest.mark.by_default("PositionOnlyPendulum-0.1")
@pytest.mark.parametrize(
    ("family", "within"), [("PositionOnlyCartPole", 0.05), ("PositionOnlyPendulum", 0.1)]
)
def test_filters_keep_to_the_true_state(family, within):
    """Of a pole or a pendulum that is pushed at random."""
    _, record = followed(family)
    estimate = record["memory"][0]
    live = ~record["over"]
    live[:2] = False
    speed = "speed" if "Pendulum" in family else "angle_dot"
    guess = estimate.mean[..., 1] if "Pendulum" in family else getattr(estimate, speed)
    error = np.abs(guess - getattr(record["state"], speed))[live]
    assert error.mean() < within
