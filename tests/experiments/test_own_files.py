"""An environment and a memory in the user's own files: `popjax train mymaze:TMaze`."""

import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import agents
import popjax
from agents.agent import Agent
from agents.memory import MEMORIES
from agents.networks import ActorCritic, Backbone
from agents.own_memory import memory_class
from agents.policy import save
from experiments.results.spec import Settings
from experiments.results.store import Cell, open_study
from experiments.results.study import COSTS, UnknownNameError, read_rows
from experiments.train.cell import cell, own_code
from popjax import registry
from popjax.families import FAMILIES
from popjax.play import picture
from tests.support.command import assert_one_line, run
from tests.support.synthetic import learning, returns

MAZE = '''
"""A corridor: the sign at its start says where to turn at its end."""
from dataclasses import dataclass

import jax
import jax.numpy as jnp

import popjax
from popjax import Discrete, Environment
from popjax.core import first, then


@dataclass(frozen=True)
class TMaze(Environment):
    """The sign is seen once."""

    length: int = 3
    observation_space = Discrete(3)
    action_space = Discrete(2)

    @property
    def max_steps(self):
        return self.length + 1

    def reset(self, key):
        sign = jax.random.randint(key, (), 0, 2)
        return (sign, jnp.int32(0)), first(1 + sign)

    def transition(self, key, state, action):
        (sign, t), last = state, state[1] == self.length
        right = jnp.where(action == sign, 1.0, -1.0)
        return (sign, t + 1), then(jnp.int32(0), jnp.where(last, right, 0.0), last)


LONG = TMaze(length=9)
ROOMS = 3
popjax.register("TMazeEasy", TMaze())


@dataclass(frozen=True)
class Grows(TMaze):
    def transition(self, key, state, action):
        (sign, t), timestep = super().transition(key, state, action)
        return (sign, jnp.stack([t, t])), timestep


@dataclass(frozen=True)
class Branches(TMaze):
    def transition(self, key, state, action):
        if state[1] == 3:
            pass
        return super().transition(key, state, action)


@dataclass(frozen=True)
class Wide(TMaze):
    def reset(self, key):
        return super().reset(key)[0], first(jnp.zeros(3))


@dataclass(frozen=True)
class Needs(TMaze):
    def __init__(self, length):
        pass


@dataclass(frozen=True)
class RepeatFirst(TMaze):
    pass


class Endless(Environment):
    observation_space = action_space = Discrete(2)
'''
MEMORY = '''
from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from agents.memory import Memory


class Fading(Memory):
    """An average that fades."""

    act: Callable = nn.tanh

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, self.features))

    @nn.compact
    def __call__(self, carry, x, start):
        y, x = [], self.act(nn.Dense(self.features)(x))
        for t in range(x.shape[0]):
            carry = jnp.where(start[t][:, None], 0.0, 0.9 * carry) + 0.1 * x[t]
            y.append(carry)
        return carry, jnp.stack(y)


class Short(Fading):
    def __call__(self, carry, x, start):
        return carry, x[..., :1]


class Empty(Memory):
    def __call__(self, carry, x, start):
        return carry, x
'''
TINY = (
    "--features 4 --head-features 4 --seeds 1 --num-envs 2 --num-steps 4 --num-epochs 1 "
    "--num-minibatches 1 --total-steps 16 --num-segments 2 --eval-episodes 2"
)
OWN = "mymaze:TMaze --memory mymemory:Fading"


def forget():
    """As a new process begins, in a folder that Python does not look in."""
    for name in ("mymaze", "mymemory", "broken"):
        sys.modules.pop(name, None)
    for known in (registry.ENVS, MEMORIES):
        for name in [name for name in known if ":" in name or name in ("TMazeEasy", "fading")]:
            del known[name]
    FAMILIES.pop("TMaze", None)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder of the user's with two files, and a cell trained there."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "mymaze.py").write_text(MAZE)
    (folder / "mymemory.py").write_text(MEMORY)
    return folder


@pytest.fixture
def here(files, monkeypatch):
    """In that folder, in a process that has imported nothing from it."""
    path = [place for place in sys.path if Path(place or ".").resolve() != files]
    monkeypatch.setattr(sys, "path", path)
    monkeypatch.chdir(files)
    forget()
    yield files
    forget()


@pytest.fixture
def trained(here, capsys):
    """The folder of a cell trained on both files."""
    code, _, _ = run(capsys, f"train {OWN} {TINY}")
    assert code == 0
    [cell] = here.glob("results/train/mymaze.TMaze-mymemory.Fading-*")
    forget()
    return cell


@pytest.mark.slow  # by default: its names are read, and mistakes in it get one line
def test_it_is_trained_resumed_reported_and_loaded_by_its_name(trained, here, capsys):
    code, out, _ = run(capsys, f"train {OWN} {TINY}")
    assert code == 0 and "mymaze:TMaze mymemory:Fading  finished before" in out
    forget()
    code, out, _ = run(capsys, "report train --format csv")
    assert code == 0 and "mymaze:TMaze,mymemory:Fading,ppo," in out
    forget()
    policy = agents.load(trained)
    assert policy.env == "mymaze:TMaze" and popjax.make(policy.env).length == 3
    assert type(policy.agent.network.backbone.memories[0]).__name__ == "Fading"


def test_elsewhere_one_line_says_what_is_missing(trained, here, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(here)])
    monkeypatch.chdir(tmp_path)
    out = here / "results"
    assert_one_line(capsys, f"report train --out {out}", "is of the environment mymaze:TMaze")
    with pytest.raises(agents.PolicyError, match="there is no module mymemory") as refused:
        agents.load(trained)
    assert "\n" not in str(refused.value) and "damaged" not in str(refused.value)


@pytest.mark.parametrize("gone", ["TMazeEasy", "fading"])
def test_so_it_does_of_what_is_registered_no_longer(gone, here, capsys, tmp_path):
    env = popjax.make("mymaze:TMaze")
    MEMORIES["fading"] = memory_class("mymemory:Fading")
    spec = cell("TMazeEasy", "fading", Settings(total_steps=8192, seeds=1, num_segments=1))
    written = Cell(open_study(tmp_path, "s", {"kind": "train"}), spec)
    written.open()
    random = np.random.default_rng(0)
    summary = dict.fromkeys(COSTS, 1) | {"train_seconds": 1.0, "diverged": {}}
    ends = np.zeros(1)
    written.finish(learning(spec, ends, 0.0, random), returns(spec, ends, random), summary)
    network = ActorCritic(Backbone((MEMORIES["fading"](4),)), 2, head_features=4)
    agent = Agent.of(env, network)
    params = jax.tree.map(lambda leaf: leaf[None], agent.init(jax.random.key(0)))
    save(written.folder / "policy.npz", agent, params, spec.env, (0,))

    assert run(capsys, f"report s --out {tmp_path} --format csv")[0] == 0
    assert agents.load(written.folder).env == "TMazeEasy"
    (registry.ENVS if gone == "TMazeEasy" else MEMORIES).pop(gone)
    assert_one_line(capsys, f"report s --out {tmp_path}", f"{gone}, which is not known here")
    _, (fault,) = read_rows(tmp_path / "s")
    assert isinstance(fault, UnknownNameError)
    if gone == "fading":
        with pytest.raises(agents.PolicyError, match="there is no 'fading'"):
            agents.load(written.folder)
    else:
        assert agents.load(written.folder).env == gone, "a policy acts without its environment"


def test_a_cell_is_another_once_its_file_was_changed(here):
    assert own_code("RepeatFirstEasy", "gru") == ""
    popjax.make("mymaze:TMaze")
    before = own_code("mymaze:TMaze", "gru")
    (here / "mymaze.py").write_text(MAZE.replace("length: int = 3", "length: int = 4"))
    after = own_code("mymaze:TMaze", "gru")
    (here / "mymaze.py").write_text(MAZE)
    assert after != before == own_code("mymaze:TMaze", "gru")
    short = own_code("TMazeEasy", "gru")
    registry.ENVS["TMazeEasy"] = popjax.make("mymaze:LONG")
    assert short != own_code("TMazeEasy", "gru"), "a registered one by its fields"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("mymze:TMaze", "there is no module mymze in {here}, nor is one installed: did you mean "),
        ("mymaze:TMaz", "no popjax.Environment of mymaze is called 'TMaz': did you mean 'TMaze'?"),
        ("mymaze:ROOMS", "mymaze:ROOMS is not a popjax.Environment, but 3"),
        ("mymemory:Fading", "mymemory:Fading is not a popjax.Environment"),
        ("mymaze:", "write MODULE:NAME, such as mymaze:TMaze"),
        (
            "broken:TMaze",
            "broken cannot be imported: ZeroDivisionError: division by zero (broken.py",
        ),
        ("mymaze:Needs", "mymaze:Needs() fails: TypeError"),
        ("mymaze:Endless", "mymaze:Endless: max_steps is not defined"),
        ("mymaze:Grows", "the state's shape: [1] is int32[] before and int32[2] after"),
        ("mymaze:Branches", "transition fails: TracerBoolConversionError"),
        ("mymaze:Wide", "the observation of reset: an array of float32 and shape (3,) is not an"),
        ("mymaze:RepeatFirst", "is a game of popjax: give the class of mymaze:RepeatFirst another"),
        ("RepeatFirstEasy --memory mymemory:Fadin", "is called 'Fadin': did you mean 'Fading'?"),
        ("RepeatFirstEasy --memory mymaze:TMaze", "mymaze:TMaze is not a class of agents.memory"),
        ("RepeatFirstEasy --memory mymemry:Fading", "there is no module mymemry"),
        ("RepeatFirstEasy --memory mymemory:Empty", "mymemory:Empty: initial_carry is not defined"),
        ("RepeatFirstEasy --memory mymemory:Short", "Short: __call__ returns y of shape [T, B, fe"),
    ],
)
def test_mistakes_in_it_get_one_line(words, says, here, capsys):
    (here / "broken.py").write_text("1 / 0\n")
    assert_one_line(capsys, f"train {words}", says.format(here=here))


@pytest.mark.slow
def test_a_language_model_of_it_has_no_floor(here, capsys, tmp_path):
    lm = "--as lm --features 4 --head-features 4 --num-episodes 2 --total-steps 8 --seeds 1"
    words = f"train mymaze:TMaze {lm} --num-segments 1 --eval-episodes 2 --out {tmp_path}"
    code, out, _ = run(capsys, words)
    assert code == 0 and "unknown" in out


def test_a_person_plays_it_without_a_picture(here):
    env = popjax.make("mymaze:TMaze")
    state, timestep = env.reset(jax.random.key(0))
    assert picture(env, state, timestep, False, False) in ("you see 1", "you see 2")
