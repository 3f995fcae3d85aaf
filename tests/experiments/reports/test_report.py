"""The report of a study: its numbers, its texts for other programs, its files."""

import csv
import dataclasses
import io
import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from experiments.explorer import attached
from experiments.explorer.study import table_of
from experiments.reports.aggregates import aggregates, aggregates_sheet
from experiments.reports.configuration import facts_of, unfinished_sheets
from experiments.reports.curves import curve, has_gaps, marks, panel_figure
from experiments.reports.export import as_json
from experiments.reports.page import ATTACHED
from experiments.reports.published import best_sheet, goals, paper_sheet
from experiments.reports.scale import scale_svg
from experiments.reports.statistics import iqm
from experiments.reports.style import COLOURS, colour_of, svg_of
from experiments.reports.tables import agents_of, agents_sheet, cost_sheet
from experiments.reports.terminal import print_sheet, result_sheets
from experiments.reports.write import write_report
from experiments.results import published
from experiments.results.files import read_json, write_json
from experiments.results.spec import id_of
from experiments.results.study import labels, read_study, unfinished
from popjax import scores
from tests.support.command import assert_one_line, run
from tests.support.synthetic import write_study

ENVS = ["RepeatPreviousEasy", "CountRecallEasy", "BattleshipEasy"]  # no paper's figure of the last
SKILL = {"gru": 0.7, "mlp": 0.0}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder of a study of agents and language models, reported once."""
    out = tmp_path_factory.mktemp("results")
    write_study(out, "both", SKILL, ENVS)
    write_study(out, "both", {"s5": 0.5}, ENVS[:1], regime="lm")
    return out


@pytest.fixture(scope="module")
def rows(out):
    return read_study(out / "both")


@pytest.fixture(scope="module")
def page(out):
    """The page, as `popjax report` writes it."""
    from experiments.cli.app import main

    assert main(["report", "both", "--out", str(out)]) == 0
    return (out / "both" / "report.html").read_text()


def test_the_table_says_what_the_cells_hold(rows):
    sheet = agents_sheet("both", agents_of(rows))
    [line] = [
        row
        for row in sheet.rows
        if (row["environment"], row["memory"]) == ("CountRecallEasy", "gru")
    ]
    [cell] = [r for r in rows if (r.spec.env, r.spec.memory) == ("CountRecallEasy", "gru")]
    known = scores.scores("CountRecallEasy")
    assert line["final"].mean == pytest.approx(cell.final.mean())
    assert line["final"].deviation == pytest.approx(np.std(cell.final, ddof=1))
    assert line["reference"] == known["reference"]["mean"]
    assert line["paper GRU"] == known["paper_gru"]["mean"]
    assert all(row["paper GRU"] is None for row in sheet.rows if "Battle" in row["environment"])


def test_the_better_memory_leads_the_aggregates(rows):
    first, second = aggregates(agents_of(rows))
    assert (first.who, second.who) == ("gru", "mlp")
    runs = [
        scores.normalise(r.spec.env, r.final) for r in agents_of(rows) if r.spec.memory == "gru"
    ]
    assert first.iqm.mean == pytest.approx(iqm(np.concatenate(runs)))
    assert first.iqm.low <= first.iqm.mean <= first.iqm.high
    assert first.better is None and second.better.mean > 0.9
    assert second.gap.mean > first.gap.mean > 0


def test_unequal_environments_and_lost_runs_are_owned_up_to(rows):
    agents = agents_of(rows)
    lost = dataclasses.replace(agents[0], final=np.array([0.1, np.nan, 0.2]))
    found = aggregates([lost, *agents[1:]])
    [one] = [one for one in found if one.who == lost.who]
    assert lost.spec.env not in one.strata
    caption = " ".join(aggregates_sheet("both", found).caption)
    assert "not all run on the same environments" in caption


def test_a_diverged_seed_counts_as_random_play_in_every_table(tmp_path):
    """And each says how many did: parameters that are no numbers play nothing, and what the last
    policy happened to earn with them is no result."""
    folder = write_study(tmp_path, "lost", {"gru": 0.7, "mlp": 0.5}, ENVS[1:2])
    write_study(tmp_path, "lost", {"s5": 0.5}, ENVS[:1], regime="lm")
    for summary in folder.glob("*-gru-*/summary.json"), folder.glob("*-s5-*/summary.json"):
        [path] = summary
        write_json(path, read_json(path) | {"diverged": {"1": 5}})
    rows = read_study(folder)
    gru, s5 = (next(row for row in rows if row.spec.memory == name) for name in ("gru", "s5"))
    random = scores.scores(ENVS[1])["random"]["mean"]
    assert gru.final[1] == gru.greedy[1] == gru.mmer[1] == random != gru.final[0]
    assert np.isnan([seed["nats"] for seed in s5.tokens]).tolist() == [False, True, False]
    agents, over_all, models = result_sheets("lost", rows)
    for sheet in (agents, over_all):
        assert "1 of 6 seeds diverged, counted as random play." in sheet.caption
    assert "1 of 3 seeds diverged, left out." in models.caption
    [line] = models.rows
    assert 0 < line["excess"].mean < 1 and line["s.e."] > 0
    [one] = (one for one in aggregates(agents_of(rows)) if one.who == "gru")
    assert one.strata[ENVS[1]][1] == pytest.approx(0)
    result_of = {line["memory"]: line["result"] for line in table_of("lost", rows)["cells"]}
    assert result_of["gru"].endswith("(1 of 3 seeds diverged, counted as random play)")
    assert "nan" not in result_of["s5"] and result_of["s5"].endswith(
        "(1 of 3 seeds diverged, left out)"
    )
    assert "diverged" not in result_of["mlp"]
    record = json.loads(as_json("lost", rows))
    assert record["notes"] == [agents.caption[-1], models.caption[-1]]
    metrics = gru.metrics | {"diverged": gru.metrics["update"] >= 5}
    _, values = curve(dataclasses.replace(gru, metrics=metrics), "return")
    assert np.isnan(values[:, 5:]).all() and np.isfinite(values[:, 1:5]).all()


def test_one_memory_alone_is_compared_with_none(rows, tmp_path):
    """No interquartile mean, profile or probability of improvement; how much it solved."""
    alone = [row for row in agents_of(rows) if row.spec.memory == "gru"]
    assert aggregates(alone) == []
    [sheet] = result_sheets("alone", alone)
    assert [line["solved"] for line in sheet.rows] == [""] * len(ENVS)
    assert sheet.caption[2].startswith("Solved (normalised at least 0.9): 0 of 3 cells.")
    good = [dataclasses.replace(row, final=row.final + 9) for row in alone]
    assert {line["solved"] for line in agents_sheet("alone", good).rows} == {"yes"}
    folder = write_study(tmp_path, "alone", {"gru": 0.95}, ENVS[:1])
    text = write_report(folder, read_study(folder)).read_text()
    assert (
        "Solved (normalised at least 0.9): 1 of 1 cell." in text
        and "interquartile mean of" not in text
    )
    assert not (folder / "figures" / "profiles.svg").exists()


def test_memories_that_never_met_are_not_compared(rows):
    """As in the quick sweep, where each environment has the memory that plays it best: a mean of
    one memory's tasks says nothing beside that of another's."""
    agents = agents_of(rows)
    apart = [r for r in agents if (r.spec.memory == "gru") == (r.spec.env == ENVS[0])]
    assert len({r.spec.memory for r in apart}) == 2 and aggregates(apart) == []
    assert len(aggregates(agents)) == 2


def test_memory_gain_stands_where_memory_is_worth_something(rows):
    [row] = (r for r in agents_of(rows) if (r.spec.env, r.spec.memory) == ("BattleshipEasy", "gru"))
    maze = dataclasses.replace(row, spec=dataclasses.replace(row.spec, env="LabyrinthEscapeEasy"))
    ship, blank = agents_sheet("both", [row, maze]).rows
    known = scores.scores("BattleshipEasy")
    gain = (row.final.mean() - known["memoryless"]["mean"]) / (
        known["reference"]["mean"] - known["memoryless"]["mean"]
    )
    assert ship["memory gain"] == pytest.approx(gain) and ship["normalised"] > gain
    assert np.isnan(blank["memory gain"]) and np.isfinite(blank["normalised"])


def test_the_picture_has_one_scale_in_all_lines():
    """Random play and the reference stand in the same places whatever the task."""
    ticks = [
        re.findall(r'<line x1="([\d.]+)" x2="[\d.]+" y1="3"', scale_svg(env, np.array([0.0])))
        for env in ENVS
    ]
    assert len(ticks[0]) == 2 and ticks[0] == ticks[1] == ticks[2]
    assert scale_svg(ENVS[0], np.array([1e6])).count("<circle") == 2  # at the end, and the paper's


def test_a_curve_goes_on_over_updates_in_which_no_episode_ended(rows):
    """A line has no holes; where it does without a value, its points are marked."""
    row = agents_of(rows)[0]
    metrics = row.metrics | {"return": row.metrics["return"].copy()}
    metrics["return"][np.isin(row.metrics["update"], (3, 4, 9))] = np.nan
    sparse = dataclasses.replace(row, metrics=metrics)
    assert has_gaps(sparse, "return") and not has_gaps(row, "return")
    colours = {who: COLOURS[0] for who in labels(rows)}
    for one, dotted in ((sparse, True), (row, False)):
        [panel] = panel_figure([one], "return", colours).axes
        lines = [line for line in panel.lines if line.get_linestyle() == "-"]
        drawn = [np.isfinite(line.get_ydata())[1:] for line in lines if len(line.get_ydata()) > 2]
        assert drawn and all(known.all() for known in drawn)
        assert any(line.get_marker() == "." for line in panel.lines) == dotted


def test_curves_have_the_one_scale(rows):
    """Random play at 0 and the reference player at 1, in every task."""
    for row in agents_of(rows):
        heights = marks(row, "return")
        assert heights["random"] == pytest.approx(0) and heights["reference"] == pytest.approx(1)
        last = np.nanmean(curve(row, "return")[1][:, -1])
        assert last == pytest.approx(scores.normalise(row.spec.env, row.final).mean(), abs=0.1)


def test_it_is_said_where_the_maximum_over_training_misleads(rows):
    row = agents_of(rows)[0]
    assert not any("misleads" in line for line in agents_sheet("both", [row]).caption)
    random, reference = (scores.scores(row.spec.env)[k]["mean"] for k in ("random", "reference"))
    lucky = dataclasses.replace(
        row, mmer=np.full(3, reference), final=np.full(3, 0.5 * (random + reference))
    )
    [line] = [one for one in agents_sheet("both", [lucky]).caption if "misleads" in one]
    assert row.spec.env in line and "short and lucky ones end first" in line


@pytest.mark.parametrize("width", [80, 100, 120, 170])
def test_no_head_or_number_of_a_table_is_cut(rows, width):
    """Columns that do not fit are left out and named, whatever the width."""
    long = [
        dataclasses.replace(
            r, spec=dataclasses.replace(r.spec, env="NoisyPositionOnlyPendulumEasy")
        )
        for r in agents_of(rows)
    ]
    kept = published.results()
    sheets = [*result_sheets("both", rows), agents_sheet("both", long), cost_sheet("both", rows)]
    sheets += [best_sheet(kept, goals()), paper_sheet([r for r in kept if r.name == "paper"])]
    for sheet in sheets:
        file = io.StringIO()
        print_sheet(sheet, Console(file=file, width=width, markup=False))
        out = file.getvalue()
        assert "…" not in out and max(map(len, out.splitlines())) <= width
        left = re.search(r"Left out, as the terminal is narrow: (.*)\.", " ".join(out.split()))
        for column in sheet.columns:
            gone = column.wide or (left and column.name in left[1])
            assert gone or all(word in out for word in column.name.split()), column.name
        if sheet.name == "agents" and width >= 100:
            assert "normalised" in out and "solved" in out


def test_cells_of_one_memory_are_told_apart_by_what_differs(rows):
    row = agents_of(rows)[0]
    record = json.loads(json.dumps(row.record))
    record["spec"]["settings"]["network"]["features"] = 16
    wide = dataclasses.replace(row, record=record)
    assert labels([row, wide]) == [f"{row.who}, features 8", f"{row.who}, features 16"]
    assert labels([row]) == [row.who]


def test_a_study_of_an_older_version_is_read(out, tmp_path):
    """Its specs lack a setting, and its folders are named by the specs as they were."""
    shutil.copytree(out / "both", tmp_path / "old")
    for folder in [path.parent for path in (tmp_path / "old").glob("*/spec.json")]:
        record = json.loads((folder / "spec.json").read_text())
        del record["spec"]["settings"]["network"]["separate_critic"]
        del record["checksum"]
        (folder / "spec.json").write_text(json.dumps(record))
        folder.rename(folder.with_name(id_of(record["spec"])))
    assert len(read_study(tmp_path / "old")) == len(read_study(out / "both"))


def test_cells_without_a_result_are_named(out, rows, tmp_path):
    shutil.copytree(out / "both", tmp_path / "cut")
    first, second = sorted((tmp_path / "cut").glob("*/metrics.parquet"))[:2]
    first.unlink()
    second.unlink()
    second.with_name("failure.txt").write_text("OSError: no space\n\nTraceback ...\n")
    missing = unfinished(tmp_path / "cut")
    assert missing == [(first.parent.name, ""), (second.parent.name, "OSError: no space")]
    [sheet] = unfinished_sheets(missing)
    assert sheet.title.startswith("2 cells not finished") and len(sheet.rows) == 2
    assert facts_of(rows, 2).startswith("7 of 9 cells")
    assert unfinished(out / "both") == unfinished_sheets([]) == []


def test_the_best_memories_have_colours_of_their_own():
    few, many = colour_of("abcd"), colour_of([str(i) for i in range(30)])
    assert len(set(few.values())) == 4
    assert Counter(many.values()).most_common(1)[0][1] == 30 - len(COLOURS) + 1


def test_csv_has_a_line_for_each_seed(out, capsys):
    _, text, _ = run(capsys, f"report both --format csv --out {out}")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert len(lines) == 3 * (len(ENVS) * len(SKILL) + 1)
    rows = read_study(out / "both")
    first = next(r for r in rows if r.spec.regime == "ppo")
    own = [x for x in lines if (x["env"], x["label"]) == (first.spec.env, first.who)]
    assert [float(x["final"]) for x in own] == first.final.tolist()
    [spoken] = {x["regime"] for x in lines if x["nats"]}
    assert spoken == "lm"


def test_json_holds_cells_and_aggregates(out, capsys):
    _, text, _ = run(capsys, f"report both --format json --out {out}")
    record = json.loads(text)
    assert [one["label"] for one in record["aggregates"]] == ["gru", "mlp"]
    assert len(record["cells"]) == len(ENVS) * len(SKILL) + 1
    assert record["cells"][0]["versions"]["jax"]


def test_markdown_is_made_of_whole_tables(out, capsys):
    _, text, _ = run(capsys, f"report both --format md --out {out}")
    tables = [part for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) == 4  # agents, over all environments, language models, costs
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_figures_lie_beside_the_page(out, page):
    figures = out / "both" / "figures"
    names = {path.stem for path in figures.iterdir()}
    assert names == {"aggregates", "profiles", "map", "curves", "curves-nats", "cost"}
    for name in names:
        with Image.open(figures / f"{name}.png") as image:
            image.verify()
        svg = (figures / f"{name}.svg").read_text()
        ElementTree.fromstring(svg)
        assert "<text" in svg and "gru" in svg + "gru" * (name == "curves-nats")


def test_a_page_of_the_studys_own_networks_is_kept(out, rows, page):
    path = out / "both" / ATTACHED
    assert "popjax report both" in path.read_text()
    own = path.read_text().replace("popjax report both", "popjax explore both")
    path.write_text(own)
    attached.attach(out / "both", rows)
    assert path.read_text() == own


def test_the_page_is_whole_in_itself(page):
    """Nothing is loaded; every id is there once; every reference is to one of them, or to the page
    with the toggle."""
    ids = Counter(re.findall(r'\bid="([^"]+)"', page))
    assert max(ids.values()) == 1
    for reference in re.findall(r'(?:href|src)="([^"]*)"', page):
        assert reference.removeprefix("#") in ids or reference in (ATTACHED, "data:,")
    for reference in re.findall(r"url\(([^)]*)\)", page):
        assert reference.removeprefix("#") in ids or reference in (ATTACHED, "data:,")
    assert "@import" not in page
    assert re.findall("<link[^>]*>", page) == ['<link rel="icon" href="data:,">']


def test_a_figure_is_the_same_text_every_time(rows):
    """Matplotlib's ids are random unless salted."""
    colours = {who: COLOURS[0] for who in labels(rows)}
    first, second = (
        svg_of(panel_figure(agents_of(rows)[:2], "return", colours), "x") for _ in range(2)
    )
    assert first == second


def test_mistakes_get_one_line(out, capsys, tmp_path):
    words = f"report both --out {out} --format htm"
    assert_one_line(capsys, words, "no format is called 'htm': did you mean 'html'?")
    words = f"report both --out {out} --format md --picture {tmp_path}/x.png"
    assert_one_line(capsys, words, "a picture is one of the page")
    shutil.copytree(out / "both", tmp_path / "none")
    for metrics in (tmp_path / "none").glob("*/metrics.parquet"):
        metrics.unlink()
    assert_one_line(capsys, f"report none --out {tmp_path}", "no cell of")
