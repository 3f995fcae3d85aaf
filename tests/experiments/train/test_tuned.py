"""The `fast` settings: found on seeds apart, read by id, family or `*`, and options win."""

import dataclasses
import json
from itertools import combinations

import pytest
from rich.console import Console

from experiments.cli import train as cli_train
from experiments.cli.app import parse
from experiments.results.errors import UserError
from experiments.results.seeds import FRESH_SEEDS, REPORTING_SEEDS, TUNING_SEEDS
from experiments.results.spec import NetworkConfig, Settings
from experiments.results.store import Cell
from experiments.train.settings import tuned
from experiments.train.settings.presets import PRESETS
from popjax import ENVS
from tests.support.command import assert_harmless

ENTRIES = {
    "CountRecallEasy": {
        "gru": {
            "best": True,
            "settings": {
                "total_steps": 3_000_000,
                "network": {"features": 64, "options": {"size": 3}},
                "ppo": {"num_envs": 128, "inputs": "obs"},
                "hyperparams": {"gamma": 0.9, "clip": 0.1},
            },
            "source": "by hand",
        }
    },
    "CountRecall": {"*": {"settings": {"ppo": {"num_steps": 32}}, "source": "by hand"}},
    "*": {
        "lru": {"best": True, "settings": {}, "source": "by hand"},
        "*": {"settings": {"total_steps": 7}, "source": "by hand"},
    },
}


@pytest.fixture
def entries(tmp_path, monkeypatch):
    path = tmp_path / "tuned.json"
    path.write_text(json.dumps(ENTRIES))
    read = tuned.read_tuned
    monkeypatch.setattr(tuned, "read_tuned", lambda _=None: read(path))
    return path


def test_what_is_tuned_what_is_reported_and_what_judges_are_seeds_apart():
    kinds = (REPORTING_SEEDS, TUNING_SEEDS, FRESH_SEEDS)
    assert all(not set(a) & set(b) for a, b in combinations(kinds, 2))
    for env in ENVS:
        settings = tuned.tuned(env, "gru")
        seeds = range(settings.first_seed, settings.first_seed + settings.seeds)
        assert set(seeds) <= set(REPORTING_SEEDS)


def test_the_shipped_file_is_right():
    for env in PRESETS["fast"].envs:
        memory = tuned.best_memory(env)
        entry = tuned.entry_of(env, memory)
        assert entry["source"] and (tuned.tuned(env, memory).total_steps or 0) <= 15_000_000


def test_the_nearest_entry_holds(entries):
    assert tuned.tuned("CountRecallEasy", "gru").ppo.num_envs == 128
    assert tuned.tuned("CountRecallEasy", "mlp").ppo.num_steps == 32
    assert tuned.tuned("CountRecallHard", "lru").ppo.num_steps == 32
    assert tuned.tuned("RepeatFirstEasy", "lru") == Settings()
    assert tuned.tuned("RepeatFirstEasy", "mlp").total_steps == 7
    assert tuned.best_memory("CountRecallEasy") == "gru"
    assert tuned.best_memory("CountRecallHard") == "lru"


def test_options_win_over_fast(entries, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        cli_train, "run_study", lambda *words, **_: asked.update({words[1]: words[3]})
    )
    words = "train CountRecallEasy --settings fast --features 16 --hyperparams clip 0.3"
    words += " --options other 4"
    parse(words.split()).run(Console())
    [spec] = asked["train"]
    assert spec.settings.network == NetworkConfig(features=16, options={"size": 3, "other": 4})
    assert spec.settings.ppo.num_envs == 128 and spec.settings.total_steps == 3_000_000
    assert spec.settings.hyperparams == {"gamma": 0.9, "clip": 0.3}

    parse(
        [
            "sweep",
            "--preset",
            "fast",
            "--envs",
            "CountRecallEasy",
            "RepeatFirstEasy",
            "--seeds",
            "1",
        ]
    ).run(Console())
    first, second = asked["fast"]
    assert (first.memory, second.memory) == ("gru", "lru")
    assert first.settings.ppo.inputs == "obs" and len(first.seeds) == 1
    assert first.settings.total_steps == 3_000_000 and second.settings.total_steps == 2_000_000


def test_a_cell_that_was_never_tuned_says_what_it_is_trained_with(
    entries, monkeypatch, capsys, tmp_path
):
    """In one line, and in its spec.json; a tuned one has nothing to say."""
    asked = []
    monkeypatch.setattr(cli_train, "run_study", lambda *words, **_: asked.extend(words[3]))
    for words, instead in (
        ("train CountRecallEasy", ""),
        ("train CountRecallEasy --memory mlp", "those of CountRecall with any memory"),
        ("train CountRecallHard --memory elman", "those of CountRecall with any memory"),
        ("train RepeatFirstEasy --memory lru", "the defaults"),
        ("train RepeatFirstEasy --memory mlp", "those of any environment with any memory"),
    ):
        parse([*words.split(), "--settings", "fast"]).run(Console(width=200))
        said, spec = capsys.readouterr().out, asked[-1]
        never = f"{spec.env} with {spec.memory} was never tuned"
        other = " (tuned: gru)" if spec.env == "CountRecallEasy" else ""
        assert said == (f"{never}: --settings fast takes {instead}{other}\n" if instead else "")
        Cell(tmp_path, spec).open()
        record = json.loads((Cell(tmp_path, spec).folder / "spec.json").read_text())
        assert record["settings_from"] == (f"fast: {never}, {instead}" if instead else "fast")
        assert spec.id == dataclasses.replace(spec, source="").id


def test_what_is_written_is_read_again(entries):
    settings = Settings(total_steps=9, network=NetworkConfig(features=24), hyperparams={"kl": 0.1})
    tuned.write_tuned("CountRecallEasy", "gru", settings, "a test", entries)
    assert tuned.tuned("CountRecallEasy", "gru") == settings
    assert tuned.best_memory("CountRecallEasy") == "gru"
    assert tuned.tuned("CountRecallHard", "lru").ppo.num_steps == 32


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "damaged"),
        ('{"CountRecalEasy": {}}', "did you mean 'CountRecallEasy'?"),
        ('{"*": {"grue": {}}}', "did you mean 'gru'?"),
        ('{"*": {"gru": {}}}', "damaged (KeyError: 'settings')"),
        ('{"*": {"gru": {"settings": {"ppo": {"num_env": 1}}}}}', "did you mean 'num_envs'?"),
        ('{"*": {"gru": {"settings": {"ppo": {"inputs": "obss"}}}}}', "did you mean 'obs'?"),
        ('{"*": {"gru": {"settings": {"hyperparams": {"gama": 1}}}}}', "did you mean 'gamma'?"),
    ],
)
def test_a_mistake_in_the_file_gets_one_line(tmp_path, text, says):
    path = tmp_path / "tuned.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"^[^\n]*$") as error:
        tuned.read_tuned(path)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("train RepeatFirstEasy --settings fats", "did you mean 'fast'?"),
        ("train RepeatFirstEasy --settings fast --as lm", "are those of agents"),
        ("sweep --preset fast --as lm", "is one of agents"),
    ],
)
def test_a_mistake_gets_one_line(capsys, monkeypatch, tmp_path, words, says):
    assert_harmless(capsys, monkeypatch, tmp_path, words, says)
