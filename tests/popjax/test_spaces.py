"""Spaces: what they hold, draw, flatten and let in."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from popjax import Box, Discrete
from tests.support.laws import check_counts

SPACES = [
    Discrete(4),
    Discrete((2, 4)),
    Discrete((3, 3)),
    Box((-2.0,), (2.0,)),
    Box((-1.0, 0.0), (1.0, 7.0)),
    Box((-math.inf, 2.0, -math.inf, 5.0), (math.inf, 3.0, -4.0, math.inf)),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_samples_belong_to_the_space(space):
    samples = jax.vmap(space.sample)(jax.random.split(jax.random.key(0), 1000))
    assert samples.shape == (1000, *space.shape) and samples.dtype == space.dtype
    assert jax.vmap(space.contains)(samples).all()
    assert len(np.unique(samples)) > 1


def test_integers_are_drawn_uniformly():
    samples = jax.vmap(Discrete((2, 5)).sample)(jax.random.split(jax.random.key(1), 10_000))
    pairs = np.bincount(5 * samples[:, 0] + samples[:, 1], minlength=10)
    check_counts(pairs, np.full(10, 1000))


def test_reals_are_drawn_uniformly():
    samples = jax.vmap(Box((-2.0,), (2.0,)).sample)(jax.random.split(jax.random.key(2), 10_000))
    check_counts(np.histogram(samples, 8, (-2, 2))[0], np.full(8, 1250))


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_a_space_is_a_value(space):
    twin = type(space)(**vars(space))
    assert twin == space and hash(twin) == hash(space)


@pytest.mark.parametrize(
    ("space", "outside"),
    [
        (Discrete(4), -1),
        (Discrete(4), 4),
        (Discrete(4), 1.0),
        (Discrete(4), [1]),
        (Discrete((2, 4)), [2, 0]),
        (Discrete((2, 4)), [0, 4]),
        (Discrete((2, 4)), 1),
        (Box((-2.0,), (2.0,)), [2.1]),
        (Box((-2.0,), (2.0,)), [math.nan]),
        (Box((-2.0,), (2.0,)), 0.0),
    ],
)
def test_what_lies_outside_is_refused_by_name(space, outside):
    assert not space.contains(jnp.asarray(outside))
    with pytest.raises(ValueError, match=r"is not (in|an integer element of)"):
        space.admit(np.asarray(outside))


@pytest.mark.parametrize("bound", [-2.0, 2.0])
def test_bounds_belong_to_a_box(bound):
    assert Box((-2.0,), (2.0,)).contains(jnp.array([bound]))


def test_traced_values_become_the_nearest_element():
    clamp = jax.jit(Discrete((2, 4)).admit)
    assert clamp(jnp.array([-7, 9])).tolist() == [0, 3]
    box = jax.jit(Box((-2.0, 0.0), (2.0, 4.0)).admit)
    assert box(jnp.array([-7.0, math.inf])).tolist() == [-2.0, 4.0]
    assert box(jnp.array([math.nan, math.nan])).tolist() == [0.0, 2.0]


@pytest.mark.parametrize(
    ("space", "other"),
    [
        (Discrete(4), np.zeros(5, np.int32)),
        (Discrete(4), np.float32(1)),
        (Discrete((2, 4)), np.zeros(3, np.int32)),
        (Box((-2.0,), (2.0,)), np.zeros(3, np.float32)),
        (Box((-2.0,), (2.0,)), np.zeros(1, np.complex64)),
    ],
)
def test_shape_and_kind_are_known_of_what_is_traced_too(space, other):
    with pytest.raises(ValueError, match="is not an element of"):
        jax.eval_shape(space.admit, other)


@pytest.mark.parametrize("space", SPACES[:3], ids=str)
def test_flatten_has_one_hot_code_for_each_component(space):
    samples = jax.vmap(space.sample)(jax.random.split(jax.random.key(3), 12))
    sizes = np.atleast_1d(space.sizes)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    naive = np.zeros((12, sizes.sum()))
    for row, sample in zip(naive, np.asarray(samples).reshape(12, -1), strict=True):
        row[starts + sample] = 1
    assert space.flat_size == sizes.sum()
    np.testing.assert_array_equal(space.flatten(samples), naive)
    leading = space.flatten(samples.reshape(3, 4, *space.shape))
    np.testing.assert_array_equal(leading, naive.reshape(3, 4, -1))
    np.testing.assert_array_equal(space.flatten(samples[0]), naive[0])


@pytest.mark.parametrize("space", SPACES[:3], ids=str)
def test_elements_are_counted_with_the_first_component_leading(space):
    """As `itertools.product` lists them, each once, whatever the leading axes."""
    listed = list(itertools.product(*map(range, np.atleast_1d(space.sizes))))
    elements = np.array(listed).reshape(-1, *space.shape)
    assert space.num_values == len(elements)
    numbers = jnp.arange(space.num_values)
    np.testing.assert_array_equal(space.from_number(numbers), elements)
    np.testing.assert_array_equal(space.to_number(elements), numbers)
    grid = numbers.reshape(-1, 1)
    np.testing.assert_array_equal(space.from_number(grid), elements[:, None])
    np.testing.assert_array_equal(space.to_number(elements[:, None]), grid)
    assert space.from_number(numbers).dtype == space.to_number(elements).dtype == jnp.int32


def test_flatten_leaves_reals_as_they_are():
    x = jnp.ones((5, 2))
    assert (Box((-1.0, 0.0), (1.0, 7.0)).flatten(x) == x).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Discrete(0),
        lambda: Discrete((2, -1)),
        lambda: Discrete(2.5),
        lambda: Box((0.0,), (0.0,)),
        lambda: Box((0.0,), (1.0, 2.0)),
        lambda: Box((math.nan,), (1.0,)),
    ],
)
def test_an_empty_space_cannot_be_made(make):
    with pytest.raises(ValueError, match=r"Discrete takes|Box needs"):
        make()
