"""Every rung of the ladder is trained from the command line."""

import numpy as np
import pytest

from agents import objectives
from experiments.results.store import read_parquet
from tests.support.command import run

TINY = (
    "--memory mlp --features 8 --head-features 8 --num-episodes 8 --total-steps 816 "
    "--num-segments 1 --seeds 1 --eval-episodes 8"
)


@pytest.mark.by_default("grpo_step")
@pytest.mark.parametrize("name", [name for name in objectives.OBJECTIVES if name != "next_obs"])
def test_a_rung_learns_and_tells_its_three_axes(capsys, tmp_path, name):
    code, out, err = run(
        capsys, f"train RepeatPreviousEasy --regime {name} --out {tmp_path} {TINY}"
    )
    assert code == 0, err
    assert f"mlp as {name}" in out
    [folder] = (tmp_path / "train").glob(f"*-{name}-*")
    table = read_parquet(folder / "metrics.parquet")
    assert len(table["loss"]) == 2
    for column in ("loss", "grad_norm", "realised_nats"):
        assert np.isfinite(table[column]).all()
    rung = objectives.OBJECTIVES[name]
    answers = 51 - 3  # the card of three steps before can be named from the fourth step on
    judged = answers if rung.needs_label or "action" in rung.labels else 51
    tokens = judged + 51 * (len(rung.labels) == 2)
    assert (table["environment_tokens"] == 8 * 51).all()
    assert (table["gradient_tokens"] == 8 * tokens).all()
    most = {"labels": np.log(4) * tokens, "verdicts": 0.57 * 51, "sum": np.log(52)}[rung.feedback]
    assert (table["supervision_nats"] > 0).all()
    assert (table["supervision_nats"] < 8 * most * 1.001).all()
