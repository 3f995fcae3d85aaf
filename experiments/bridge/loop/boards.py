"""Boards of `popjax bridge loop`: games where actions affect observations, so a clone's own play
leads to histories that its expert never sees.

Episodes end early, so every mean is over the steps before the end. A step that no episode reaches
is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from agents.choices import log_probs, sizes_of
from agents.lanes import lane_keys
from agents.language_agent import LanguageAgent
from agents.lm import answered
from agents.networks import LanguageModel
from agents.objectives import OBJECTIVES
from agents.objectives.histories import Chooser, by_agent, by_player, histories
from agents.objectives.oracles import oracle_of
from experiments.bridge.loop.config import BOARD_WAYS, TUNED, LoopConfig
from experiments.bridge.loop.train import Tuning
from experiments.bridge.measures.exposure_bias import label_log_probs
from popjax import make as make_env
from popjax.core import Environment
from popjax.floors import log_probs_along, make_law
from popjax.players import KINDS, Episodes, make_player, play
from popjax.players.follow import follow, slipping

READS = "obs+action"
SLIPS = 0.5
LOOKS = 16


def on_board(setup: LoopConfig, board: str, what: str) -> list[tuple[dict[str, Any], str, Any]]:
    """The rows of one board: values `[seeds]` or `[seeds, T]`, their stop, and the times of the
    second axis, None for 0, 1, ..."""
    env = make_env(board)
    if what == "players":
        return players(setup, env)
    return tuned(setup, env) if what == TUNED else trained(setup, env, what)


def seed_by_seed(one: Callable[..., Any]) -> Callable[..., Any]:
    """Runs lanes sequentially: whole board episodes of all seeds at once are large."""
    return jax.jit(lambda *lanes: jax.lax.map(lambda lane: one(*lane), lanes))


def along(values: Float[Array, "T N"], where: Bool[Array, "T N"]) -> Float[Array, " T"]:
    """Means over the running episodes; NaN where there is none."""
    return jnp.mean(values, axis=1, where=where)


def trained(
    setup: LoopConfig, env: Environment, what: str
) -> list[tuple[dict[str, Any], str, Any]]:
    """One training condition, evaluated at its end."""
    way, updates = BOARD_WAYS[what], setup.board_updates[0]
    regime = way.sized(setup.num_episodes)
    run = Tuning(setup, env, regime, updates, previous_action="on", player=way.player)
    params = run.on(updates)
    judge = seed_by_seed(partial(judge_board, env, run.network, setup.judged))
    return [(judge(params, run.keys), "end", None)]


def judge_board(
    env: Environment, network: LanguageModel, num_episodes: int, params: Any, key: Key[Array, ""]
) -> dict[str, Array]:
    """A policy's accuracy in three loops on the same new boards. The key is consumed.

    open_right, closed_right: `[T]` probability of the expert's action where the expert acts, and
        where the policy does; open_, closed_, strayed_mean: over all steps, the last where the
        expert acts but half of its actions are random ones. open_nats, closed_nats: divergence of
        the policy from the expert.
    return, expert_return: of both on these boards. length, expert_length: steps.
    """
    expert = oracle_of(env)
    players = {"open": expert, "strayed": slipping(env, expert, SLIPS)}
    choosers = {name: by_player(player, num_episodes) for name, player in players.items()}
    agent = LanguageAgent.of(env, network, READS)
    choosers["closed"] = by_agent(agent, params, num_episodes)
    found: dict[str, Array] = {}
    for name, chooser in choosers.items():
        episodes, log_right, counts = acted_and_judged(agent, params, chooser, key, num_episodes)
        found[f"{name}_mean"] = jnp.mean(jnp.exp(log_right), where=counts)
        if name == "strayed":
            continue
        found[f"{name}_right"] = along(jnp.exp(log_right), counts)
        found[f"{name}_nats"] = -jnp.mean(log_right, where=counts)
        whose = "" if name == "closed" else "expert_"
        found[f"{whose}return"] = jnp.mean(episodes.returns)
        found[f"{whose}length"] = jnp.mean(1.0 * episodes.lengths)
    return found


def acted_and_judged(
    agent: LanguageAgent,
    params: Any,
    chooser: Chooser,
    key: Key[Array, ""],
    num_episodes: int,
) -> tuple[Episodes, Float[Array, "T N"], Bool[Array, "T N"]]:
    """New episodes, the policy's log-probability of the expert's action at every step, and where
    it counts. The same key gives the same boards for every player; it is consumed."""
    env, teacher = agent.env, (oracle_of(agent.env), follow(agent.env))
    episodes, label, counts = histories(env, chooser, key, num_episodes, teacher)
    return episodes, label_log_probs(agent, params, episodes, label), counts


def players(setup: LoopConfig, env: Environment) -> list[tuple[dict[str, Any], str, Any]]:
    """Returns and lengths of scripted players; stop: which."""
    keys, rows = lane_keys(tuple(range(setup.seeds)))[1], []
    kinds = {kind: make_player(env, kind) for kind in KINDS}
    kinds["half random"] = slipping(env, oracle_of(env), SLIPS)
    for name, player in kinds.items():

        def own(key, player=player):
            episodes = play(env, player, key, setup.judged)
            return {
                "return": jnp.mean(episodes.returns),
                "length": jnp.mean(1.0 * episodes.lengths),
            }

        rows.append((seed_by_seed(own)(keys), name, None))
    return rows


def tuned(setup: LoopConfig, env: Environment) -> list[tuple[dict[str, Any], str, Any]]:
    """A model of all of a mediocre player's transcripts (R-all), tuned for reward at several prices
    of the divergence from it (R6), or on the expert's transcripts (R1).

    stop: "beta 0.01", or "transcripts". t: updates since the tuning began. See `look_at`.
    """
    before, after = setup.board_updates[1:]
    mediocre = slipping(env, oracle_of(env), SLIPS)
    first = Tuning(setup, env, OBJECTIVES["all"], before, mediocre, previous_action="on")
    begun = first.on(before)
    dealt = play(env, oracle_of(env), jax.random.key(2**31), watched(setup))
    look = look_at(setup, env, first.network, dealt)
    looks = np.unique(np.geomspace(1, after, LOOKS).round().astype(int))
    ways = {
        "beta": (OBJECTIVES["rlhf"], setup.betas),
        "transcripts": (OBJECTIVES["clone"], (0.0,)),
    }
    rows = []
    for name, (regime, betas) in ways.items():
        run = Tuning(setup, env, regime, after, begin_with=begun, betas=betas, previous_action="on")
        copies = len(betas)
        reference = jax.tree.map(lambda a, n=copies: jnp.concatenate([a] * n), begun)
        found = [look(run.state.params, reference, run.keys)]
        for from_, to in pairwise([0, *looks]):
            found.append(look(run.on(to - from_), reference, run.keys))
        curves = {what: np.stack([one[what] for one in found], axis=1) for what in found[0]}
        curves["forgotten"] = curves["excess"] - curves["excess"][:, :1]
        for i, beta in enumerate(betas):
            lanes = slice(i * setup.seeds, (i + 1) * setup.seeds)
            stop = f"beta {beta:g}" if name == "beta" else name
            rows.append(({what: c[lanes] for what, c in curves.items()}, stop, [0, *looks]))
    return rows


def watched(setup: LoopConfig) -> int:
    """Episodes per evaluation during training."""
    return max(16, setup.judged // 8)


def look_at(
    setup: LoopConfig, env: Environment, network: LanguageModel, dealt: Episodes
) -> Callable[..., Any]:
    """`(params, reference, keys) ->` measures `[lanes]` of a policy and its reference.

    return: of its own play. kl: divergence from the reference in nats per step of its own play.
    excess, own_excess: divergence of the model's next token from the game's exact distribution,
    nats per token, on the expert's boards `dealt` and in its own play. impossible, own_impossible:
    the probability that the model gives there to impossible tokens.
    """
    law, agent = make_law(env), LanguageAgent.of(env, network, READS)
    num_episodes = len(dealt.reward[0])

    def outputs(params, episodes):
        token, action = agent.outputs(params, answered(agent, episodes))
        return jax.nn.log_softmax(token), log_probs(sizes_of(env), action)

    def against_law(log_model, log_law, where):
        share = jnp.exp(log_law)
        gap = jnp.sum(jnp.where(share > 0, share * (log_law - log_model), 0.0), axis=-1)
        ruled_out = jnp.sum(jnp.where(share > 0, 0.0, jnp.exp(log_model)), axis=-1)
        return jnp.mean(gap, where=where), jnp.mean(ruled_out, where=where)

    known = log_probs_along(law, dealt)[0]

    def one(params, reference, key):
        chooser = by_agent(agent, params, num_episodes)
        own = histories(env, chooser, key, num_episodes)[0]
        log_model, pi = outputs(params, own)
        old = outputs(reference, own)[1]
        excess, impossible = against_law(outputs(params, dealt)[0], known, dealt.valid)
        own_law = log_probs_along(law, own)[0]
        own_excess, own_impossible = against_law(log_model, own_law, own.valid)
        return {
            "return": jnp.mean(own.returns),
            "kl": jnp.mean(jnp.sum(jnp.exp(pi) * (pi - old), axis=-1), where=own.valid),
            "excess": excess,
            "impossible": impossible,
            "own_excess": own_excess,
            "own_impossible": own_impossible,
        }

    return seed_by_seed(one)
