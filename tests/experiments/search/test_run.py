"""Searches: what is proposed, who survives on which seeds, one program, and going on."""

import dataclasses
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from experiments.results.errors import UserError
from experiments.results.seeds import FRESH_SEEDS, TUNING_SEEDS
from experiments.results.spec import NetworkConfig, Settings
from experiments.results.store import read_parquet
from experiments.search import lanes
from experiments.search.engines import ENGINES, engine_of
from experiments.search.figure import by_chance, explained
from experiments.search.halving import make_plan
from experiments.search.lanes import compile_lanes, run_heat
from experiments.search.run import Group, Search, proposed, run_group, search
from experiments.search.space import SPACE, groups_of, point_at, space_of
from experiments.train.cell import cell
from experiments.train.objectives import REGIMES, Trainer
from tests.agents.test_sharding import in_four_devices

BEST = 0.003  # the learning rate that the trainer below likes


class Dice(struct.PyTreeNode):
    params: Any
    update: Any


def rolls(spec) -> Trainer:
    """A trainer whose return is how near the learning rate is to `BEST`, and some luck a seed."""

    def init(key, hyperparams, num_updates):
        luck = 0.02 * jax.random.normal(key)
        wrong = jnp.log(hyperparams.learning_rate / BEST)
        return Dice({"mean": luck - jnp.square(wrong), "length": num_updates * 1.0}, jnp.int32(0))

    def segment(state, hyperparams, num_updates):
        update = state.update + jnp.arange(num_updates)
        returns = state.params["mean"] + (update + 1) / state.params["length"]
        return state.replace(update=state.update + num_updates), {"return": returns}

    return Trainer(None, None, init, segment, None)


@pytest.fixture
def group(tmp_path, monkeypatch):
    """Sixteen points, two seeds, two rungs of a cheap game."""
    monkeypatch.setitem(REGIMES, "ppo", dataclasses.replace(REGIMES["ppo"], trainer=rolls))
    spec = cell("RepeatFirstEasy", "gru", Settings(hyperparams={"learning_rate": 1e-4}))
    plan = make_plan(16, 2, 64 * spec.steps_per_update, spec.steps_per_update, segments=2)
    return Group("all", spec, plan, tmp_path / "study" / "all")


def test_the_plan_gives_freed_lanes_to_the_survivors_as_seeds_not_used_before():
    plan = make_plan(64, 2, total_steps=1_600_000, steps_per_update=1_000)
    for heat in plan.heats:
        assert heat.num_points * len(heat.seeds) == plan.lanes == 128
        assert heat.num_updates % plan.updates_per_segment == 0
    for before, after in pairwise(plan.heats[:-1]):
        assert not set(before.seeds) & set(after.seeds)
        assert after.num_updates == 4 * before.num_updates
        assert after.num_points * 4 == before.num_points
    tuning = {seed for heat in plan.heats[:-1] for seed in heat.seeds}
    assert tuning <= set(TUNING_SEEDS) and set(plan.heats[-1].seeds) <= set(FRESH_SEEDS)
    assert plan.heats[-2].num_updates == plan.heats[-1].num_updates
    batches = make_plan(64, 2, 1_600_000, 1_000, batches=4)
    assert batches.lanes == 32 and [h.rung for h in batches.heats] == [0, 0, 0, 0, 1, 2, -1]
    assert len({h.seeds for h in batches.heats[:4]}) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"points": 1}, "no search"),
        ({"total_steps": 15}, "at least 16"),
        ({"eta": 1}, "eta must be at least 2"),
        ({"rungs": 4}, "rungs must be from 1 to 3, not 4"),
        ({"seeds": 0}, "seeds must be above zero"),
        ({"seeds": 900}, "are for tuning"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(words, says):
    given = {"points": 64, "seeds": 2, "total_steps": 1_000, "steps_per_update": 1} | words
    with pytest.raises(UserError, match=says):
        make_plan(**given)


def test_a_value_and_its_place_are_one():
    place = np.random.default_rng(0).random(50)
    for own in SPACE.values():
        np.testing.assert_allclose(own.unit(own.value(place)), place, atol=0.02)
        np.testing.assert_allclose(own.value(np.array([0, 1])), [own.low, own.high])
    assert SPACE["gamma"].unit(1.0) == 1 and SPACE["clip"].unit(np.inf) == 1


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_goes_on_from_what_was_reported(name):
    """Two engines that were told the same propose the same; points stay in the cube."""
    if name == "optuna":
        pytest.importorskip("optuna")
    first, again = (engine_of(name, 3, seed=5) for _ in range(2))
    one = first.propose(8)
    assert one.shape == (8, 3) and (one >= 0).all() and (one <= 1).all()
    np.testing.assert_array_equal(one, again.propose(8))
    scores = np.r_[-np.inf, -np.square(one[1:] - 0.3).sum(axis=1)]
    for engine in (first, again):
        engine.report(one, scores)
    two = first.propose(8)
    np.testing.assert_array_equal(two, again.propose(8))
    assert not np.isclose(one, two).any()


def test_optuna_is_drawn_to_what_scored_well():
    pytest.importorskip("optuna")
    engine = engine_of("optuna", 2, seed=0)
    errors = []
    for _ in range(5):
        places = engine.propose(16)
        wrong = np.abs(places - 0.7).sum(axis=1)
        engine.report(places, -wrong)
        errors.append(wrong.mean())
    assert errors[-1] < 0.6 * errors[0]


def test_point_0_is_what_was_given():
    engine = engine_of("sobol", 7, 0)
    base = {"learning_rate": 1.0, "kl": 0.3}
    points = proposed(engine, SPACE, base, 4, with_base=True)
    assert points[0] == base and all(p["kl"] == 0.3 for p in points)
    assert points[1] != proposed(engine, SPACE, base, 4, with_base=True)[2]
    assert point_at(space_of(["gamma"]), np.array([0.0])) == {"gamma": 0.0}


def test_static_settings_make_groups():
    base = Settings(network=NetworkConfig(features=64))
    groups = groups_of(base, ["features=32,64", "inputs=obs,obs+action", "separate_critic=false"])
    assert len(groups) == 4 and next(iter(groups.values())) == base
    assert groups["features=32,inputs=obs,separate_critic=False"].ppo.inputs == "obs"
    assert groups_of(base, ["options.size=2,4"])["options.size=4"].network.options == {"size": 4}
    for word, says in (
        ("inputs=obss", "'obs'"),
        ("featres=3", "'features'"),
        ("features=x", "cannot be 'x'"),
        ("features", "give the values"),
        ("num_minibatches=7", "must divide"),
    ):
        with pytest.raises(UserError, match=says):
            groups_of(base, [word])


def test_the_best_point_wins_and_one_program_serves_all(group):
    found = search(group.folder.parent, [group], SPACE, "sobol", seed=0)
    rates = [contender.point["learning_rate"] for contender, _ in found.ranking]
    table = read_parquet(group.folder.parent / "points.parquet")
    first = table["rung"] == 0
    wrong = np.abs(np.log(table["learning_rate"][first] / BEST))
    assert abs(np.log(rates[0] / BEST)) == wrong.min()
    assert found.first.point["learning_rate"] == 1e-4 and found.ours.mean() > found.theirs.mean()
    assert len(found.ours) == 16 and len(found.ranking) == 4
    for heat, each in (("rung", 0), ("rung", 1), ("rung", -1)):
        lines = table[heat] == each
        assert lines.sum() == group.plan.lanes
    assert not set(table["seed"][first]) & set(table["seed"][table["rung"] == 1])


@pytest.mark.slow  # by default: one that was not
def test_a_search_that_was_cut_off_goes_on_after_its_last_segment(group, monkeypatch):
    """Cut in the second segment of the second rung: the same end, and no segment made twice."""
    alone = dataclasses.replace(group, folder=group.folder.parent.with_name("alone") / "all")
    whole = search(alone.folder.parent, [alone], SPACE, "sobol", seed=0)

    made = []
    original = lanes.checkpoint.save

    def save(folder, step, state):
        original(folder, step, state)
        made.append(step)
        if len(made) == 4:  # two segments of the first rung, two of the second
            raise KeyboardInterrupt

    monkeypatch.setattr(lanes.checkpoint, "save", save)
    with pytest.raises(KeyboardInterrupt):
        search(group.folder.parent, [group], SPACE, "sobol", seed=0)
    found = search(group.folder.parent, [group], SPACE, "sobol", seed=0)
    assert len(set(made)) == len(made) == 2 + 8 + 8
    assert found.winner.point == whole.winner.point
    np.testing.assert_array_equal(found.ours, whole.ours)
    again = search(group.folder.parent, [group], SPACE, "sobol", seed=0)
    assert len(made) == 18 and again.winner == found.winner


def test_batches_are_reported_to_the_engine(group):
    """Optuna's later batches come nearer to the best; the best of all batches survive."""
    pytest.importorskip("optuna")
    plan = make_plan(
        32, 2, 64 * group.spec.steps_per_update, group.spec.steps_per_update, batches=4
    )
    group = dataclasses.replace(group, plan=plan)
    group.folder.mkdir(parents=True)
    space = space_of(["learning_rate"])
    ranking = run_group(Search(group, space, lambda _: None, ours=True), engine_of("optuna", 1, 0))
    listed = [read_parquet(group.folder / f"heat-{i}.parquet")["score"] for i in range(4)]
    assert np.mean(listed[-1]) > np.mean(listed[0])
    assert abs(np.log(ranking[0][0]["learning_rate"] / BEST)) < 0.5


def test_lanes_are_single_runs(group, tmp_path):
    """A lane of the program is the run that its seed and its point make alone."""
    plan = make_plan(4, 1, total_steps=8, steps_per_update=1, segments=2)
    base = group.spec.hyperparams
    points = [base | {"learning_rate": rate} for rate in (1e-3, 1e-2, np.nan, 4e-3)]
    trainer = rolls(group.spec)
    table = run_heat(compile_lanes(trainer, plan), plan, 0, points, tmp_path)
    assert table["diverged"].tolist() == [False, False, True, False]
    key = lanes.lane_keys((TUNING_SEEDS.start,))[0][0]
    hyperparams = lanes.Hyperparams(**points[1])
    _, metrics = trainer.segment(trainer.init(key, hyperparams, 8), hyperparams, 8)
    alone = lanes.final_return(np.asarray(metrics["return"])[None])
    np.testing.assert_allclose(table["score"][1], alone[0], rtol=1e-5)


FOUR = """
import sys
from pathlib import Path

import jax
import numpy as np

from experiments.search import lanes as search_lanes
from experiments.search.halving import make_plan
from tests.experiments.search.test_run import rolls

plan = make_plan(5, 1, total_steps=8, steps_per_update=1, segments=2)
points = [{"learning_rate": rate} for rate in (1e-4, 1e-3, 2e-3, 4e-3, 1e-2)]
program = search_lanes.compile_lanes(rolls(None), plan)
keys = program.put(search_lanes.lane_keys((0, 1, 2, 3, 4))[0])
assert len(jax.devices()) == 4 and keys.shape == (6,) and len(keys.addressable_shards) == 3
for made in (program.init, program.advance):
    for word in ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter"):
        assert word not in made.as_text(), word
search_lanes.lane_mesh = lambda lanes: None
alone = search_lanes.compile_lanes(rolls(None), plan)
a, b = (
    search_lanes.run_heat(p, plan, 0, points, Path(sys.argv[1]) / name)
    for p, name in ((program, "four"), (alone, "one"))
)
np.testing.assert_allclose(a["score"], b["score"], rtol=1e-6)
print("the same")
"""


@pytest.mark.slow
def test_four_devices_share_the_lanes_of_one(tmp_path):
    """Five lanes on three of four devices: the same scores, and no collective."""
    done = in_four_devices(str(tmp_path), FOUR)
    assert done.stdout.strip().endswith("the same"), done.stderr[-3000:]


def test_what_explains_the_scores_stands_out():
    generator = np.random.default_rng(0)
    places = generator.random((128, 2))
    scores = -np.square(places[:, 0] - 0.5) + 0.01 * generator.normal(size=128)
    assert explained(places[:, 0], scores) > 0.5 > by_chance(places[:, 0], scores)
    assert explained(places[:, 1], scores) < by_chance(places[:, 1], scores) < 0.2
    assert explained(places[:, 0], np.zeros(128)) == 0
