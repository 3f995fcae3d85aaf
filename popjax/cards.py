"""Decks whose cards are drawn when they are dealt.

A shuffled deck read from the top has the same distribution as drawing without replacement, so a
deck is the number of cards of each kind that are left, and shuffling costs nothing. The numbers are
stored as cumulative sums: entry i counts the cards of the kinds 0 to i, which is what a draw
compares its random number with (summing over kinds at every step took half the time). Hands that
must be remembered in order (Autoencode, RepeatPrevious) are packed into 32-bit words, two bits per
suit; with more kinds each card takes 4, 8 or 16 bits.

As in the reference, the suits spades, diamonds, clubs, hearts are 0 to 3; colour is suit mod 2,
black or red. Ranks run from the ace, 0, to the king, 12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key, UInt32

from popjax import fields

MOST_CARDS = 2**16 - 1  # `below` draws a card from fewer than 2**16
WORD = 32  # bits


@dataclass(frozen=True)
class Deck:
    """A deck of equal numbers of cards of each kind.

    kinds: how many, from 2: 2 colours, 4 suits, 13 ranks, or any other number. each: cards of a
        kind. There are at most 65,535 cards.

    >>> Deck(4, 13).num_cards, Deck(4, 13).new().tolist()
    (52, [13, 26, 39, 52])
    >>> Deck(4, 0)
    Traceback (most recent call last):
    ...
    ValueError: Deck: each is a whole number from 1 to 16383 with 4 kinds, not 0
    """

    kinds: int
    each: int
    name: ClassVar[str] = "Deck"

    def __post_init__(self):
        fields.whole(self, "kinds", 2, MOST_CARDS)
        fields.whole(self, "each", 1, MOST_CARDS // self.kinds, f"with {self.kinds} kinds")

    @property
    def num_cards(self) -> int:
        return self.kinds * self.each

    @property
    def bits(self) -> int:
        """That a card takes in a packed hand."""
        return next(bits for bits in (2, 4, 8, 16) if self.kinds <= 2**bits)

    def new(self) -> Int[Array, " kinds"]:
        """All its cards, as running totals."""
        return self.each * jnp.arange(1, self.kinds + 1, dtype=jnp.int32)


COLORS, SUITS, RANKS = Deck(2, 26), Deck(4, 13), Deck(13, 4)  # 52 cards by what is looked at


def decks(deck: Deck, number: int) -> Deck:
    """So many of a deck in one.

    >>> decks(SUITS, 2)
    Deck(kinds=4, each=26)
    """
    return Deck(deck.kinds, number * deck.each)


def below(key: Key[Array, ""], n: Int[Array, "..."]) -> Int[Array, "..."]:
    """A uniform integer in `[0, n)` for each `n < 2**16`; 0 if `n` is 0. The key is consumed.

    Multiply and shift, exact to `n / 2**32` (Lemire, "Fast random integer generation in an
    interval", 2019), at half the random bits of `jax.random.randint`.
    """
    n = jnp.asarray(n).astype(jnp.uint32)
    bits = jax.random.bits(key, n.shape, jnp.uint32)
    high, low = bits >> 16, bits & 0xFFFF
    return ((high * n + ((low * n) >> 16)) >> 16).astype(jnp.int32)


def deal(
    key: Key[Array, ""], deck: Int[Array, "... kinds"]
) -> tuple[Int[Array, "... kinds"], Int[Array, "..."]]:
    """The deck without its next card, and the kind of that card. The key is consumed.

    Leading axes are independent decks. From an empty deck the last kind is dealt and the deck stays
    empty.

    >>> deck, card = deal(jax.random.key(0), SUITS.new())
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


def empty_hand(size: int, bits: int = 2) -> UInt32[Array, " words"]:
    """A hand that can hold `size` cards in order, of so many bits each."""
    return jnp.zeros((-(-size // (WORD // bits)),), jnp.uint32)


def push(
    hand: UInt32[Array, " words"], kind: Int[Array, ""], bits: int = 2
) -> UInt32[Array, " words"]:
    """The hand with one more card; the oldest falls out of a full one."""
    incoming = jnp.concatenate([jnp.asarray(kind, jnp.uint32)[None], hand[:-1] >> (WORD - bits)])
    return (hand << bits) | incoming


def pop(hand: UInt32[Array, " words"], bits: int = 2) -> UInt32[Array, " words"]:
    """The hand without its newest card."""
    incoming = jnp.concatenate([hand[1:], jnp.zeros((1,), jnp.uint32)]) << (WORD - bits)
    return (hand >> bits) | incoming


def peek(hand: UInt32[Array, " words"], age: int = 0, bits: int = 2) -> Int[Array, ""]:
    """The kind of the card pushed `age` pushes before the newest; 0 if there is none."""
    word, place = divmod(age, WORD // bits)
    return ((hand[word] >> (bits * place)) & (2**bits - 1)).astype(jnp.int32)


def unpack(hand: UInt32[Array, " words"], size: int, bits: int = 2) -> Int[Array, " size"]:
    """The kinds of the newest `size` cards, newest first; 0 where there is none."""
    place = bits * np.arange(WORD // bits, dtype=np.uint32)
    kinds = (hand[:, None] >> place[None, :]) & (2**bits - 1)
    return kinds.reshape(-1)[:size].astype(jnp.int32)
