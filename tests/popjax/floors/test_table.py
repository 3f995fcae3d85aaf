"""The floors of all environments, and the numbers that were computed apart from this code."""

import json
import math
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import popjax
from popjax.floors import Floor, code_lengths, floor, floor_table, make_law
from popjax.floors.decks import entropies, entropy_after_one, orders
from popjax.floors.multiarmed_bandit import random_floor
from popjax.floors.table import TABLE, _table, main, measure
from popjax.players import KINDS, make_player, play

ROWS = floor_table()


@pytest.mark.parametrize(
    ("num_cards", "num_kinds", "a_card", "no_memory", "counting", "in_last_quarter"),
    [
        (52, 4, 1.2699, 1.386, 0.116, 0.82),
        (104, 4, 1.3187, 1.386, 0.068, 0.86),
        (156, 4, 1.3375, 1.386, 0.049, 0.87),
        (416, 4, 1.3645, 1.386, 0.022, 0.89),
        (832, 4, 1.3742, 1.386, 0.012, None),
        (52, 13, 2.2055, 2.562, 0.357, 0.73),
        (104, 13, 2.3479, 2.564, 0.216, None),
        (156, 13, 2.4053, 2.565, 0.159, None),
        (16, 4, 1.105, 1.386, 0.281, 0.66),
    ],
)
def test_what_counting_cards_is_worth(
    num_cards, num_kinds, a_card, no_memory, counting, in_last_quarter
):
    """Card by card: the floor, a predictor without memory, the difference, and how much of that
    difference lies in the last quarter of these cards."""
    nats = entropies(num_cards, num_kinds)
    total = orders(num_cards, num_kinds) - math.log(num_kinds)
    np.testing.assert_allclose(nats.sum(), total, rtol=1e-9)
    assert nats.mean() == pytest.approx(a_card, abs=6e-4)
    guess = entropy_after_one(num_cards, num_kinds)
    known_as = guess if num_kinds == 13 else math.log(4)
    assert known_as == pytest.approx(no_memory, abs=6e-4)
    assert known_as - nats.mean() == pytest.approx(counting, abs=6e-4)
    if in_last_quarter is not None:
        worth, quarter = known_as - nats, len(nats) // 4
        share = worth[-quarter:].sum() / worth.sum()
        assert share == pytest.approx(in_last_quarter, abs=6e-3)


def test_every_environment_has_its_floor():
    assert {row.env_id for row in ROWS} == set(popjax.ENVS)
    for row in ROWS:
        assert row.nats_per_token == pytest.approx(
            row.nats_per_episode / row.tokens_per_episode, abs=2e-4
        )
        share = 0.02 if row.kind == "exact" else 0.05
        assert 0 <= row.standard_error < share * row.nats_per_token, row
        assert row.tokens_per_episode <= popjax.ENVS[row.env_id].max_steps
        assert row.player == "any" or row.player in KINDS
        assert row.kind in ("exact", "at most")
        assert row.without_memory is None or row.nats_per_token < row.without_memory


def test_what_is_exact_and_what_is_a_bound():
    control_and_mazes = {
        *(f for f in popjax.FAMILIES if "CartPole" in f or "Pendulum" in f or "Labyrinth" in f)
    }
    for row in ROWS:
        family = popjax.ENVS[row.env_id].name
        assert (row.kind == "at most") == (family in control_and_mazes)


@pytest.mark.parametrize("family", ["Concentration", "MineSweeper", "Battleship", "Multi"])
def test_no_player_learns_more_than_there_is(family):
    """The whole of a board, and less than a token can hold."""
    most = {
        "ConcentrationEasy": 33.84,
        "ConcentrationMedium": 69.54,
        "ConcentrationHard": 115.05,
        "MineSweeperEasy": math.log(math.comb(16, 2)),
        "MineSweeperMedium": math.log(math.comb(36, 6)),
        "MineSweeperHard": math.log(math.comb(64, 10)),
    }
    for row in ROWS:
        if row.env_id.startswith(family):
            tokens = make_law(popjax.ENVS[row.env_id]).num_tokens
            assert row.nats_per_token < math.log(tokens)
            assert row.nats_per_episode <= most.get(row.env_id, math.inf) + 0.01


@pytest.mark.parametrize("level", ["Easy", "Medium", "Hard"])
def test_the_stored_floor_of_the_bandit_is_the_exact_one(level):
    stored = floor("MultiarmedBandit" + level, "random")
    exact = random_floor(popjax.ENVS["MultiarmedBandit" + level])
    assert abs(stored.nats_per_token - exact) < 4 * stored.standard_error


@pytest.mark.parametrize("level", ["Easy", "Medium", "Hard"])
def test_two_ways_to_shoot_learn_as_much(level):
    """Neither shoots twice at a cell, and both find the whole fleet: what they learn is the entropy
    of the board, known to 0.005 nats from boards of each player's own."""
    sweep, hunt = (floor("Battleship" + level, player) for player in ("memoryless", "reference"))
    assert 0 < sweep.episode_error <= 0.005 and 0 < hunt.episode_error <= 0.005
    apart = sweep.nats_per_episode - hunt.nats_per_episode
    assert 0 < abs(apart) < 4 * math.hypot(sweep.episode_error, hunt.episode_error)
    assert hunt.tokens_per_episode < sweep.tokens_per_episode


def test_every_player_is_measured_on_boards_of_its_own(monkeypatch):
    """On the same boards two players' errors would be one. No board is drawn twice, and the errors
    are those of all boards together, however many are played at once."""
    drawn, keys = np.random.default_rng(0).normal(16.0, 0.3, (2, 112)), {}

    def played(env, player, key, size, keep_states):
        keys.setdefault(player.name, []).append(jax.random.key_data(key).tolist())
        return SimpleNamespace(lengths=np.full(size, 50), whose=player.name)

    def lengths_of(env, episodes):
        which = list(keys).index(episodes.whose)
        first = 48 * (len(keys[episodes.whose]) - 1)
        return drawn[which, first : first + len(episodes.lengths)]

    for name, instead in (("MOST_AT_ONCE", 48), ("play", played), ("code_lengths", lengths_of)):
        monkeypatch.setattr(f"popjax.floors.table.{name}", instead)
    for nats, player in zip(drawn, ("memoryless", "reference"), strict=True):
        entry = measure("BattleshipEasy", player, 112)
        assert entry["nats_per_episode"] == pytest.approx(nats.mean(), abs=1e-4)
        assert entry["episode_error"] == pytest.approx(nats.std() / math.sqrt(112), abs=1e-5)
        assert entry["standard_error"] == pytest.approx(entry["episode_error"] / 50, abs=1e-5)
    used = [tuple(key) for mine in keys.values() for key in mine]
    assert len(used) == len(set(used)) == 6


def test_upper_bounds_are_marked_where_floors_are_printed(capsys):
    main([])
    for line, row in zip(capsys.readouterr().out.splitlines()[1:], ROWS, strict=True):
        assert ("≤" in line and "at most" in line) == (row.kind == "at most")


REMEASURED = ["ConcentrationEasy", "MultiarmedBanditEasy", "MineSweeperEasy", "BattleshipEasy"]


@pytest.mark.slow  # by default: one floor of each kind by hand
@pytest.mark.parametrize("player", ["random", "reference"])
@pytest.mark.parametrize("env_id", REMEASURED)
def test_the_stored_floors_are_measured_again(env_id, player):
    known, ours = floor(env_id, player), measure(env_id, player, 200, seed=1)
    margin = 4 * math.hypot(known.standard_error, ours["standard_error"]) + 1e-4
    assert abs(known.nats_per_token - ours["nats_per_token"]) < margin


def test_a_floor_for_the_histories_at_hand():
    env = popjax.ENVS["AutoencodeEasy"]
    episodes = play(env, make_player(env, "random"), jax.random.key(0), 3)
    np.testing.assert_allclose(
        code_lengths(env, episodes), floor("AutoencodeEasy").nats_per_episode
    )


def test_what_has_no_law_says_so():
    with pytest.raises(ValueError, match="only a bound"):
        make_law(popjax.ENVS["LabyrinthEscapeEasy"])
    with pytest.raises(ValueError, match="did you mean 'random'"):
        floor("MineSweeperEasy", "randon")


def test_the_command_prints_the_floors(capsys):
    main([])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(ROWS)
    assert lines[1 + [row.env_id for row in ROWS].index("HigherLowerEasy")].split()[2] == "2.2055"


def test_what_is_measured_can_be_stored(tmp_path, monkeypatch, capsys):
    """And nothing else changes, not even the layout of the file."""
    copy = tmp_path / "floors.json"
    copy.write_text(TABLE.read_text("utf-8"), "utf-8")
    monkeypatch.setattr("popjax.floors.table.TABLE", copy)
    before = copy.read_text("utf-8").splitlines()
    command = ["--measure", "MineSweeperEasy", "--players", "random", "--episodes", "16", "--store"]
    main(command)
    changed = [line for line in copy.read_text("utf-8").splitlines() if line not in before]
    stored = floor("MineSweeperEasy", "random")
    monkeypatch.undo()
    _table.cache_clear()
    assert len(changed) == 1 and stored.how == "Monte Carlo, 16 episodes"
    assert isinstance(floor("MineSweeperEasy", "random"), Floor)
    assert json.loads(TABLE.read_text("utf-8")) == _table()
    assert "MineSweeperEasy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--measure", "MineSweeperEasyy"], "did you mean 'MineSweeperEasy'"),
        (["--measure", "--episodes", "0"], "at least one episode"),
        (["--store"], "--store only with --measure"),
    ],
)
def test_wrong_words_get_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2 and message in capsys.readouterr().err
