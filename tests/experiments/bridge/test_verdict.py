"""`popjax bridge verdict`: the closed form on a second route, and findings that follow from the
numbers."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.bridge.batched_objectives import SUPERVISION_METRICS
from experiments.bridge.criterion import slowdown
from experiments.bridge.factorial import conditions as factorial_conditions
from experiments.bridge.verdict import conditions as study
from experiments.bridge.verdict.config import PRESETS, RUNGS, Condition, VerdictConfig
from experiments.bridge.verdict.findings import feedback_ratio, findings
from experiments.bridge.verdict.gradients import NAMES
from experiments.bridge.verdict.report import noise_scale, predicted_slowdown
from tests.support.command import assert_one_line, run

SETUP = PRESETS["mini"]


def times_to(choices, levels, weighted, step=0.005):
    """When gradient flow on the logits of one softmax gets there, by small steps of Euler."""
    logits, t, times = np.zeros(choices), 0.0, []
    right = np.eye(choices)[0]
    for level in levels:
        while True:
            p = np.exp(logits - logits.max())
            p /= p.sum()
            if p[0] >= level:
                break
            logits += step * (right - p) * (p[0] if weighted else 1.0)
            t += step
        times.append(t)
    return np.array(times)


@pytest.mark.parametrize(
    "choices, half, most", [(4, 2.8, 1.5), (9, 4.1, 1.9), (17, 5.8, 2.5), (27, 7.7, 3.2)]
)
def test_the_price_of_a_verdict_without_noise(choices, half, most):
    """As published beforehand, and by the flow itself: the gradient of a label on the logits is
    1[right] - p, that of a verdict p(right) times as much."""
    levels = (0.5, 0.9)
    ratio = times_to(choices, levels, True) / times_to(choices, levels, False)
    np.testing.assert_allclose([slowdown(choices, level) for level in levels], ratio, rtol=0.01)
    assert [round(slowdown(choices, level), 1) for level in levels] == [half, most]


def test_nothing_is_predicted_where_learning_begins():
    assert predicted_slowdown(2, 0.5) is None
    assert predicted_slowdown(4, 0.5) == slowdown(4, 0.5)
    assert slowdown(2, 0.5001) == pytest.approx(2, abs=0.01), "a half of the label's speed"


def test_what_sums_tell():
    assert feedback_ratio(4, 51) == pytest.approx(11, abs=0.4), "28 : 11 : 1 in RepeatFirst"


def invented(setup, part, price, scale=4.0):
    """Seeds that come to 0.5 after 1,000 tokens and to 0.9 after 3,000, times a price; all feedback
    alike, and so many nats a token that sums and verdicts make as much of each."""
    tokens = np.geomspace(1, 1e5, 60)
    begin = np.array([1 / part.suits, max(0.5, 1.2 / part.suits), 0.9, 0.99])
    rows = []
    for seed in range(setup.seeds):
        own = price * (1 + 0.02 * seed)
        right = np.interp(tokens / own, [0, 1000, 3000, 9000], begin)
        columns = {"seed": seed, "update": np.arange(60), "seconds": 1.0, "right": right}
        columns |= dict.fromkeys(SUPERVISION_METRICS[:2], tokens) | {
            SUPERVISION_METRICS[2]: tokens / price
        }
        columns |= {"signal": 1.0, "noise": scale, "cos_expected": 0.9, "cos_quarter": 0.6}
        columns |= {"cos_labels": 0.8, "cos_ppo": 0.5 - 0.1 * right}
        rows.append({k: np.broadcast_to(v, 60) for k, v in columns.items()})
    assert set(NAMES) <= set(columns)
    return {
        name: np.stack([row[name] for row in rows], axis=1).ravel().astype(float)
        for name in rows[0]
    }


def prices(part):
    """As the closed form has it."""
    theory = predicted_slowdown(part.suits, 0.5) or 2.0
    return {"label": 1.0, "unbiased verdict": 1.0, "verdict": theory,
            "sum": theory * feedback_ratio(part.suits, 13)}[part.feedback]  # fmt: skip


def found_with(price):
    curves = {}
    for part in SETUP.parts:
        table = invented(SETUP, part, price(part))
        curves[part] = {name: column.reshape(-1, 5).T for name, column in table.items()}
    return {one.name: one for one in findings(curves, SETUP)}


def test_findings_follow_from_the_numbers():
    found = found_with(prices)
    assert {name: one.outcome for name, one in found.items()} == dict.fromkeys(
        ("H2a", "H2b", "H2c", "H2d", "H2e"), "holds"
    )
    assert found["H2a"].primary and "2.8 with 4" in found["H2a"].claim
    found = found_with(lambda part: prices(part) * (3 if part.feedback == "verdict" else 1))
    assert found["H2a"].outcome == "fails"
    never = found_with(lambda part: 1e6 if part.feedback == "verdict" else 1.0)
    assert never["H2a"].outcome == "fails" and "> " in never["H2a"].found


def test_the_noise_scale_is_that_of_looks_before_the_level():
    curve = {"right": np.array([[0.2, 0.95]]), "signal": np.array([[0.5, 9.0]]),
             "noise": np.array([[2.0, 1.0]])}  # fmt: skip
    assert noise_scale(curve, 0.9) == pytest.approx(4)
    below = {"right": np.zeros((1, 3)), "signal": np.array([[-1.0, 2.0, 3.0]]),
             "noise": np.ones((1, 3))}  # fmt: skip
    assert noise_scale(below, 0.9) == pytest.approx(3 / 4)
    assert noise_scale(below | {"signal": -np.ones((1, 3))}, 0.9) == np.inf


@pytest.mark.slow
def test_parts_are_run_once_and_make_a_page(capsys, tmp_path, monkeypatch):
    made = []

    def borrowed(setup, part, rate, watch):
        assert rate == setup.rates[part.feedback == "verdict"]
        made.append(part)
        if len(made) == 3:
            raise KeyboardInterrupt
        return invented(setup, part, prices(part))

    def tried(setup, part, watch):
        best = setup.rates[part.feedback == "verdict"]
        rate = np.repeat(np.float64(setup.rates), 2)
        right = np.where(rate == best, 0.9, 0.8)
        return {"rate": rate, "update": np.tile([1, 8], 2), "right": right}

    monkeypatch.setattr(study, "try_rates", tried)
    monkeypatch.setattr(study, "run_part", borrowed)
    words = f"bridge verdict --preset smoke --out {tmp_path}"
    code, out, _ = run(capsys, words)
    assert code == 130 and "goes on" in out
    code, out, _ = run(capsys, words)
    assert code == 0 and "14 finished" in out and len(made) == 1 + len(PRESETS["smoke"].parts)
    out = " ".join(out.split())
    assert "learning rates tried" in out and "0.900*" in out
    assert "H2a*" in out and "counted in nats" in out
    page = (tmp_path / "verdict" / "verdict.html").read_text()
    assert page.count("<img") == 3 and "The price of a verdict" in page
    assert (tmp_path / "verdict" / "verdict.png").stat().st_size


@pytest.mark.slow  # by default: the plan holds them
def test_the_six_cells_are_a_part_where_they_were_asked_for(capsys, tmp_path, monkeypatch):
    """In a study of their own inside the study's folder, and on its page."""

    def cell(setup, target, feedback, watch):
        looks = np.repeat(np.arange(6.0), setup.seeds)
        axes = dict.fromkeys(factorial_conditions.SUPERVISION_METRICS, 100 * looks + 1)
        return axes | {"competence": looks / 5, "seconds": looks}

    monkeypatch.setattr(study, "run_part", lambda s, part, *_: invented(s, part, prices(part)))
    monkeypatch.setattr(factorial_conditions, "run_cell", cell)
    setup = replace(PRESETS["smoke"], seeds=2, factorial="smoke", rates=())
    monkeypatch.setitem(PRESETS, "both", setup)
    code, out, err = run(capsys, f"bridge verdict --preset both --out {tmp_path}")
    assert code == 0, err
    assert "6 cells of 2 seeds" in out and "if nats were all" in out
    folder = tmp_path / "verdict" / "factorial"
    assert {path.stem for path in folder.glob("*.parquet")} == set(
        factorial_conditions.CELLS.values()
    )
    page = (tmp_path / "verdict" / "verdict.html").read_text()
    assert page.count("<img") == 4 and "Two targets by three kinds of feedback" in page


def test_a_mistake_gets_one_line(capsys, tmp_path):
    words = f"bridge verdict --out {tmp_path}"
    assert_one_line(capsys, f"{words} --preset min", "did you mean 'mini'?")
    assert_one_line(capsys, f"{words} --memory grue", "did you mean 'gru'?")
    assert_one_line(capsys, f"{words} --seeds 0", "--seeds takes a whole number from 1")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_every_way_of_being_told_learns():
    """One program trains all four: labels fastest; and a part ends when all seeds are done."""
    setup = VerdictConfig(seeds=2, suits=(2,), features=16, head_features=16, batches=(16,),
                        updates=(300,), num_looks=6, num_decks=64, num_gradients=8)  # fmt: skip
    right = {}
    for feedback in RUNGS:
        table = study.run_part(setup, Condition(2, feedback, 16), 1e-3, list)
        assert set(table) >= {*SUPERVISION_METRICS, *NAMES, "right"}
        right[feedback] = table["right"].reshape(-1, 2)
    assert right["label"][-1].min() > 0.9
    assert right["label"][0].max() < 0.6
    assert right["verdict"][-1].mean() > right["sum"][-1].mean()
