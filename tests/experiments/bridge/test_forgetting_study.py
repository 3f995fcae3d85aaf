"""`popjax bridge forgetting`: half-lives and recoverable nats of every memory in both costumes."""

import numpy as np
import pytest

from experiments.bridge import forgetting as study
from experiments.bridge.forgetting import (
    COSTUMES,
    PRESETS,
    curves_of,
    histories_of,
    lead,
    specs_of,
    suite_table,
)
from tests.support.command import assert_one_line, run

SMOKE = PRESETS["smoke"]
SEEDS, LAGS = 2, 10


def invented(agent, model):
    """Curves of both costumes, after nothing was known before training; all seeds alike."""
    rows = []
    for costume, curve in zip(COSTUMES, (agent, model), strict=True):
        for when, nats in (("trained", curve), ("untrained", np.zeros(LAGS))):
            for seed in range(SEEDS):
                columns = {"costume": costume, "when": when, "seed": seed, "lag": np.arange(LAGS)}
                columns |= {"nats": nats, "worth": np.full(LAGS, 1.0)}
                rows.append({k: np.broadcast_to(v, LAGS) for k, v in columns.items()})
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


REGISTER = np.where(np.arange(LAGS) < 4, 1.0, 0.0)
FADING = 0.5 ** (np.arange(LAGS) / 2)
FULL = np.ones(LAGS)


def test_lives_and_totals_follow_from_the_curves():
    tables = {("RepeatPreviousEasy", "gru"): invented(REGISTER, FADING),
              ("RepeatPreviousEasy", "s5"): invented(FADING, FULL)}  # fmt: skip
    agent, model = curves_of(tables["RepeatPreviousEasy", "gru"]).values()
    assert agent.life == 4 and agent.total.tolist() == [4, 4]
    assert model.life == 2
    assert curves_of(tables["RepeatPreviousEasy", "s5"])["language model"].life == np.inf
    rows = {row[0]: row[1:] for row in suite_table(tables).rows}
    assert rows["RepeatPreviousEasy, gru"][:3] == ("4", "2", "4.00 ± 0.00")
    assert rows["RepeatPreviousEasy, s5"][1] == "> 9"
    assert rows["all environments, gru"][2] == "40.0 %"
    assert lead(tables).startswith("As agents, gru retains most") and "s5" in lead(tables)


def test_both_costumes_read_the_same():
    for env in ("RepeatPreviousEasy", "MultiarmedBanditEasy"):
        agent, model = specs_of(SMOKE, env, "gru").values()
        on = "obs+action" if env.startswith("Multi") else "obs"
        assert agent.settings.ppo.inputs == on and model.regime == "lm"
        assert agent.settings.network == model.settings.network


@pytest.mark.slow
@pytest.mark.parametrize(
    "env, parts, classes",
    [("RepeatPreviousEasy", 1, 4), ("PositionOnlyCartPoleEasy", 2, 8)],
)
def test_lag_zero_is_the_newest_token(env, parts, classes):
    read = histories_of(env, SMOKE.settings.lm, 3, 24)
    assert read.earlier.shape[1:] == (3, parts) and read.classes == classes
    assert read.earlier.max() < classes
    if parts == 1:
        newest = read.x[-1, :, :4].argmax(axis=-1)
        assert (read.earlier[:, 0, 0] == newest).all()
        assert (read.earlier[:, 2, 0] == read.x[-3, :, :4].argmax(axis=-1)).all()


def test_a_mistake_gets_one_line(capsys, tmp_path):
    words = f"bridge forgetting --out {tmp_path}"
    assert_one_line(capsys, f"{words} --preset min", "did you mean 'mini'?")
    assert_one_line(capsys, f"{words} --memories grue", "did you mean 'gru'?")
    assert_one_line(capsys, f"{words} --envs RepeatPreviousEsy", "RepeatPreviousEasy")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_cells_are_trained_once_and_measured(capsys, tmp_path):
    words = f"bridge forgetting --preset smoke --out {tmp_path}"
    code, out, _ = run(capsys, words)
    assert code == 0 and "all environments, mlp" in out
    code, again, _ = run(capsys, words)
    assert code == 0 and "2 finished" in again and "finished before" in again
    assert (tmp_path / "forgetting" / "forgetting.html").read_text().count("<img") == 1
    assert study.PRESETS["smoke"] == SMOKE
