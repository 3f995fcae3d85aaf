"""Next-token training of the same `Backbone` as a language model.

The model reads what the agent reads, one position per step, and predicts the token that answers the
action (`popjax.tokens`). Cross-entropy is in nats per loss token; every step of every episode has
one, the answer to the last action included, as in `popjax.floors`. `make_train` returns two pure
functions with the same signatures as PPO's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Int, Key

from agents.hyperparams import Hyperparams, Schedule
from agents.inputs import Inputs, agent_input
from agents.language_agent import LanguageAgent
from agents.nats import expected_nats, token_log_probs
from agents.networks import LanguageModel
from agents.ranges import Count, Seed, Within, check_ranges
from agents.reader import make_reader
from agents.sharding import shared
from agents.train_state import TrainState
from popjax.core import Environment
from popjax.families import family_of
from popjax.floors import floor_of
from popjax.players import Episodes
from popjax.spaces import Box
from popjax.tokens import SOURCES, target_of
from popjax.tokens.corpora import draw
from popjax.words import nearest


@dataclass(frozen=True)
class LMConfig:
    """What changes shapes or the program."""

    num_episodes: Count = 64
    """Whole episodes per optimiser step."""
    player: str = "random"
    """The player who makes the histories: random, memoryless, reference, or mixture."""
    corpus: Annotated[int, Within(0, 2**31 - 1)] = 0
    """Size of a fixed corpus of episodes, each read once per epoch; 0: always new episodes."""
    corpus_seed: Seed = 0
    """Seed of the corpus."""
    previous_action: Literal["auto", "on", "off"] = "auto"
    """Whether the model reads its own previous action; auto: where tokens depend on actions."""
    observations: Literal["bins", "reals"] = "bins"
    """How real-valued observations (poles and pendulums) are read: as the centres of their bins,
    which is all that the filter behind their floor knows; or as reals, which hold more."""
    lm_schedule: Schedule = "cosine"
    """How the learning rate decays to zero over the run."""
    lm_warmup: Annotated[float, Within(0, 1, below=True)] = 0.02
    """Share of the run over which the learning rate first rises from zero."""

    def __post_init__(self):
        check_ranges(self)
        if self.player not in SOURCES:
            raise ValueError(nearest(self.player, SOURCES, "player"))
        if self.corpus % self.num_episodes:
            raise ValueError(
                f"num_episodes ({self.num_episodes}) must divide corpus ({self.corpus})"
            )


def inputs_of(env: Environment, config: LMConfig) -> Inputs:
    """What the model reads. Where actions never change what is seen, they are left out: a model
    of an expert's transcripts could copy its previous action and need no memory. Real-valued
    observations are read in the bins that the floor is made of, unless `observations` says so."""
    on = {"auto": target_of(env).needs_action, "on": True, "off": False}[config.previous_action]
    if isinstance(env.observation_space, Box) and config.observations == "bins":
        return "bins+action" if on else "bins"
    return "obs+action" if on else "obs"


def episode_inputs(
    env: Environment, episodes: Episodes, inputs: Inputs
) -> tuple[Float[Array, "T N d"], Bool[Array, "T N"]]:
    """The agent's input at every step of whole episodes, and where they start."""
    previous = jnp.roll(episodes.action, 1, axis=0)  # what stands before the first is not read
    start = jnp.arange(len(episodes.reward))[:, None] == jnp.zeros_like(episodes.valid)
    return agent_input(env, episodes.obs, previous, start, inputs), start


class Answered(NamedTuple):
    """Whole episodes as a language model reads them, see `LanguageAgent.outputs`."""

    x: Float[Array, "T N d"]
    start: Bool[Array, "T N"]
    action: Float[Array, "T N a"]
    token: Int[Array, "T N m"]


def answered(agent: LanguageAgent, episodes: Episodes) -> Answered:
    """Whole episodes, each action with the token that answered it."""
    env = agent.env
    return Answered(
        *episode_inputs(env, episodes, agent.inputs),
        action=env.action_space.flatten(env.action_space.nearest(episodes.action)),
        token=target_of(env).tokens(episodes),
    )


def logits_along(
    params: Any, agent: LanguageAgent, episodes: Episodes
) -> tuple[Float[Array, "T N sizes"], Int[Array, "T N m"]]:
    """What the model predicts at every step of whole episodes, and the tokens themselves."""
    batch = answered(agent, episodes)
    return agent.outputs(params, batch).token, batch.token


def lm_loss(
    params: Any, agent: LanguageAgent, episodes: Episodes
) -> tuple[Float[Array, ""], dict[str, Array]]:
    """Cross-entropy in nats a loss token over whole episodes.

    Beside it: the share of tokens that were the likeliest, and the nats of supervision, expected
    by the model (`supervision_nats`) and realised (`realised_nats`).
    """
    logits, token = logits_along(params, agent, episodes)
    sizes = agent.network.sizes
    log_prob, correct = token_log_probs(sizes, logits, token)
    expected = expected_nats(sizes, jax.lax.stop_gradient(logits))
    count = jnp.sum(episodes.valid)
    realised = jnp.sum(jnp.where(episodes.valid, -log_prob, 0.0))
    return realised / count, {
        "nats": realised / count,
        "accuracy": jnp.sum(correct & episodes.valid) / count,
        "environment_tokens": count,
        "gradient_tokens": count,
        "supervision_nats": jnp.sum(jnp.where(episodes.valid, expected, 0.0)),
        "realised_nats": realised,
    }


def known_floor(env: Environment) -> float | None:
    """The exact floor in nats a token where it is the same for all episodes, else None."""
    if family_of(env).actions_matter:
        return None
    return floor_of(env).nats_per_episode(env) / env.max_steps


def make_train(
    env: Environment, network: LanguageModel, config: LMConfig, mesh: Mesh | None = None
) -> tuple[Callable[..., TrainState], Callable[..., tuple[TrainState, dict[str, Array]]]]:
    """`init(key, hyperparams, num_updates) -> TrainState` and
    `segment(state, hyperparams, num_updates) -> (TrainState, metrics)`, both pure.

    `segment`'s `num_updates` is static; each metric has one row an update. mesh: the devices that
    share each batch.
    """
    agent = LanguageAgent.of(env, network, inputs_of(env, config))
    exact = known_floor(env)
    draws = partial(draw, env, config.player)
    library, read = make_reader(draws, config.num_episodes, config.corpus, config.corpus_seed)

    def init(key: Key[Array, ""], hyperparams: Hyperparams, num_updates: Any) -> TrainState:
        key_params, key_train = jax.random.split(key)
        return TrainState.create(agent.init(key_params), key_train, hyperparams, num_updates)

    def update(state: TrainState, hyperparams: Hyperparams, corpus: Episodes | None):
        episodes = shared(mesh, read(corpus, state.key, state.update))
        grads, metrics = jax.grad(lm_loss, has_aux=True)(state.params, agent, episodes)
        state = state.apply_gradients(grads, hyperparams, config.lm_schedule, config.lm_warmup)
        excess = {} if exact is None else {"excess": metrics["nats"] - exact}
        return state, {
            "loss": metrics["nats"],
            **metrics,
            **excess,
            "grad_norm": optax.tree.norm(grads),
        }

    def segment(state: TrainState, hyperparams: Hyperparams, num_updates: int):
        corpus = library()
        return jax.lax.scan(
            lambda state, _: update(state, hyperparams, corpus), state, length=num_updates
        )

    return init, segment
