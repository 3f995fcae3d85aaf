"""Pictures: every environment draws in every back end, and shows nothing that is hidden."""

import functools
import io
import re
import subprocess
import sys
from xml.etree import ElementTree

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import popjax
from popjax import render
from popjax.core import TimeStep
from popjax.players import play, random_player
from popjax.render.shapes import Circle, Rect, Symbol, Text
from popjax.render.sheet import contact_sheet
from popjax.render.symbols import CHARACTERS, outlines

IDS = list(popjax.ENVS)
MOMENTS = ("start", "middle", "end")


@functools.cache
def episode_of(name):
    env = popjax.make(name)
    episode = play(env, random_player(env), jax.random.key(0), 1, keep_states=True)
    return jax.device_get(episode)


def moment(name, when):
    """State and time step at the start, in the middle, or at the end of an episode."""
    episode = episode_of(name)
    length = int(episode.valid.sum())
    step = {"start": 0, "middle": (length - 1) // 2, "end": length - 1}[when]
    then = jax.tree.map(lambda leaf: leaf[step, 0], episode)
    if when == "start":
        return then.state, TimeStep(then.obs, np.float32(0), np.False_, np.False_)
    return then.next_state, TimeStep(then.next_obs, then.reward, then.terminated, then.truncated)


def without_colour(text):
    return re.sub(r"\x1b\[[^m]*m", "", text)


@pytest.mark.by_default("HigherLowerEasy", "ConcentrationEasy")
@pytest.mark.parametrize("name", IDS)
def test_every_moment_draws_in_every_back_end(name):
    env = popjax.make(name)
    for when in MOMENTS:
        for reveal in (False, True):
            scene = env.render(*moment(name, when), reveal=reveal)
            root = ElementTree.fromstring(render.svg(scene))
            assert root.tag.endswith("svg") and len(root) == len(scene.shapes) + 2
            lines = without_colour(render.ansi(scene)).split("\n")
            assert {len(line) for line in lines} == {scene.width}
            assert len(lines) == -(-scene.height // 2)
            plain = render.ansi(scene, colour=False)
            assert env.name in plain and "\x1b" not in plain
        pixels = render.rgb_array(scene, scale=4)
        assert pixels.dtype == np.uint8 and pixels.shape == (4 * scene.height, 4 * scene.width, 3)
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 10
        assert ("the end" in render.svg(scene)) == bool(moment(name, when)[1].last)


@pytest.mark.by_default("BattleshipEasy", "HigherLowerEasy", "PositionOnlyCartPoleEasy")
@pytest.mark.parametrize("name", IDS)
def test_what_is_hidden_is_drawn_only_when_it_is_revealed(name):
    env = popjax.make(name)
    seen, revealed = (env.render(*moment(name, "middle"), reveal=r) for r in (False, True))
    assert not any(shape.hidden for shape in seen.shapes)
    assert any(shape.hidden for shape in revealed.shapes)
    assert set(seen.shapes) < set(revealed.shapes)
    assert "data-hidden" in render.svg(revealed) and "data-hidden" not in render.svg(seen)


def other_order(deck):
    """A deck of as many cards, of which the last kind has the most."""
    return jnp.where(jnp.arange(deck.shape[-1]) == deck.shape[-1] - 1, deck, 0)


HIDDEN_PARTS = {
    "AutoencodeEasy": lambda s: {"hand": ~s.hand, "deck": other_order(s.deck)},
    "BattleshipEasy": lambda s: {"board": s.board & s.shots},
    "ConcentrationEasy": lambda s: {"layout": 1 - s.layout},
    "CountRecallMedium": lambda s: {"decks": other_order(s.decks)},
    "HigherLowerEasy": lambda s: {"deck": other_order(s.deck)},
    "MultiarmedBanditEasy": lambda s: {"payoffs": 1 - s.payoffs},
    "NoisyPositionOnlyCartPoleEasy": lambda s: {"x": s.x + 1, "angle": s.angle + 0.1},
    "NoisyPositionOnlyPendulumEasy": lambda s: {"angle": s.angle + 1, "speed": s.speed + 1},
    "PositionOnlyCartPoleEasy": lambda s: {"x_dot": s.x_dot + 1, "angle_dot": s.angle_dot - 1},
    "PositionOnlyPendulumEasy": lambda s: {"speed": s.speed + 1},
    "RepeatFirstEasy": lambda s: {"asked": (s.asked + 1) % 4, "deck": other_order(s.deck)},
    "RepeatPreviousEasy": lambda s: {"hand": ~s.hand, "deck": other_order(s.deck)},
    "VelocityOnlyCartPoleEasy": lambda s: {"x": s.x + 1, "angle": s.angle + 0.1},
}


@pytest.mark.by_default(
    "BattleshipEasy",
    "ConcentrationEasy",
    "CountRecallMedium",
    "HigherLowerEasy",
    "MultiarmedBanditEasy",
    "PositionOnlyCartPoleEasy",
    "RepeatFirstEasy",
    "VelocityOnlyCartPoleEasy",
)
@pytest.mark.parametrize("name", HIDDEN_PARTS)
def test_the_picture_does_not_depend_on_what_is_hidden(name):
    env = popjax.make(name)
    state, timestep = moment(name, "middle")
    other = state.replace(**HIDDEN_PARTS[name](state))
    assert env.render(state, timestep) == env.render(other, timestep)
    assert env.render(state, timestep, reveal=True) != env.render(other, timestep, reveal=True)


@pytest.mark.parametrize("name", ["MineSweeperHard", "LabyrinthEscapeEasy", "LabyrinthExploreEasy"])
def test_unopened_ground_looks_alike(name):
    """Two layouts of which nothing was shown yet; in a labyrinth, beyond the first view."""
    env = popjax.make(name)
    state, timestep = moment(name, "start")
    if name.startswith("Mine"):
        other = state.replace(mines=np.roll(state.mines, 1, axis=0))
    else:
        row, side = int(state.position[0]), env.side
        far = np.abs(np.arange(side) - row) > 1
        goal = np.where(far[state.goal[0]], (side - 1, side - 2), state.goal)
        other = state.replace(walls=np.where(far, ~state.walls & 0x3FE, state.walls), goal=goal)
    assert env.render(state, timestep) == env.render(other, timestep)
    assert env.render(state, timestep, reveal=True) != env.render(other, timestep, reveal=True)


def titles(scene):
    return [shape.title for shape in scene.shapes]


def test_a_board_shows_the_shots():
    state, timestep = moment("BattleshipEasy", "end")
    scene = popjax.make("BattleshipEasy").render(state, timestep)
    assert titles(scene).count("hit") == (state.board & state.shots).sum() > 0
    assert titles(scene).count("miss") == (~state.board & state.shots).sum() > 0


def test_a_maze_shows_the_agent_and_its_view():
    state, timestep = moment("LabyrinthEscapeEasy", "start")
    scene = popjax.make("LabyrinthEscapeEasy").render(state, timestep)
    agent = next(shape for shape in scene.shapes if shape.title == "agent")
    view = next(shape for shape in scene.shapes if shape.title == "the view")
    assert view.x < agent.x < view.x + view.width and view.y < agent.y < view.y + view.height
    assert "goal" not in titles(scene)


def test_a_suit_can_be_told_in_text():
    env = popjax.make("RepeatFirstEasy")
    state, timestep = moment("RepeatFirstEasy", "middle")
    character = list(CHARACTERS.values())[int(timestep.obs)]
    assert character in render.ansi(env.render(state, timestep), colour=False)


def test_a_scene_is_plain_data_that_shows_itself():
    scene = popjax.make("PositionOnlyPendulumEasy").render(
        *moment("PositionOnlyPendulumEasy", "end")
    )
    assert hash(scene) == hash(scene) and scene._repr_svg_() == render.svg(scene)
    for shape in scene.shapes:
        values = [v for v in vars(shape).values() if not isinstance(v, str | bool | tuple)]
        assert all(type(value) in (int, float) for value in values), shape


@pytest.mark.parametrize("name", [name for name in CHARACTERS if name != "mine"])
def test_the_outlines_of_the_suits_are_upright_and_even(name):
    points = np.concatenate([np.array(o) for o in outlines(Symbol(name, 10, 20, 4, "#000000"))])
    assert np.abs(points[:, 0] - 10).max() <= 2 + 1e-6 and np.abs(points[:, 1] - 20).max() <= 2.1
    np.testing.assert_allclose(points[:, 0].min() + points[:, 0].max(), 20, atol=1e-6)


def test_later_shapes_lie_above_earlier_ones_in_a_terminal():
    shapes = (
        Rect(0, 0, 8, 4, "#ff0000"),
        Text(4, 1, "under", "#000000"),
        Circle(4, 2, 9, "#0000ff"),
        Text(4, 3, "over", "#ffffff"),
    )
    text = render.ansi(render.Scene(8, 4, "", shapes))
    assert "under" not in text and "over" in without_colour(text) and "255;0;0" not in text


def test_a_gif_moves(tmp_path):
    env = popjax.make("PositionOnlyPendulumEasy")
    scenes = [env.render(*moment("PositionOnlyPendulumEasy", when)) for when in MOMENTS]
    with Image.open(render.gif(scenes, tmp_path / "swing.gif")) as animation:
        assert animation.n_frames == 3 and animation.info["loop"] == 0
    with pytest.raises(ValueError, match="at least one"):
        render.gif([], tmp_path / "none.gif")


def test_a_contact_sheet_fits_the_scenes():
    names = (
        "BattleshipHard",
        "RepeatFirstEasy",
        "RepeatFirstHard",
        "BattleshipHard",
        "HigherLowerEasy",
    )
    sheet = contact_sheet([popjax.make(n).render(*moment(n, "middle")) for n in names], scale=3)
    file = io.BytesIO()
    sheet.save(file, format="PNG")
    assert sheet.width > sheet.height and len(file.getvalue()) < 300_000


def test_the_command_says_how_it_is_used():
    command = [sys.executable, "-m", "popjax.render", "out.txt"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 2 and "OUT.png" in answer.stderr


@pytest.mark.slow
def test_a_batch_is_refused():
    env = popjax.make("RepeatFirstEasy")
    states, timesteps = popjax.batch.reset(env, jax.random.key(0), 2)
    with pytest.raises(ValueError, match="one episode"):
        env.render(states, timesteps)
