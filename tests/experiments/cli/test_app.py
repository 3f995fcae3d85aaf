"""Bad input gets one clear line, the nearest right word, exit code 2, and loses nothing."""

import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from agents.ppo import PPOConfig
from experiments.cli.app import main, parse
from experiments.results.spec import Settings
from experiments.results.store import Cell
from experiments.train.cell import cell
from experiments.train.settings.presets import PRESETS
from tests.support.command import assert_harmless, assert_one_line, run

TINY = (
    "--envs RepeatFirstEasy --memories gru --total-steps 1024 --seeds 2 --features 8 --study tiny"
)


@pytest.fixture(scope="module", autouse=True)
def small_batches():
    """The preset of every sweep here, with two updates to train."""
    quick, ppo = PRESETS["quick"], PPOConfig(8, 64, num_epochs=1, num_minibatches=2)
    small = replace(quick.settings, ppo=ppo, num_segments=2, eval_episodes=16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "quick", replace(quick, settings=small))
        yield


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("trian RepeatFirstEasy", "no command is called 'trian': did you mean 'train'?"),
        ("train RepeatFristEasy", "did you mean 'RepeatFirstEasy'?"),
        ("train RepeatFirstEasy --memory grue", "did you mean 'gru'?"),
        ("train RepeatFirstEasy --seeds 0", "--seeds takes a whole number from 1 to 65,536, not 0"),
        ("train RepeatFirstEasy --seeds 1000000000", "whole number from 1 to 65,536"),
        ("train RepeatFirstEasy --seeds 2.5k1", "--seeds takes a whole number, not '2.5k1'"),
        ("train RepeatFirstEasy --first-seed 99999999999", "from 0 to 2,147,483,647"),
        ("train RepeatFirstEasy --total-steps -5", "--total-steps takes a whole number from 1"),
        ("train RepeatFirstEasy --seeds many", "--seeds takes a whole number, not 'many'"),
        ("train RepeatFirstEasy --steps 1.5e0", "takes a whole number, not '1.5e0'"),
        ("train RepeatFirstEasy --memry gru", "no option is called '--memry': did you mean"),
        (
            "bridge floors --env RepeatFirstEasy",
            "did you mean '--envs'?",
        ),
        ("train RepeatFirstEasy --gamma 1.5", "gamma must be a number from 0 to 1, not 1.5"),
        ("train RepeatFirstEasy --lr fast", "--lr takes a number, not 'fast'"),
        ("train RepeatFirstEasy --hyperparams learning_rate nan", "from 0 to 1, not nan"),
        ("train RepeatFirstEasy --hyperparams clip -0.2", "clip must be a number above 0"),
        ("train RepeatFirstEasy --hyperparams max_grad_norm 0", "above 0"),
        ("train RepeatFirstEasy --features 1000000000", "from 1 to 65,536"),
        ("train RepeatFirstEasy --features 65536", "need about"),
        ("train RepeatFirstEasy --num-envs 1M --num-steps 1M", "of memory, and there are"),
        ("train RepeatFirstEasy --memory mlstm --features 3", "no multiple of heads=4"),
        ("train RepeatFirstEasy --memory mlstm --options heads 0", "mlstm cannot be made"),
        ("train RepeatFirstEasy --options size 3", "gru has no options, not even 'size'"),
        ("train RepeatFirstEasy --joint", "joint is for actions of several integers"),
        (f"train RepeatFirstEasy --study {'x' * 300}", "study takes names of at most 255 bytes"),
        ("sweep --plan --memories transformer --features 3", "no multiple of 2 x heads=4"),
        ("sweep --launcher ray --gpus inf", "--gpus takes a number from 0 to 1,024, not inf"),
        ("sweep --launcher slurm --hours nan", "--hours takes a number above 0"),
        ("bridge overlap --episodes 1000000000", "from 1 to 100,000"),
        ("bridge same-deck --memory gru,", "a memory is missing between the commas of 'gru,'"),
        ("train RepeatFirstEasy more", "'more' is one word too many"),
        (
            "train RepeatFirstEasy --hyperparams gamma",
            "takes names and values alternately",
        ),
        ("train RepeatFirstEasy --num-envs 0", "--num-envs takes a whole number from 1"),
        ("train RepeatFirstEasy --hyperparams gama 0.5", "did you mean 'gamma'?"),
        ("train RepeatFirstEasy --study a/b", "a study needs a plain folder name"),
        ("sweep --preset quik", "no preset is called 'quik': did you mean 'quick'?"),
        ("sweep --envs RepeatFirstHardd", "did you mean 'RepeatFirstHard'?"),
        ("sweep --inputs both", "no kind of input is called 'both'"),
        ("bench envy", "did you mean 'envs'?"),
        ("bench envs --num-envs 0", "from 1 to 16,777,216, not 0"),
        ("report nothing-here", "there is no study in"),
    ],
)
def test_a_mistake_gets_one_line(capsys, monkeypatch, tmp_path, words, says):
    assert_harmless(capsys, monkeypatch, tmp_path, words, says)


@pytest.mark.parametrize(
    ("words", "steps", "rate"),
    [
        ("--steps 1e6 --lr 1e-3", 1_000_000, 1e-3),
        ("--total-steps 5M --learning-rate=0.1", 5_000_000, 0.1),
        ("--lr 1e-3 --hyperparams gamma 0.5 --steps 200k", 200_000, 1e-3),
    ],
)
def test_numbers_and_names_as_people_type_them(words, steps, rate):
    settings = parse(f"train RepeatFirstEasy {words}".split()).settings
    assert settings.total_steps == steps and settings.hyperparams["learning_rate"] == rate


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


def test_a_reader_that_has_seen_enough_is_no_error():
    """`popjax envs | head -1` prints one line and nothing else."""
    command = f"{sys.executable} -m experiments.cli envs | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stderr == "" and len(done.stdout.splitlines()) == 1
