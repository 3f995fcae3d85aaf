"""A family is one record, and an environment of one's own is known by it."""

import subprocess
import sys
from dataclasses import dataclass, replace

import jax
import numpy as np
import pytest

import popjax
from popjax import registry
from popjax.cards import Deck
from popjax.core import Environment, first, then
from popjax.envs.repeat_first import RepeatFirst
from popjax.families import FAMILIES, Family, family_of
from popjax.floors import floor, floor_of, floor_table, table
from popjax.keyboard import keys_of
from popjax.players import make_player, play
from popjax.render import svg
from popjax.spaces import Discrete
from popjax.tokens import Vocabulary, target_of
from popjax.tokens.words import words_of

TWO = Deck(2, 2)
PARTS = ("players", "floor", "scene", "words", "target", "written", "keys", "answerable")


@dataclass(frozen=True)
class Echo(Environment):
    """Say what is shown."""

    max_steps: int = 3

    @property
    def observation_space(self):
        return Discrete(2)

    @property
    def action_space(self):
        return Discrete(2)

    def reset(self, key):
        shown = jax.random.bernoulli(key).astype(int)
        return (shown, 0), first(shown)

    def transition(self, key, state, action):
        shown, time = jax.random.bernoulli(key).astype(int), state[1] + 1
        over = time == self.max_steps
        return (shown, time), then(shown, (action == state[0]) / self.max_steps, terminated=over)


@dataclass(frozen=True)
class FirstOfTwo(RepeatFirst):
    """RepeatFirst by another name."""

    deck: Deck = TWO


@pytest.fixture
def known(monkeypatch):
    """What is registered here is forgotten after the test."""
    monkeypatch.setattr(registry, "ENVS", dict(registry.ENVS))
    before = dict(FAMILIES)
    yield registry.ENVS
    FAMILIES.clear()
    FAMILIES.update(before)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_part_that_a_record_names_is_there(name):
    family = FAMILIES[name]
    assert all(getattr(family, part) is not None for part in PARTS[:6])
    assert family.players.memoryless and family.players.reference
    assert hasattr(family.floor, "law") or hasattr(family.floor, "code_lengths")
    assert list(family) == ["Easy", "Medium", "Hard"] and family_of(family["Easy"]) is family


def test_a_record_is_the_mapping_of_its_levels():
    assert popjax.FAMILIES["RepeatFirst"]["Easy"] == popjax.ENVS["RepeatFirstEasy"]
    assert dict(popjax.FAMILIES["RepeatFirst"].items()).keys() == {"Easy", "Medium", "Hard"}


def test_the_registry_imports_neither_players_nor_pictures():
    program = (
        "import sys, popjax.registry; print([m for m in sys.modules if m.startswith('popjax.')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not {"popjax.players", "popjax.render", "popjax.floors"} & set(eval(done.stdout))


def test_an_environment_of_ones_own_is_known_by_its_name(known):
    assert popjax.register("EchoEasy", Echo()) == popjax.make("EchoEasy")
    assert popjax.make("EchoEasy", max_steps=2).max_steps == 2
    assert FAMILIES["Echo"]["Easy"] == Echo()
    popjax.register("EchoEasy", Echo())  # once more, as a module that is imported again does
    episodes = play(Echo(), make_player(Echo(), "random"), jax.random.key(0), 2)
    assert target_of(Echo()).tokens(episodes).shape == (3, 2, 1)
    assert Vocabulary(Echo()).words[4:] == ("sees 0 in 0", "sees 1 in 0", "does 0", "does 1")
    assert keys_of(Echo()).read("1") == 1


def test_what_an_unknown_family_lacks_is_one_line(known):
    state, timestep = Echo().reset(jax.random.key(0))
    for asked, says in (
        (lambda: make_player(Echo()), "no reference player of Echo"),
        (lambda: floor_of(Echo()), "no floor of Echo"),
        (lambda: Echo().render(state, timestep), "no scene is drawn for Echo"),
    ):
        with pytest.raises(ValueError, match=says):
            asked()


def test_a_family_like_another_borrows_its_record(known):
    env = popjax.register("FirstOfTwoEasy", FirstOfTwo(), like="RepeatFirst")
    assert play(env, make_player(env), jax.random.key(0), 3).returns == pytest.approx(1)
    assert words_of(env).action(1) == "say red"
    assert "FirstOfTwo" in svg(env.render(*env.reset(jax.random.key(0))))
    assert not family_of(env).actions_matter and list(family_of(env)) == ["Easy"]


def test_a_known_game_with_another_deck_can_have_a_name(known):
    env = popjax.make("CountRecallEasy", deck=Deck(3, 2))
    popjax.register("TinyCountRecall", env)
    assert popjax.make("TinyCountRecall").action_space == Discrete(3)
    assert family_of(env) is FAMILIES["CountRecall"] and len(FAMILIES["CountRecall"]) == 3


def test_a_floor_of_another_deck_is_computed_and_one_that_is_measured_says_so(known, monkeypatch):
    monkeypatch.setattr(table, "ENVS", known)
    popjax.register("TinyHigherLower", popjax.make("HigherLowerEasy", deck=Deck(2, 1)))
    popjax.register("TinyShips", popjax.make("BattleshipEasy", size=3, ships=(2,)))
    assert floor("TinyHigherLower").nats_per_episode == pytest.approx(0, abs=1e-12)
    assert "TinyHigherLower" in {row.env_id for row in floor_table()}
    with pytest.raises(ValueError, match="the floor of TinyShips is not measured"):
        floor("TinyShips")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("RepeatFirstEasy", Echo()), "another environment is called RepeatFirstEasy"),
        (("Echo Easy", Echo()), "letters, digits and _"),
        (("EchoEasy", Echo), "EchoEasy is a popjax.Environment, not type"),
        (("EchoEasy", Echo(), "RepeatFrst"), "did you mean 'RepeatFirst'"),
        (("First", RepeatFirst(), "RepeatPrevious"), "the family RepeatFirst is known already"),
    ],
)
def test_what_cannot_be_registered_is_refused(known, arguments, says):
    with pytest.raises(ValueError, match=says) as refused:
        popjax.register(*arguments)
    assert "\n" not in str(refused.value)
    assert "EchoEasy" not in known


def test_a_record_of_ones_own_holds_things_themselves():
    family = replace(Family(), scene=print, actions_matter=False)
    assert family.scene is print and not family.actions_matter


@pytest.mark.by_default("deck0")
@pytest.mark.parametrize("deck", [Deck(3, 2), Deck(8, 2), Deck(17, 2)])
def test_a_deck_of_any_kinds_is_played_by_perfect_memory(deck):
    """Whose hand is packed in 2, 4 or 8 bits a card."""
    for name, fields in (("RepeatPreviousEasy", {"k": 3}), ("AutoencodeEasy", {})):
        env = popjax.make(name, deck=deck, **fields)
        episodes = play(env, make_player(env), jax.random.key(0), 4)
        np.testing.assert_allclose(episodes.returns, 1, atol=1e-5)
        seen = np.asarray(episodes.obs[: deck.num_cards]).reshape(
            -1, 4, *env.observation_space.shape
        )
        assert seen.max() < max(2, deck.kinds)
