"""The boards of `popjax bridge loop`: judgements over steps before the end, and the page."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.language_agent import LanguageAgent
from experiments.bridge.loop import conditions as loop_conditions
from experiments.bridge.loop import config as loop_config
from experiments.bridge.loop.boards import READS, along, judge_board, on_board
from experiments.bridge.loop.boards_report import findings
from experiments.bridge.loop.conditions import long
from experiments.bridge.loop.config import BOARD_PARTS, PRESETS, TUNED, LoopConfig
from experiments.results.files import stack_tables
from popjax import make
from tests.experiments.bridge.test_loop import invented, wobbling
from tests.support.command import run

SMALL = replace(
    PRESETS["smoke"], seeds=2, num_episodes=4, updates=(2, 2, 2, 2, 2), judged=16,
    boards=("ConcentrationEasy",), board_updates=(2, 2, 2),
)  # fmt: skip


def board(setup, what, gap=0.3, taught=0.6, lost=0.1):
    """What a part of a board would tell if all hypotheses held."""
    seeds = setup.seeds
    if what == "players":
        earns = {"random": -0.2, "memoryless": 0.3, "reference": 0.8}
        rows = (
            {"return": wobbling(r, seeds), "length": wobbling(9, seeds)} for r in earns.values()
        )
        return stack_tables([long(row, name) for row, name in zip(rows, earns, strict=True)])
    if what == TUNED:
        tables = []
        for i, stop in enumerate([*(f"beta {beta:g}" for beta in setup.betas), "transcripts"]):
            path = np.linspace(0, 1, 4) / (1 + i)
            names = ("return", "kl", "excess", "own_excess", "impossible", "own_impossible")
            curves = dict.fromkeys(names, path) | {"forgotten": lost * path}
            curves = {name: wobbling(value, seeds) for name, value in curves.items()}
            tables.append(long(curves, stop, [0, 1, 2, 3]))
        return stack_tables(tables)
    own = 0.9 - (gap if what == "clone" else 0.0)
    numbers = {"open_mean": 0.9, "closed_mean": own, "strayed_mean": 0.5, "open_nats": 0.1,
               "closed_nats": 0.1 + 0.9 - own, "return": taught if what == "dagger" else 0.3,
               "expert_return": 0.8, "length": 9.0, "expert_length": 10.0}  # fmt: skip
    found = {name: wobbling(value, seeds)[:, 0] for name, value in numbers.items()}
    steps = np.full((seeds, 5), 0.9)
    closed = np.where(np.arange(5) < 4, steps * own / 0.9, np.nan)
    return long(found | {"open_right": steps, "closed_right": closed}, "end")


def outcomes(**changed):
    setup = LoopConfig(seeds=5, boards=("MineSweeperEasy",), betas=(0.0, 0.01, 0.1))
    tables = {(f"board {name}", what): board(setup, what, **changed) for name in setup.boards
              for what in BOARD_PARTS}  # fmt: skip
    return {one.name: one.outcome for one in findings(tables, setup)}


def test_findings_follow_from_the_numbers():
    assert outcomes() == dict.fromkeys(("H3a boards", "H3a' boards", "H3d boards"), "holds")
    assert outcomes(gap=0.0)["H3a boards"] == "fails"
    assert outcomes(taught=0.2)["H3a' boards"] == "fails"
    assert outcomes(lost=-0.1)["H3d boards"] == "fails"
    assert findings({}, LoopConfig()) == []


def test_steps_after_the_end_do_not_count():
    values = jnp.array([[1.0, 3.0], [5.0, 100.0], [100.0, 100.0]])
    where = jnp.array([[1, 1], [1, 0], [0, 0]]) > 0
    np.testing.assert_array_equal(along(values, where), [2.0, 5.0, np.nan])


@pytest.mark.slow  # by default: findings from given numbers
def test_the_same_boards_whoever_plays(quickly_compiled):
    """An untrained policy: both loops are as right as chance, the expert's numbers are its own,
    and steps after the expert's last have none."""
    env = make("ConcentrationEasy")
    network = SMALL.network(env)
    params = LanguageAgent.of(env, network, READS).init(jax.random.key(0))
    params = jax.tree.map(jnp.zeros_like, params)
    key = jax.random.key(1)
    found = jax.jit(lambda p: judge_board(env, network, 16, p, key))(params)
    for name in ("open_mean", "closed_mean", "strayed_mean"):
        np.testing.assert_allclose(found[name], 1 / 52, rtol=1e-4)
    np.testing.assert_allclose(found["closed_nats"], np.log(52), rtol=1e-4)
    assert 0.6 < found["expert_return"] < 1.0 and found["return"] < 0.2
    longest = int(np.isfinite(found["open_right"]).sum())
    assert found["expert_length"] <= longest < env.max_steps == found["length"]
    assert np.isnan(found["open_right"][longest:]).all()


@pytest.mark.slow  # by default: test_loop.py makes its page
def test_a_board_goes_from_training_to_the_page(capsys, tmp_path, monkeypatch, quickly_compiled):
    """One way and the tuning are trained, all else is invented; the same command goes on."""
    trained = []

    def mostly_invented(setup, game, what):
        if not game.startswith("board"):
            return invented(setup, game, what)
        if what not in ("any", TUNED):
            return board(setup, what)
        rows = on_board(setup, game.removeprefix("board "), what)
        trained.append(stack_tables([long(*row) for row in rows]))
        return trained[-1]

    monkeypatch.setattr(loop_conditions, "run_part", mostly_invented)
    monkeypatch.setitem(loop_config.PRESETS, "small", SMALL)
    words = f"bridge loop --preset small --seeds 2 --out {tmp_path}"
    code, out, err = run(capsys, words)
    assert code == 0, err
    assert "H3d boards" in " ".join(out.split()) and len(trained) == 2
    for table, what in zip(trained, ("any", TUNED), strict=True):
        assert set(table["what"]) == set(board(SMALL, what)["what"])
        late = np.isin(table["what"], ("open_right", "closed_right"))
        assert np.isfinite(table["value"][~late]).all() and set(table["seed"]) == {0, 1}
    page = (tmp_path / "loop" / "loop.html").read_text()
    assert page.count("<img") == 3 and "Boards, where actions affect observations" in page
    code, out, _ = run(capsys, words)
    assert code == 0 and len(trained) == 2
    assert (tmp_path / "loop" / "board-ConcentrationEasy-tuned.parquet").exists()


@pytest.mark.slow
@pytest.mark.parametrize("what", BOARD_PARTS)
def test_every_way_trains_on_mines(what, quickly_compiled):
    setup = replace(SMALL, boards=("MineSweeperEasy",))
    table = loop_conditions.run_part(setup, "board MineSweeperEasy", what)
    assert set(table) == {"what", "stop", "seed", "t", "value"}
    assert set(table["what"]) >= set(board(setup, what)["what"])
