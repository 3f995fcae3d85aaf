"""Competence of a network of `experiments.bridge.same_deck.config` at its own objective."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from agents.choices import take_along_last
from agents.inputs import Inputs
from agents.language_agent import LanguageAgent
from agents.lm import episode_inputs
from agents.nats import token_log_probs
from agents.networks import LanguageModel
from agents.objectives.histories import by_agent, by_player, histories, own_labels
from experiments.bridge.measures.overlap import CAUSAL
from experiments.bridge.same_deck.config import KINDS
from popjax.core import Environment
from popjax.families import family_of
from popjax.floors import decks as floors
from popjax.floors import log_probs_along, make_law
from popjax.players import Episodes, Player, make_player, play
from popjax.tokens import target_of
from popjax.tokens.corpora import in_parts, players_of


class Exam(NamedTuple):
    """Held-out histories.

    x, start, action: the inputs. token, label: the targets, where `valid` and where `labelled`.
    floor: the least nats per token; worth: the value of memory above it. without, best: scores
    without memory and of the reference player: accuracy where rewards are verdicts, else returns.
    key: of the episodes that gave these scores.
    """

    x: Float[Array, "T N d"]
    start: Bool[Array, "T N"]
    action: Float[Array, "T N a"]
    token: Int[Array, "T N m"]
    valid: Bool[Array, "T N"]
    label: Int[Array, "T N"]
    labelled: Bool[Array, "T N"]
    without: float
    best: float
    floor: float
    worth: float
    key: Key[Array, ""]


def shared_histories(env: Environment, key: Key[Array, ""], num_episodes: int) -> Episodes:
    """The histories that all networks of a task read: the reference player's where actions do not
    affect cards, else a third each of a random player, the reference player, and the reference with
    random errors. The key is consumed."""
    if env.name not in CAUSAL:
        return play(env, make_player(env), key, num_episodes)
    return in_parts(players_of(env, "mixture"), key, num_episodes, lambda *part: play(env, *part))


def exam(env: Environment, num_episodes: int, inputs: Inputs = "obs") -> Exam:
    """Of an environment."""
    read = shared_histories(env, jax.random.key(2**31), num_episodes)
    token = target_of(env).tokens(read)
    reactive = make_player(env, "memoryless")
    key = jax.random.key(2**31 + 1)
    if family_of(env).rewards_are_verdicts:
        without, best = float(1 + play(env, reactive, key, 8192).returns.mean()) / 2, 1.0
    else:
        without, best = (earned(env, player, key, num_episodes) for player in (
            reactive, make_player(env)))  # fmt: skip
    if env.name in CAUSAL:
        law, _ = log_probs_along(make_law(env), read)
        floor = -float(jnp.mean(take_along_last(law, number(env, token)), where=read.valid))
        worth = marginal(env, token, read.valid) - floor
    else:
        floor = floors.nats_per_episode(env) / env.max_steps
        worth = floors.without_memory(env) / env.max_steps - floor
    return Exam(
        *episode_inputs(env, read, inputs),
        env.action_space.flatten(read.action),
        token,
        read.valid,
        *own_labels(env, read),
        without=without,
        best=best,
        floor=floor,
        worth=worth,
        key=key,
    )


def number(env: Environment, token: Int[Array, "*batch m"]) -> Int[Array, "*batch"]:
    """A token of several components as one integer."""
    total = jnp.zeros(token.shape[:-1], jnp.int32)
    for i, size in enumerate(target_of(env).sizes):
        total = total * size + token[..., i]
    return total


def marginal(env: Environment, token: Int[Array, "T N m"], valid: Bool[Array, "T N"]) -> float:
    """Nats per token under the marginal frequencies."""
    share = np.bincount(np.asarray(number(env, token))[np.asarray(valid)]) / int(valid.sum())
    return float(-np.sum(share[share > 0] * np.log(share[share > 0])))


def earned(env: Environment, player: Player, key: Key[Array, ""], num_episodes: int) -> float:
    """The mean return of a player on the cards that a network gets with the same key."""
    return float(
        histories(env, by_player(player, num_episodes), key, num_episodes)[0].returns.mean()
    )


def judged(
    env: Environment, network: LanguageModel, kind: str, exam: Exam, params: Any, inputs: Inputs
) -> dict[str, Array]:
    """One network's `competence`, 0 for the best without memory and 1 for the best possible, and
    the `raw` number behind it: nats per token above the floor, accuracy, or return. A network that
    does both has the agent's competence and the language model's raw number."""
    agent = LanguageAgent.of(env, network, inputs)
    logits, policy = agent.outputs(params, exam)
    says, found = KINDS[kind].says if kind in KINDS else ("token",), {}
    if "action" in says:
        if family_of(env).rewards_are_verdicts:
            guess = jax.nn.one_hot(jnp.argmax(policy, axis=-1), policy.shape[-1])
            raw = jnp.mean(take_along_last(guess, exam.label), where=exam.labelled)
        else:
            N = exam.x.shape[1]
            chooser = by_agent(agent, params, N, greedy=True)
            raw = jnp.mean(histories(env, chooser, exam.key, N)[0].returns)
        found = {"competence": (raw - exam.without) / (exam.best - exam.without), "raw": raw}
    if "token" in says:
        log_probs = token_log_probs(network.sizes, logits, exam.token)[0]
        excess = -jnp.mean(log_probs, where=exam.valid) - exam.floor
        found = {"competence": 1 - excess / exam.worth} | found | {"raw": excess}
    return found
