"""Results that are kept with the sources: every run stays, and the tables made of them."""

import dataclasses
import json

import numpy as np
import pytest

from experiments.cli import published as published_commands
from experiments.reports.published import best_sheet, paper_sheet, records
from experiments.results import published
from experiments.results.errors import UserError
from experiments.results.files import read_json, write_json
from experiments.results.provenance import commit
from experiments.results.spec import NetworkConfig, Settings
from experiments.results.store import Cell, open_study
from experiments.results.tables import format_value, markdown
from experiments.train.cell import cell
from popjax import scores
from tests.support.command import assert_one_line, run

GOAL = {"CountRecallEasy": 0.61}


def study(
    out, name, returns, first=0, diverged=None, sources="a", env="CountRecallEasy", **changed
):
    """A study with one finished cell, as if it had been trained with that commit."""
    folder = open_study(out, name, {"kind": "train"})
    spec = cell(env, "gru", Settings(seeds=len(returns), first_seed=first, **changed))
    store = Cell(folder, spec)
    store.open()
    path = store.folder / "spec.json"
    write_json(path, read_json(path) | {"commit": sources, "cpu": "Z80", "cores": 3})
    finish(store, returns, diverged)
    return folder


def finish(store, returns, diverged=None):
    """Writes what training leaves: these final returns, 0.01 more if greedy, 0.1 more as MMER."""
    store.open()
    seeds = store.spec.seeds
    evaluation = {
        "seed": np.tile(seeds, 2),
        "policy": np.repeat(["sampled", "greedy"], len(returns)),
        "return": np.tile(returns, 2) + np.repeat([0, 0.01], len(returns)),
    }
    metrics = {"seed": np.array(seeds), "return": np.array(returns) + 0.1}
    summary = {"train_seconds": 120.0, "cpu_seconds": 200.0, "diverged": diverged or {}}
    store.finish(metrics, evaluation, summary)


@pytest.fixture
def kept(tmp_path):
    """A folder with one result of two seeds."""
    published.add(study(tmp_path, "first", [0.5, 0.7]), "fast", tmp_path / "kept")
    return tmp_path / "kept"


def only(kept):
    [result] = published.results(kept)
    return result


def line_of(sheet):
    [row] = sheet.rows
    return {c.name: format_value(row.get(c.name), c.digits) for c in sheet.columns}


def test_a_worse_run_counts_as_much_as_a_better_one(tmp_path, kept):
    """No best of several tries: the mean is over all seeds, and the worst one is shown."""
    paths, refused = published.add(study(tmp_path, "worse", [0.1, 0.3], first=2), "fast", kept)
    assert [path.name for path in paths] == ["CountRecallEasy-gru-fast.json"] and not refused
    line = line_of(best_sheet([only(kept)], GOAL))
    assert (line["seeds"], line["final"], line["worst seed"]) == ("4", "0.400 ± 0.258", "0.100")
    assert line["goal"] == "0.61 missed"


def test_the_same_seeds_of_the_same_commit_are_there_already(tmp_path, kept):
    again = study(tmp_path, "again", [0.9, 0.9, 0.9])
    paths, refused = published.add(again, "fast", kept)
    assert not paths and "[0, 1] are kept (commit a, same settings)" in refused[0]
    assert len(only(kept).runs) == 1
    published.add(study(tmp_path, "later", [0.9, 0.9], sources="b"), "fast", kept)
    assert only(kept).seeds == (0, 1, 0, 1)


def test_a_run_says_what_trained_it_not_what_added_it(tmp_path, kept):
    [one] = only(kept).runs
    assert (one.commit, one.machine["cpu"], one.machine["cores"]) == ("a", "Z80", 3)
    assert (one.seconds, one.cpu_seconds) == (120, 200)
    folder = study(tmp_path, "unnamed", [0.5], first=5, sources=None)
    published.add(folder, "fast", kept)
    published.add(folder, "other", kept, commit="c")
    by_name = {result.name: result for result in published.results(kept)}
    assert by_name["fast"].runs[-1].commit is None and by_name["other"].runs[-1].commit == "c"


def test_earlier_settings_stay_in_the_file_and_out_of_the_mean(tmp_path, kept):
    wide = NetworkConfig(features=16)
    published.add(study(tmp_path, "wide", [0.9], first=2, network=wide), "fast", kept)
    result = only(kept)
    assert len(result.runs) == 2 and result.seeds == (2,)
    sheet = best_sheet([result], GOAL)
    assert line_of(sheet)["final"] == "0.900"
    assert "earlier settings, kept and not counted: CountRecallEasy gru 2" in sheet.caption[-1]


def test_a_setting_that_came_later_has_its_default_in_earlier_runs(kept):
    settings = only(kept).runs[0].settings
    early = json.loads(json.dumps(settings))
    del early["network"]["separate_critic"], early["hyperparams"]["value_clip"]
    assert published.comparable(early) == published.comparable(settings)
    early["hyperparams"]["gamma"] = "0.5"
    assert published.comparable(early) != published.comparable(settings)


def test_a_diverged_seed_counts_as_random_play_and_is_counted(tmp_path, kept):
    """Parameters that are no numbers play nothing, whatever the last policy happened to earn."""
    random = scores.scores("CountRecallEasy")["random"]["mean"]
    published.add(study(tmp_path, "lost", [0.6, 0.99], 2, {"3": 7}), "fast", kept)
    result = only(kept)
    assert result.runs[-1].final == pytest.approx((0.6, random), abs=1e-4)
    assert result.runs[-1].mmer == pytest.approx((0.7, random), abs=1e-4)
    for sheet in (best_sheet([result], GOAL), paper_sheet([result])):
        assert "1 of 4 seeds diverged, counted as random play." in sheet.caption
    assert records([result], GOAL)[0]["worst"] == pytest.approx(random, abs=1e-4)


def test_only_reporting_seeds_are_kept(tmp_path, kept):
    with pytest.raises(UserError, match="reporting seeds are 0 to 999"):
        published.add(study(tmp_path, "tuning", [0.9, 0.9], first=999), "fast", kept)
    assert len(only(kept).runs) == 1


def test_mmer_stands_beside_mmer_and_final_beside_final(tmp_path):
    """LSTM has an MMER of 0.509 on CountRecallEasy; on BattleshipEasy a final return is known."""
    kept = tmp_path / "kept"
    published.add(study(tmp_path, "a", [0.45, 0.45]), "fast", kept)
    published.add(study(tmp_path, "b", [-0.4, -0.4], env="BattleshipEasy"), "fast", kept)
    ship, count = (line_of(best_sheet([result], {})) for result in published.results(kept))
    best = "best published"
    assert (count[best], count["ours beside it"]) == ("0.509 MMER (LSTM)", "0.550 by MMER alone")
    assert (ship[best], ship["ours beside it"]) == ("-0.35 final (PPO-GRU)", "-0.400 below")


def test_a_table_of_the_papers_settings_says_how_much_of_its_budget_was_spent(tmp_path):
    """CountRecallEasy: the paper's GRU has an MMER of 0.177 with a deviation of 0.005."""
    kept = tmp_path / "kept"
    for returns, apart, says in (([0.08, 0.084], "+1.0", "yes"), ([0.02, 0.03], "-10.4", "below")):
        folder = study(tmp_path, says, returns, total_steps=3_932_160)
        published.add(folder, "paper", kept / says)
        sheet = paper_sheet([only(kept / says)])
        line = line_of(sheet)
        assert (line["paper's GRU"], line["apart"], line["within two"]) == (
            "0.177 ± 0.005", apart, says
        )  # fmt: skip
        assert line["trials"] == "2 (paper 3)" and line["steps"].endswith("(26 % of 15M)")
        assert "Not the paper's budget: 2 seeds and 26 % of the steps." in sheet.caption
    assert "its 3 trials of 15M steps" in best_sheet([only(kept / "yes")], {}).caption[-1]


def test_a_rerun_takes_the_newest_settings_and_seeds_that_nobody_has_used(tmp_path, kept):
    wide = NetworkConfig(features=16)
    published.add(study(tmp_path, "wide", [0.9, 0.8], first=7, network=wide), "fast", kept)
    spec = published.rerun_spec(only(kept), 5)
    assert spec.seeds == (9, 10, 11, 12, 13) and spec.settings.network == wide
    assert published.rerun_spec(only(kept), 2, 7, commit="b").seeds == (7, 8)
    with pytest.raises(UserError, match=r"\[8\] are kept"):
        published.rerun_spec(only(kept), 2, 8, commit="a")
    with pytest.raises(UserError, match="reporting seeds"):
        published.rerun_spec(only(kept), 2, 999)


def test_the_command_trains_a_kept_result_again(tmp_path, kept, monkeypatch, capsys):
    """With the next seeds, as one more run of the same file; training itself is not this test's."""

    def trained(out, name, asked, specs, console):
        [spec] = specs
        finish(Cell(open_study(out, name, asked), spec), [0.8])

    monkeypatch.setattr(published, "FOLDER", kept)
    monkeypatch.setattr(published_commands, "run_study", trained)
    words = f"published --seeds 1 --out {tmp_path}/results --rerun "
    code, text, _ = run(capsys, words + "CountRecallEasy-gru-fast")
    assert code == 0 and "0.667 ± 0.153" in text
    first, second = only(kept).runs
    assert second.seeds == (2,) and second.commit == commit()
    assert published.comparable(first.settings) == published.comparable(second.settings)
    assert_one_line(capsys, words + "CountRecallEasy-gru-fats", "did you mean")


def test_the_command_adds_a_study_that_does_not_name_its_commit(
    tmp_path, kept, monkeypatch, capsys
):
    """A study is added again as it grows: what is there already is named and left."""
    monkeypatch.setattr(published, "FOLDER", kept)
    folder = study(tmp_path, "grows", [0.8], first=3, sources=None)
    words = f"published --add {folder} --name fast --commit c0ffee"
    code, text, err = run(capsys, words)
    assert code == 0 and "kept CountRecallEasy-gru-fast.json" in err and "0.667 ± 0.153" in text
    assert only(kept).runs[-1].commit == "c0ffee"
    assert_one_line(capsys, words, "[3] are kept (commit c0ffee, same settings)")
    study(tmp_path, "grows", [0.9], first=4, sources=None)
    code, _, err = run(capsys, words)
    assert code == 0 and "not added: " in err and only(kept).seeds == (0, 1, 3, 4)
    assert_one_line(capsys, f"{words} --name a-b", "no dash and no slash")
    assert_one_line(capsys, f"{words} --rerun x", "give --add or --rerun")
    assert_one_line(capsys, "published --name fats", "no result is kept of settings called 'fats'")


def test_records_for_programs(kept, capsys):
    [record] = records([only(kept)], GOAL)
    assert (record["seeds"], record["final"], record["mmer"]) == ([0, 1], [0.5, 0.7], [0.6, 0.8])
    assert (record["published"], record["published_metric"]) == (0.509, "MMER")
    assert record["better"] and record["network"] == "plain"
    code, text, _ = run(capsys, "published --format json")
    assert code == 0 and {one["settings_name"] for one in json.loads(text)} == {"fast"}


def test_what_is_kept_is_whole():
    for result in published.results():
        for one in result.runs:
            assert one.settings["seeds"] == len(one.seeds) == len(one.final) == len(one.mmer)
        assert (published.FOLDER / result.file).is_file()
        assert published.rerun_spec(result, 1).env == result.env


def test_a_file_is_read_as_it_was_written(kept):
    result = only(kept)
    assert published.read(published.write(result, kept)) == result
    assert "| CountRecallEasy | gru | 2 |" in markdown(best_sheet([result], GOAL))


@pytest.mark.parametrize("text", ['{"env": "a"', '{"env": "a", "runs": []}', "[1]"])
def test_a_damaged_file_is_named(tmp_path, text):
    path = tmp_path / "a-gru-fast.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"a-gru-fast\.json is damaged"):
        published.results(tmp_path)


def test_a_number_a_seed_is_missing(kept):
    path = kept / "CountRecallEasy-gru-fast.json"
    plain = dataclasses.asdict(only(kept))
    plain["runs"][0]["mmer"] = [0.5]
    path.write_text(json.dumps(plain))
    with pytest.raises(UserError, match="is damaged"):
        published.read(path)
