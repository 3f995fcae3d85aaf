"""One episode as plain data: the picture, the words, and what each predictor makes of every step.

With a trained pair the agent plays and the language model reads the very same deck or board.
Without one the reference player plays, and the exact law is all that predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import log_softmax, logsumexp

from agents.choices import log_probs, sizes_of
from agents.distributions import shares
from agents.language_agent import LanguageAgent
from agents.lm import episode_inputs, logits_along
from agents.positions import answerable
from experiments.explorer.pairs import Pair, TrainedModel, agent_player, policy_along
from popjax import ENVS, floors, render
from popjax.core import Environment, TimeStep
from popjax.floors import has_law, log_probs_along, make_law
from popjax.players import Episodes, make_player, play
from popjax.players.follow import follow
from popjax.scores import scores
from popjax.spaces import Box
from popjax.tokens import target_of
from popjax.tokens.levels import levels_of
from popjax.tokens.words import words_of


def action_numbers(env: Environment, action: np.ndarray) -> np.ndarray:
    """Which of the words of actions: `[...]` int."""
    return np.asarray(levels_of(env).to_number(action))


def seen_words(env: Environment, episodes: Episodes, steps: int) -> list[str]:
    """The first observation and the `steps` answers to the actions of the first episode."""
    words, tokens = words_of(env), np.asarray(target_of(env).tokens(episodes))[:steps, 0]
    return [words.first(episodes.obs[0, 0]), *(words.token(token) for token in tokens)]


HEAD = 3  # lines of an SVG document before its shapes: the element, its title, the background


def drawn(env: Environment, episodes: Episodes, steps: int) -> dict[str, Any]:
    """`steps + 1` frames of the first of the episodes, which were played with their states."""
    scenes = [render.draw(env, *moment, reveal=True) for moment in moments(episodes, steps)]
    documents = [render.svg(scene).split("\n") for scene in scenes]
    shapes: dict[str, int] = {}
    frames = [
        [shapes.setdefault(line, len(shapes)) for line in lines[HEAD:-1]] for lines in documents
    ]
    return {
        "open": documents[0][0],
        "background": documents[0][2],
        "titles": [scene.title for scene in scenes],
        "shapes": list(shapes),
        "frames": splices(frames),
    }


def moments(episodes: Episodes, steps: int):
    """The state and time step after each number of actions, from none on."""
    host = jax.device_get(episodes)

    def at(tree, t):
        return jax.tree.map(lambda leaf: leaf[t, 0], tree)

    no = np.bool_(False)
    yield at(host.state, 0), TimeStep(host.obs[0, 0], np.float32(0), no, no)
    for t in range(steps):
        step = at(host.replace(state=None, next_state=None), t)
        answer = TimeStep(step.next_obs, step.reward, step.terminated, step.truncated)
        yield at(host.next_state, t), answer


def splices(frames: Sequence[Sequence[int]]) -> list[list[int]]:
    """Each frame as `[start, how many to take out, what to put in, ...]` in the one before.

    >>> splices([[1, 2, 3], [1, 4, 5, 3], [1, 4, 5, 3]])
    [[0, 0, 1, 2, 3], [1, 1, 4, 5], [4, 0]]
    """
    before: Sequence[int] = []
    written = []
    for frame in frames:
        shorter = min(len(before), len(frame))
        start = next((i for i in range(shorter) if before[i] != frame[i]), shorter)
        most = shorter - start
        end = next((i for i in range(most) if before[-1 - i] != frame[-1 - i]), most)
        written.append([start, len(before) - start - end, *frame[start : len(frame) - end]])
        before = frame
    return written


MOST_STEPS = 208  # of a long episode, its beginning is shown


def record(env_id: str, seed: int, pair: Pair | None = None) -> tuple[dict[str, Any], Episodes]:
    """The episode of a seed as JSON data, and the steps that are shown of it. Probabilities are
    written in thousandths."""
    env = ENVS[env_id]
    player = agent_player(pair.agent) if pair else make_player(env, "reference")
    key_play, key_reference = jax.random.split(jax.random.key(seed))
    episodes = play(env, player, key_play, 1, keep_states=True)
    length = int(episodes.lengths[0])
    steps = min(length, MOST_STEPS)
    shown = jax.tree.map(lambda leaf: leaf[:steps], episodes)
    right = reference_along(env, shown, key_reference)
    can = jax.vmap(lambda obs, t: answerable(env, obs, t))(shown.obs[:, 0], jnp.arange(steps))
    data = {
        "env": env_id,
        "seed": seed,
        "player": player.name,
        "length": length,
        "most": env.max_steps,
        "return": round(float(episodes.returns[0]), 4),
        "scene": drawn(env, shown, steps),
        "seen": seen_words(env, shown, steps),
        "acts": words_of(env).actions(),
        "did": action_numbers(env, shown.action)[:, 0].tolist(),
        **torques(env, shown),
        "reference": action_numbers(env, right)[:, 0].tolist(),
        "judged": np.asarray(can).astype(int).tolist(),
        "reward": [round(float(r), 4) for r in shown.reward[:, 0]],
        "token": {
            "components": words_of(env).components(),
            "words": words_of(env).tokens(),
            "came": np.asarray(target_of(env).tokens(shown))[:, 0].tolist(),
            "uniform": round(float(np.log(target_of(env).sizes).sum()), 4),
        },
        "law": exact(env, shown),
        "agent": acting(pair.agent, shown) if pair else None,
        "language_model": predicting(pair.language_model, shown) if pair else None,
        "floor": floor_of(env_id),
        "scores": {
            kind: scores(env_id)[kind]["mean"] for kind in ("random", "memoryless", "reference")
        },
    }
    return data, shown


def torques(env: Environment, episodes: Episodes) -> dict[str, list[float]]:
    """Where actions are torques, those that were applied, in full, so that the episode can be
    played again; elsewhere `did` says all."""
    if not isinstance(env.action_space, Box):
        return {}
    return {"torque": [float(str(torque)) for torque in np.asarray(episodes.action)[:, 0, 0]]}


def acting(agent: TrainedModel, episodes: Episodes) -> dict[str, Any]:
    """The agent's probabilities of all actions at every step, and the facts of its training."""
    outputs = policy_along(agent, *episode_inputs(agent.env, episodes, agent.inputs))[:, 0]
    return {"policy": thousandths(chances(agent.env, outputs, agent.network.squash)), **agent.facts}


def chances(env: Environment, outputs: np.ndarray, squash: bool = False) -> np.ndarray:
    """`[T, actions]`; of a torque's Gaussian, squashed or not, what each of nine levels gets from
    the torques that it is nearest to."""
    if not isinstance(env.action_space, Box):
        return np.exp(np.asarray(log_probs(sizes_of(env), jnp.asarray(outputs))))
    low, high = env.action_space.low[0], env.action_space.high[0]
    levels = np.linspace(low, high, levels_of(env).num_values)
    between = (levels[1:] + levels[:-1]) / 2
    return np.asarray(shares(env.action_space, jnp.asarray(outputs), between, squash))


def predicting(model: TrainedModel, episodes: Episodes) -> dict[str, Any]:
    """The language model's law of each component of the next token, given those before it."""
    logits, token = logits_along(
        model.params, LanguageAgent.of(model.env, model.network, model.inputs), episodes
    )
    parts = np.split(np.asarray(logits)[:, 0], np.cumsum(model.network.sizes)[:-1], axis=-1)
    return _predictions([log_softmax(part, axis=-1) for part in parts], token[:, 0]) | model.facts


def exact(env: Environment, episodes: Episodes) -> dict[str, Any] | None:
    """The same under the law of `popjax.floors`; None where there is none to compute."""
    if not has_law(env):
        return None
    law = make_law(env)
    joint, number = log_probs_along(law, episodes.replace(state=None, next_state=None))
    sizes = target_of(env).sizes
    joint = np.asarray(joint, np.float64)[:, 0].reshape(-1, *sizes)
    token = np.stack(np.unravel_index(np.asarray(number)[:, 0], sizes), axis=-1)
    parts, left = [], joint
    for i in range(len(sizes)):
        part = logsumexp(left, axis=tuple(range(2, left.ndim))) if left.ndim > 2 else left
        parts.append(part - logsumexp(part, axis=1, keepdims=True))
        left = left[np.arange(len(left)), token[:, i]]
    return _predictions(parts, token) | {"exact": law.exact}


def _predictions(parts: list[np.ndarray], token: Any) -> dict[str, Any]:
    token = np.asarray(token)
    came = [np.take_along_axis(part, token[:, i : i + 1], 1) for i, part in enumerate(parts)]
    return {
        "next": [thousandths(np.exp(part)) for part in parts],
        "surprise": np.round(np.abs(np.sum(came, axis=0)[:, 0]), 4).tolist(),
    }


def reference_along(env: Environment, episodes: Episodes, key: jax.Array) -> jax.Array:
    """`[T, N, ...]` what the reference player would have done at every step, had it seen and done
    what was seen and done. The key is consumed."""
    player, correct = make_player(env, "reference"), follow(env)

    def one_step(memory, step):
        key, obs, state, action = step
        after, best = player.act(key, memory, obs, state)
        return correct(memory, after, action), best

    def one_episode(key, obs, state, action):
        keys = jax.random.split(key, len(obs))
        return jax.lax.scan(one_step, player.begin(), (keys, obs, state, action))[1]

    keys = jax.random.split(key, episodes.obs.shape[1])
    along = jax.jit(jax.vmap(one_episode, in_axes=(0, 1, 1, 1), out_axes=1))
    return along(keys, episodes.obs, episodes.state, episodes.action)


def floor_of(env_id: str) -> dict[str, Any]:
    """The floor in nats a token, and whether it is exact."""
    known = floors.floor(env_id)
    return {"nats": round(known.nats_per_token, 4), "kind": known.kind, "player": known.player}


def thousandths(p: np.ndarray) -> list[list[int]]:
    """Probabilities `[T, K]` as whole numbers."""
    return np.rint(1000 * np.asarray(p, np.float64)).astype(int).tolist()
