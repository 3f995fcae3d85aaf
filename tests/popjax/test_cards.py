"""Decks dealt lazily follow the law of a shuffled deck; packed hands behave as lists."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from popjax import cards
from tests.support.laws import check_counts, check_deck_law

POP = -1  # an operation on a hand: push that kind, or pop
NUM_OPERATIONS = 200


def deal_all(key, deck, num_cards):
    """The cards of a deck in the order in which it deals them, and the deck after each."""

    def one(deck, key):
        deck, card = cards.deal(key, deck)
        return deck, (deck, card)

    return jax.lax.scan(one, deck, jax.random.split(key, num_cards))[1]


@partial(jax.jit, static_argnums=(0, 1))
def run_hand(size, bits, operations):
    """After each operation: the newest and the size-th suit, and all `size` of them."""

    def one(hand, operation):
        kind = jnp.maximum(operation, 0)
        pushed = cards.push(hand, kind, bits)
        hand = jnp.where(operation == POP, cards.pop(hand, bits), pushed)
        ends = jnp.stack([cards.peek(hand, bits=bits), cards.peek(hand, size - 1, bits)])
        return hand, (ends, cards.unpack(hand, size, bits))

    return jax.lax.scan(one, cards.empty_hand(size, bits), operations)[1]


@pytest.mark.parametrize("n", [1, 2, 3, 13, 52, 1000])
def test_below_is_uniform(n):
    draws = cards.below(jax.random.key(n), jnp.full((100_000,), n))
    assert draws.min() >= 0 and draws.max() < n
    check_counts(np.bincount(draws, minlength=n), np.full(n, 100_000 / n), f"below({n})")


def test_below_is_the_high_word_of_the_product():
    key, n = jax.random.key(0), np.arange(2**16, dtype=np.uint32)
    bits = np.asarray(jax.random.bits(key, n.shape, jnp.uint32)).astype(np.uint64)
    np.testing.assert_array_equal(cards.below(key, n), (bits * n) >> 32)


@pytest.mark.parametrize("kinds", (2, 4, 13))
def test_law_of_a_deck(kinds):
    deck = cards.Deck(kinds, 52 // kinds).new()
    keys = jax.random.split(jax.random.key(kinds), 20_000)
    _, shown = jax.jit(jax.vmap(lambda key: deal_all(key, deck, 52)))(keys)
    assert all((np.asarray(shown == kind).sum(1) == 52 // kinds).all() for kind in range(kinds))
    check_deck_law(np.asarray(shown).T, kinds, 52)


@pytest.mark.parametrize("kinds", (2, 4, 13))
def test_counts_and_left_follow_the_cards(kinds):
    deck = cards.Deck(kinds, 104 // kinds).new()
    decks, shown = deal_all(jax.random.key(0), deck, 104)
    seen = np.cumsum(np.asarray(shown)[:, None] == np.arange(kinds), axis=0)
    np.testing.assert_array_equal(cards.counts(decks), 104 // kinds - seen)
    np.testing.assert_array_equal(cards.left(decks), 103 - np.arange(104))


def test_an_empty_deck_stays_empty():
    decks, shown = deal_all(jax.random.key(0), cards.SUITS.new(), 60)
    assert (decks[51:] == 0).all() and (shown[52:] == 3).all()


def test_decks_side_by_side_are_dealt_apart():
    deck = cards.COLORS.new()
    pair = jnp.broadcast_to(deck, (2, 2))
    keys = jax.random.split(jax.random.key(1), 20_000)
    left, shown = jax.vmap(cards.deal, (0, None))(keys, pair)
    assert left.shape == (20_000, 2, 2) and (cards.left(left) == 51).all()
    check_counts(np.bincount(2 * shown[:, 0] + shown[:, 1], minlength=4), np.full(4, 5_000))


@pytest.mark.parametrize(("size", "kinds"), [(4, 4), (16, 2), (17, 4), (52, 4), (9, 13), (5, 300)])
@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_a_hand_is_a_list(size, kinds, data):
    """Whose oldest card falls out when all its words are full."""
    some = st.lists(st.integers(POP, kinds - 1), max_size=NUM_OPERATIONS)
    operations = data.draw(some)
    bits = cards.Deck(kinds, 1).bits
    pad = [0] * (NUM_OPERATIONS - len(operations))
    ends, suits = jax.device_get(run_hand(size, bits, np.array(operations + pad)))
    room = -(-size // (cards.WORD // bits)) * (cards.WORD // bits)
    model = []  # newest first
    for t, operation in enumerate(operations):
        model = model[1:] if operation == POP else [operation, *model]
        model = model[:room]
        expected = (model + [0] * size)[:size]
        np.testing.assert_array_equal(suits[t], expected)
        np.testing.assert_array_equal(ends[t], [expected[0], expected[size - 1]])
