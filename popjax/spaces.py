"""The two kinds of space: `Discrete`, one or more integers, and `Box`, bounded reals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key


def check_type(space: Discrete | Box, x: Any, lead: tuple[int, ...] = ()) -> None:
    """Raises a ValueError unless `x` has the shape, `(*lead, *space.shape)`, and the dtype of
    elements of the space. Works on traced arrays; values are not checked.

    >>> check_type(Discrete(4), jnp.zeros((3, 5), jnp.int32), lead=(3,))
    Traceback (most recent call last):
    ...
    ValueError: an array of int32 and shape (3, 5) is not 3 elements of Discrete(sizes=4): an
        integer from 0 to 3 each, so integers of shape (3,)
    """
    shape = (*lead, *space.shape)
    if jnp.shape(x) == shape and _is_of_kind(space, jnp.result_type(x)):
        return
    kind = "integers" if isinstance(space, Discrete) else "reals"
    many, each = (f"{math.prod(lead)} elements", " each") if lead else ("an element", "")
    raise ValueError(
        f"an array of {jnp.result_type(x)} and shape {jnp.shape(x)} is not {many} of {space}: "
        f"{space.range_in_words}{each}, so {kind} of shape {shape}"
    )


def _is_of_kind(space: Discrete | Box, dtype: Any) -> bool:
    """Integers for one kind of space, and integers or reals for the other."""
    if jnp.issubdtype(dtype, jnp.integer):
        return True
    return isinstance(space, Box) and jnp.issubdtype(dtype, jnp.floating)


def _as_array(x: Any) -> np.ndarray | None:
    """`x` as numbers, or None: words, dicts and ragged lists are none."""
    try:
        values = np.asarray(x)
    except (TypeError, ValueError):
        return None
    return values if jnp.issubdtype(values.dtype, jnp.number) else None


@dataclass(frozen=True)
class Discrete:
    """Integers `0 <= x[i] < sizes[i]`. `Discrete(4)` is one integer of shape `()`,
    `Discrete((2, 4))` a vector of shape `(2,)`.

    Elements are numbered with the last component changing fastest, as cells row by row.

    >>> space = Discrete((2, 4))
    >>> space.flatten(jnp.array([1, 2])).astype(int).tolist()
    [0, 1, 0, 0, 1, 0]
    >>> space.num_values, space.to_number(jnp.array([1, 2])).item()
    (8, 6)
    >>> space.from_number(6).tolist()
    [1, 2]
    """

    sizes: int | tuple[int, ...]

    def __post_init__(self):
        if not all(isinstance(n, int) and n > 0 for n in self.components):
            raise ValueError(f"Discrete takes positive integers, not {self.sizes!r}")

    @property
    def components(self) -> tuple[int, ...]:
        """The size of each component, of one too."""
        return self.sizes if isinstance(self.sizes, tuple) else (self.sizes,)

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.sizes),) if isinstance(self.sizes, tuple) else ()

    @property
    def dtype(self):
        return jnp.int32

    @property
    def flat_size(self) -> int:
        """Width of `flatten`: one entry for each value of each component."""
        return sum(self.components)

    @property
    def num_values(self) -> int:
        """The number of elements."""
        return math.prod(self.components)

    def to_number(self, x: Int[Array, "..."]) -> Int[Array, "*batch"]:
        """The number of the element `x`, from 0 to `num_values` - 1; leading axes are kept."""
        if not self.shape:
            return jnp.asarray(x)
        places = [math.prod(self.sizes[i + 1 :]) for i in range(len(self.sizes))]
        return jnp.sum(jnp.asarray(x) * np.array(places, np.int32), axis=-1, dtype=jnp.int32)

    def from_number(self, number: Int[Array, "*batch"]) -> Int[Array, "..."]:
        """The element with that number."""
        number = jnp.asarray(number)
        if not self.shape:
            return number
        return jnp.stack(jnp.unravel_index(number, self.sizes), axis=-1).astype(jnp.int32)

    def sample(self, key: Key[Array, ""]) -> Int[Array, "..."]:
        """A uniform element; the key is consumed."""
        return jax.random.randint(key, self.shape, 0, np.asarray(self.sizes, np.int32))

    def contains(self, x: Any) -> Bool[Array, ""]:
        """`[]` bool, jittable."""
        x = jnp.asarray(x)
        if x.shape != self.shape or not jnp.issubdtype(x.dtype, jnp.integer):
            return jnp.asarray(False)
        return jnp.all((x >= 0) & (x < np.asarray(self.sizes)))

    def flatten(self, x: Int[Array, "..."]) -> Float[Array, "... flat"]:
        """One-hot codes of all components, concatenated; leading axes are kept."""
        x = jnp.asarray(x)
        if not self.shape:
            return jax.nn.one_hot(x, self.sizes)
        if len(set(self.sizes)) == 1:
            codes = jax.nn.one_hot(x, self.sizes[0])
            return codes.reshape(*x.shape[:-1], self.flat_size)
        component = np.repeat(np.arange(len(self.sizes)), self.sizes)
        value = np.concatenate([np.arange(n) for n in self.sizes])
        return (x[..., component] == value).astype(jnp.float32)

    def admit(self, x: Any) -> Int[Array, "..."]:
        """`x` as an element of the space: a ValueError if its shape or dtype differs, or if its
        value is known and outside; a traced value is replaced by the nearest."""
        if isinstance(x, jax.core.Tracer):
            check_type(self, x)
        else:
            values = _as_array(x)
            if values is None or not _is_of_kind(self, values.dtype):
                raise ValueError(f"{_shown(x)} is not an integer element of {self}")
            if values.shape != self.shape or (values < 0).any() or (values >= self.sizes).any():
                raise ValueError(f"{_shown(x)} is not in {self}: {self.range_in_words}")
        return self.nearest(jnp.asarray(x, jnp.int32))

    def nearest(self, x: Int[Array, "..."]) -> Int[Array, "..."]:
        """The element nearest to `x`, which an environment uses instead; leading axes are kept.

        >>> Discrete((2, 4)).nearest(jnp.array([[1, 3], [-1, 9]])).tolist()
        [[1, 3], [0, 3]]
        """
        return jnp.clip(x, 0, np.asarray(self.sizes, np.int32) - 1)

    @property
    def range_in_words(self) -> str:
        """Of one element."""
        if not self.shape:
            return f"an integer from 0 to {self.sizes - 1}"
        return (
            f"{len(self.sizes)} integers from 0 up to {', '.join(str(n - 1) for n in self.sizes)}"
        )


@dataclass(frozen=True)
class Box:
    """Reals `low[i] <= x[i] <= high[i]`, float32, of shape `(len(low),)`.

    >>> Box((-2.0,), (2.0,)).contains(jnp.array([0.5])).item()
    True
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self):
        if len(self.low) != len(self.high) or not all(
            a < b for a, b in zip(self.low, self.high, strict=True)
        ):
            raise ValueError(f"Box needs low < high in each place, not {self.low} and {self.high}")

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.low),)

    @property
    def dtype(self):
        return jnp.float32

    @property
    def flat_size(self) -> int:
        return math.prod(self.shape)

    def sample(self, key: Key[Array, ""]) -> Float[Array, " n"]:
        """A uniform element; the key is consumed. Where a bound is infinite the range ends one
        beyond the other bound, and is -1 to 1 if both are."""
        low, high = np.asarray(self.low, np.float32), np.asarray(self.high, np.float32)
        no_low, no_high = np.isinf(low), np.isinf(high)
        low, high = (
            np.where(no_low, np.where(no_high, -1, high - 1), low),
            np.where(no_high, np.where(no_low, 1, low + 1), high),
        )
        return jax.random.uniform(key, self.shape, jnp.float32, jnp.array(low), jnp.array(high))

    def contains(self, x: Any) -> Bool[Array, ""]:
        """`[]` bool, jittable; bounds belong to the space as float32 numbers."""
        x = jnp.asarray(x)
        if x.shape != self.shape:
            return jnp.asarray(False)
        low, high = (np.asarray(b, np.float32) for b in (self.low, self.high))
        return jnp.all((x >= low) & (x <= high))

    def flatten(self, x: Float[Array, "... n"]) -> Float[Array, "... n"]:
        """`x` itself: reals need no code."""
        return jnp.asarray(x, jnp.float32)

    def admit(self, x: Any) -> Float[Array, " n"]:
        """`x` as an element of the space: a ValueError if its shape or dtype differs, or if its
        value is known and outside; a traced value is replaced by the nearest."""
        low, high = (np.asarray(b, np.float32) for b in (self.low, self.high))
        if isinstance(x, jax.core.Tracer):
            check_type(self, x)
        else:
            values = _as_array(x)
            inside = values is not None and values.shape == self.shape
            inside = inside and _is_of_kind(self, values.dtype)
            if inside:
                values = values.astype(np.float32)
                inside = bool(((values >= low) & (values <= high)).all())
            if not inside:
                raise ValueError(f"{_shown(x)} is not in {self}: {self.range_in_words}")
        return self.nearest(x)

    def nearest(self, x: Any) -> Float[Array, "... n"]:
        """The element nearest to `x`, which an environment uses instead; leading axes are kept.
        NaN becomes the middle of the box.

        >>> Box((-2.0,), (2.0,)).nearest(jnp.array([[38.0], [0.5], [jnp.nan]])).tolist()
        [[2.0], [0.5], [0.0]]
        """
        low, high = (np.asarray(b, np.float32) for b in (self.low, self.high))
        x = jnp.asarray(x, jnp.float32)
        return jnp.clip(jnp.where(jnp.isnan(x), (low + high) / 2, x), low, high)

    @property
    def range_in_words(self) -> str:
        """Of one element."""
        return f"{len(self.low)} reals from {self.low} to {self.high}"


def _shown(x: Any) -> str:
    """In one short line."""
    text = " ".join(str(np.asarray(x).tolist() if hasattr(x, "dtype") else x).split())
    return text if len(text) <= 60 else text[:60] + "..."
