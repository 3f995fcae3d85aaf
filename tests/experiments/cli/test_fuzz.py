"""Command lines drawn at random: what is wrong with them is said in one line, and at once.

Nothing is trained: where work would begin, the line has been accepted, and that is all that is
asked here. Set POPJAX_FUZZ to the seed that a failure names to draw the same lines again.
"""

import dataclasses
import random
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest

from agents.ranges import Within, ranges_of
from experiments.cli.app import COMMANDS, GROUPS, found, main
from experiments.results.spec import DEFAULT_HYPERPARAMS, Settings
from tests.support.fuzz import fuzz_seed

MOST_SECONDS = 20  # of the processor's time, for one line
LINES = [  # with which nothing is wrong
    "train RepeatFirstEasy",
    "train CountRecallEasy --as lm --memory s5",
    "train RepeatPreviousEasy --settings fast",
    "sweep --envs RepeatFirstEasy --memories gru",
    "envs RepeatFirst",
    "sweep --envs RepeatFirstEasy --memories gru mlp --dry-run",
    "search RepeatFirstEasy",
    "play RepeatFirstEasy",
    "memories",
    "published",
    "explore",
    "bench envs",
    "bench ppo --memories gru",
    "bench memories --memories gru",
    "bench lm",
    "bridge overlap --envs CountRecallEasy",
    "bridge compare a b",
    "bridge copycat",
    "bridge factorial",
    "bridge same-deck",
    "bridge verdict",
    "bridge loop",
    "bridge forgetting",
    "bridge floors --envs RepeatFirstEasy",
    "bridge tokens --envs RepeatFirstEasy",
]
WORK = [  # where it begins
    "experiments.results.store.open_study",
    "experiments.bridge.study.open_study",
    "experiments.bridge.measures.overlap.exact",
    "experiments.bridge.compare.Pair",
    "experiments.sweep.estimate.make_plan",
    "experiments.train.widths.num_parameters",
    "experiments.explorer.page.page",
    "experiments.explorer.study.recordings",
    "experiments.explorer.study.record_shipped",
    "experiments.bench.envs.bench_envs",
    "experiments.bench.ppo.bench_ppo",
    "experiments.bench.startup.bench_compile",
    "experiments.bench.memories.bench_memories",
    "experiments.bench.capability.learn_memories",
    "experiments.bench.lm.bench_lm",
    "popjax.play.play",
]
LONG = "x" * 300
WRONG_WORDS = {
    "--memory": ["grue", "gru,", "", LONG],
    "--memories": ["grue", "gru,mlp", ""],
    "--envs": ["RepeatFristEasy", ""],
    "--env": ["RepeatFristEasy", ""],
    "--regime": ["ppoo", ""],
    "--named": ["fastest"],
    "--preset": ["quik", ""],
    "--launcher": ["slurmm", ""],
    "--log": ["wandbb"],
    "--inputs": ["both"],
    "--style": ["residuals"],
    "--study": [LONG, "é" * 200],
    "--out": [LONG, f"a/{LONG}/b"],
    "--file": [LONG],
    "--picture": [LONG],
    "--over": ["gama", "seeds"],
    "--vary": ["feature=8", "features", "features=many", "features=0", "schedule=never"],
    "--engine": ["sobl"],
    "--devices": ["0xH100", "x", "8xH1000"],
}


class Reached(BaseException):
    """Work would begin here."""


@pytest.fixture
def nothing_runs(monkeypatch, tmp_path):
    def reached(*args, **kwargs):
        raise Reached

    for place in WORK:
        monkeypatch.setattr(place, reached)
    monkeypatch.chdir(tmp_path)


def command_of(line):
    words = line.split()
    return found(GROUPS[words[0]])[words[1]] if words[0] in GROUPS else found(COMMANDS[words[0]])


def numbers_of(kind):
    """The options of a command that take a number, with their types and ranges."""
    options = {f"--{name.replace('_', '-')}": both for name, both in ranges_of(kind).items()}
    for field in dataclasses.fields(kind):
        if field.default_factory is not dataclasses.MISSING:
            part = field.default_factory()
            if dataclasses.is_dataclass(part):
                options |= numbers_of(type(part))
    return options


def words_of(kind):
    """The options of a command that take words, of which we know some that are wrong."""
    names = {f"--{field.name.replace('_', '-')}" for field in dataclasses.fields(kind)}
    positional = {"--env"} if kind.__name__ in ("Train", "Search", "Play") else set()
    return sorted((names - positional) & WRONG_WORDS.keys())


def wrong_number(draw, kind, within: Within):
    words = ["nan", "-inf", "1e400", "abc", "", "0x10", "1__0", "1e", "M", "1,000"]
    words += [str(within.low - 1), repr(within.high * 10.0 + 1)]
    words += ["0.5", "1.5", "1e-3"] if kind is int else []
    words += [] if within.infinite else ["inf"]
    words += [str(within.low)] if within.above else []
    words += [str(within.high)] if within.below else []
    if within.infinite:
        words.remove("1e400")
    return draw.choice(words)


def right_number(draw, kind, within: Within):
    low, high = within.low, min(within.high, within.low + 100)
    if kind is int:
        return draw.choice([str(draw.randint(max(low, 1), high)), str(int(within.high)), "1e2"])
    return str(round(draw.uniform(low + 1e-3, high - 1e-3), 4))


def drawn(draw):
    """A command line as words, and whether it is wrong."""
    line = draw.choice(LINES)
    words, kind = line.split(), command_of(line)
    numbers, texts = numbers_of(kind), words_of(kind)
    has_hyperparams = "--num-segments" in numbers
    for option in draw.sample(sorted(numbers), min(len(numbers), draw.randint(0, 2))):
        words += [option, right_number(draw, *numbers[option])]
    how = draw.randrange(8)
    if how == 0:
        return words, False
    if how <= 3 and numbers:
        option = draw.choice(sorted(numbers))
        return [*words, option, wrong_number(draw, *numbers[option])], True
    if how == 4 and has_hyperparams:
        name = draw.choice(sorted(DEFAULT_HYPERPARAMS))
        value = wrong_number(draw, float, ranges_of_hyperparams()[name][1])
        spoken = ["--hyperparams", name, value], [f"--{name.replace('_', '-')}", value]
        return [*words, *draw.choice(spoken)], True
    if how == 5 and texts:
        option = draw.choice(texts)
        plan = ["--plan"] if option == "--devices" else []
        spelled = {"--named": "--settings"}.get(option, option)
        return [*words, spelled, draw.choice(WRONG_WORDS[option]), *plan], True
    if how == 6:
        place = draw.randrange(len(words))
        letters = list(words[place])
        letters.insert(draw.randrange(len(letters) + 1), draw.choice("éxz9\n[]"))
        words[place] = "".join(letters)
        return words, None  # which may be right: a name that was free to choose
    return [*words, draw.choice(["--no-such-option", "-", "--=", "more", "--seeds", "\n"])], (
        None if kind.__name__ == "Explore" else True  # whose study has any name
    )


def ranges_of_hyperparams():
    from agents.hyperparams import Hyperparams

    return ranges_of(Hyperparams)


@contextmanager
def at_most(seconds):
    """An error after so much of the processor's time: other processes may take what they like."""

    def over(number, frame):
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def outcome(words):
    """The exit code of a line, or "work" if it was accepted."""
    with at_most(MOST_SECONDS):
        try:
            return main(words)
        except Reached:
            return "work"
        except SystemExit as leave:
            return leave.code or 0


def check(capsys, seed, count):
    draw = random.Random(seed)
    tried, faults = set(), []
    for number in range(count):
        words, wrong = drawn(draw)
        about = f"POPJAX_FUZZ={seed}, line {number}: {words}"
        try:
            code = outcome(words)
        except Exception as error:
            faults.append(f"{about}: {error!r}")
            continue
        err = capsys.readouterr().err
        tried.add(code)
        if code not in ((2,) if wrong else (0, 2, "work")):
            faults.append(f"{about}: {code}")
        if code == 2 and not (err.startswith("popjax: ") and err.count("\n") == 1):
            faults.append(f"{about}: {err}")
        if written := list(Path.cwd().iterdir()):
            faults.append(f"{about}: wrote {written}")
            break
    assert not faults, "\n".join(faults)
    assert {2, "work"} <= tried, "some lines are right and some are wrong"


def test_twenty_lines(capsys, nothing_runs):
    check(capsys, seed=7, count=20)


@pytest.mark.slow
def test_three_hundred_lines(capsys, nothing_runs):
    check(capsys, fuzz_seed(), count=300)


def test_lines_with_nothing_wrong_are_accepted(capsys, nothing_runs):
    for line in LINES[::5]:
        assert outcome(line.split()) in ("work", 0), capsys.readouterr().err


def test_every_number_has_a_range():
    """Whatever takes a number on the command line says which, but for the options of a memory."""
    bare = {}
    for place in (*COMMANDS.values(), *GROUPS.values()):
        kinds = found(place)
        for kind in kinds.values() if isinstance(kinds, dict) else [kinds]:
            bare |= numbers_without_range(kind)
    assert not bare
    assert "seeds" in ranges_of(Settings)


def numbers_without_range(kind):
    bare = {}
    for field in dataclasses.fields(kind):
        words = str(field.type)
        number = words.replace("|", " ").replace("[", " ").replace("]", " ").split()
        if {"int", "float"} & set(number) and field.name not in ranges_of(kind):
            bare[f"{kind.__name__}.{field.name}"] = words
        if field.default_factory is not dataclasses.MISSING:
            part = field.default_factory()
            bare |= numbers_without_range(type(part)) if dataclasses.is_dataclass(part) else {}
    return {name: words for name, words in bare.items() if "dict" not in words}
