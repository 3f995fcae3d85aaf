"""The parts of `popjax bridge loop`: each trains all seeds in parallel and gives one long table.

what: the name of a measure. stop: when, or at which KL penalty, it was measured, and on which level
if not the training one. seed, t: the seed, and the step of an episode or update of a run. value:
the number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agents.choices import log_probs, sizes_of, take_along_last
from agents.lanes import lane_keys
from agents.language_agent import LanguageAgent
from agents.lm import episode_inputs
from agents.objectives import OBJECTIVES
from agents.objectives.oracles import oracle_of
from experiments.bridge.loop.boards import on_board
from experiments.bridge.loop.config import BANDIT_WAYS, CRITERION, DECK_WAYS, STOPS, LoopConfig
from experiments.bridge.loop.train import Tuning, programs_of
from experiments.bridge.measures.closed_loop import against_deck, best_arm, habits, hallucination
from experiments.bridge.measures.exposure_bias import judge, open_right
from experiments.results.files import stack_tables
from experiments.results.store import Table
from popjax import make
from popjax.players import make_player, play
from popjax.players.follow import slipping
from popjax.players.multiarmed_bandit import thompson

SLIPS = 0.5


def run_part(setup: LoopConfig, game: str, what: str) -> Table:
    """Any part."""
    if game.startswith("deck "):
        return on_deck(setup, game.removeprefix("deck "), what)
    if game.startswith("board "):
        return stack_tables(
            [long(*row) for row in on_board(setup, game.removeprefix("board "), what)]
        )
    if game == "bandit":
        return players(setup) if what == "players" else on_bandit(setup, what)
    return dreams(setup, what) if game == "dreams" else frontier(setup)


def long(found: dict[str, Any], stop: str, t: Any = None) -> Table:
    """Measures `[seeds]` or `[seeds, T]` as rows. t: of the second axis, by default 0, 1, ..."""
    parts = []
    for what, value in found.items():
        value = np.asarray(value, np.float64)
        value = value[:, None] if value.ndim == 1 else value
        seeds, steps = np.indices(value.shape)
        times = np.arange(value.shape[1]) if t is None or value.shape[1] == 1 else np.asarray(t)
        parts.append(
            {
                "what": np.full(value.size, what),
                "stop": np.full(value.size, stop),
                "seed": seeds.ravel(),
                "t": times[steps.ravel()],
                "value": value.ravel(),
            }
        )
    return stack_tables(parts)


@cache
def right_of(agent: LanguageAgent) -> Callable:
    """`(params, keys) -> [seeds]` a policy's accuracy in the expert's loop."""
    return jax.jit(jax.vmap(partial(open_right, agent, 64)))


def on_deck(setup: LoopConfig, deck: str, what: str) -> Table:
    """Both loops when a seed first predicts 99 % of the expert's actions, and at the end; on the
    training level and on the other `levels`."""
    env, way, updates = setup.deck(deck), DECK_WAYS[what], setup.updates[0]
    programs = programs_of(setup, env, updates, way.previous_action, way.sees_best, way.memory)
    look, kept = right_of(programs.agent), None
    objective, share = ("label", "rewards").index(way.feedback), float(way.teacher_acts)
    keys, held_out = lane_keys(tuple(range(setup.seeds)))
    state, stopped = programs.begin(keys), np.full(setup.seeds, np.nan)
    looks = np.unique(np.linspace(0, updates, setup.looks + 1).round().astype(int))
    for before, now in pairwise(looks):
        state, _ = programs.advance(state, objective, share, now - before)
        here = np.isnan(stopped) & (np.asarray(look(state.params, held_out)) >= CRITERION)
        kept = state.params if kept is None else kept
        kept = jax.tree.map(partial(chosen, here), state.params, kept)  # a copy: states are donated
        stopped[here] = now
    judges = {"": programs.judge}
    for level in setup.levels:
        agent = replace(programs.agent, env=make(level))
        judges[f", {level}"] = jax.jit(jax.vmap(partial(judge, agent, setup.judged)))
    tables = []
    for stop, params, when in zip(
        STOPS, (kept, state.params), (stopped, np.full(setup.seeds, updates)), strict=True
    ):
        for level, judged in judges.items():
            found = judged(params, held_out)
            tables.append(long({"updates": when, **found}, stop + level))
    return stack_tables(tables)


def chosen(here: np.ndarray, new: Any, old: Any) -> Any:
    """The new leaf where `here`."""
    return jnp.where(here.reshape(-1, *[1] * (new.ndim - 1)), new, old)


def on_bandit(setup: LoopConfig, what: str) -> Table:
    """Both loops against the condition's own expert, and statistics of the policy's own play."""
    env, way, updates = setup.bandit, BANDIT_WAYS[what], setup.updates[1]
    programs = programs_of(setup, env, updates, way.previous_action, way.sees_best)
    keys, held_out = lane_keys(tuple(range(setup.seeds)))
    objective, share = ("label", "rewards").index(way.feedback), float(way.teacher_acts)
    state, _ = programs.advance(programs.begin(keys), objective, share, updates)
    return long(programs.judge(state.params, held_out), "end")


def players(setup: LoopConfig) -> Table:
    """Play statistics of scripted players on ten times as many episodes; stop: which player."""
    env, keys = setup.bandit, lane_keys(tuple(range(setup.seeds)))[1]
    kinds = {
        "random": make_player(env, "random"),
        "win-stay, lose-shift": make_player(env, "memoryless"),
        "Thompson sampling": thompson(env),
        "finite-horizon index": make_player(env, "reference"),
        "best arm": best_arm(env),
    }
    tables = []
    for name, player in kinds.items():

        def own(key, player=player):
            return habits(play(env, player, key, 10 * setup.judged), setup.arms)

        tables.append(long(jax.jit(jax.vmap(own))(keys), name))
    return stack_tables(tables)


def dreams(setup: LoopConfig, deck: str) -> Table:
    """Decks generated by a language model, and its excess nats on dealt decks."""
    env, updates = setup.deck(deck), setup.updates[2]
    each = env.num_cards // 4
    run = Tuning(setup, env, OBJECTIVES["next_obs"], updates)
    params = run.on(updates)
    dealt = play(env, make_player(env, "random"), jax.random.key(2**31), setup.judged)
    cards = jnp.concatenate([dealt.obs, dealt.next_obs[-1:]])

    @jax.jit
    @jax.vmap
    def both(params, key):
        dreamt = hallucination(env, run.network, params, key, setup.judged, each)
        return dreamt, against_deck(env, run.network, params, cards, each)["excess"]

    dreamt, excess = both(params, run.keys)
    return long({**dreamt, "dealt_excess": excess}, "end")


def frontier(setup: LoopConfig) -> Table:
    """A model of mediocre transcripts, tuned for reward at several KL penalties, or on an expert's
    transcripts: its return, its forgotten nats on the deck, and its divergence.

    stop: "beta 0.01", or "transcripts". t: updates since. forgotten: nats per card on dealt
    decks beyond those before tuning.
    """
    env = setup.deck("tiny")
    before, after = setup.updates[3:]
    mediocre = slipping(env, oracle_of(env), SLIPS)
    first = Tuning(setup, env, OBJECTIVES["all"], before, mediocre)
    begun = first.on(before)
    dealt = play(env, make_player(env, "reference"), jax.random.key(2**31), setup.judged)
    x, start = episode_inputs(env, dealt, "obs")
    label = env.action_space.to_number(dealt.action)

    def laws(params):
        carry = first.network.initial_carry(x.shape[1])
        _, logits, policy = first.network.apply(params, carry, x, start)
        cost = -take_along_last(jax.nn.log_softmax(logits), dealt.next_obs)
        return jnp.mean(cost), log_probs(sizes_of(env), policy)

    @jax.jit
    @jax.vmap
    def look(params, reference):
        (cost, pi), (paid, old) = laws(params), laws(reference)
        return {
            "return": 2 * jnp.mean(jnp.exp(take_along_last(pi, label))) - 1,
            "forgotten": cost - paid,
            "kl": jnp.mean(jnp.sum(jnp.exp(pi) * (pi - old), axis=-1)),
        }

    looks = np.unique(np.geomspace(1, after, 16).round().astype(int))
    ways = {
        "beta": (OBJECTIVES["rlhf"], setup.betas),
        "transcripts": (OBJECTIVES["clone"], (0.0,)),
    }
    tables = []
    for name, (regime, betas) in ways.items():
        run = Tuning(setup, env, regime, after, begin_with=begun, betas=betas)
        copies = len(betas)
        reference = jax.tree.map(lambda a, n=copies: jnp.concatenate([a] * n), begun)
        found = [look(run.state.params, reference)]
        for from_, to in pairwise([0, *looks]):
            found.append(look(run.on(to - from_), reference))
        curves = {what: np.stack([one[what] for one in found], axis=1) for what in found[0]}
        for i in range(copies):
            lanes = slice(i * setup.seeds, (i + 1) * setup.seeds)
            stop = f"beta {betas[i]:g}" if name == "beta" else name
            own = {what: curve[lanes] for what, curve in curves.items()}
            tables.append(long(own, stop, [0, *looks]))
    return stack_tables(tables)
