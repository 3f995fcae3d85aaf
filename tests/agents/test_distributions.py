"""Distributions against SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
from scipy.special import log_softmax

from agents.distributions import distribution, divergence, likeliest, num_outputs
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
