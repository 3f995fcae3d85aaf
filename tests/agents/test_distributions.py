"""Distributions against SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from scipy.special import log_softmax

from agents.distributions import (
    MEAN_BOUND,
    choose,
    distribution,
    divergence,
    likeliest,
    num_outputs,
)
from popjax.spaces import Box, Discrete


def test_one_integer():
    outputs = np.array([0.3, -1.0, 2.0])
    pi = distribution(Discrete(3), jnp.array(outputs))
    log_p = log_softmax(outputs)
    np.testing.assert_allclose(pi.log_prob(2), log_p[2], rtol=1e-5)
    np.testing.assert_allclose(pi.entropy(), scipy.stats.entropy(np.exp(log_p)), rtol=1e-5)
    assert likeliest(Discrete(3), jnp.array(outputs)) == 2


def test_several_integers_of_unequal_sizes_are_independent():
    space = Discrete((2, 3))
    outputs = np.array([0.5, -0.5, 1.0, 0.0, -1.0])
    pi = distribution(space, jnp.array(outputs))
    first, second = log_softmax(outputs[:2]), log_softmax(outputs[2:])
    assert num_outputs(space) == 5
    np.testing.assert_allclose(pi.log_prob(jnp.array([1, 2])), first[1] + second[2], rtol=1e-5)
    expected = sum(scipy.stats.entropy(np.exp(p)) for p in (first, second))
    np.testing.assert_allclose(pi.entropy(), expected, rtol=1e-5)
    samples = pi.sample(seed=jax.random.key(0), sample_shape=(500,))
    assert samples.shape == (500, 2) and jax.vmap(space.contains)(samples).all()
    assert likeliest(space, jnp.array(outputs)).tolist() == [0, 0]


def test_reals():
    space = Box((-2.0,), (2.0,))
    pi = distribution(space, jnp.array([0.4, np.log(0.7)]))
    gauss = scipy.stats.norm(0.4, 0.7)
    np.testing.assert_allclose(pi.log_prob(jnp.array([1.1])), gauss.logpdf(1.1), rtol=1e-5)
    np.testing.assert_allclose(pi.entropy(), gauss.entropy(), rtol=1e-5)


def test_divergence_is_from_old_to_new():
    old, new = np.array([1.0, 0.0, -1.0]), np.array([0.0, 0.5, 0.2])
    p, q = np.exp(log_softmax(old)), np.exp(log_softmax(new))
    np.testing.assert_allclose(
        divergence(Discrete(3), jnp.array(old), jnp.array(new)),
        scipy.stats.entropy(p, q),
        rtol=1e-5,
    )


def test_joint_integers():
    """Row and column of a board: one categorical over its cells, row by row."""
    space = Discrete((2, 3))
    outputs = jnp.array([0.5, -0.5, 1.0, 0.0, -1.0, 2.0])
    assert num_outputs(space, joint=True) == 6
    pi = distribution(space, outputs)
    cells = jnp.array([(row, col) for row in range(2) for col in range(3)])
    log_p = log_softmax(outputs)
    np.testing.assert_allclose(pi.log_prob(cells), log_p, rtol=1e-5)
    np.testing.assert_allclose(pi.entropy(), scipy.stats.entropy(np.exp(log_p)), rtol=1e-5)
    assert likeliest(space, outputs).tolist() == [1, 2]
    samples = pi.sample(seed=jax.random.key(0), sample_shape=(20_000,))
    assert samples.dtype == space.dtype and jax.vmap(space.contains)(samples).all()
    share = np.bincount(samples @ np.array([3, 1]), minlength=6) / len(samples)
    np.testing.assert_allclose(share, np.exp(log_p), atol=0.015)
    np.testing.assert_allclose(
        divergence(space, outputs, -outputs),
        scipy.stats.entropy(np.exp(log_p), np.exp(log_softmax(-outputs))),
        rtol=1e-5,
    )


TORQUE, BOX = Box((-2.0,), (2.0,)), Box((-2.0, 1.0), (2.0, 5.0))


def unbounded(mean):
    """The raw output of that mean."""
    return MEAN_BOUND * jnp.arctanh(jnp.asarray(mean) / MEAN_BOUND)


def squashed(mean, std, box):
    return distribution(box, jnp.concatenate([unbounded(mean), jnp.log(jnp.array(std))]), True)


@pytest.mark.parametrize("mean", [0.0, 0.7, -2.0])
@pytest.mark.parametrize("std", [0.1, 0.6, 1.5])
def test_squashed_reals(mean, std):
    """The law of `2 tanh(u)`: its log-probability is the derivative of its distribution function
    in SciPy, and its entropy is its own expected surprise."""
    pi = squashed([mean], [std], TORQUE)
    gauss, a, h = scipy.stats.norm(mean, std), 2 * np.tanh(mean + 0.3 * std), 1e-5
    below, above = (gauss.cdf(np.arctanh((a + d) / 2)) for d in (-h, h))
    expected = np.log((above - below) / (2 * h))
    np.testing.assert_allclose(pi.log_prob(jnp.array([a])), expected, atol=2e-3)

    def surprise(u):
        slope = np.log(2) - 2 * np.log(np.cosh(u))
        return gauss.pdf(u) * (slope - gauss.logpdf(u))

    entropy = scipy.integrate.quad(surprise, mean - 9 * std, mean + 9 * std, limit=200)[0]
    np.testing.assert_allclose(pi.entropy(), entropy, atol=2e-4)


@pytest.mark.slow
def test_squashed_reals_fill_their_box_and_no_more():
    """In two dimensions: the density sums to 1 over the box, samples lie inside, the likeliest
    action is where the mean goes."""
    pi = squashed([0.3, -0.4], [0.5, 0.8], BOX)
    grid = [np.linspace(low, high, 202)[1:-1] for low, high in zip(BOX.low, BOX.high, strict=True)]
    points = jnp.stack(jnp.meshgrid(*grid), axis=-1)
    density = jnp.exp(distribution(BOX, outputs_like(pi, points.shape), True).log_prob(points))
    area = np.prod([g[1] - g[0] for g in grid])
    np.testing.assert_allclose(density.sum() * area, 1, atol=1e-3)
    samples = pi.sample(seed=jax.random.key(0), sample_shape=(1000,))
    assert jax.vmap(BOX.contains)(samples).all()
    np.testing.assert_allclose(pi.mode(), [2 * np.tanh(0.3), 3 + 2 * np.tanh(-0.4)], rtol=1e-5)
    far = distribution(BOX, jnp.array([50.0, -50.0, 2.0, 2.0]), True)
    action = far.sample(seed=jax.random.key(1))
    assert BOX.contains(action) and np.isfinite(far.log_prob(action)) and np.isfinite(far.entropy())


def outputs_like(pi, shape):
    outputs = jnp.concatenate([unbounded(pi.gauss.mean()), jnp.log(pi.gauss.stddev())])
    return jnp.broadcast_to(outputs, (*shape[:-1], outputs.size))


def test_one_map_for_both_does_not_change_the_divergence():
    old, new = jnp.array([0.2, -0.3]), jnp.array([-0.4, 0.1])
    p, q = (distribution(TORQUE, outputs, True) for outputs in (old, new))
    a = jnp.linspace(-2, 2, 20_003)[1:-1, None]
    log_p, log_q = (
        distribution(TORQUE, jnp.broadcast_to(o, (len(a), 2)), True).log_prob(a) for o in (old, new)
    )
    integral = jnp.sum(jnp.exp(log_p) * (log_p - log_q)) * (a[1, 0] - a[0, 0])
    np.testing.assert_allclose(divergence(TORQUE, old, new, True), integral, atol=1e-3)
    gauss = [jnp.stack([MEAN_BOUND * jnp.tanh(o[0] / MEAN_BOUND), o[1]]) for o in (old, new)]
    np.testing.assert_allclose(p.kl_divergence(q), divergence(TORQUE, *gauss), rtol=1e-6)


def test_no_mean_is_so_far_out_that_its_own_actions_look_impossible():
    """Else two policies that both push to the bound would differ without end."""
    near, far = (distribution(TORQUE, jnp.array([mean, -2.0]), True) for mean in (20.0, 300.0))
    action = far.sample(seed=jax.random.key(0), sample_shape=(1000,))
    ratio = far.log_prob(action) - near.log_prob(action)
    assert np.abs(ratio).max() < 1
    np.testing.assert_allclose(far.log_prob(action).mean(), -far.entropy(), atol=0.1)


def test_divergence_of_independent_parts_is_the_sum():
    space = Discrete((2, 3))
    old, new = np.array([0.5, -0.5, 1.0, 0.0, -1.0]), np.array([0.0, 0.2, -1.0, 0.5, 0.2])
    expected = sum(
        scipy.stats.entropy(np.exp(log_softmax(old[part])), np.exp(log_softmax(new[part])))
        for part in (slice(0, 2), slice(2, 5))
    )
    actual = divergence(space, jnp.array(old), jnp.array(new))
    np.testing.assert_allclose(actual, expected, rtol=1e-5)


def test_nothing_is_squashed_into_the_endless():
    with pytest.raises(ValueError, match="not finite"):
        distribution(Box((0.0,), (np.inf,)), jnp.zeros(2), squash=True)


def test_who_acts_says_what_the_environment_takes():
    far = jnp.array([[38.0, -38.0, 0.0, 0.0]])
    for greedy in (False, True):
        assert choose(jax.random.key(0), BOX, far, greedy)[0].tolist() == [[2.0, BOX.low[1]]]
    assert choose(jax.random.key(0), Discrete(3), jnp.array([0.0, 0.0, 99.0]))[0] == 2
    squashed, _ = choose(jax.random.key(0), BOX, far, squash=True)
    mean = distribution(BOX, far, squash=True).mode()
    np.testing.assert_allclose(squashed, mean, atol=0.1)
