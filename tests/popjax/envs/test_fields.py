"""Fields of environments: what is out of range is refused, and all else plays by the rules.

An environment of any fields is played by its three players, written as tokens, typed at the keys
and drawn; its law is read where there is one.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from popjax import cards, render
from popjax.cards import Deck
from popjax.envs.battleship import always_fits, place_fleet
from popjax.floors import has_law, make_law
from popjax.keyboard import keys_of
from popjax.players import KINDS, play
from popjax.render.shapes import Rect
from popjax.tokens import Vocabulary, target_of
from popjax.tokens.corpora import player_of

N = 2
OVERHANG = 5  # of a cart at the end of its track
DECKS = ("Autoencode", "CountRecall", "RepeatFirst", "RepeatPrevious")


@pytest.mark.parametrize(
    ("name", "fields", "says"),
    [
        ("RepeatPreviousEasy", {"k": 0}, "k is a whole number from 1 to 51"),
        ("RepeatPreviousEasy", {"k": -1}, "k is a whole number from 1 to 51"),
        ("RepeatPreviousEasy", {"k": 52}, "k is a whole number from 1 to 51"),
        ("RepeatPreviousMedium", {"k": 104}, "k is a whole number from 1 to 103"),
        ("RepeatPreviousEasy", {"k": 4.0}, "k is a whole number"),
        ("RepeatPreviousEasy", {"k": True}, "k is a whole number"),
        ("RepeatFirstEasy", {"deck": 52}, "deck is a cards.Deck"),
        ("HigherLowerEasy", {"deck": "ranks"}, "deck is a cards.Deck"),
        ("AutoencodeEasy", {"deck": None}, "deck is a cards.Deck"),
        ("CountRecallEasy", {"deck": (4, 13)}, "deck is a cards.Deck"),
        ("ConcentrationEasy", {"deck": Deck(3, 5)}, "deck has an even number of each kind"),
        ("ConcentrationEasy", {"deck": Deck(4, 262)}, "at most 1,040 cards"),
        ("MineSweeperEasy", {"num_mines": 0}, "num_mines is a whole number from 1 to 13"),
        ("MineSweeperEasy", {"num_mines": 14}, "num_mines is a whole number from 1 to 13"),
        ("MineSweeperEasy", {"size": 27}, "size is a whole number from 2 to 26"),
        ("MineSweeperEasy", {"flat_actions": "no"}, "flat_actions is True or False"),
        ("BattleshipEasy", {"size": 4}, "size is from 6 to 26 for them"),
        ("BattleshipEasy", {"ships": (9,)}, "ships are whole numbers from 1 to 8"),
        ("BattleshipEasy", {"ships": ()}, "ships are whole numbers from 1 to 8, one or more"),
        ("MultiarmedBanditEasy", {"num_arms": 0}, "num_arms is a whole number from 2 to 1000"),
        ("MultiarmedBanditEasy", {"max_steps": 0}, "max_steps is a whole number from 1 to"),
        ("PositionOnlyCartPoleEasy", {"max_steps": 0}, "max_steps is a whole number from 1 to"),
        ("PositionOnlyPendulumEasy", {"max_steps": 0}, "max_steps is a whole number from 1 to"),
        ("NoisyPositionOnlyCartPoleEasy", {"sigma": -1}, "sigma is a number from 0 to 10"),
        ("NoisyPositionOnlyPendulumEasy", {"sigma": np.nan}, "sigma is a number from 0 to 10"),
        ("VelocityOnlyCartPoleEasy", {"reference_quirks": 2}, "reference_quirks is True or False"),
        ("LabyrinthEscapeEasy", {"limit": 1}, "limit is a whole number from 2 to"),
        ("LabyrinthExploreEasy", {"size": 7}, "size is even and from 6 to 30"),
        ("RepeatFirstEasy", {"dek": 1}, "did you mean 'deck'"),
    ],
)
def test_a_field_out_of_its_range_is_refused_with_the_range(name, fields, says):
    with pytest.raises(ValueError, match=says) as refused:
        popjax.make(name, **fields)
    assert "\n" not in str(refused.value)
    if "did you mean" not in says:
        with pytest.raises(ValueError, match=says):
            type(popjax.ENVS[name])(**{**vars(popjax.ENVS[name]), **fields})


@pytest.mark.parametrize(
    ("deck", "says"),
    [
        ((1, 13), "kinds is a whole number from 2"),
        ((4, 0), "each is a whole number from 1 to 16383 with 4 kinds"),
        ((4, 16384), "each is a whole number from 1 to 16383 with 4 kinds"),
        ((4.0, 4), "kinds is a whole number"),
    ],
)
def test_a_deck_that_cannot_be_dealt_is_refused(deck, says):
    with pytest.raises(ValueError, match=says):
        Deck(*deck)


def test_a_number_of_numpy_is_a_number():
    env = popjax.make("NoisyPositionOnlyPendulumEasy", max_steps=np.int64(8), sigma=np.float32(0))
    assert repr(env) == "NoisyPositionOnlyPendulum(max_steps=8, sigma=0.0)"
    assert popjax.make("BattleshipEasy", ships=[2, 3]).ships == (2, 3)


def test_the_largest_deck_is_dealt_by_its_law():
    """Above 65,535 cards the first suit would come up more often than the last."""
    deck = cards.decks(cards.SUITS, 1260).new()
    _, suit = jax.vmap(cards.deal, (0, None))(jax.random.split(jax.random.key(0), 40_000), deck)
    np.testing.assert_allclose(np.bincount(suit) / len(suit), 0.25, atol=0.01)


@pytest.mark.by_default("5-ships1")
@pytest.mark.parametrize(("size", "ships"), [(6, (2, 3, 3, 4)), (5, (4, 3, 3, 2)), (3, (2, 3))])
def test_every_board_holds_the_whole_fleet(size, ships):
    assert always_fits(size, ships)
    keys = jax.random.split(jax.random.key(0), 4000)
    boards = jax.jit(jax.vmap(lambda key: place_fleet(key, size, ships)))(keys)
    assert (boards.sum((1, 2)) == sum(ships)).all()


def steps(rng, most=40):
    """A number of steps, at an end of its range half of the time."""
    return int(rng.choice([1, 2, rng.integers(3, most), most]))


def ships(rng, size):
    while True:
        fleet = tuple(rng.integers(1, size + 1, rng.integers(1, 5)).tolist())
        if sum(fleet) < size**2 and always_fits(size, fleet):
            return fleet


def board(rng, family):
    size = int(rng.integers(2, 8))
    if family == "Battleship":
        return {"size": size, "ships": ships(rng, size), "flat_actions": bool(rng.integers(2))}
    mines = int(rng.choice([1, size**2 - 3, rng.integers(1, size**2 - 2)]))
    return {"size": size, "num_mines": mines, "flat_actions": bool(rng.integers(2))}


def drawn_fields(family, rng):
    """Random fields within their ranges, of small environments."""
    deck = Deck(int(rng.choice([2, 4, 13, rng.integers(3, 20)])), 2 * int(rng.integers(1, 7)))
    match family:
        case "Autoencode" | "Concentration" | "CountRecall" | "HigherLower" | "RepeatFirst":
            return {"deck": deck}
        case "RepeatPrevious":
            most = deck.num_cards - 1
            return {"deck": deck, "k": int(rng.choice([1, most, rng.integers(1, most + 1)]))}
        case "Battleship" | "MineSweeper":
            return board(rng, family)
        case "MultiarmedBandit":
            return {"num_arms": int(rng.choice([2, rng.integers(2, 70)])), "max_steps": steps(rng)}
        case "LabyrinthEscape" | "LabyrinthExplore":
            return {"size": 2 * int(rng.integers(3, 7)), "limit": 1 + steps(rng)}
    noise = float(rng.choice([0.0, 10.0, rng.random()]))
    control = {"max_steps": steps(rng)}
    if family == "VelocityOnlyCartPole":
        return control | {"reference_quirks": bool(rng.integers(2))}
    return control | ({"sigma": noise} if family.startswith("Noisy") else {})


def made(family, seed):
    rng = np.random.default_rng([seed, *family.encode()])
    return popjax.make(family, **drawn_fields(family, rng))


@functools.partial(jax.jit, static_argnames=("env", "kinds"))
def everything(env, kinds, key):
    """By player: its episodes, and what of them lies in its space; the tokens, and what they are
    read back as. One program."""
    vocabulary, target = Vocabulary(env), target_of(env)
    found = {}
    for kind in kinds:
        episodes = play(env, player_of(env, kind), key, N, keep_states=True)
        first = jnp.arange(env.max_steps)[:, None] == 0
        before = jnp.roll(env_number(vocabulary, episodes.action), 1, axis=0)
        seen = vocabulary.of_obs(episodes.obs, jnp.broadcast_to(first, episodes.reward.shape))
        found[kind] = {
            "episodes": episodes,
            "obs inside": jax.vmap(jax.vmap(env.observation_space.contains))(episodes.next_obs),
            "action inside": jax.vmap(jax.vmap(env.action_space.contains))(episodes.action),
            "seen": seen,
            "said": vocabulary.of_action(episodes.action),
            "read": vocabulary.to_obs(seen, jnp.broadcast_to(first, before.shape), before),
            "target": target.tokens(episodes),
            "markov": jax.vmap(jax.vmap(env.markov_state))(episodes.next_state),
        }
    return found


def env_number(vocabulary, action):
    return vocabulary.of_action(action) - vocabulary.action_ids


def check_episodes(env, kind, found):
    episodes, valid = found["episodes"], found["episodes"].valid
    assert found["obs inside"].all() and found["action inside"][valid].all(), kind
    assert np.isfinite(episodes.reward).all() and np.isfinite(found["markov"]).all(), kind
    over = (episodes.terminated | episodes.truncated).any(axis=0)
    assert over.all() and (valid.sum(axis=0) >= 1).all(), "an episode that does not end"
    low, high = env.return_bounds
    returns = (episodes.reward * valid).sum(axis=0)
    assert (returns >= low - 1e-4).all() and (returns <= high + 1e-4).all(), (kind, returns)


def check_totals(env, found):
    """What perfect memory earns, and what shooting at every cell once does."""
    played = {kind: one["episodes"] for kind, one in found.items()}
    returns = {kind: (one.reward * one.valid).sum(axis=0) for kind, one in played.items()}
    if env.name in DECKS:
        np.testing.assert_allclose(returns["reference"], 1, atol=1e-4)
    if env.name == "RepeatPrevious" and env.k == 1:  # the card asked for lies on the table
        np.testing.assert_allclose(returns["memoryless"], 1, atol=1e-4)
    if env.name == "Battleship":
        boards = played["random"].state.board
        assert (boards.sum((-1, -2)) == sum(env.ships)).all()
        assert (returns["memoryless"] >= -1e-4).all()
    if env.name == "MineSweeper":
        mines = played["random"].state.mines
        assert (mines.sum((-1, -2)) == env.num_mines).all()


def check_tokens(env, found):
    vocabulary, sizes = Vocabulary(env), np.array(target_of(env).sizes)
    assert len(vocabulary.words) == vocabulary.size
    valid = found["episodes"].valid
    ids = np.array(vocabulary.observation_ids)
    assert ((found["seen"] >= ids) & (found["seen"] < ids + vocabulary.components)).all()
    said = found["said"][valid] - vocabulary.action_ids
    assert ((said >= 0) & (said < vocabulary.num_actions)).all()
    assert ((found["target"] >= 0) & (found["target"] < sizes))[valid].all()
    if np.issubdtype(found["episodes"].obs.dtype, np.integer):
        np.testing.assert_array_equal(found["read"][valid], found["episodes"].obs[valid])
    else:
        assert np.isfinite(found["read"]).all()


def check_law(env, episodes):
    """The law gives chances that sum to 1, and not 0 to what came."""
    law = make_law(env)
    assert law.num_tokens == np.prod(target_of(env).sizes)

    @jax.jit
    def after_one_step(step):
        answer = popjax.TimeStep(step.next_obs, step.reward, step.terminated, step.truncated)
        belief, token = law.begin(step.obs), law.token(step.action, answer)
        log_probs = law.log_probs(belief, step.action)
        later = law.update(belief, step.action, token)
        return log_probs, token, law.log_probs(later, step.action)

    step = jax.tree.map(lambda leaf: leaf[0, 0], episodes.replace(state=None, next_state=None))
    log_probs, token, later = jax.device_get(after_one_step(step))
    np.testing.assert_allclose(np.exp(log_probs).sum(), 1, atol=1e-4)
    assert np.isfinite(log_probs[token])
    np.testing.assert_allclose(np.exp(later).sum(), 1, atol=1e-4)


def check_scene(env, episodes):
    """Every moment draws within its canvas, and what is typed at the keys is the action drawn."""
    length = int(episodes.valid[:, 0].sum())
    for t in {0, length - 1}:
        step = jax.tree.map(lambda leaf, t=t: leaf[t, 0], episodes)
        answer = popjax.TimeStep(step.next_obs, step.reward, step.terminated, step.truncated)
        scene = env.render(step.next_state, answer, reveal=True)
        assert f"/ {env.max_steps}" in render.svg(scene)
        for shape in scene.shapes:
            x, y = (getattr(shape, axis, 0) for axis in "xy")
            right = x + shape.width if isinstance(shape, Rect) else x
            assert -OVERHANG <= x <= right <= scene.width + OVERHANG, shape
            assert -1 <= y <= scene.height + 1, shape
        assert render.ansi(scene, colour=False).count("\n") == -(-scene.height // 2) - 1
    action = episodes.action[0, 0]
    typed = " ".join(f"{part:g}" for part in np.ravel(action))
    np.testing.assert_allclose(np.ravel(keys_of(env).read(typed)), np.ravel(action), rtol=1e-4)


@pytest.mark.by_default("PositionOnlyPendulum-0", "MultiarmedBandit-0")
@pytest.mark.parametrize(
    ("family", "seed"),
    [
        pytest.param(family, seed, marks=pytest.mark.slow if seed else [])
        for seed in range(6)
        for family in popjax.FAMILIES
    ],
)
def test_an_environment_of_any_fields_plays_by_its_rules(family, seed):
    """Reference players and laws take long to compile: most of them with the slow tests alone."""
    env = made(family, seed)
    kinds = KINDS if seed or family in DECKS else KINDS[:2]
    found = jax.device_get(everything(env, kinds, jax.random.key(seed)))
    for kind in kinds:
        check_episodes(env, kind, found[kind])
        check_tokens(env, found[kind])
    check_totals(env, found)
    check_scene(env, found["random"]["episodes"])
    if seed and has_law(env):
        check_law(env, found["random"]["episodes"])


def test_where_rows_outnumber_the_letters_cards_have_numbers():
    assert keys_of(popjax.make("ConcentrationEasy", deck=Deck(2, 156))).read("x12") == 311
    assert keys_of(popjax.make("ConcentrationEasy", deck=Deck(2, 182))).explanation.endswith(
        "0 to 363"
    )
