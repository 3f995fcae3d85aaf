"""The first command: `popjax sweep`, what it trains, in which order, and how it ends."""

import dataclasses
import io

import pytest
from rich.console import Console

from experiments.cli import train as cli_train
from experiments.cli.app import parse
from experiments.reports.standings import print_standings
from experiments.results.seeds import REPORTING_SEEDS
from experiments.results.study import read_study
from experiments.sweep import estimate
from experiments.sweep.display import Display
from experiments.train.settings.presets import QUICK_STEPS, preset
from experiments.train.settings.tuned import best_memory, tuned
from popjax import FAMILIES, scores
from tests.support.synthetic import write_study
from tests.support.tiny import tiny


def console(width=100, terminal=False):
    return Console(file=io.StringIO(), width=width, markup=False, force_terminal=terminal)


@pytest.fixture(scope="module")
def specs():
    """The cells of `popjax sweep`, as they are handed over."""
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli_train, "run_study", lambda *words, **more: asked.append((words, more)))
        parse(["sweep"]).run(console())
    [(words, more)] = asked
    assert more["in_order"]
    return words[3]


def test_it_trains_every_easy_task_with_its_fast_settings(specs):
    easy = {family + "Easy" for family in FAMILIES}
    assert {spec.env for spec in specs} == easy == set(QUICK_STEPS)
    assert [spec.env for spec in specs] == list(QUICK_STEPS)
    for spec in specs:
        fast = tuned(spec.env, best_memory(spec.env))
        assert spec.memory == best_memory(spec.env)
        assert (spec.settings.network, spec.settings.ppo) == (fast.network, fast.ppo)
        own = preset("quick").hyperparams.get(spec.env, {})
        assert spec.settings.hyperparams == fast.hyperparams | own
        assert spec.settings.total_steps == QUICK_STEPS[spec.env]
        assert spec.settings.total_steps <= (fast.total_steps or 2_000_000)
        assert set(spec.seeds) <= set(REPORTING_SEEDS)


def test_options_win_and_other_regimes_have_a_preset_of_their_own():
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli_train, "run_study", lambda *words, **_: asked.extend(words[3]))
        parse(["sweep", "--envs", "RepeatFirstEasy", "--steps", "1M", "--seeds", "2"]).run(
            console()
        )
        parse(["sweep", "--envs", "RepeatFirstEasy", "--as", "lm"]).run(console())
    agent, model = asked
    assert agent.settings.total_steps == 1_000_000 and agent.seeds == (0, 1)
    assert model.settings.total_steps == 10 * preset("quick", "lm").settings.total_steps


def test_an_estimate_needs_no_measurement(specs, tmp_path, monkeypatch):
    """Kept results say what such cells cost, so nothing is compiled before the first cell."""
    monkeypatch.setattr(estimate, "measure", lambda spec: pytest.fail("it was measured"))
    plan = estimate.make_plan(tmp_path, specs, in_order=True, workers=2)
    assert [spec.env for spec in plan.specs] == list(QUICK_STEPS)
    alone = estimate.make_plan(tmp_path, specs, in_order=True, workers=1)
    assert 60 < plan.outcome.seconds < alone.outcome.seconds
    out = console()
    estimate.print_plan(plan, out)
    assert "about" in out.file.getvalue() and "2 cores of another machine" in out.file.getvalue()
    one = estimate.make_plan(tmp_path, [tiny(memory="lru")], measured=False)
    assert one.outcome.seconds > 0 and "roughly" in one.basis


def standings(rows, **more):
    out = console()
    print_standings(rows, lambda spec: f"popjax train {spec.env} --steps 9M", out, **more)
    return out.file.getvalue()


def test_it_ends_with_what_is_solved_and_a_command_for_the_rest(tmp_path):
    envs = ["RepeatFirstEasy", "CountRecallEasy", "BattleshipEasy"]
    folder = write_study(tmp_path, "quick", {"gru": 0.95}, envs)
    levels = {"RepeatFirstEasy": 0.95, "CountRecallEasy": 0.6, "BattleshipEasy": 0.2}
    rows = []
    for row in read_study(folder):
        random, best = (scores.scores(row.spec.env)[k]["mean"] for k in ("random", "reference"))
        final = row.final * 0 + random + levels[row.spec.env] * (best - random)
        rows.append(dataclasses.replace(row, final=final))
    lines = standings(rows).splitlines()
    assert lines[-1] == "1 of 3 tasks solved"
    for line, standing in zip(
        lines, ("solved      1  Rep", "on the way  1  Cou", "needs more  1  Bat"), strict=False
    ):
        assert line.startswith(standing)
    steps = rows[0].spec.env_steps // 3
    for env, solved in (("RepeatFirst", True), ("CountRecall", False), ("Battleship", False)):
        command = f"{env}Easy needs more than {steps:,} steps: popjax train {env}Easy --steps 9M"
        assert (command in lines) != solved
    assert "the mean of seeds 0 to 2, the last policy, sampled" in " ".join(lines)
    assert standings(rows, missing=1).splitlines()[-1] == "1 of 4 tasks solved"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("sweep", "popjax train LabyrinthEscapeEasy --memory gru --settings fast --seeds 1"),
        (
            "sweep --steps 4M --seeds 2",
            "popjax train LabyrinthEscapeEasy --memory gru --settings fast --seeds 2 --steps 8M",
        ),
        (
            "sweep --preset easy --steps 1M",
            "popjax sweep --preset easy --envs LabyrinthEscapeEasy --memories gru --steps 2M "
            "--study easy-more",
        ),
    ],
)
def test_the_command_that_goes_on_is_one(words, command):
    sweep, asked = parse([*words.split(), "--envs", "LabyrinthEscapeEasy", "--memories", "gru"]), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli_train, "run_study", lambda *words, **_: asked.extend(words[3]))
        sweep.run(console())
    [spec] = asked
    found = sweep.more(preset(sweep.preset), spec)
    assert found == command and parse(found.split()[1:])


def test_cells_under_way_have_a_bar_each(tmp_path):
    """On a terminal; where they do not all fit, those at work are shown."""
    specs = [tiny(first_seed=i) for i in range(40)]
    out = console(terminal=True)
    display = Display(tmp_path, specs, out)
    news = {"stage": "training", "update": 1, "return": 1.0, "steps_per_second": 5.0}
    display.news(specs[33], news)
    display.news(specs[1], {"stage": "compiling", "update": 0})
    out.print(display.table())
    lines = out.file.getvalue().splitlines()
    assert len(lines) < out.height
    assert "compiling" in lines[0] and "normalised 1.00, return 1.000" in lines[1]
