"""Forgetting curves: how much of each earlier input a memory still holds, and its effect there.

Four measures against the lag k, the same as agent and as language model, at a fixed step t:

    retention     I_k = H(o_{t-k}) - CE of a linear probe of o_{t-k} in h_t, in nats
    sensitivity   J_k = E || d outputs_t / d e_{t-k} ||_F, e the embedding of the input, as shares
    effects       of a swap and of a replacement at lag k (`experiments.bridge.measures.edits`)
    order index   0 for a memory that is a multiset (same file)

Two numbers summarise a curve: its half-life, and the total nats that can be decoded.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from agents.networks import ActorCritic, LanguageModel
from experiments.bridge.measures.probes import Question, ask, probe


def retention(
    states: Float[np.ndarray, "nets n d"], earlier: Int[np.ndarray, "n L"], classes: int
) -> Float[np.ndarray, "nets L"]:
    """Nats about each of L earlier inputs that a linear probe finds in the states of several
    networks after n different episodes.

    The available nats of an input are its empirical entropy over all rows; an uninformative probe
    gives 0, and an overfitted one less.
    """
    return np.stack([probe(states, word(column, classes)).information for column in earlier.T], 1)


def word(values: Int[np.ndarray, " n"], classes: int) -> Question:
    """The question about a value, with its marginal frequencies as prior."""
    shares = (np.bincount(values, minlength=classes) + 0.5) / (len(values) + 0.5 * classes)
    return ask(values, classes, prior=np.broadcast_to(np.log(shares), (len(values), classes)))


def features_along(
    network: ActorCritic | LanguageModel,
    params: Any,
    x: Float[Array, "T N d"],
    start: Bool[Array, "T N"],
) -> Float[Array, "T N features"]:
    """The backbone's outputs, which the heads of an agent or a language model read."""
    backbone = network.backbone
    tree = {"params": params["params"]["backbone"]}
    return backbone.apply(tree, backbone.initial_carry(x.shape[1]), x, start)[1]


def sensitivity(
    network: ActorCritic | LanguageModel,
    params: Any,
    x: Float[Array, "T N d"],
    start: Bool[Array, "T N"],
    outputs: Any,
) -> Float[Array, " T"]:
    """Shares of J_k, k = 0 for the last input, over episodes that all have the T steps given.

    outputs: maps what `network.apply` returns to the logits `[T, N, K]` of one head. The embedding
    is the encoder's output: a change of it acts only through memory.
    """
    width = network.backbone.memories[0].features

    def last(change: Float[Array, "T N features"]) -> Float[Array, "N K"]:
        def add(function, args, kwargs, context):
            out = function(*args, **kwargs)
            encoder = context.module.name == "encoder" and context.method_name == "__call__"
            whole = encoder and out.shape == change.shape  # not within the encoder, over rows
            return out + change if whole else out

        carry = network.initial_carry(x.shape[1])
        with nn.intercept_methods(add):
            return outputs(network.apply(params, carry, x, start))[-1]

    logits, back = jax.vjp(last, jnp.zeros((*x.shape[:2], width)))
    each = jnp.eye(logits.shape[-1])[:, None] * jnp.ones_like(logits)
    squares = jax.lax.map(lambda one: jnp.sum(jnp.square(back(one)[0]), axis=-1), each)
    size = jnp.mean(jnp.sqrt(jnp.sum(squares, axis=0)), axis=-1)[::-1]
    return size / jnp.sum(size)


def half_life(
    kept: Float[np.ndarray, "*batch L"], null: Float[np.ndarray, " L"]
) -> Float[np.ndarray, "*batch"]:
    """The first lag at which half of the nats of the newest input are gone, both above an untrained
    network's; infinity if the curve ends before.

    >>> half_life(np.array([[1.0, 0.8, 0.5, 0.0], [1.0, 0.9, 0.9, 0.9]]), np.zeros(4)).tolist()
    [2.0, inf]
    """
    above, at_first = kept - null, kept[..., :1] - null
    gone = above <= 0.5 * np.maximum(at_first, 0)
    return np.where(gone.any(axis=-1), gone.argmax(axis=-1).astype(float), np.inf)


def censored_median(lives: Float[np.ndarray, " seeds"]) -> float:
    """The median, with an infinite half-life ranked above any other.

    >>> censored_median(np.array([3.0, np.inf, 4.0])), censored_median(np.array([3.0, np.inf]))
    (4.0, inf)
    """
    return float(np.sort(lives)[len(lives) // 2])


def recoverable(kept: Float[np.ndarray, "*batch L"]) -> Float[np.ndarray, "*batch"]:
    """Total nats that can be decoded, over all lags.

    >>> recoverable(np.array([1.0, 0.5, -0.1])).item()
    1.5
    """
    return np.maximum(kept, 0).sum(axis=-1)
