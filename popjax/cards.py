"""Decks that are dealt when they are seen.

A shuffled deck read from the top has the same law as drawing without replacement, so a deck is
the number of cards of each kind that are still in it, and shuffling costs nothing. Hands that must
be remembered in order (Autoencode, RepeatPrevious) are packed, two bits a suit, into 32-bit words.

The suits of the reference count spades, diamonds, clubs, hearts as 0 to 3; its colours are black
and red by turns, so colour = suit mod 2. Ranks run from the ace, 0, to the king, 12.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key, UInt32

CARDS = 52
KINDS = {"colors": 2, "suits": 4, "ranks": 13}
SUITS_A_WORD = 16


def below(key: Key[Array, ""], n: Int[Array, ""]) -> Int[Array, ""]:
    """A uniform integer in `[0, n)` for `n < 2**16`; 0 if `n` is 0. The key is consumed.

    Multiply and shift, exact to `n / 2**32` (Lemire, "Fast random integer generation in an
    interval", 2019), at half the random bits of `jax.random.randint`.
    """
    bits = jax.random.bits(key, (), jnp.uint32)
    n = jnp.asarray(n).astype(jnp.uint32)
    high, low = bits >> 16, bits & 0xFFFF
    return ((high * n + ((low * n) >> 16)) >> 16).astype(jnp.int32)


def full_deck(kinds: int, num_decks: int) -> Int[Array, " kinds"]:
    """The counts `[kinds]` of a new deck."""
    return jnp.full((kinds,), CARDS * num_decks // kinds, jnp.int32)


def deal(
    key: Key[Array, ""], deck: Int[Array, " kinds"]
) -> tuple[Int[Array, " kinds"], Int[Array, ""]]:
    """The deck without its next card, and the kind of that card. The key is consumed.

    From an empty deck the last kind is dealt and the deck stays empty.

    >>> deck, card = deal(jax.random.key(0), full_deck(4, num_decks=1))
    >>> deck.sum().item(), 0 <= card < 4
    (51, Array(True, dtype=bool))
    """
    upto = jnp.cumsum(deck)
    card = jnp.sum(below(key, upto[-1]) >= upto[:-1]).astype(jnp.int32)
    return jnp.maximum(deck - (jnp.arange(deck.size) == card), 0), card


def empty_hand(size: int) -> UInt32[Array, " words"]:
    """A hand that can hold `size` suits in order."""
    return jnp.zeros((-(-size // SUITS_A_WORD),), jnp.uint32)


def push(hand: UInt32[Array, " words"], suit: Int[Array, ""]) -> UInt32[Array, " words"]:
    """The hand with one more suit; the oldest falls out of a full one."""
    incoming = jnp.concatenate([jnp.asarray(suit, jnp.uint32)[None], hand[:-1] >> 30])
    return (hand << 2) | incoming


def pop(hand: UInt32[Array, " words"]) -> UInt32[Array, " words"]:
    """The hand without its newest suit."""
    incoming = jnp.concatenate([hand[1:], jnp.zeros((1,), jnp.uint32)]) << 30
    return (hand >> 2) | incoming


def peek(hand: UInt32[Array, " words"], age: int = 0) -> Int[Array, ""]:
    """The suit pushed `age` pushes before the newest; 0 if there is none."""
    word, place = divmod(age, SUITS_A_WORD)
    return ((hand[word] >> (2 * place)) & 3).astype(jnp.int32)


def unpack(hand: UInt32[Array, " words"], size: int) -> Int[Array, " size"]:
    """The newest `size` suits, newest first; 0 where there is none."""
    place = 2 * np.arange(SUITS_A_WORD, dtype=np.uint32)
    suits = (hand[:, None] >> place[None, :]) & 3
    return suits.reshape(-1)[:size].astype(jnp.int32)
