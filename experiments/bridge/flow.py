"""Does a closed form of one softmax predict how a network learns from verdicts?

A verdict on the learner's own answer (right or wrong) has, in expectation, the gradient of the
label weighted by the probability that the answer already has. On one softmax, in continuous time
and without noise, that fixes how much longer verdicts take than labels
(`experiments.bridge.criterion.slowdown`). This experiment takes the steps from there to a network
as it is usually trained, one at a time:

    exact      plain gradient descent, one rate for both, expected gradients: all orders of a tiny
               deck, each weighted by the probability of the right answer instead of a sampled one
    sampled    the same with decks and answers drawn
    Adam       as sampled, with Adam

The game is RepeatPrevious, in which actions do not change observations.

Example: popjax bridge flow
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int
from matplotlib.figure import Figure

from agents.lanes import lane_keys
from agents.networks import Backbone, LanguageModel
from agents.own_memory import memory_class
from experiments.bridge.criterion import Reached, first_reached, slowdown
from experiments.bridge.findings import Finding, all_of, outcome_of
from experiments.bridge.page import Grid, Picture, Section, Shown
from experiments.bridge.study import Context, Stage, Study, Watch, curves_of, record_of
from experiments.reports.style import GREY, INK, few_powers, furnish
from experiments.results.files import Table, stack_tables
from popjax import Deck
from popjax.envs.repeat_previous import RepeatPrevious

FEEDBACK = ("label", "verdict")
LEARNERS = ("exact", "sampled", "Adam")
LEVELS = (0.5, 0.9)
FACTOR = 1.5
ENOUGH = 0.97


class Condition(NamedTuple):
    """suits: of a deck of `cards`. learner: one of `LEARNERS`. feedback: one of `FEEDBACK`."""

    suits: int
    cards: int
    learner: str
    feedback: str


@dataclass(frozen=True)
class FlowConfig:
    """All settings that determine the result.

    decks: `(suits, cards)`. rate, adam_rate: learning rates, the same for both kinds of feedback.
    batch: decks per sampled update. updates: maximum. num_looks: evaluations, at equal ratios.
    """

    memory: str = "gru"
    seeds: int = 5
    decks: tuple[tuple[int, int], ...] = ((2, 6), (3, 6), (4, 4), (6, 6))
    k: int = 2
    features: int = 32
    rate: float = 0.3
    adam_rate: float = 1e-3
    batch: int = 64
    updates: int = 12_000
    num_looks: int = 60

    @property
    def conditions(self) -> dict[Condition, str]:
        return {
            Condition(*deck, learner, feedback): f"{deck[0]}-{deck[1]}-{learner}-{feedback}"
            for deck in self.decks
            for learner in LEARNERS
            for feedback in FEEDBACK
        }

    @property
    def looks(self) -> list[int]:
        later = np.geomspace(1, self.updates, self.num_looks).round().astype(int)
        return [0, *np.unique(later).tolist()]

    def network(self, suits: int) -> LanguageModel:
        backbone = Backbone((memory_class(self.memory)(features=self.features),))
        return LanguageModel(backbone, (suits,), suits, self.features)


PRESETS = {
    "mini": FlowConfig(),
    "smoke": FlowConfig(seeds=2, decks=((2, 4),), features=8, batch=8, updates=8, num_looks=3),
}


@cache
def orders(suits: int, cards: int) -> Int[np.ndarray, "orders cards"]:
    """All orders of a deck, each as likely as any other.

    >>> len(orders(2, 4)), len(orders(4, 4))
    (6, 24)
    """
    deck = np.repeat(np.arange(suits), cards // suits).tolist()
    return np.array(sorted(set(itertools.permutations(deck))))


class Program(NamedTuple):
    """init: `key -> (params, optimiser's state)`. advance: `(learner's state, key, first, number)
    -> state`. examine: `params -> ` mean probability of the right answer over all orders."""

    init: Callable[..., Any]
    advance: Callable[..., Any]
    examine: Callable[..., Any]


def game(suits: int, cards: int, k: int) -> RepeatPrevious:
    return RepeatPrevious(deck=Deck(suits, cards // suits), k=k)


def log_right(
    network: LanguageModel, params: Any, decks: Int[Array, "N cards"], k: int
) -> tuple[Float[Array, "T N K"], Int[Array, "T N"]]:
    """Log-probabilities of answers and the right answers at the judged steps: from the k-th card
    on, the card k - 1 steps before."""
    cards = decks.T[:-1]  # the episode ends at the last card of the deck
    suits = network.num_actions
    start = jnp.zeros(cards.shape, bool).at[0].set(True)
    x = jnp.concatenate([jax.nn.one_hot(cards, suits), start[..., None]], axis=-1)
    policy = network.apply(params, network.initial_carry(cards.shape[1]), x, start)[2]
    return jax.nn.log_softmax(policy)[k - 1 :], cards[: len(cards) - k + 1]


def program_of(config: FlowConfig, condition: Condition) -> Program:
    """The functions of one condition; the caller vmaps over seeds."""
    suits, cards, learner, feedback = condition
    network, every = config.network(suits), jnp.asarray(orders(suits, cards))
    optimiser = optax.adam(config.adam_rate) if learner == "Adam" else optax.sgd(config.rate)

    def loss(params, key):
        decks = every
        if learner != "exact":
            key_decks, key = jax.random.split(key)
            decks = every[jax.random.randint(key_decks, (config.batch,), 0, len(every))]
        logs, right = log_right(network, params, decks, config.k)
        log_prob = jnp.take_along_axis(logs, right[..., None], -1)[..., 0]
        if feedback == "label":
            return -jnp.mean(log_prob)
        if learner == "exact":  # the gradient of p is p times that of ln p
            return -jnp.mean(jnp.exp(log_prob))
        answer = jax.random.categorical(key, logs)
        return -jnp.mean(jnp.where(answer == right, log_prob, 0.0))

    def init(key):
        x = jnp.zeros((1, 1, suits + 1))
        params = network.init(key, network.initial_carry(1), x, jnp.ones((1, 1), bool))
        return params, optimiser.init(params)

    def advance(state, key, first, number):
        def once(i, state):
            params, opt_state = state
            grads = jax.grad(loss)(params, jax.random.fold_in(key, first + i))
            updates, opt_state = optimiser.update(grads, opt_state)
            return optax.apply_updates(params, updates), opt_state

        return jax.lax.fori_loop(0, number, once, state)

    def examine(params):
        logs, right = log_right(network, params, every, config.k)
        return jnp.mean(jnp.exp(jnp.take_along_axis(logs, right[..., None], -1)))

    return Program(
        jax.jit(jax.vmap(init)),
        jax.jit(jax.vmap(advance, in_axes=(0, 0, None, None))),
        jax.jit(jax.vmap(examine)),
    )


def run_condition(context: Context, condition: Condition, watch: Watch) -> Table:
    """Trains all seeds until all know the answers or the budget ends: one row per look and seed."""
    config: FlowConfig = context.config
    seeds = np.arange(config.seeds)
    program = program_of(config, condition)
    keys, _ = lane_keys(tuple(seeds.tolist()))
    state, before, rows = program.init(keys), 0, []
    for update in watch(config.looks):
        state = program.advance(state, keys, before, update - before)
        right, before = np.float64(program.examine(state[0])), update
        rows.append({"seed": seeds, "update": np.full(len(seeds), update), "right": right})
        if (right > ENOUGH).all():
            break
    return stack_tables(rows)


def reached(curves: dict[Condition, dict[str, np.ndarray]], level: float) -> Reached:
    """The updates at which each seed of each condition first reaches that probability."""
    return Reached(
        {c: first_reached(own["update"], own["right"], level) for c, own in curves.items()},
        {c: float(own["update"][:, -1].mean()) for c, own in curves.items()},
    )


def ratios(curves: dict, config: FlowConfig, level: float) -> dict[tuple, tuple]:
    """`(suits, cards, learner) -> (middle, low, high)` updates of verdicts over those of labels,
    where both kinds start below the level and reach it on all seeds."""
    when, found = reached(curves, level), {}
    for suits, cards in config.decks:
        for learner in LEARNERS:
            over, under = (
                Condition(suits, cards, learner, feedback) for feedback in ("verdict", "label")
            )
            if 1 / suits < level and when.everywhere(under) and when.everywhere(over):
                found[suits, cards, learner] = when.ratio(over, under)
    return found


def findings(curves: dict, config: FlowConfig) -> list[Finding]:
    """Whether the closed form holds, learner by learner."""
    found = []
    for learner, name in zip(LEARNERS, ("W1", "W2", "W3"), strict=True):
        words, outcomes = [], []
        for level in LEVELS:
            for (suits, _, own), (middle, low, high) in ratios(curves, config, level).items():
                if own == learner:
                    theory = slowdown(suits, level)
                    words.append(
                        f"{middle:.1f} [{low:.1f}, {high:.1f}], predicted {theory:.1f} "
                        f"({suits} suits, to {level})"
                    )
                    outcomes.append(outcome_of(low, high, theory / FACTOR, theory * FACTOR))
        claim = (
            f"{CLAIMS[learner]}: the ratio of verdict to label updates is that of one softmax "
            f"without noise, within a factor of {FACTOR}"
        )
        found.append(Finding(name, claim, "; ".join(words), all_of(outcomes), name == "W1"))
    return found


CLAIMS = {
    "exact": "gradient descent on expected gradients",
    "sampled": "gradient descent on sampled decks and answers",
    "Adam": "Adam on sampled decks and answers",
}


def shown(context: Context, preset: str) -> Shown:
    config: FlowConfig = context.config
    curves = curves_of(context.tables["parts"], config.seeds)
    found, figure, grid = findings(curves, config), draw(curves, config), table(curves, config)
    words = {one.name: one.outcome for one in found}
    lead = (
        f"The closed form of one softmax {verb(words['W1'])} for a network under expected "
        f"gradients, {verb(words['W2'])} with sampling noise, {verb(words['W3'])} with Adam."
    )
    picture = Picture(figure, "Updates of verdicts over those of labels, beside the closed form")
    return Shown(
        "flow",
        "From one softmax to a network",
        lead,
        found,
        [grid],
        [Section("What verdicts cost", __doc__.split("\n\n")[1], [picture, grid])],
        figure,
        110,
        {"preset": preset, **record_of(config)},
    )


def verb(outcome: str) -> str:
    return {"holds": "holds", "fails": "fails"}.get(outcome, "is undecided")


def table(curves: dict, config: FlowConfig) -> Grid:
    rows = []
    for level in LEVELS:
        found = ratios(curves, config, level)
        for suits, cards in config.decks:
            if 1 / suits < level:
                row = [f"{suits} suits, to {level}", f"{slowdown(suits, level):.2f}"]
                for learner in LEARNERS:
                    own = found.get((suits, cards, learner))
                    row.append("not reached" if own is None else
                               f"{own[0]:.2f} [{own[1]:.2f}, {own[2]:.2f}]")  # fmt: skip
                rows.append(row)
    return Grid(
        "updates of verdicts over those of labels",
        ("deck and level", "one softmax", *LEARNERS),
        rows,
        "Geometric means over seeds, with 95 % intervals. exact: gradient descent on expected "
        "gradients over all orders of the deck; sampled: decks and answers drawn; Adam: drawn too.",
    )


COLOURS = dict(zip(LEARNERS, ("#1d4ed8", "#0f766e", "#c2410c"), strict=True))


def draw(curves: dict, config: FlowConfig) -> Figure:
    """One panel per level: the closed form, and one line per learner."""
    figure = Figure(figsize=(8.4, 3.4), layout="constrained")
    for panel, level in zip(figure.subplots(1, 2), LEVELS, strict=True):
        most = max(suits for suits, _ in config.decks) + 0.6
        at = np.linspace(max(2.0, 1 / level) + 0.02, max(most, 3.0), 60)
        panel.plot(at, [slowdown(k, level) for k in at], color=GREY, linewidth=1.4)
        panel.text(at[-1], slowdown(at[-1], level), "one softmax", fontsize=8, color=GREY,
                   ha="right", va="bottom")  # fmt: skip
        found = ratios(curves, config, level)
        for i, learner in enumerate(LEARNERS):
            own = [(suits, *r) for (suits, _, name), r in found.items() if name == learner]
            if own:
                suits, middle, low, high = map(np.array, zip(*sorted(own), strict=True))
                error = np.maximum([middle - low, high - middle], 0)
                panel.errorbar(suits + 0.06 * (i - 1), middle, error,
                               color=COLOURS[learner], marker="o", markersize=4, linewidth=1.2,
                               label=learner)  # fmt: skip
        panel.set_yscale("log")
        few_powers(panel.yaxis)
        panel.set_title(f"to probability {level}", loc="left", fontsize=10, color=INK)
        panel.set_xlabel("suits", fontsize=9, color=INK)
        furnish(panel)
        if found:
            panel.legend(fontsize=8, frameon=False, loc="upper left")
    figure.axes[0].set_ylabel("updates of verdicts over labels", fontsize=9, color=INK)
    return figure


STUDY = Study(
    name="flow",
    presets=PRESETS,
    stages=[
        Stage(
            "parts",
            conditions=lambda config: config.conditions,
            title=lambda condition: ", ".join(map(str, condition)),
            run=run_condition,
            about=lambda context, table: (
                f"right {table['right'][-context.config.seeds :].mean():.3f}, "
            ),
        )
    ],
    shown=shown,
)
