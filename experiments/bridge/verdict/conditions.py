"""Trains the missing parts of `popjax bridge verdict`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from agents.choices import log_probs, sizes_of, take_along_last
from agents.hyperparams import Hyperparams
from agents.lanes import lane_keys
from agents.lm import LMConfig, episode_inputs
from agents.objectives import OBJECTIVES, make_train
from agents.objectives.histories import own_labels
from experiments.bridge import rates
from experiments.bridge.batched_objectives import (
    SUPERVISION_METRICS,
    make_advance,
    make_objective_step,
)
from experiments.bridge.batched_ppo import make_ppo
from experiments.bridge.verdict.config import (
    ALL,
    BESIDE,
    ENOUGH,
    RUNGS,
    Condition,
    VerdictConfig,
)
from experiments.bridge.verdict.gradients import NAMES, make_measure
from experiments.results.files import Table, stack_tables
from popjax.players import play


class Programs(NamedTuple):
    """Functions compiled once for all objectives and learning rates. begin: `keys -> states`.
    advance: see `make_advance`. examine: `params -> [lanes]` the probability of the right action on
    held-out decks."""

    begin: Callable[..., Any]
    advance: Callable[..., Any]
    examine: Callable[..., Any]


@cache
def measure_of(setup: VerdictConfig, suits: int, game: str) -> Callable[..., Any]:
    """Gradient statistics of any objective at the parameters of all seeds."""
    env, oracle = setup.env(suits, game), setup.oracle(suits, game)
    one = make_measure(env, setup.network(suits, game), ALL, oracle, setup.num_gradients)
    return jax.jit(jax.vmap(one, in_axes=(0, 0, None)))


@cache
def programs_of(
    setup: VerdictConfig, suits: int, batch: int, game: str, beside: str = ""
) -> Programs:
    """The program for a number of suits and a batch size. beside: of one of these ways alone."""
    env, network, oracle = (make(suits, game) for make in (setup.env, setup.network, setup.oracle))
    config = LMConfig(batch, previous_action="off", lm_schedule="constant", lm_warmup=0.0)
    hyperparams = Hyperparams(max_grad_norm=1.0)
    if not beside:
        init, step = make_objective_step(env, network, config, ALL, oracle)
    elif beside == "PPO":
        init, one = make_ppo(env, network, config, oracle)
        step = ignoring(one)
    else:
        init, segment = make_train(env, network, config, OBJECTIVES[BESIDE[beside]], oracle)
        step = ignoring(partial(first_row, segment))
    decks = play(env, oracle, jax.random.key(2**31), setup.num_decks)
    x, start = episode_inputs(env, decks, "obs")
    label, judged = own_labels(env, decks)

    def examine(params):
        policy = network.apply(params, network.initial_carry(setup.num_decks), x, start)[2]
        right = jnp.exp(take_along_last(log_probs(sizes_of(env), policy), label))
        return jnp.mean(right, where=judged)

    longest = setup.looks(batch)[-1]
    return Programs(
        jax.jit(jax.vmap(lambda key: init(key, hyperparams, longest))),
        make_advance(step, hyperparams),
        jax.jit(jax.vmap(examine)),
    )


def first_row(segment, state, hyperparams):
    """One update of an objective, and its metrics of supervision."""
    state, metrics = segment(state, hyperparams, 1)
    return state, {name: jnp.float32(metrics[name][0]) for name in SUPERVISION_METRICS}


def ignoring(one):
    """A step of a single objective, in the form that `make_advance` takes."""

    def step(state, hyperparams, index, share):
        state, news = one(state, hyperparams)
        return state, {name: jnp.float32(news[name]) for name in SUPERVISION_METRICS}

    return step


def run_part(
    setup: VerdictConfig, part: Condition, rate: float, watch: Callable[..., Iterable]
) -> Table:
    """Trains all seeds until all are done or the budget ends: one row per look and seed.

    right: the mean probability of the right action at the judged steps of the held-out decks.
    """
    clock, seeds = time.perf_counter(), tuple(range(setup.seeds))
    rows = []
    for update, state, right, sums in looked_at(setup, part, seeds, [rate] * len(seeds), watch):
        found = dict.fromkeys(NAMES, np.full(len(seeds), np.nan))
        if part.feedback not in BESIDE:
            keys = jax.vmap(jax.random.fold_in)(state.key, -1 - state.update)
            measure = measure_of(setup, part.suits, part.game)
            found = measure(state.params, keys, list(ALL).index(part.feedback))
        rows.append(
            {
                "seed": np.array(seeds),
                "update": np.full(len(seeds), update),
                "seconds": np.full(len(seeds), time.perf_counter() - clock),
                "right": right,
                **sums,
                **{name: np.float64(found[name]) for name in NAMES},
            }
        )
    return stack_tables(rows)


def try_rates(setup: VerdictConfig, part: Condition, watch: Callable[..., Iterable]) -> Table:
    """All learning rates on tuning seeds: one row per look and run."""
    run = rates.lanes(setup.rates, setup.trials)
    looks = [(update, right) for update, _, right, _ in looked_at(setup, part, *run, watch)]
    updates, right = zip(*looks, strict=True)
    return rates.table_of(run, updates, "right", right)


def looked_at(
    setup: VerdictConfig,
    part: Condition,
    seeds: tuple[int, ...],
    rate: Any,
    watch: Callable[..., Iterable],
) -> Iterator[tuple[int, Any, np.ndarray, dict[str, np.ndarray]]]:
    """Trains runs of those seeds and learning rates in parallel until all are done or the budget
    ends; yields the update, the states, `[lanes]` accuracy, and the sums of the axes."""
    beside = part.feedback if part.feedback in BESIDE else ""
    plan = replace(setup, learning_rate=0.0, rates=(), seeds=1)  # one program for all of them
    programs = programs_of(plan, part.suits, part.batch, part.game, beside)
    objective = 0 if beside else list(ALL).index(part.feedback)
    state, sums = programs.begin(lane_keys(seeds)[0]), dict.fromkeys(SUPERVISION_METRICS, 0.0)
    for before, update in watch(list(pairwise([0, *setup.looks(part.batch)]))):
        state, news = programs.advance(state, objective, 0.0, update - before, jnp.float32(rate))
        sums = {name: sums[name] + np.float64(news[name]) for name in SUPERVISION_METRICS}
        right = np.float64(programs.examine(state.params))
        yield update, state, right, sums
        if (right > ENOUGH).all():
            break


def chosen_rate(setup: VerdictConfig, tried: dict[Condition, Table], part: Condition) -> float:
    """The learning rate of a part: the fastest of those tuned, if any."""
    return rates.best(tried[part], "right", "fastest") if setup.rates else setup.learning_rate


def name_of(part: Condition) -> str:
    """The stem of a part's file.

    >>> name_of(Condition(4, "verdict", 64)), name_of(Condition(4, "sum, critic", 64, "8 cards"))
    ('4-bandit-64', '4-sum-critic-64-8-cards')
    """
    feedback = RUNGS.get(part.feedback) or part.feedback.replace(", ", "-")
    game = f"-{part.game.replace(' ', '-')}" if part.game else ""
    return f"{part.suits}-{feedback}-{part.batch}{game}"


def title_of(part: Condition) -> str:
    game = f" ({part.game})" if part.game else ""
    return f"{part.suits} suits{game} by {part.feedback}, {part.batch} episodes a batch"
