"""The language model's costume in the command line: trained, stopped, resumed, tabulated."""

import numpy as np
import pytest

from agents.held_out import floor_kind, per_token
from agents.lm import LMConfig
from experiments.cli.app import main
from experiments.results.spec import NetworkConfig, Settings
from experiments.results.store import Cell, read_parquet
from experiments.results.study import read_study
from experiments.train.cell import cell
from experiments.train.run import run_cell
from popjax import FAMILIES
from popjax.floors import floor
from tests.support.command import assert_harmless, run

TINY = (
    "--total-steps 3264 --num-segments 2 --num-episodes 8 --seeds 2 --features 8 --eval-episodes 16"
)
LM = LMConfig(num_episodes=8)
SMALL = Settings(
    total_steps=8 * 51 * 8,
    seeds=2,
    num_segments=2,
    eval_episodes=16,
    network=NetworkConfig(features=8, head_features=8),
    lm=LM,
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """One study with a cell in each costume."""
    out = tmp_path_factory.mktemp("results")
    words = f"train HigherLowerEasy --out {out} {TINY}"
    assert main(f"{words} --memory gru --as lm".split()) == 0
    assert main(f"{words} --memory mlp --num-envs 8 --num-steps 16".split()) == 0
    return out


def test_a_language_model_is_trained(study, capsys):
    """Its folder says how, its line has nats, the exact floor and the excess over it; and the
    agent in the same study has a table of its own."""
    code, out, _ = run(capsys, f"report train --out {study}")
    assert code == 0
    for word in ("nats/token", "2.2055", "exact", "excess", "gru as lm", "MMER", "normalised"):
        assert word in out
    rows = {row.spec.regime: row for row in read_study(study / "train")}
    assert rows["lm"].final is None and rows["ppo"].tokens is None
    assert rows["lm"].spec.id.startswith("HigherLowerEasy-gru-lm-")
    for seed in rows["lm"].tokens:
        np.testing.assert_allclose(seed["floor"], floor("HigherLowerEasy").nats_per_token)
        np.testing.assert_allclose(seed["excess"], seed["nats"] - seed["floor"])
        assert 2.3 < seed["nats"] < 2.7


def test_every_update_tells_what_it_was_told(study):
    """Tokens and nats of supervision, so that a curve can be drawn over each."""
    [folder] = (study / "train").glob("*-lm-*")
    table = read_parquet(folder / "metrics.parquet")
    assert (table["environment_tokens"] == 8 * 51).all()
    assert (table["gradient_tokens"] == 8 * 51).all()
    np.testing.assert_allclose(table["realised_nats"], 8 * 51 * table["nats"], rtol=1e-5)
    np.testing.assert_allclose(table["excess"], table["nats"] - 112.481 / 51, atol=1e-4)
    assert (table["supervision_nats"] < 8 * 51 * np.log(13) * 1.0001).all()
    assert (table["step"] == (table["update"] + 1) * 8 * 51).all()


def test_held_out_episodes_are_new(study):
    """What was read in training is not what the model is judged by, and seeds have their own."""
    [folder] = (study / "train").glob("*-lm-*")
    table = read_parquet(folder / "evaluation.parquet")
    sums = {name: table[name] for name in ("nats", "floor", "tokens", "correct")}
    assert len(sums["nats"]) == 32 and np.unique(sums["nats"]).size == 32
    assert per_token(sums)["excess_error"] > 0


@pytest.mark.slow  # by default: test_lm_train.py joins segments bitwise
@pytest.mark.parametrize("corpus", [0, 16])
def test_stopped_and_run_again_is_run_through(tmp_path, corpus):
    """Cut off after the first segment, it goes on to bitwise the same result."""
    lm = LMConfig(num_episodes=8, corpus=corpus)
    spec = cell("RepeatFirstEasy", "gru", Settings(**{**vars(SMALL), "lm": lm}), "lm")
    assert run_cell(tmp_path / "through", spec) == "finished"

    def stop(news):
        if news["stage"] == "training":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cell(tmp_path / "stopped", spec, stop)
    assert not Cell(tmp_path / "stopped", spec).finished
    assert len(Cell(tmp_path / "stopped", spec).progress()) == 2 * spec.updates_per_segment
    assert run_cell(tmp_path / "stopped", spec) == "finished"
    for a, b in zip(
        Cell(tmp_path / "through", spec).read()[:2],
        Cell(tmp_path / "stopped", spec).read()[:2],
        strict=True,
    ):
        assert a.keys() == b.keys()
        for column in a:
            np.testing.assert_array_equal(a[column], b[column])


@pytest.mark.slow  # by default: one cell of them, and a sweep of agents
def test_a_sweep_of_language_models(capsys, tmp_path):
    """A line a cell with the excess over its floor; the study has the costume's name."""
    words = (
        "sweep --as lm --envs RepeatFirstEasy MultiarmedBanditEasy --memories mlp "
        f"--total-steps 30000 --seeds 1 --features 8 --workers 1 --out {tmp_path}"
    )
    code, out, _ = run(capsys, words)
    assert code == 0
    assert out.count("│ exact") == 2 and "1.2699" in out
    assert "mlp as lm" in out and "MMER" not in out
    assert (tmp_path / "quick-lm" / "study.json").exists()
    code, out, _ = run(capsys, words)
    assert code == 0 and out.count("finished before") == 2


def test_floors_are_exact_or_bounds():
    kinds = {family: floor_kind(levels["Easy"]) for family, levels in FAMILIES.items()}
    assert kinds["HigherLower"] == kinds["MineSweeper"] == "exact"
    assert kinds["LabyrinthEscape"] == kinds["PositionOnlyCartPole"] == "at most"


def test_cells_that_read_reals_are_told_from_those_that_read_bins():
    cells = {
        (env, observations): cell(
            env, "gru", Settings(lm=LMConfig(num_episodes=8, observations=observations)), "lm"
        )
        for env in ("RepeatFirstEasy", "PositionOnlyPendulumEasy")
        for observations in ("bins", "reals")
    }
    ids = {name: spec.id for name, spec in cells.items()}
    assert ids["RepeatFirstEasy", "bins"] == ids["RepeatFirstEasy", "reals"]
    assert ids["PositionOnlyPendulumEasy", "bins"] != ids["PositionOnlyPendulumEasy", "reals"]


def test_what_the_costumes_do_not_share_is_not_in_the_name():
    """A language model's cell does not depend on PPO's settings, nor an agent's on its."""
    from agents.ppo import PPOConfig

    other = Settings(**{**vars(SMALL), "ppo": PPOConfig(num_envs=8)})
    assert cell("RepeatFirstEasy", "gru", SMALL, "lm").id == (
        cell("RepeatFirstEasy", "gru", other, "lm").id
    )
    other = Settings(**{**vars(SMALL), "lm": LMConfig(num_episodes=4)})
    assert cell("RepeatFirstEasy", "gru", SMALL).id == cell("RepeatFirstEasy", "gru", other).id
    assert cell("RepeatFirstEasy", "gru", SMALL, "lm").id != (
        cell("RepeatFirstEasy", "gru", other, "lm").id
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("train RepeatFirstEasy --as ml", "no regime is called 'ml': did you mean 'lm'?"),
        ("train RepeatFirstEasy --regime ppoo", "did you mean 'ppo'?"),
        ("sweep --as lmm", "did you mean 'lm'?"),
        ("train RepeatFirstEasy --as lm --player randm", "did you mean 'random'?"),
        ("train RepeatFirstEasy --as lm --corpus 100", "must divide corpus (100)"),
        (
            "train RepeatFirstEasy --as lm --num-episodes 0",
            "--num-episodes takes a whole number from 1",
        ),
        ("train RepeatFirstEasy --as lm --schedule cosin", "cosine"),
        ("train RepeatFirstEasy --as lm --previous-action maybe", "auto"),
        ("train RepeatFirstEasy --as lm --total-steps 0", "--total-steps takes"),
        ("bench lm --features 0", "--features takes a whole number from 1"),
    ],
)
def test_a_mistake_gets_one_line(capsys, monkeypatch, tmp_path, words, says):
    assert_harmless(capsys, monkeypatch, tmp_path, words, says)


@pytest.mark.slow  # by default: the other bench of test_app.py
def test_the_bench_prints_its_table(capsys):
    code, out, _ = run(capsys, "bench lm --memory mlp --features 8 --repeats 1")
    assert code == 0 and out.count("PPO, ") == 3 and "tokens/s" in out


@pytest.mark.slow  # by default: test_rungs.py trains one, this file another
@pytest.mark.parametrize(
    ("regime", "tables"),
    [("all", "MMER excess"), ("dagger", "MMER"), ("guess", "excess")],
)
def test_a_rung_between_the_two_is_trained(capsys, tmp_path, regime, tables):
    """What acts has returns, what predicts has nats, what does both has two tables."""
    words = (
        f"train RepeatPreviousEasy --regime {regime} --out {tmp_path} --memory mlp --seeds 1 "
        "--features 8 --head-features 8 --num-episodes 8 --total-steps 816 --num-segments 1 "
        "--eval-episodes 8"
    )
    code, out, err = run(capsys, words)
    assert code == 0, err
    for word in ("MMER", "excess"):
        assert (word in out) == (word in tables)
    assert f"mlp as {regime}" in out


def test_every_rung_is_known_by_name():
    from agents.objectives import OBJECTIVES
    from experiments.train.objectives import REGIMES, regime_name

    for name in OBJECTIVES:
        assert regime_name(name) in REGIMES
    assert regime_name("next_obs") == "lm"
    assert set(REGIMES) >= {"ppo", "lm", "clone", "dagger", "grpo", "guess"}
