"""An environment that was just added, of which nothing is known yet, trips no command."""

import jax.numpy as jnp
import pytest

from popjax import registry, scores
from popjax.envs.repeat_first import RepeatFirst
from popjax.families import Family
from tests.support.command import run

TINY = "--memory mlp --features 4 --total-steps 64 --seeds 1 --num-segments 1 --eval-episodes 2"
PPO = "--num-envs 2 --num-steps 8 --num-epochs 1 --num-minibatches 1"


class Novelty(RepeatFirst):
    """A family of its own."""


@pytest.fixture
def novelty(monkeypatch):
    monkeypatch.setitem(registry.ENVS, "NoveltyEasy", Novelty())
    monkeypatch.setitem(registry.FAMILIES, "Novelty", Family({"Easy": Novelty()}))


def test_nothing_is_known_of_it(novelty):
    assert scores.scores("NoveltyEasy") == {}
    for scale in (scores.normalise, scores.memory_gain):
        assert jnp.isnan(scale("NoveltyEasy", [0.5, 1.0])).tolist() == [True, True]
    assert not scores.solved("NoveltyEasy", 1.0)


def test_lists_show_it(novelty, capsys):
    code, out, _ = run(capsys, "envs")
    assert code == 0 and "NoveltyEasy" in out
    code, out, _ = run(capsys, "bridge floors")
    assert code == 0 and "RepeatFirstEasy" in out and "Novelty" not in out


@pytest.mark.slow
def test_it_is_trained_and_reported(novelty, capsys, tmp_path):
    code, out, _ = run(capsys, f"train NoveltyEasy {TINY} {PPO} --out {tmp_path}")
    assert code == 0 and "NoveltyEasy" in out and "report.html" in out
    page = (tmp_path / "train" / "report.html").read_text()
    assert "NoveltyEasy" in page and "nan" not in page.lower().split("<script")[0]


def test_its_scores_are_measured_and_kept(novelty, capsys, tmp_path, monkeypatch):
    table = tmp_path / "scores.json"
    table.write_text(scores.TABLE.read_text("utf-8"), "utf-8")
    monkeypatch.setattr(scores, "TABLE", table)
    scores._table.cache_clear()
    words = "--measure NoveltyEasy --kinds random --episodes 4 --store"
    scores.main(words.split())
    known = scores.scores("NoveltyEasy")
    monkeypatch.undo()
    scores._table.cache_clear()
    assert known["random"]["episodes"] == 4
    assert jnp.isfinite(known["random"]["mean"])
