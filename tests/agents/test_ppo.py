"""PPO: what the formulas say, and that it learns what can be learned."""

import dataclasses
from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import popjax
from agents.agent import Agent
from agents.hyperparams import Hyperparams, optimiser
from agents.inputs import input_size
from agents.ppo import (
    PPOConfig,
    TrainState,
    adapted,
    make_train,
    supervision_metrics,
    update_epochs,
)
from agents.rollout import Transition, collect, reset_actors
from agents.surrogate import Batch, ppo_loss
from tests.support.probes import Recall, any_parameters, quick, small_network, train

SMALL = PPOConfig(num_envs=8, num_steps=16, num_epochs=2, num_minibatches=2)


@pytest.mark.slow  # by default: seeds train side by side, not that they equal single runs
@pytest.mark.by_default("mlp")
@pytest.mark.parametrize("memory", ["mlp", "gru"])
def test_lanes_equal_single_runs(memory):
    env = Recall(delay=2)
    init, segment = make_train(env, small_network(env, memory), SMALL)
    points = Hyperparams(learning_rate=jnp.array([1e-3, 1e-4]), gamma=jnp.array([0.9, 0.99]))
    which = jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) else None, points)
    keys = jax.random.split(jax.random.key(0), 3)

    def run(key, hyperparams):
        return segment(init(key, hyperparams, 3), hyperparams, 3)

    many = quick(jax.vmap(jax.vmap(run, in_axes=(0, None)), in_axes=(None, which)))
    _, metrics = many(keys, points)
    single = quick(run)
    for i in range(2):
        for j in range(3):
            point = Hyperparams(learning_rate=[1e-3, 1e-4][i], gamma=[0.9, 0.99][i])
            _, alone = single(keys[j], point)
            chex.assert_trees_all_close(
                jax.tree.map(lambda leaf, i=i, j=j: leaf[i, j], metrics), alone, atol=2e-4
            )


def test_one_program_serves_every_segment_and_calls_no_host():
    env = Recall(delay=2)
    init, segment = make_train(env, small_network(env, "gru"), SMALL)
    hyperparams = Hyperparams()
    state = quick(lambda key: init(key, hyperparams, 4))(jax.random.key(0))

    @partial(quick, donate_argnums=0)
    @chex.assert_max_traces(n=1)
    def advance(state):
        return segment(state, hyperparams, 2)

    lowered = advance.lower(state)
    for text in (lowered.as_text(), lowered.compile().as_text()):
        assert "callback" not in text and "f64" not in text
    for _ in range(2):
        before, (state, _) = state, advance(state)
        assert all(leaf.is_deleted() for leaf in jax.tree.leaves(before)), "memory is used again"
    assert state.update == 4


def test_without_clipping_and_future_the_gradient_is_reinforce():
    """One pass, gamma = 0, no clipping, no baseline: the gradient is that of
    `-mean(reward * log pi)`."""
    env = popjax.make("HigherLowerEasy")
    network = small_network(env, "gru")
    agent = Agent.of(env, network)
    hyperparams = Hyperparams(clip=jnp.inf, entropy=0.0, value=0.0)
    key_actor, key_steps = jax.random.split(jax.random.key(0))
    actor = reset_actors(env, agent, key_actor, 4)
    params = any_parameters(network, input_size(env, "obs+action"))
    _, data, _ = quick(lambda p: collect(env, agent, p, actor, key_steps, 12))(params)

    def surrogate(params):
        batch = Batch(actor.carry, data, data.reward, jnp.zeros_like(data.reward))
        return ppo_loss(params, agent, hyperparams, batch)[0]

    def reinforce(params):
        _, policy, _ = network.apply(params, actor.carry, data.x, data.start)
        log_probs = jax.nn.log_softmax(policy)
        chosen = jnp.take_along_axis(log_probs, data.action[..., None], -1)[..., 0]
        return -jnp.mean(data.reward * chosen)

    gradients = quick(lambda p: (jax.grad(surrogate)(p), jax.grad(reinforce)(p)))(params)
    chex.assert_trees_all_close(*gradients, atol=1e-6)


@pytest.mark.slow
def test_the_kl_coefficient_adapts():
    """Its rule: 1.5 times as much when the divergence is above twice the target, half when it is
    below half of it, the same between."""
    for kl, factor in ((0.021, 1.5), (0.019, 1.0), (0.0051, 1.0), (0.0049, 0.5)):
        np.testing.assert_allclose(adapted(0.2, kl, 0.01), 0.2 * factor, rtol=1e-6)
    env = Recall()
    network = small_network(env, "mlp")
    for target, factor in ((1e-9, 1.5), (1e9, 0.5)):
        state, _ = train(env, network, SMALL, 1, kl=0.2, kl_target=target)
        np.testing.assert_allclose(state.kl, 0.2 * factor, rtol=1e-6)


def test_minibatches_hold_whole_sequences():
    with pytest.raises(ValueError, match="must divide"):
        PPOConfig(num_envs=6, num_minibatches=4)


@pytest.mark.slow
def test_the_axes_of_supervision():
    """R4 beside the other rungs: four epochs make four gradient tokens of each, and a policy that
    thinks all four suits alike is told 0.562 nats wherever the environment pays."""
    config = PPOConfig(num_envs=8, num_steps=52, num_epochs=4, num_minibatches=2)
    env = popjax.make("RepeatPreviousEasy")
    agent = Agent.of(env, Undecided(4))
    actor = reset_actors(env, agent, jax.random.key(0), 8)
    _, data, _ = quick(lambda actor: collect(env, agent, (), actor, jax.random.key(1), 52))(actor)
    told = supervision_metrics(env, config, data)
    assert told["environment_tokens"] == 8 * 52 and told["gradient_tokens"] == 4 * 8 * 52
    unpaid = 3 + 1  # before the first card to be named, and one that begins the next episode
    np.testing.assert_allclose(told["supervision_nats"], 0.562 * 8 * (52 - unpaid), rtol=0.01)
    assert 0.1 < told["realised_nats"] / told["supervision_nats"] < 3
    assert np.isnan(
        supervision_metrics(popjax.make("HigherLowerEasy"), config, data)["supervision_nats"]
    )


class Undecided(NamedTuple):
    """A network that thinks all actions alike."""

    num_actions: int
    squash: bool = False

    def initial_carry(self, batch_size):
        return ()

    def apply(self, params, carry, x, start):
        return carry, jnp.zeros((*start.shape, self.num_actions)), jnp.zeros(start.shape)


class Says(NamedTuple):
    """A network that says what its parameters are: policy `[T, B, n]` and value `[T, B]`."""

    squash: bool = False

    def apply(self, params, carry, x, start):
        return carry, *params


def test_the_loss_by_hand():
    """Four steps of a policy that moved: the surrogate is clipped on the side that would pay more,
    the squared error of the value is the larger of two and is cut, and each term has its weight."""
    env = Recall()
    new, old = np.array([0.9, 0.5, 0.2, 0.4]), np.array([0.5, 0.5, 0.4, 0.5])
    advantage = np.array([1.0, -2.0, -1.0, 3.0])
    value, old_value = np.array([1.0, 0.0, 0.3, 5.0]), np.array([0.0, 0.1, 0.2, 4.9])
    target = np.array([2.0, 0.5, 0.0, 0.0])

    def logits(p):
        return jnp.log(jnp.float32(np.stack([p, 1 - p], -1)))[None]

    zeros = jnp.zeros((1, 4))
    data = Transition(
        **dict.fromkeys(("x", "start", "reward", "terminated", "truncated", "final_value"), zeros),
        action=jnp.zeros((1, 4), int),
        log_prob=jnp.log(jnp.float32(old))[None],
        policy=logits(old),
        value=jnp.float32(old_value)[None],
    )
    hyperparams = Hyperparams(
        clip=0.2, value=0.7, entropy=0.1, value_cut=10.0, value_clip=0.5, kl=0.3
    )
    loss, told = ppo_loss(
        (logits(new), jnp.float32(value)[None]),
        Agent.of(env, Says()),
        hyperparams,
        Batch((), data, jnp.float32(advantage)[None], jnp.float32(target)[None]),
    )
    surrogate = np.mean([1.2 * 1.0, 1.0 * -2.0, 0.8 * -1.0, 0.8 * 3.0])
    error = np.mean([1.5**2, 0.5**2, 0.3**2, 10.0])  # the first is held at 0.5, the last is cut
    entropy = np.mean(scipy.stats.entropy([new, 1 - new]))
    kl = np.mean(scipy.stats.entropy([old, 1 - old], [new, 1 - new]))
    for name, expected in (
        ("surrogate", surrogate),
        ("value_error", error),
        ("entropy", entropy),
        ("kl", kl),
        ("ratio_error", 0.8),
    ):
        np.testing.assert_allclose(told[name], expected, rtol=1e-5, err_msg=name)
    expected = -surrogate + 0.7 * error - 0.1 * entropy + 0.3 * kl
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "half_way"),
    [
        ({"schedule": "constant"}, 1.0),
        ({"schedule": "linear"}, 0.5),
        ({"schedule": "cosine"}, 0.5),
        ({"schedule": "constant", "warmup": 0.8}, 0.5 / 0.8),
    ],
)
def test_the_learning_rate_follows_its_schedule(options, half_way):
    """Half way through a run a first step of Adam is that share of what it is at full rate."""
    env = Recall()
    config = PPOConfig(num_envs=2, num_steps=2, num_epochs=1, num_minibatches=1, **options)
    params = (jnp.ones((2, 2, 2)), jnp.ones((2, 2)))
    zeros = jnp.zeros((2, 2))
    data = Transition(
        **dict.fromkeys(("x", "start", "reward", "terminated", "truncated", "final_value"), zeros),
        action=jnp.zeros((2, 2), int),
        log_prob=zeros + jnp.log(0.5),
        policy=jnp.ones((2, 2, 2)),
        value=zeros,
    )
    hyperparams = Hyperparams(learning_rate=0.01, adam_eps=0.0)
    state = TrainState(
        params=params,
        opt_state=optimiser(hyperparams).init(params),
        actor=None,
        key=None,
        update=jnp.int32(5),
        num_updates=jnp.int32(11),
        kl=jnp.float32(0),
    )
    batch = Batch((), data, advantage=zeros, target=zeros)
    (after, _), _ = update_epochs(
        Agent.of(env, Says()), config, state, hyperparams, batch, jax.random.key(0)
    )
    np.testing.assert_allclose(params[1] - after[1], 0.01 * half_way, rtol=1e-4)


def test_products_in_bfloat16_and_all_else_in_float32():
    """Every product of the program, those of hand-written gradients too, has the precision asked
    for; nothing is stored in it."""
    env = Recall()
    config = PPOConfig(num_envs=4, num_steps=4, num_minibatches=2, precision="bfloat16")
    init, segment = make_train(env, small_network(env, "gru", 8), config)
    state = jax.eval_shape(lambda: init(jax.random.key(0), Hyperparams(), 2))
    text = jax.jit(lambda state: segment(state, Hyperparams(), 2)).lower(state).as_text()
    products = [line for line in text.splitlines() if "stablehlo.dot_general" in line]
    assert len(products) > 20 and all("lhs_precision_type = bf16" in line for line in products)
    assert "xbf16>" not in text and "f64" not in text


@pytest.mark.slow
def test_the_first_update_of_a_warm_up_is_not_wasted():
    """Its learning rate is above zero, as is the last one's of a schedule that falls to zero."""
    env = popjax.make("RepeatFirstEasy")
    config = dataclasses.replace(SMALL, warmup=0.5)
    init, segment = make_train(env, small_network(env, "mlp"), config)

    @quick
    def twice(key):
        first = init(key, Hyperparams(), 2)
        second, _ = segment(first, Hyperparams(), 1)
        third, _ = segment(second, Hyperparams(), 1)
        return first.params, second.params, third.params

    first, second, third = twice(jax.random.key(0))
    for before, after in ((first, second), (second, third)):
        moved = jax.tree.map(lambda a, b: jnp.max(jnp.abs(a - b)), before, after)
        assert max(jax.tree.leaves(moved)) > 0
