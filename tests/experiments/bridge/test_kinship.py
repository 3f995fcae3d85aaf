"""`popjax bridge kinship`: verdicts by registered rules, and networks that go on with another's
state."""

import json
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.agent import Agent
from agents.evaluate import evaluate
from agents.memory import MEMORIES
from agents.networks import Backbone, Head, actor_critic
from experiments.bridge.kinship import kept
from experiments.bridge.kinship.config import (
    COSTUMES,
    FULL,
    KINDS,
    PRESETS,
    REGISTERED,
    config_with,
    spec_of,
)
from experiments.bridge.kinship.figures import matrix, rank_correlation
from experiments.bridge.kinship.measures import Row, pairs_of, table_of
from experiments.bridge.kinship.networks import Grafted
from experiments.bridge.kinship.study import best_rate, files_of, held_grid, verdict_grid
from experiments.bridge.kinship.verdict import competence, recovery, verdict
from experiments.bridge.measures.overlap import exact
from popjax import make
from tests.support.command import assert_one_line, run

SEEDS = 4
NOISE = np.random.default_rng(0)


def invented(
    agent_return=1.0, excess=0.001, to_agent=0.0, to_model=0.0, held=(1.0, 1.0), forget=(2.0, 3.0)
):
    """A cell in which each direction recovers so much, on RepeatFirst's scale."""
    rows = [
        Row("scale", "random", "", -1, -0.5),
        Row("scale", "memoryless", "", -1, -0.5),
        Row("scale", "reference", "", -1, 1.0),
        Row("scale", "floor", "", -1, 1.27),
        Row("scale", "floor without memory", "", -1, 1.386),
    ]
    rows += [Row("return", "", "agent", i, agent_return) for i in range(SEEDS)]
    rows += [Row("nats", "", "model", i, 1.27 + excess) for i in range(SEEDS)]
    for who in ("rl", "lm"):
        rows.append(Row("known", who, "", -1, 4.0))
        for kind, nats in zip(KINDS, (*held, 0.1), strict=True):
            for what in ("held 0", "held 0.1", "held 0.3", "network 0.1", "linear 0.1"):
                rows += [
                    Row(what, who, kind, i, nats + NOISE.normal(0, 0.01)) for i in range(SEEDS)
                ]
            rows += [Row("variance", who, kind, i, 0.5) for i in range(SEEDS)]
    for host, share in (("agent", to_agent), ("model", to_model)):
        other = "model" if host == "agent" else "agent"
        levels = {host: 1.0, other: share, "untrained": 0.0}
        for i in range(SEEDS):
            rows.append(Row("exchange", "", host, i, 1.0, host, i))
            for donor, level in levels.items():
                rows += [
                    Row("exchange", "", host, i, level + NOISE.normal(0, 0.01), donor, j)
                    for j in range(SEEDS)
                    if j != i
                ]
    for kind, nats in zip(KINDS, (*forget, 1.0), strict=True):
        rows += [Row("retained", "0", kind, i, nats) for i in range(SEEDS)]
    for a in KINDS:
        for b in KINDS:
            rows += [
                Row("alike", "CKA", a, i, 0.9 if a == b else 0.3, b, j)
                for i in range(SEEDS)
                for j in range(SEEDS)
                if (a, i) != (b, j)
            ]
    return table_of(rows)


@pytest.mark.parametrize(
    "cell, expected",
    [
        ({"to_agent": 1.0, "to_model": 1.0}, "same"),
        ({"to_agent": 1.0, "to_model": 0.2}, "one-sided"),
        ({"to_agent": 0.1, "to_model": 0.2}, "different"),
        ({"to_agent": 1.0, "to_model": 1.0, "held": (1.0, 0.3)}, "different"),
        ({"to_agent": 1.0, "to_model": 1.0, "held": (1.0, 0.7)}, "inconclusive"),
        ({"to_agent": 1.0, "to_model": 1.0, "agent_return": 0.5}, "unmatched"),
        ({"to_agent": 1.0, "to_model": 1.0, "excess": 0.02}, "unmatched"),
    ],
)
def test_a_verdict_follows_from_recovery_and_what_is_held(cell, expected):
    found = verdict("RepeatFirstEasy", "gru", invented(**cell))
    assert found.verdict == expected
    assert bool(found.competence.faults) == (expected == "unmatched")


def test_recovery_is_between_an_untrained_network_and_another_seed():
    found = recovery(invented(to_agent=0.4), "agent")
    assert found.middle == pytest.approx(0.4, abs=0.02)
    assert found.low < found.middle < found.high < 0.5


def test_the_gate_asks_for_a_memory_that_is_used():
    """HigherLower earns 0.497 of 0.519 without any: 0.95 of the scale is not enough."""
    table = invented()
    for name, value in (("random", 0.0), ("memoryless", 0.49), ("reference", 0.52)):
        table["value"][(table["what"] == "scale") & (table["of"] == name)] = value
    table["value"][table["what"] == "return"] = 0.50
    skill = competence(table)
    assert skill.agent > 0.95 and skill.gain == pytest.approx(1 / 3)
    [fault] = skill.faults
    assert "0.7 needed" in fault


def test_what_was_registered_follows_from_the_overlap_of_the_rules():
    """Equal statistics: the same; one within the other: one-sided; else different."""
    expected = {"equal": "same", "LM richer": "one-sided", "disjoint": "different"}
    for family, registered in REGISTERED.items():
        assert expected[exact(make(f"{family}Easy")).kind] == registered, family


def test_both_kinds_have_one_backbone_inputs_and_tuning_budget():
    for env in FULL.envs:
        specs = {c: spec_of(FULL, env, "gru", c, 2e-3) for c in COSTUMES}
        agent, model = (specs[c].settings for c in COSTUMES)
        assert agent.network == model.network and agent.network.separate_critic
        assert agent.ppo.inputs == "obs" and agent.seeds == model.seeds
        for costume in COSTUMES:
            tuning = spec_of(FULL, env, "gru", costume, 2e-3, tuning=True).settings
            assert min(range(tuning.first_seed, tuning.first_seed + tuning.seeds)) >= 1000
            assert tuning.total_steps == round(FULL.share * specs[costume].settings.total_steps)


def test_a_file_is_named_by_what_decides_its_cell_alone():
    longer = replace(FULL, agent_steps={**FULL.agent_steps, "CountRecallEasy": 1})
    before, after = files_of(FULL), files_of(longer)
    changed = {part for part in before if before[part] != after[part]}
    assert {env for env, _ in changed} == {"CountRecallEasy"}


def test_ties_go_to_the_lowest_rate():
    level = np.array([0.9, 1.0])
    assert best_rate({1e-3: level - 0.01, 2e-3: level, 4e-3: level - 0.5}) == 1e-3
    assert best_rate({1e-3: level - 0.2, 2e-3: level, 4e-3: level}) == 2e-3


def test_an_agent_grafted_onto_itself_plays_as_before():
    """Through the unit map its own features give its own policy: the same returns, bit for bit."""
    env = make("RepeatFirstEasy")
    backbone = Backbone((MEMORIES["mlp"](8),))
    network = actor_critic(env.action_space, backbone, head_features=8)
    agent = Agent.of(env, network, "obs")
    params = jax.jit(agent.init)(jax.random.key(0))
    head = Head(4, 8, 0.01)
    itself = jnp.eye(9, 8)
    grafted = Agent.of(env, Grafted(backbone, head), "obs")
    own = params["params"]
    graft = own["backbone"], itself, own["policy"]
    play = jax.jit(lambda a, p: evaluate(env, a, p, jax.random.key(1), 4), static_argnums=0)
    np.testing.assert_array_equal(play(agent, params), play(grafted, graft))


def test_pairs_share_the_token_on_the_table():
    draw = np.random.default_rng(0)
    token, value = draw.integers(2, size=300), draw.integers(3, size=(300, 1))
    same, other = pairs_of(value, token, most=50)
    for pairs in (same, other):
        assert len(pairs) == 50 and (token[pairs[:, 0]] == token[pairs[:, 1]]).all()
    assert (value[same[:, 0]] == value[same[:, 1]]).all()
    assert (value[other[:, 0]] != value[other[:, 1]]).all()


def test_the_matrix_and_the_correlation_of_forgetting():
    tables = {
        (env, memory): invented(to_agent=1.0, to_model=1.0, forget=(1.0 + i + j, 2.0 * i + j))
        for i, env in enumerate(("RepeatFirstEasy", "HigherLowerEasy"))
        for j, memory in enumerate(("gru", "lstm"))
    }
    verdicts = {part: verdict(*part, table) for part, table in tables.items()}
    matrix(verdicts)
    low, middle, high = rank_correlation(verdicts, tables, draws=200)
    assert low <= middle <= high and middle > 0.5
    assert np.isnan(rank_correlation(dict(list(verdicts.items())[:3]), tables)).all()


def test_a_mistake_gets_one_line(capsys, tmp_path):
    words = f"bridge kinship --out {tmp_path}"
    assert_one_line(capsys, f"{words} --preset min", "did you mean 'mini'?")
    assert_one_line(capsys, f"{words} --memories grue", "did you mean 'gru'?")
    assert_one_line(capsys, f"{words} --envs RepeatFirstHard", "RepeatFirstEasy")
    assert_one_line(capsys, f"{words} --cell RepeatFirstEasy elman", "kept cell")


def test_kept_cells_are_whole(capsys):
    """Each has its record, its measures and weights; their verdict can be drawn again."""
    code, out, _ = run(capsys, "bridge kinship --show --format json")
    assert code == 0
    for record in json.loads(out):
        assert record["verdict"] in ("same", "one-sided", "different", "inconclusive", "unmatched")
        assert record["seeds"] == FULL.seeds_of(record["env"])
        assert record["spec"]["agent"]["commit"] and record["spec"]["model"]["cpu_seconds"] > 0
        stem = kept.FOLDER / f"{record['env']}-{record['memory']}"
        with np.load(stem.with_suffix(".npz")) as weights:
            assert {name.split("/")[0] for name in weights} == {"agent", "model"}


def test_the_text_states_the_kept_cells():
    """`notebooks/experiments.md` has the rows that `popjax bridge kinship --show` prints."""
    text = Path(__file__).parents[3].joinpath("notebooks/experiments.md").read_text("utf-8")
    tables = {(env, memory): table for env, memory, table, _ in kept.cells()}
    verdicts = kept.verdicts()
    rows = [row[:-1] for row in verdict_grid(verdicts).rows]  # the last says what is missing
    for row in [*rows, *held_grid(verdicts, tables).rows]:
        assert "| " + " | ".join(row) + " |" in text


@pytest.mark.slow  # by default: all parts by themselves
def test_a_cell_is_trained_measured_and_judged_once(capsys, tmp_path, monkeypatch):
    words = f"bridge kinship --preset smoke --out {tmp_path}"
    code, out, _ = run(capsys, words)
    assert code == 0 and "0 finished" in out and "unmatched" in out
    assert (tmp_path / "kinship" / "kinship.html").exists()
    monkeypatch.setattr("experiments.bridge.kinship.study.measured", None)
    assert "1 finished" in run(capsys, words)[1]
    assert PRESETS["smoke"].cells == config_with("smoke", (), ()).cells
