"""The presets that want a GPU: every cell of them can be built, and their new parts run in small.

No test here trains at the size of such a preset."""

import json

import jax
import numpy as np
import pytest
from rich.console import Console

from agents.lm import LMConfig
from agents.objectives import OBJECTIVES, make_train
from experiments.bridge import forgetting
from experiments.bridge.batched_objectives import SUPERVISION_METRICS
from experiments.bridge.batched_ppo import UPDATE_EPOCHS
from experiments.bridge.factorial import conditions as factorial_conditions
from experiments.bridge.factorial.study import STUDY as FACTORIAL
from experiments.bridge.loop import config as loop_config
from experiments.bridge.loop import copycat
from experiments.bridge.loop.config import BOARD_WAYS, TUNED
from experiments.bridge.loop.study import STUDY as LOOP
from experiments.bridge.measures.questions import in_one
from experiments.bridge.page import show
from experiments.bridge.same_deck import config as same_deck_config
from experiments.bridge.same_deck.config import KINDS, THREE
from experiments.bridge.same_deck.study import STUDY as SAME_DECK
from experiments.bridge.same_deck.study import measured_of, summary_of
from experiments.bridge.study import config_of
from experiments.bridge.study import run as run_study
from experiments.bridge.verdict import conditions as verdict_conditions
from experiments.bridge.verdict import config as verdict_config
from experiments.bridge.verdict.config import BESIDE, Condition
from experiments.bridge.verdict.findings import findings
from experiments.bridge.verdict.findings import findings_of_games as more
from experiments.bridge.verdict.study import STUDY as VERDICT
from popjax.tokens import target_of

SMALL = same_deck_config.SameDeckConfig(
    decks="easy", seeds=2, features=8, num_episodes=4, num_tokens=800, num_looks=2, num_decks=60,
    num_steps=2, rows=48, edits=16, layers=2, judged=16, longer=2,
)  # fmt: skip

STUDIES = (SAME_DECK, VERDICT, LOOP, FACTORIAL, copycat.STUDY, forgetting.STUDY)


@pytest.mark.slow
def test_the_same_deck_plan_holds_what_was_asked():
    setup = same_deck_config.PRESETS["gpu"]
    families = {"RepeatFirst", "RepeatPrevious", "Autoencode", "CountRecall", "HigherLower"}
    assert set(setup.tasks) == families | {"MultiarmedBandit", "Concentration"}
    rungs = {KINDS[kind].rung.rung for kind in setup.kinds}
    assert rungs == {"R0", "R1", "R-all", "R3b", "R4", "R5"}
    assert same_deck_config.MEMORIES_OF["gpu"] == ("gru", "s5", "mamba", "transformer")
    assert len(setup.cells) == 7 * 6 - 1, "one language model for both suits games"
    for task, kind in setup.cells:
        assert setup.looks(task, kind)[-1] == setup.num_updates(task, kind) > 100
        make_train(setup.env(task), setup.network(task), setup.config(task), KINDS[kind].rung)
    for task in setup.tasks:
        assert len(measured_of(task)) >= 6
        assert 0 < setup.times(task)[0] < setup.times(task)[-1] < setup.env(task).max_steps
    assert setup.num_updates("RepeatFirst", "sum") > 4.9 * setup.num_updates("RepeatFirst")


@pytest.mark.by_default("s5", "transformer")
@pytest.mark.parametrize("memory", same_deck_config.MEMORIES_OF["gpu"])
def test_every_memory_of_the_plan_fits_every_task(memory):
    from dataclasses import replace

    from agents.language_agent import LanguageAgent
    from agents.lm import inputs_of

    setup = replace(same_deck_config.PRESETS["gpu"], memory=memory)
    for task in setup.tasks:
        env, network = setup.env(task), setup.network(task)
        inputs = inputs_of(env, setup.config(task))
        assert inputs == ("obs+action" if target_of(env).needs_action else "obs")
        shapes = jax.eval_shape(LanguageAgent.of(env, network, inputs).init, jax.random.key(0))
        assert len(network.backbone.memories) == 2 and jax.tree.leaves(shapes)


def test_a_study_records_all_that_decides_its_result():
    """As JSON gives it back, so that the same command finds its folder again."""
    for study in STUDIES:
        for config in study.presets.values():
            recorded = study.record(config)
            assert json.loads(json.dumps(recorded)) == recorded
            assert {"seeds"} <= set(recorded)


def test_the_parts_of_the_loop():
    ways = ("clone", "dagger", "rewards")
    bandit = ("players", "privileged", "masked", "history", "dagger", "rewards")
    assert loop_config.PRESETS["mini"].parts == [
        *((f"deck {deck}", way) for deck in ("tiny", "RepeatFirstEasy") for way in ways),
        *(("bandit", way) for way in bandit),
        ("dreams", "tiny"), ("dreams", "RepeatFirstEasy"), ("frontier", "tuning"),
    ]  # fmt: skip


def studied(tmp_path, monkeypatch, **changed):
    from dataclasses import replace

    from experiments.bridge.same_deck import summary as same_deck_summary

    monkeypatch.setitem(same_deck_config.PRESETS, "small", replace(SMALL, **changed))
    for name, value in (("LEAST_COMPETENCE", -1e9), ("MOST_EXCESS", 1e9), ("ENOUGH", 2)):
        monkeypatch.setattr(same_deck_summary, name, value)
    console = Console(quiet=True)
    config = config_of(SAME_DECK, "small", changed.get("memory", "gru"))
    context = run_study(SAME_DECK, config, tmp_path, "s", console)
    show(SAME_DECK.shown(context, "small"), context.folder, console)
    return summary_of(context), context.folder / "same_deck.html"


@pytest.mark.slow  # by default: every memory of the plan fits its task
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # so few rows that nothing is left of them
def test_a_new_task_on_another_memory(tmp_path, monkeypatch, quickly_compiled):
    """HigherLower, whose counts are asked for rank by rank, on s5."""
    summary, page = studied(tmp_path, monkeypatch, tasks=("HigherLower",), kinds=THREE, memory="s5")
    assert not in_one(SMALL.env("HigherLower"), "lm")
    curve = summary.curves["HigherLower", "verdict"]
    assert np.isfinite(curve["gradient_tokens"]).all() and curve["gradient_tokens"][-1] > 0
    page = page.read_text()
    assert "reversed histories" in page and "H1b&#39;" in page
    assert "Learning curves over tokens" in page


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(
    "task, kinds",
    [
        ("MultiarmedBandit", THREE),
        ("Concentration", ("LM", "rewards", "sum")),
        ("Autoencode", ("LM", "verdict", "both")),
    ],
)
def test_every_other_new_task_and_rung(task, kinds, tmp_path, monkeypatch, quickly_compiled):
    summary, page = studied(tmp_path, monkeypatch, tasks=(task,), kinds=kinds)
    assert set(summary.having("probed")) == {task} and page.stat().st_size
    if task != "Autoencode":
        assert summary.tables[task, "own-play"]["version"].size
    if task != "MultiarmedBandit":
        apart = summary.tables[task, "distinction"]
        assert apart["pairs"].max() > 0 and np.nanmin(apart["value"]) > 0
        assert "different futures" in page.read_text()


def test_the_verdict_plan_holds_what_was_asked():
    setup = verdict_config.PRESETS["gpu"]
    parts = set(setup.parts)
    assert {part.batch for part in parts} == {4096, 256, 16} and setup.suits == (2, 4, 8, 16)
    games = {part.game for part in parts}
    assert {"k 2", "k 8", "RepeatFirstEasy", "256 cards", ""} <= games
    assert {f"CountRecall{level}" for level in ("Easy", "Medium", "Hard")} <= games
    for part in parts:
        env, oracle = (of(part.suits, part.game) for of in (setup.env, setup.oracle))
        assert env.action_space.num_values == part.suits and oracle.sees == "history"
        assert setup.network(part.suits, part.game).num_actions == part.suits
    assert len({verdict_conditions.name_of(part) for part in parts}) == len(parts)
    assert {part.feedback for part in parts} >= set(BESIDE)
    six = factorial_conditions.PRESETS[setup.factorial]
    rungs = {cell: factorial_conditions.rung(*cell).rung for cell in factorial_conditions.CELLS}
    assert rungs == {
        ("next observation", "label"): "R0", ("next observation", "verdict"): "R8",
        ("next observation", "sum"): "R8-sum", ("oracle's action", "label"): "R1",
        ("oracle's action", "verdict"): "R3b", ("oracle's action", "sum"): "R5",
    }  # fmt: skip
    for cell in factorial_conditions.CELLS:
        config = LMConfig(six.num_episodes, previous_action="off")
        make_train(six.env, six.network, config, factorial_conditions.rung(*cell))
    assert (
        not verdict_config.PRESETS["mini"].factorial
        and not verdict_config.PRESETS["sums"].factorial
    )


@pytest.mark.slow
def test_sums_beside_others_and_ppo_run(quickly_compiled):
    setup = verdict_config.VerdictConfig(
        seeds=2, suits=(2,), cards=8, features=8, head_features=8, batches=(8,), updates=(4,),
        suits_of_all_batches=(2,), num_looks=2, num_decks=16, num_gradients=8,
        beside=tuple(BESIDE), lengths=(12,),
    )  # fmt: skip
    curves = {}
    for part in setup.parts:
        if part.feedback == "unbiased verdict" or (part.game and part.feedback in BESIDE):
            continue
        table = verdict_conditions.run_part(setup, part, 1e-3, list)
        curves[part] = {name: column.reshape(-1, 2).T for name, column in table.items()}
    ppo = curves[Condition(2, "PPO", 8)]
    np.testing.assert_allclose(
        ppo[SUPERVISION_METRICS[1]], UPDATE_EPOCHS * ppo[SUPERVISION_METRICS[0]]
    )
    assert np.isnan(ppo["cos_labels"]).all()
    told = curves[Condition(2, "verdict", 8)]
    assert (np.abs(told["cos_ppo"]) <= 1 + 1e-5).all()
    names = [one.name for one in more(curves, setup)]
    assert names == ["H2c'", "H2c''", "H2d'"] and findings


def test_the_loop_plan_holds_what_was_asked():
    setup = loop_config.PRESETS["gpu"]
    assert {"RepeatFirstEasy", "RepeatFirstMedium"} <= set(setup.decks)
    assert setup.boards == ("ConcentrationEasy", "MineSweeperEasy")
    assert {way.regime.rung for way in BOARD_WAYS.values()} == {"R1", "R1'", "R2", "R4", "R7"}
    assert OBJECTIVES["rlhf"].rung == "R6" and len(setup.betas) > 3 and 0.0 in setup.betas
    for board in setup.boards:
        assert {(f"board {board}", way) for way in (*BOARD_WAYS, TUNED)} <= set(setup.parts)
    assert BOARD_WAYS["group"].sized(setup.num_episodes).group == 8
    titles = [loop_config.title_of(*part) for part in setup.parts]
    assert len(setup.parts) == len(set(setup.parts)) == len(titles)
    assert loop_config.MEMORIES_OF["gpu"] == ("gru", "s5", "transformer")


@pytest.mark.by_default("s5")
@pytest.mark.parametrize("memory", loop_config.MEMORIES_OF["gpu"])
def test_every_way_of_the_loop_plan_fits_every_board(memory):
    from dataclasses import replace

    from agents.hyperparams import Hyperparams
    from popjax import make

    setup = replace(loop_config.PRESETS["gpu"], memory=memory)
    for env in map(make, setup.boards):
        network = setup.network(env)
        regimes = {name: way.sized(setup.num_episodes) for name, way in BOARD_WAYS.items()}
        params = None
        for name, regime in (regimes | {TUNED: OBJECTIVES["rlhf"]}).items():
            player = BOARD_WAYS[name].player if name in BOARD_WAYS else "reference"
            config = LMConfig(setup.num_episodes, player=player, previous_action="on")
            init, _ = make_train(env, network, config, regime)
            given = params if name == TUNED else None
            state = jax.eval_shape(
                lambda key, given, init=init: init(key, Hyperparams(), 1, given),
                jax.random.key(0), given,
            )  # fmt: skip
            params = state.params
            assert jax.tree.leaves(params)
            assert bool(jax.tree.leaves(state.reference)) == (name == TUNED)
