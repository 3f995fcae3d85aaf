"""Decks that are dealt when they are seen.

A shuffled deck read from the top has the same law as drawing without replacement, so a deck is
the number of cards of each kind that are still in it, and shuffling costs nothing. The numbers are
kept as running totals: entry i counts the cards of the kinds 0 to i, which is just what a draw
compares its random number with (a sum over kinds at every step took half the time). Hands that
must be remembered in order (Autoencode, RepeatPrevious) are packed, two bits a suit, into 32-bit
words.

The suits of the reference count spades, diamonds, clubs, hearts as 0 to 3; its colours are black
and red by turns, so colour = suit mod 2. Ranks run from the ace, 0, to the king, 12.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key, UInt32

CARDS = 52
MOST_DECKS = (2**16 - 1) // CARDS  # `below` draws a card from fewer than 2**16
KINDS = {"colors": 2, "suits": 4, "ranks": 13}
SUITS_A_WORD = 16


def below(key: Key[Array, ""], n: Int[Array, "..."]) -> Int[Array, "..."]:
    """A uniform integer in `[0, n)` for each `n < 2**16`; 0 if `n` is 0. The key is consumed.

    Multiply and shift, exact to `n / 2**32` (Lemire, "Fast random integer generation in an
    interval", 2019), at half the random bits of `jax.random.randint`.
    """
    n = jnp.asarray(n).astype(jnp.uint32)
    bits = jax.random.bits(key, n.shape, jnp.uint32)
    high, low = bits >> 16, bits & 0xFFFF
    return ((high * n + ((low * n) >> 16)) >> 16).astype(jnp.int32)


def full_deck(kinds: int, num_decks: int) -> Int[Array, " kinds"]:
    """A new deck `[kinds]`.

    >>> full_deck(4, num_decks=1).tolist()
    [13, 26, 39, 52]
    """
    return (CARDS * num_decks // kinds) * jnp.arange(1, kinds + 1, dtype=jnp.int32)


def deal(
    key: Key[Array, ""], deck: Int[Array, "... kinds"]
) -> tuple[Int[Array, "... kinds"], Int[Array, "..."]]:
    """The deck without its next card, and the kind of that card. The key is consumed.

    Leading axes are so many decks side by side. From an empty deck the last kind is dealt and the
    deck stays empty.

    >>> deck, card = deal(jax.random.key(0), full_deck(4, num_decks=1))
    >>> left(deck).item(), counts(deck)[card].item()
    (51, 12)
    """
    place = below(key, left(deck))[..., None]
    card = jnp.sum(place >= deck[..., :-1], axis=-1).astype(jnp.int32)
    at_or_above = jnp.arange(deck.shape[-1]) >= card[..., None]
    return jnp.maximum(deck - at_or_above, 0), card


def left(deck: Int[Array, "... kinds"]) -> Int[Array, "..."]:
    """How many cards the deck still holds."""
    return deck[..., -1]


def counts(deck: Int[Array, "... kinds"]) -> Int[Array, "... kinds"]:
    """How many cards of each kind the deck still holds."""
    return jnp.diff(deck, axis=-1, prepend=0)


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
