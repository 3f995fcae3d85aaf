"""Bad input gets one clear line, the nearest right word, exit code 2, and loses nothing."""

import shutil

import pytest

from experiments.cli import main
from experiments.results import Cell
from experiments.specs import Settings, cell
from tests.experiments.command import assert_harmless, assert_one_line, run

TINY = (
    "--envs RepeatFirstEasy --memories gru --total-steps 16384 --seeds 2 --features 8 --study tiny"
)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("trian RepeatFirstEasy", "no command is called 'trian': did you mean 'train'?"),
        ("train RepeatFristEasy", "did you mean 'RepeatFirstEasy'?"),
        ("train RepeatFirstEasy --memory grue", "did you mean 'gru'?"),
        ("train RepeatFirstEasy --seeds 0", "seeds must be above zero, not 0"),
        ("train RepeatFirstEasy --total-steps -5", "total_steps must be above zero, not -5"),
        ("train RepeatFirstEasy --seeds many", "--seeds takes a whole number, not 'many'"),
        (
            "train RepeatFirstEasy --total-steps 1e6",
            "takes a whole number, not '1e6'",
        ),
        ("train RepeatFirstEasy --memry gru", "no option is called '--memry': did you mean"),
        (
            "bridge floors --env RepeatFirstEasy",
            "did you mean '--envs'?",
        ),
        ("train RepeatFirstEasy --gamma 0.9", "write --hyperparams gamma VALUE"),
        ("train RepeatFirstEasy more", "'more' is one word too many"),
        (
            "train RepeatFirstEasy --hyperparams gamma",
            "takes names and values by turns",
        ),
        ("train RepeatFirstEasy --num-envs 0", "num_envs must be at least 1"),
        ("train RepeatFirstEasy --hyperparams gama 0.5", "did you mean 'gamma'?"),
        ("train RepeatFirstEasy --study a/b", "a study needs a plain folder name"),
        ("sweep --preset quik", "no preset is called 'quik': did you mean 'quick'?"),
        ("sweep --envs RepeatFirstHardd", "did you mean 'RepeatFirstHard'?"),
        ("sweep --inputs both", "no kind of input is called 'both'"),
        ("bench envy", "did you mean 'envs'?"),
        ("bench envs --num-envs 0", "above zero"),
        ("report nothing-here", "there is no study in"),
    ],
)
def test_a_mistake_gets_one_line(capsys, monkeypatch, tmp_path, words, says):
    assert_harmless(capsys, monkeypatch, tmp_path, words, says)


def test_the_nearest_study_is_named(capsys, tmp_path):
    (tmp_path / "quick").mkdir()
    (tmp_path / "quick" / "study.json").write_text("{}")
    assert_one_line(capsys, f"report quik --out {tmp_path}", "did you mean 'quick'?")


def test_its_version(capsys):
    code, out, _ = run(capsys, "--version")
    assert code == 0 and out.startswith("popjax ") and "jax" in out


def test_an_unwritable_output_folder(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert_one_line(capsys, f"sweep {TINY} --out {tmp_path / 'file'}", "cannot write to")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A tiny finished sweep."""
    out = tmp_path_factory.mktemp("results")
    assert main(f"sweep {TINY} --out {out}".split()) == 0
    return out


def test_a_sweep_ends_with_a_table(study, capsys):
    code, out, _ = run(capsys, f"report tiny --out {study}")
    assert code == 0
    for word in ("RepeatFirstEasy", "gru", "final", "MMER", "normalised", "reference", "paper"):
        assert word in out
    assert str(study / "tiny" / "report.html") in out


def test_a_report_says_what_has_not_ended(study, capsys, tmp_path):
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)
    Cell(tmp_path / "tiny", cell("RepeatFirstHard", "gru", Settings())).open()
    code, out, _ = run(capsys, f"report tiny --out {tmp_path}")
    assert code == 0 and "1 cell has begun and not ended" in out


def test_a_finished_cell_is_not_run_again(study, capsys):
    files = {p: p.stat().st_mtime_ns for p in study.rglob("*") if p.is_file()}
    code, out, _ = run(capsys, f"sweep {TINY} --out {study}")
    assert code == 0 and "finished before" in out
    assert files == {p: p.stat().st_mtime_ns for p in study.rglob("*") if p.is_file()}


def test_a_study_of_other_settings_is_refused(study, capsys):
    words = f"sweep {TINY} --out {study} --seeds 3"
    assert_one_line(capsys, words, "seeds: 2 there, 3 asked")


def test_a_damaged_result_is_named(study, capsys, tmp_path):
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)
    [metrics] = tmp_path.rglob("metrics.parquet")
    metrics.write_bytes(metrics.read_bytes()[:100])
    assert_one_line(capsys, f"report tiny --out {tmp_path}", "metrics.parquet is damaged")


def test_a_damaged_checkpoint_is_named(study, capsys, tmp_path):
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)
    [metrics] = tmp_path.rglob("metrics.parquet")
    metrics.unlink()
    for path in metrics.parent.joinpath("checkpoint").rglob("*"):
        if path.is_file() and path.stat().st_size > 200:
            path.write_bytes(b"\0" * 50)
    progress = (metrics.parent / "progress.jsonl").read_text()
    code, _, err = run(capsys, f"sweep {TINY} --out {tmp_path}")
    assert code == 2 and "is damaged" in err and err.count("\n") == 1
    assert (metrics.parent / "progress.jsonl").read_text() == progress


def test_lists(capsys):
    code, out, _ = run(capsys, "envs")
    assert code == 0 and "RepeatPreviousHard" in out
    code, out, _ = run(capsys, "memories --features 32")
    assert code == 0 and "gru" in out
    assert "shm: its state is bounded only in the mean" in out


def test_benches_print_their_tables(capsys):
    words = "bench envs --envs RepeatFirstEasy --num-envs 4 16 --repeats 1"
    code, out, _ = run(capsys, words)
    assert code == 0 and "compile s" in out and "popgym" in out and out.count("RepeatFirst") == 2
    words = "bench ppo --memories mlp --features 8 --compile-only "
    words += "--num-envs 4 --num-steps 8 --num-epochs 2 --num-minibatches 2"
    code, out, _ = run(capsys, words)
    assert code == 0 and "CPU seconds" in out and "mlp" in out


def test_widths_at_equal_sizes(capsys):
    """With a budget the widths differ, and no model is above it."""
    code, out, _ = run(capsys, "memories --parameters 20000")
    assert code == 0
    rows = [line.split("│") for line in out.splitlines() if line.startswith("│")]
    sizes = {row[1].strip(): int(row[4].replace(",", "")) for row in rows}
    assert 15_000 < sizes["gru"] <= 20_000 and 15_000 < sizes["mlp"] <= 20_000
    code, _, err = run(capsys, "train RepeatFirstEasy --parameters 9000 --state 9")
    assert code == 2 and "not both" in err
