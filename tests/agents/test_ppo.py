"""PPO: what the formulas say, and that it learns what can be learned."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from agents.evaluate import evaluate
from agents.gae import gae
from agents.hyperparams import Hyperparams
from agents.memory import MEMORIES
from agents.ppo import PPOConfig, make_train, ppo_loss
from agents.rollout import begin, collect
from tests.agents.probes import Recall, small_network

SMALL = PPOConfig(num_envs=8, num_steps=16, num_epochs=2, num_minibatches=2)


def train(env, network, config, num_updates, seed=0, **hyperparams):
    """A whole run in one segment: the last state and the metrics."""
    init, segment = make_train(env, network, config)
    hyperparams = Hyperparams(**hyperparams)

    @jax.jit
    def run(key):
        return segment(init(key, hyperparams, num_updates), hyperparams, num_updates)

    return run(jax.random.key(seed))


def test_gae_by_hand():
    """Three steps worth working out: gamma 0.9, lambda 0.5, the second ends an episode."""
    reward = jnp.array([[1.0], [2.0], [3.0]])
    value = jnp.array([[0.5], [1.0], [-1.0]])
    last = jnp.array([[False], [True], [False]])
    advantage, target = gae(reward, value, last, jnp.array([4.0]), 0.9, 0.5)
    third = 3 + 0.9 * 4 - -1  # goes on into the bootstrap
    second = 2 - 1  # nothing follows an end
    first = (1 + 0.9 * 1 - 0.5) + 0.9 * 0.5 * second
    np.testing.assert_allclose(advantage.ravel(), [first, second, third], rtol=1e-6)
    np.testing.assert_allclose(target, advantage + value, rtol=1e-6)


def test_gae_of_an_episode_that_was_only_cut_short():
    """At a truncation with bootstrapping the final observation's value takes the future's place,
    and the advantage still does not run on into the next episode."""
    reward, value = jnp.ones((2, 1)), jnp.zeros((2, 1))
    last = jnp.array([[True], [False]])
    final_value = jnp.array([[10.0], [0.0]])
    advantage, _ = gae(reward, value, last, jnp.array([2.0]), 0.5, 1.0, final_value)
    np.testing.assert_allclose(advantage.ravel(), [1 + 0.5 * 10, 1 + 0.5 * 2])


def test_lambda_one_is_the_discounted_return_less_the_value():
    key_reward, key_value, key_last = jax.random.split(jax.random.key(0), 3)
    reward, value = (jax.random.normal(k, (20, 3)) for k in (key_reward, key_value))
    last = jax.random.bernoulli(key_last, 0.2, (20, 3))
    bootstrap = jnp.array([1.0, 2.0, 3.0])
    advantage, _ = gae(reward, value, last, bootstrap, 0.9, 1.0)
    future, expected = np.asarray(bootstrap), []
    for t in reversed(range(20)):
        future = np.asarray(reward[t]) + 0.9 * np.where(last[t], 0.0, future)
        expected.append(future - np.asarray(value[t]))
    np.testing.assert_allclose(advantage, expected[::-1], atol=1e-5)


@pytest.mark.parametrize("memory", MEMORIES)
def test_the_first_ratio_is_one(memory):
    """Before the first gradient step the replay of a rollout is the rollout: wrong carries, flags
    or key order would show. Episodes end inside the rollout and between rollouts."""
    env = popjax.make("RepeatPreviousEasy")
    config = PPOConfig(num_envs=4, num_steps=40, num_epochs=1, num_minibatches=2)
    network = small_network(env, memory)
    _, metrics = train(env, network, config, 3)
    assert metrics["first_ratio_error"].max() < 2e-5


def test_lanes_equal_single_runs():
    env = popjax.make("RepeatFirstEasy")
    init, segment = make_train(env, small_network(env, "gru"), SMALL)
    points = Hyperparams(learning_rate=jnp.array([1e-3, 1e-4]), gamma=jnp.array([0.9, 0.99]))
    axes = jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) else None, points)
    keys = jax.random.split(jax.random.key(0), 3)

    def run(key, hyperparams):
        return segment(init(key, hyperparams, 3), hyperparams, 3)

    many = jax.jit(jax.vmap(jax.vmap(run, in_axes=(0, None)), in_axes=(None, axes)))
    _, metrics = many(keys, points)
    single = jax.jit(run)
    for i in range(2):
        for j in range(3):
            point = Hyperparams(learning_rate=[1e-3, 1e-4][i], gamma=[0.9, 0.99][i])
            _, alone = single(keys[j], point)
            chex.assert_trees_all_close(
                jax.tree.map(lambda leaf, i=i, j=j: leaf[i, j], metrics), alone, atol=2e-4
            )


def test_one_program_serves_every_segment_and_calls_no_host():
    env = popjax.make("RepeatFirstEasy")
    init, segment = make_train(env, small_network(env, "gru"), SMALL)
    hyperparams = Hyperparams()
    state = jax.jit(lambda key: init(key, hyperparams, 4))(jax.random.key(0))

    @jax.jit
    @chex.assert_max_traces(n=1)
    def advance(state):
        return segment(state, hyperparams, 2)

    text = advance.lower(state).as_text()
    assert "callback" not in text and "f64" not in text
    for _ in range(2):
        state, _ = advance(state)
    assert state.update == 4


def test_without_clipping_and_future_the_gradient_is_reinforce():
    """One pass, gamma = 0, no clipping, no baseline: the gradient is that of
    `-mean(reward * log pi)`."""
    env = popjax.make("HigherLowerEasy")
    network = small_network(env, "gru")
    config = PPOConfig(num_envs=4, num_steps=12, num_minibatches=1, normalise_advantages="no")
    hyperparams = Hyperparams(clip=jnp.inf, entropy=0.0, value=0.0)
    key_params, key_actor, key_steps = jax.random.split(jax.random.key(0), 3)
    actor = begin(env, network, key_actor, 4)
    x = jnp.zeros((1, 1, 16))
    params = network.init(key_params, network.initial_carry(1), x, jnp.ones((1, 1), bool))
    _, data, _ = jax.jit(lambda p: collect(env, network, p, actor, key_steps, 12))(params)

    def surrogate(params):
        return ppo_loss(
            params, env, network, config, hyperparams, 0.0, actor.carry, data, data.reward, 0.0
        )[0]

    def reinforce(params):
        _, policy, _ = network.apply(params, actor.carry, data.x, data.start)
        log_probs = jax.nn.log_softmax(policy)
        chosen = jnp.take_along_axis(log_probs, data.action[..., None], -1)[..., 0]
        return -jnp.mean(data.reward * chosen)

    gradients = jax.jit(lambda p: (jax.grad(surrogate)(p), jax.grad(reinforce)(p)))(params)
    chex.assert_trees_all_close(*gradients, atol=1e-6)


def test_the_kl_coefficient_adapts():
    """Its rule (Schulman et al. 2017, section 4): 1.5 times as much when the divergence is above
    twice the target, half when it is below half of it."""
    env = Recall()
    network = small_network(env, "mlp")
    for target, factor in ((1e-9, 1.5), (1e9, 0.5)):
        state, _ = train(env, network, SMALL, 1, kl=0.2, kl_target=target)
        np.testing.assert_allclose(state.kl, 0.2 * factor, rtol=1e-6)


@pytest.mark.parametrize(
    ("env", "memory"),
    [
        (Recall(), "mlp"),
        (Recall(delay=3, delayed_reward=True), "gru"),
        (Recall(delay=3), "gru"),
    ],
    ids=["see and say", "delayed reward", "memory needed"],
)
def test_probe_is_solved(env, memory):
    network = small_network(env, memory)
    config = PPOConfig(num_envs=16, num_steps=16, num_epochs=4, num_minibatches=2)
    state, _ = train(env, network, config, 60, learning_rate=3e-3, entropy=0.0)
    returns = jax.jit(lambda p: evaluate(env, network, p, jax.random.key(1), 64, True))(
        state.params
    )
    assert returns.mean() > 0.95


def test_without_memory_the_delayed_answer_is_a_guess():
    env = Recall(delay=3)
    network = small_network(env, "mlp")
    config = PPOConfig(num_envs=16, num_steps=16, num_epochs=4, num_minibatches=2, inputs="obs")
    state, _ = train(env, network, config, 60, learning_rate=3e-3, entropy=0.0)
    returns = jax.jit(
        lambda p: evaluate(env, network, p, jax.random.key(1), 256, True, inputs="obs")
    )(state.params)
    assert abs(returns.mean()) < 0.3


def test_minibatches_hold_whole_sequences():
    with pytest.raises(ValueError, match="must divide"):
        PPOConfig(num_envs=6, num_minibatches=4)


def test_the_axes_of_supervision():
    """R4 beside the other rungs: four epochs make four gradient tokens of each, and a fresh policy
    that thinks all four suits alike is told 0.562 nats wherever the environment pays."""
    config = PPOConfig(num_envs=8, num_steps=52, num_epochs=4, num_minibatches=2)
    env = popjax.make("RepeatPreviousEasy")
    network = small_network(env, "mlp")
    _, metrics = train(env, network, config, 1)
    assert metrics["environment_tokens"] == 8 * 52 and metrics["gradient_tokens"] == 4 * 8 * 52
    unpaid = 3 + 1  # before the first card to be named, and one that begins the next episode
    np.testing.assert_allclose(metrics["supervision_nats"], 0.562 * 8 * (52 - unpaid), rtol=0.01)
    assert 0.1 < metrics["told_nats"] / metrics["supervision_nats"] < 3
    env = popjax.make("HigherLowerEasy")
    _, metrics = train(env, small_network(env, "mlp"), config, 1)
    assert np.isnan(metrics["supervision_nats"])
