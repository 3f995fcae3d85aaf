"""The flat stream: `BOS o_0 a_0 o_1 a_1 ... o_T EOS`, one token after the other, then padding.

o_t are the tokens of all components of an observation, a_t is one token, followed by those of its
reward and of the end if the vocabulary has them. o_T is the observation the episode ended in.
"""

from __future__ import annotations

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Int

from popjax.players import Episodes
from popjax.tokens.vocabulary import BOS, EOS, PAD, Vocabulary


class Decoded(struct.PyTreeNode):
    """obs: `[T + 1, N, ...]`, the last one included. action: `[T, N, ...]`. lengths: `[N]` actions
    of each episode; what is beyond means nothing."""

    obs: Array
    action: Array
    lengths: Int[Array, " N"]


def block_size(vocabulary: Vocabulary) -> int:
    """Tokens of one step: an observation, the action, and what follows it."""
    return len(vocabulary.components) + 1 + vocabulary.rewards + vocabulary.ends


def stream_length(vocabulary: Vocabulary, num_steps: int) -> int:
    """Tokens of an episode of so many steps; BOS and EOS are two of them.

    >>> import popjax
    >>> stream_length(Vocabulary(popjax.make("RepeatFirstEasy")), 51)
    105
    """
    return 1 + num_steps * block_size(vocabulary) + len(vocabulary.components) + 1


def encode(vocabulary: Vocabulary, episodes: Episodes) -> Int[Array, "L N"]:
    """Whole episodes as streams of tokens, `L = stream_length(vocabulary, T)`. Jittable.

    >>> import jax, popjax
    >>> from popjax.tokens import corpus
    >>> env = popjax.make("RepeatFirstEasy")
    >>> tokens = encode(Vocabulary(env), corpus(env, "reference", seed=0, size=1))[:, 0]
    >>> " - ".join(Vocabulary(env).words[token] for token in tokens[:5])
    'BOS - spade - say spade - club - say spade'
    """
    num_steps, num_episodes = episodes.reward.shape
    components = len(vocabulary.components)
    obs = jnp.concatenate([episodes.obs[:1], episodes.next_obs])
    time = jnp.arange(num_steps + 1)[:, None]
    first = jnp.broadcast_to(time == 0, obs.shape[:2])
    seen = vocabulary.of_obs(obs, first)
    said = [vocabulary.of_action(episodes.action)]
    if vocabulary.rewards:
        said.append(vocabulary.of_reward(episodes.reward))
    if vocabulary.ends:
        over = episodes.terminated | episodes.truncated
        said.append(vocabulary.end_ids + over.astype(jnp.int32))
    said = jnp.pad(jnp.stack(said, axis=-1), ((0, 1), (0, 0), (0, 0)))
    lengths = episodes.lengths
    end = jnp.full_like(said, PAD).at[..., 0].set(EOS)
    said = jnp.where((time == lengths)[..., None], end, said)
    blocks = jnp.concatenate([seen, said], axis=-1)
    blocks = jnp.where((time <= lengths)[..., None], blocks, PAD)
    flat = jnp.moveaxis(blocks, 2, 1).reshape(-1, num_episodes)
    flat = flat[: num_steps * block_size(vocabulary) + components + 1]
    begin = jnp.full((1, num_episodes), BOS, flat.dtype)
    return jnp.concatenate([begin, flat]).astype(jnp.int32)


def decode(vocabulary: Vocabulary, tokens: Int[Array, "L N"]) -> Decoded:
    """What the streams tell of. Reals come back as the middle of their bins, torques as the nearest
    of nine. Jittable."""
    components, size = len(vocabulary.components), block_size(vocabulary)
    num_steps = (len(tokens) - 2 - components) // size
    missing = (num_steps + 1) * size - (len(tokens) - 1)
    blocks = jnp.pad(tokens[1:], ((0, missing), (0, 0))).reshape(num_steps + 1, size, -1)
    blocks = jnp.moveaxis(blocks, 1, 2)
    act = blocks[:-1, :, components]
    lengths = jnp.sum((act != EOS) & (act != PAD), axis=0)
    previous = jnp.pad(act - vocabulary.action_ids, ((1, 0), (0, 0)))
    first = jnp.broadcast_to(jnp.arange(num_steps + 1)[:, None] == 0, previous.shape)
    obs = vocabulary.to_obs(blocks[..., :components], first, previous)
    return Decoded(obs=obs, action=vocabulary.to_action(act), lengths=lengths)
