"""`popjax bridge same-deck`: what it would say of worlds made by hand, and that it runs."""

import html

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents import checkpoint
from experiments.bridge.measures.nulls import in_words
from experiments.bridge.measures.similarity import MEASURES
from experiments.bridge.page import show
from experiments.bridge.same_deck import figures as same_deck_figures
from experiments.bridge.same_deck import findings as same_deck_findings
from experiments.bridge.same_deck import tables as same_deck_tables
from experiments.bridge.same_deck.config import PRESETS, SameDeckConfig
from experiments.bridge.same_deck.exam import exam, judged
from experiments.bridge.same_deck.measures import STATISTICS
from experiments.bridge.same_deck.study import STUDY
from experiments.bridge.same_deck.summary import Summary, followed
from experiments.bridge.same_deck.train import Cell
from experiments.bridge.study import Context
from tests.support.command import assert_one_line, run

SETUP = SameDeckConfig(seeds=5, tasks=("RepeatFirst", "RepeatPrevious"))
KINDS = ("LM", "label", "verdict")
ALL = (*KINDS, "untrained")


def world(shares, alike, index, speed=2.0, competence=0.99):
    """Tables as if these had been measured. shares: `(summary, task, kind, who) -> Uhat`. alike:
    residual CKA of the pairs of kinds. index: order index of each kind."""
    draw = np.random.default_rng(0)
    seeds, tables, curves = SETUP.seeds, {}, {}
    summary = Summary(SETUP, curves, tables)

    def noise():
        return 0.005 * draw.normal()

    for cell in SETUP.cells:
        looks = np.array([0, 10, 100, 1000])
        reach = {"verdict": speed}.get(cell[1], 1.0)
        rise = np.clip(np.array([0, 0.4, 0.6, 1.0]) * competence, 0, 1)
        curves[cell] = {
            "tokens": np.repeat(looks * reach, seeds),
            "competence": np.repeat(rise, seeds),
            "raw": np.repeat([0.3, 0.2, 0.1, 0.01] if cell[1] == "LM" else rise, seeds),
        }
    networks = [(kind, seed) for kind in ALL for seed in range(seeds)]
    for task in SETUP.tasks:
        rows = [
            (kind, seed, who, t, sd, 2.0, 2.0 * (shares(summary, task, kind, who) + noise()))
            for kind, seed in networks
            for who in STATISTICS
            for t in SETUP.times(task)
            for sd in SETUP.noises
        ]
        names = ("kind", "seed", "who", "t", "noise", "entropy", "held")
        columns = map(np.array, zip(*rows, strict=True))
        tables[task, "probed"] = dict(zip(names, columns, strict=True))
        i, j = (a.reshape(-1) for a in np.indices((len(networks),) * 2))
        value = []
        for a, b in zip(i, j, strict=True):
            kinds = frozenset((networks[a][0], networks[b][0]))
            value.append(1.0 if a == b else alike.get(kinds, 0.1) + noise())
        value = np.array(value)
        versions = [(m, v) for m in MEASURES for v in ("residual", "raw", "fixed")]
        tables[task, "alike"] = {
            "measure": np.repeat([m for m, _ in versions], len(i)),
            "version": np.repeat([v for _, v in versions], len(i)),
            "i": np.tile(i, len(versions)),
            "j": np.tile(j, len(versions)),
            "value": np.tile(value, len(versions)),
        }
        kinds = ("counter", *KINDS, "register", "untrained action")
        tables[task, "ordered"] = {
            "kind": np.repeat(kinds, seeds),
            "seed": np.tile(range(seeds), len(kinds)),
            "order_index": np.repeat([index.get(kind, 0.5) for kind in kinds], seeds),
        }
        lags = 11
        tables[task, "retained"] = {
            "kind": np.repeat(ALL, seeds * lags),
            "seed": np.tile(np.repeat(range(seeds), lags), len(ALL)),
            "t": np.full(len(networks) * lags, 10),
            "held": np.full(len(networks) * lags, 0.5),
        }
        pairs = [(h, d, s) for h in KINDS for d in ALL for s in range(seeds)]
        host, donor, seed = map(np.array, zip(*pairs, strict=True))
        tables[task, "transplanted"] = {
            "host": np.tile(host, 2),
            "donor": np.tile(donor, 2),
            "seed": np.tile(seed, 2),
            "map": np.repeat(["any", "rotation"], len(pairs)),
            "recovery": np.full(2 * len(pairs), 0.7),
        }
        columns = ("accuracy", "moved", "by_chance", "net_from_bayes", "bayes_from_net", "nats")
        tables[task, "exchanged"] = {"host": host, "donor": donor, "seed": seed} | {
            name: np.full(len(pairs), 0.5) for name in columns
        }
        tables[task, "controlled"] = {
            "control": np.array(["description"] * 2),
            "who": np.array(STATISTICS),
            "kind": np.array(["LM"] * 2),
            "held": np.ones(2),
            "entropy": np.full(2, 2.0),
        }
    return summary


def needed(summary, task, kind, who):
    """A network keeps what it needs and no more."""
    return 0.05 if kind == "untrained" else summary.predicted(task, kind, who)


def everything(summary, task, kind, who):
    """A network keeps all there is."""
    return 0.05 if kind == "untrained" else 0.97


ONE_KIND = {frozenset(pair): 0.9 for pair in [(a, b) for a in KINDS for b in KINDS]}
TWO_KINDS = ONE_KIND | {frozenset(("LM", "label")): 0.3, frozenset(("LM", "verdict")): 0.3}
COSTUMES = {"LM": 0.0, "label": 0.6, "verdict": 0.6}


def outcomes(summary):
    return {one.name.split()[0]: one.outcome for one in same_deck_findings.findings_of(summary)}


@pytest.mark.slow
def test_a_world_in_which_memory_follows_need():
    said = outcomes(world(needed, TWO_KINDS, COSTUMES))
    assert said == {
        "S": "fails", "H1a": "holds", "M": "holds", "H1b": "holds", "H1c": "holds",
        "H1d": "holds", "W": "holds",
    }  # fmt: skip


def test_a_world_in_which_one_deck_makes_one_memory():
    said = outcomes(world(everything, ONE_KIND, dict.fromkeys(KINDS, 0.6), speed=9.0))
    assert said["S"] == "holds" and said["H1d"] == "holds"
    assert said["H1a"] == said["M"] == said["H1c"] == said["W"] == "fails"
    assert said["H1b"] == "inconclusive"


def test_points_that_competence_forces_say_nothing_of_need():
    """Half of the points have a predicted overlap of 1 and lie near 1, so that over all of them the
    order looks right; over the seven others it is not."""
    predicted = [0.20, 0.31, 0.33, 0.40, 0.41, 0.50, 0.52]
    measured = [0.72, 0.96, 0.55, 0.80, 0.62, 0.90, 0.74]
    draw = np.random.default_rng(1)
    points = [
        ("RepeatFirst", f"kind {i}", "rl", x, y + 0.01 * draw.normal(size=8))
        for i, (x, y) in enumerate(zip(predicted, measured, strict=True))
    ]
    forced = [("CountRecall", f"kind {i}", "lm", 1.0, np.full(8, 0.98)) for i in range(7)]
    found = followed(points + forced)
    assert found == followed(points) and found.number == 7
    assert found.rank[1] <= found.rank[0] <= found.rank[2] < 0.8 and found.p > 0.05
    assert found.slope[2] < 1 and not found.by_rank and not found.in_size
    exact = [(*p[:4], p[3] + 0.01 * draw.normal(size=8)) for p in points]
    assert followed(exact).in_size and followed(exact).by_rank and followed(exact).p < 0.01
    assert followed([(*p[:4], 0.6 + 0.2 * p[4]) for p in exact]).by_rank


@pytest.mark.parametrize(
    "shrink, outcome",
    [
        ({0.0: 0.4, 0.1: 0.9, 0.3: 1.0}, "holds"),
        ({0.0: 0.4, 0.1: 0.4, 0.3: 0.4}, "fails"),
        ({0.0: 1.0, 0.1: 0.6, 0.3: 0.6}, "inconclusive"),
    ],
)
def test_the_moderate_reading_in_size_is_judged_through_noise(monkeypatch, shrink, outcome):
    """By the slope over points that competence does not force; how steep it is by noise."""
    predicted = [0.20, 0.31, 0.33, 0.40, 0.41, 0.50, 0.52]
    draw = np.random.default_rng(0)

    def points(summary, noise=0.0):
        return [
            ("RepeatFirst", f"kind {i}", "rl", x, shrink[noise] * x + 0.005 * draw.normal(size=8))
            for i, x in enumerate(predicted)
        ] + [("CountRecall", "LM", "lm", 1.0, np.full(8, 0.98))]

    monkeypatch.setattr(Summary, "points", points)
    assert same_deck_findings.in_size(Summary(SETUP, {}, {})).outcome == outcome


@pytest.mark.slow  # by default: a world where it does
def test_no_finding_where_memory_does_not_follow_need():
    """Competent networks that keep as much of what they need not, whatever that is."""

    def alike(summary, task, kind, who):
        if kind == "untrained" or summary.predicted(task, kind, who) == 1.0:
            return everything(summary, task, kind, who)
        return 0.7 if kind == "label" else 0.9

    found = same_deck_findings.moderate(world(alike, TWO_KINDS, COSTUMES))
    assert found.outcome == "fails" and "neither by rank nor in size" in found.found
    assert (
        "over 6 points with a predicted overlap below 1" in found.found and "(p 0." in found.found
    )


@pytest.mark.slow
def test_a_quotient_is_said_only_where_the_ceiling_is_far_from_the_null():
    """Two seeds hardly more alike than strangers: no NS, and nothing follows from it."""
    close = {frozenset(pair): 0.25 for pair in [(a, b) for a in KINDS for b in KINDS]}
    summary = world(needed, close | {frozenset(("LM", "verdict")): 0.01}, COSTUMES)
    found = summary.likeness("RepeatFirst", "verdict", "LM")
    assert not found.has_ns and found.verdict == "inconclusive"
    assert in_words(found).endswith("NS none (ceiling within 0.2 of null)")
    assert "(null 0.10, ceiling 0.25)" in in_words(found)
    assert outcomes(summary)["S"] == "inconclusive"


@pytest.mark.slow  # by default: the other findings
def test_exact_rules_and_untrained_networks_need_no_competence():
    """They stand beside the others in the figure and the table of order."""
    summary = world(needed, TWO_KINDS, COSTUMES, competence=0.6)
    found = {
        kind: len(summary.by_seed("RepeatFirst", "ordered", "order_index", kind=kind))
        for kind in ("counter", "register", "untrained action", "label", "rewards")
    }
    assert found.pop("label") == found.pop("rewards") == 0
    assert set(found.values()) == {summary.setup.seeds}


@pytest.mark.slow  # by default: the other findings
def test_nothing_is_said_of_networks_that_did_not_learn():
    said = outcomes(world(needed, TWO_KINDS, COSTUMES, competence=0.6))
    assert said.pop("W") == "holds", "which needs no memories to be compared"
    assert set(said.values()) == {"inconclusive"}


@pytest.mark.slow  # by default: test_loop.py makes its page
def test_the_page_and_the_figure_hold_all_tables(tmp_path):
    from rich.console import Console

    summary = world(needed, TWO_KINDS, COSTUMES)
    console = Console(record=True, width=200, quiet=True)
    tables = {"cells": summary.curves, "measurements": summary.tables, "rates": summary.rates}
    context = Context(summary.setup, tmp_path, console, tables)
    show(STUDY.shown(context, "mini"), tmp_path, console)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("same_deck.png", "same_deck.svg", "same_deck.html")
    }
    page = html.unescape((tmp_path / "same_deck.html").read_text())
    for grid in same_deck_tables.all_of(summary).values():
        assert grid.title in page
    assert page.count("<img") == sum(map(len, same_deck_figures.pictures(summary).values()))
    assert "http" not in page.replace("http://www.w3.org", "").split("<pre>")[0]


def test_cells_and_steps():
    setup = PRESETS["mini"]
    assert len(setup.cells) == 8, "one language model for both suits games"
    assert setup.times("RepeatPrevious")[0] == 2 and setup.times("RepeatFirst")[-1] == 14
    assert setup.num_updates("CountRecall") > setup.num_updates("RepeatFirst")
    assert PRESETS["gpu"].seeds == 10 and PRESETS["gpu"].env("RepeatFirst").num_cards == 52


@pytest.mark.slow
def test_competence_of_a_network_that_knows_nothing():
    """An untrained model says about each token how often it comes, a little less than is known from
    the card on the table."""
    import jax

    setup = PRESETS["smoke"]
    test = exam(setup.env("RepeatPrevious"), 512)
    network = setup.network("RepeatPrevious")
    carry = network.initial_carry(512)
    params = jax.jit(network.init)(jax.random.key(0), carry, test.x, test.start)
    env = setup.env("RepeatPrevious")
    found = jax.jit(lambda params: judged(env, network, "LM", test, params, "obs"))(params)
    assert -0.1 < found["competence"] < 0.02
    assert 0.26 < test.worth < 0.30 and test.floor == pytest.approx(1.105, abs=1e-3)
    assert test.without == pytest.approx(4 / 15, abs=0.01)


def test_a_mistake_gets_one_line(capsys, tmp_path):
    words = f"bridge same-deck --out {tmp_path}"
    assert_one_line(capsys, f"{words} --preset smok", "did you mean 'smoke'?")
    assert_one_line(capsys, f"{words} --memory grue", "did you mean 'gru'?")
    assert_one_line(capsys, f"{words} --seeds 0", "--seeds takes a whole number from 1")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_smallest_study_runs_and_goes_on(capsys, tmp_path):
    words = f"bridge same-deck --preset smoke --seeds 2 --out {tmp_path}"
    code, out, _ = run(capsys, words)
    assert code == 0 and "verdict and LM: " in out and "0 finished" in out
    assert "learning rates tried" in out and out.count(" of 2, ") == 5
    folder = tmp_path / "same-deck"
    (folder / "RepeatFirst-alike.parquet").unlink()
    code, again, _ = run(capsys, words)
    assert code == 0 and "22 finished" in again and again.count("finished before") == 22 + 5
    assert (folder / "same_deck.html").stat().st_size > 100_000


@pytest.mark.slow
def test_networks_of_the_first_studies_go_on(tmp_path):
    """What they were told on the way was not kept: that is unknown, all else is theirs."""
    setup = SameDeckConfig(seeds=2, features=4, num_episodes=2, num_tokens=60, num_looks=2)
    cell = Cell(setup, "RepeatFirst", "label", tmp_path)
    state, last = cell.begin(cell.seeds), cell.looks[-1]
    curves = np.full((len(cell.looks), setup.seeds, 2), 0.5, np.float32)
    trained = state.replace(params=jax.tree.map(lambda leaf: leaf + 1, state.params))
    checkpoint.save(cell.checkpoints, last, {"state": trained, "curves": jnp.asarray(curves)})
    for kept, begun in zip(*map(jax.tree.leaves, (cell.params(), state.params)), strict=True):
        np.testing.assert_allclose(kept, begun + 1)
    table = cell.train(lambda left: left)
    assert (table["competence"] == 0.5).all() and np.isnan(table["gradient_tokens"]).all()
    assert table["update"].max() == last
