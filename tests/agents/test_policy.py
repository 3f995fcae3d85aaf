"""A trained policy leaves as one file and comes back the same; a damaged one is refused."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import agents
import popjax
from agents.agent import Agent
from agents.architecture import from_plain, to_plain
from agents.distributions import likeliest, num_outputs
from agents.inputs import agent_input, input_size
from agents.memory import MEMORIES
from agents.networks import ActorCritic, Backbone
from agents.policy import Policy, save
from agents.published import HEAD_INITS, PopjaxrlBackbone, paper_backbone
from popjax import batch
from tests.support.probes import any_parameters, quick

SEEDS = (5, 6)


def saved(path, env_id, network, inputs="obs+action"):
    """Writes parameters of two seeds; returns the second's."""
    env = popjax.make(env_id)
    lanes = [any_parameters(network, input_size(env, inputs), seed) for seed in SEEDS]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *lanes)
    save(path, Agent.of(env, network, inputs), stacked, env_id, SEEDS)
    return lanes[1]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("policies") / "policy.npz"
    saved(path, "BattleshipEasy", agent("BattleshipEasy"))
    return path


def agent(env_id, **options):
    blocks = (MEMORIES["gru"](features=8),)
    own = {"num_actions": num_outputs(popjax.make(env_id).action_space)}
    return ActorCritic(Backbone(blocks), head_features=8, **(own | options))


@pytest.mark.by_default("PositionOnlyPendulumEasy-obs+action-options3")
@pytest.mark.parametrize(
    ("env_id", "inputs", "options"),
    [
        ("RepeatPreviousEasy", "obs+action", {}),
        ("BattleshipEasy", "obs", {}),
        ("MineSweeperEasy", "obs+action", {"num_actions": 16}),
        ("PositionOnlyPendulumEasy", "obs+action", {"squash": True}),
    ],
)
def test_three_lines_and_it_acts_as_it_did(tmp_path, env_id, inputs, options):
    """Over six steps of two episodes, one of which begins anew in the middle."""
    env, network = popjax.make(env_id), agent(env_id, **options)
    params = saved(tmp_path / "policy.npz", env_id, network, inputs)

    policy = agents.load(tmp_path / "policy.npz", seed=6)
    carry = policy.initial_carry(2)

    assert (
        policy.agent == Agent.of(env, network, inputs) and policy.env == env_id and policy.seed == 6
    )

    @quick
    def step(t, states, obs, start, memory, previous):
        x = agent_input(env, obs, previous, start, inputs)
        memory, outputs, _ = network.apply(params, memory, x[None], start[None])
        action = likeliest(env.action_space, outputs[0], network.squash)
        states, timesteps = batch.advance(env, jax.random.key(t), states, action)
        start = jnp.array([False, False]).at[1].set(t == 2)
        return states, timesteps.obs, start, memory, action

    states, timesteps = batch.reset(env, jax.random.key(0), 2)
    now = (states, timesteps.obs, carry.start, carry.memory, carry.previous_action)
    for t in range(6):
        carry, action = policy.act(jax.random.key(t), carry, *now[1:3])
        now = step(t, *now)
        np.testing.assert_allclose(action, now[-1], atol=1e-6)


@pytest.mark.slow
def test_samples_differ_and_the_greedy_action_does_not(path):
    policy = agents.load(path)
    carry, obs = policy.initial_carry(64), jnp.zeros(64, int)
    samples = [policy.act(jax.random.key(k), carry, obs, greedy=False)[1] for k in (0, 1)]
    assert (samples[0] != samples[1]).any()
    greedy = [policy.act(jax.random.key(k), carry, obs)[1] for k in (0, 1)]
    np.testing.assert_array_equal(*greedy)


@pytest.mark.parametrize("memory", MEMORIES)
def test_every_network_is_plain_data(memory):
    """Through JSON and back it is the same module, in every style."""
    blocks = (MEMORIES[memory](features=8),) * 2
    for backbone in (
        Backbone(blocks, feed_forward=16),
        paper_backbone(blocks, 8),
        PopjaxrlBackbone(blocks, 8, residual=True),
    ):
        for init in HEAD_INITS.values():
            network = ActorCritic(backbone, 3, critic=backbone, head_init=init)
            assert from_plain(json.loads(json.dumps(to_plain(network)))) == network


def rewritten(path, out, change, checked=False):
    """The file with one thing changed in its text or its arrays, by someone who writes no
    checksum, as older versions did not, or who leaves the one that is there."""
    with np.load(path) as file:
        arrays = dict(file)
    about = json.loads(str(arrays.pop("about")))
    if not checked:
        del about["checksum"]
    change(about, arrays)
    np.savez(out, about=np.array(json.dumps(about)), **arrays)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda about, arrays: about.update(version=0), "version 0, and this popjax reads version"),
        (lambda about, arrays: about.pop("version"), "damaged or holds no policy"),
        (lambda about, arrays: about.pop("network"), "is damaged"),
        (lambda about, arrays: about["network"].update(kind="Oracle"), "there is no 'Oracle'"),
        (lambda about, arrays: about["network"].update(head_features=9), "not those of its net"),
        (lambda about, arrays: arrays.popitem(), "not those of its network"),
        (lambda about, arrays: about.update(inputs="all"), "reads 'all', which is not known"),
        (lambda about, arrays: about.update(inputs=[]), "is damaged"),
        (lambda about, arrays: about.update(seeds=[5]), "not those of its seeds"),
        (lambda about, arrays: about.update(seeds="56"), "is damaged"),
        (lambda about, arrays: about.update(network=about["action_space"]), "none of an agent"),
        (lambda about, arrays: about.update(action_space={}), "there is no None"),
        (lambda about, arrays: about["network"].update(head_features="8"), "is damaged"),
        (lambda about, arrays: about["network"].update(head_features=10**12), "is damaged"),
        (lambda about, arrays: arrays.update(more=np.zeros(())), "is damaged"),
        (lambda about, arrays: arrays.update({"a/b/": np.zeros(2, complex)}), "is damaged"),
    ],
)
def test_an_old_or_strange_file_is_refused(path, tmp_path, change, says):
    rewritten(path, tmp_path / "policy.npz", change)
    assert_refused(tmp_path / "policy.npz", says)


def test_an_old_file_without_a_checksum_is_read_and_a_changed_one_is_refused(path, tmp_path):
    rewritten(path, tmp_path / "policy.npz", lambda about, arrays: None)
    old, new = agents.load(tmp_path / "policy.npz"), agents.load(path)
    jax.tree.map(np.testing.assert_array_equal, old.params, new.params)

    def nudged(about, arrays):
        name = next(iter(arrays))
        arrays[name] = arrays[name] + np.float32(0.5)

    rewritten(path, tmp_path / "policy.npz", nudged, checked=True)
    assert_refused(tmp_path / "policy.npz", "its checksum differs")


def test_a_seed_that_diverged_is_refused_and_the_others_are_read(path, tmp_path):
    def lost(about, arrays):
        for leaf in arrays.values():
            leaf[1] = np.nan

    rewritten(path, tmp_path / "policy.npz", lost)
    assert agents.load(tmp_path / "policy.npz", seed=5).seed == 5
    with pytest.raises(agents.PolicyError, match="seed 6, whose training diverged"):
        agents.load(tmp_path / "policy.npz", seed=6)


def test_nothing_is_left_of_a_file_that_finds_no_room(tmp_path, monkeypatch):
    def full(file, **arrays):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        saved(tmp_path / "policy.npz", "BattleshipEasy", agent("BattleshipEasy"))
    assert not list(tmp_path.iterdir())


def test_a_torn_file_is_refused(path, tmp_path):
    whole, torn = path.read_bytes(), tmp_path / "policy.npz"
    flipped = bytearray(whole)
    with np.load(path) as file:  # headers of the archive have bits that nobody reads
        largest = max((file[name] for name in file.files), key=lambda array: array.nbytes)
    flipped[whole.index(largest.tobytes()) + largest.nbytes // 2] ^= 1
    half, lists = whole[: len(whole) // 2], b"\x93NUMPY"
    for damaged in (b"", b"not a policy", half, whole[:-10], bytes(flipped), lists):
        torn.write_bytes(damaged)
        assert_refused(torn, "damaged or holds no policy")
    assert_refused(tmp_path / "nowhere.npz", "there is no policy in")
    with pytest.raises(agents.PolicyError, match=r"holds seeds \[5, 6\], not 7"):
        agents.load(path, seed=7)


def assert_refused(path, says):
    with pytest.raises(agents.PolicyError, match=says) as refusal:
        agents.load(path)
    assert str(refusal.value).count("\n") == 0 and len(str(refusal.value)) < 400


def test_a_policy_is_a_pytree_and_its_folder_is_enough(path):
    policy = agents.load(path.parent)
    doubled = jax.tree.map(lambda leaf: 2 * leaf, policy)
    assert isinstance(doubled, Policy) and doubled.agent == policy.agent


@pytest.mark.slow
def test_a_broken_observation_ends_with_its_episode(tmp_path):
    """After a NaN the next episode is played as if it were the first, real actions too."""
    env_id = "PositionOnlyPendulumEasy"
    saved(tmp_path / "policy.npz", env_id, agent(env_id))
    policy = agents.load(tmp_path / "policy.npz")
    key, good = jax.random.key(0), jnp.full((2, *policy.agent.observation_space.shape), 0.5)
    fresh, want = policy.act(key, policy.initial_carry(2), good)
    carry, broken = policy.act(key, policy.initial_carry(2), jnp.full_like(good, jnp.nan))
    assert any(np.isnan(leaf).any() for leaf in jax.tree.leaves(carry.memory))
    assert np.isfinite(broken).all(), "what the environment takes is in its space"
    after, action = policy.act(key, carry, good, start=True)
    np.testing.assert_array_equal(action, want)
    jax.tree.map(np.testing.assert_array_equal, after, fresh)
