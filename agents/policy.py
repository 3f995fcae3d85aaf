"""A trained policy as one small file, and back: `agents.load("results/train/<cell>/policy.npz")`.

The file holds arrays and one JSON text, no code: a version, the network as names and numbers, the
two spaces, what the agent reads, and a checksum of all that. So it needs neither the environment
nor the experiment that made it.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct, traverse_util
from jaxtyping import Array, Bool, Key

from agents.agent import Agent
from agents.architecture import from_plain, to_plain
from agents.cells import EquivariantActorCritic
from agents.inputs import Inputs
from agents.networks import ActorCritic
from popjax.spaces import Box, Discrete

VERSION = 1
FILE = "policy.npz"


class PolicyError(ValueError):
    """A policy cannot be read; the message is one line that says why.

    >>> load("nowhere")
    Traceback (most recent call last):
        ...
    agents.policy.PolicyError: there is no policy in nowhere
    """


class PolicyCarry(struct.PyTreeNode):
    """The state of a policy between two steps of `[B]` episodes.

    memory: the network's carry. previous_action: `[B, ...]`. start: `[B]` bool, the next
    observation begins an episode.
    """

    memory: Any
    previous_action: Array
    start: Bool[Array, " B"]


class Policy(struct.PyTreeNode):
    """A trained agent. A pytree: `params` are its leaves.

    env: the id of the environment it was trained on. seed: that it was trained with.

    >>> from agents.small import small
    >>> env, network, params = small()
    >>> policy = Policy(params, Agent.of(env, network), "RepeatFirstEasy", seed=0)
    >>> carry, actions = policy.act(jax.random.key(0), policy.initial_carry(2), jnp.array([1, 3]))
    >>> actions.shape, carry.start.tolist()
    ((2,), [False, False])
    """

    params: Any
    agent: Agent = struct.field(pytree_node=False)
    env: str = struct.field(pytree_node=False)
    seed: int = struct.field(pytree_node=False)

    def initial_carry(self, batch_size: int = 1) -> PolicyCarry:
        """Before the first observation of so many episodes."""
        return PolicyCarry(
            memory=self.agent.initial_carry(batch_size),
            previous_action=self.agent.first_action(batch_size),
            start=jnp.ones((batch_size,), bool),
        )

    @jax.jit
    def act(
        self,
        key: Key[Array, ""],
        carry: PolicyCarry,
        obs: Array,
        start: Bool[Array, " B"] | bool = False,
        greedy: Bool[Array, ""] | bool = True,
    ) -> tuple[PolicyCarry, Array]:
        """The actions `[B, ...]` at the observations `[B, ...]`, all in the action space: of a
        Gaussian the nearest, which is what an environment takes. The key is consumed.

        start: where an observation begins an episode (that of a fresh carry does anyway). greedy:
        the likeliest action, else a sample.
        """
        start = carry.start | start
        obs, previous = jnp.asarray(obs), carry.previous_action
        memory, action, _ = self.agent.act(
            self.params, key, carry.memory, obs, start, previous, greedy
        )
        return PolicyCarry(memory, action, jnp.zeros_like(start)), action


def save(
    path: Path,
    agent: Agent,
    params: Any,
    env_id: str,
    seeds: tuple[int, ...],
) -> None:
    """Writes the policies of all seeds atomically; `params` has the leading axis `[seeds]`."""
    about = {
        "version": VERSION,
        "env": env_id,
        "seeds": list(seeds),
        "inputs": agent.inputs,
        "network": to_plain(agent.network),
        "observation_space": to_plain(agent.observation_space),
        "action_space": to_plain(agent.action_space),
    }
    arrays = {
        name: np.asarray(leaf) for name, leaf in traverse_util.flatten_dict(params, sep="/").items()
    }
    about |= {"checksum": _checksum(about, arrays)}
    temporary = Path(path).with_name(f".{Path(path).name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:  # a full disk has no room for half a file
        temporary.unlink(missing_ok=True)
        raise


def load(path: str | Path, seed: int | None = None) -> Policy:
    """The policy in a file that `popjax train` wrote, or in that file of a cell's folder; of the
    first seed unless another is named.

    Raises PolicyError, one line, if there is none, if it is damaged, or of another version.

        policy = agents.load("results/train/<cell>/policy.npz")
        carry = policy.initial_carry(1)
        carry, action = policy.act(jax.random.key(0), carry, timesteps.obs)

    >>> import tempfile
    >>> from agents.small import small
    >>> env, network, params = small()
    >>> each_seed = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), params)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "policy.npz"
    ...     save(path, Agent.of(env, network), each_seed, "RepeatFirstEasy", seeds=(0, 1))
    ...     policy = load(folder, seed=1)
    >>> policy.env, policy.seed, policy.agent.action_space
    ('RepeatFirstEasy', 1, Discrete(sizes=4))
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    if not path.exists():
        raise PolicyError(f"there is no policy in {path}")
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        about = json.loads(str(arrays.pop("about")))
        version = about["version"]
    except Exception as error:  # a torn archive raises what its first wrong byte stands for
        raise PolicyError(f"{path} is damaged or holds no policy ({_reason(error)})") from None
    if version != VERSION:
        raise PolicyError(
            f"{path} is a policy of version {version!r:.40}, and this popjax reads version "
            f"{VERSION}: train it again, or use the popjax that wrote it"
        )
    try:
        if about.pop("checksum", None) not in (None, _checksum(about, arrays)):
            raise ValueError("its checksum differs")
        seeds = about["seeds"]
        if not seeds or not all(type(each) is int for each in seeds):
            raise ValueError(f"seeds {seeds!r:.40}")
    except Exception as error:
        raise PolicyError(f"{path} is damaged ({_reason(error)})") from None
    seed = seeds[0] if seed is None else seed
    if seed not in seeds:
        raise PolicyError(f"{path} holds seeds {seeds}, not {seed}")
    try:
        policy = _policy(about, arrays, seed)
        _check(policy)
    except Exception as error:
        raise PolicyError(f"{path} is damaged ({_reason(error)})") from None
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(policy.params)):
        raise PolicyError(
            f"{path} holds no numbers for seed {seed}, whose training diverged: name another of "
            f"the seeds {seeds}"
        )
    return policy


def _policy(about: dict[str, Any], arrays: dict[str, np.ndarray], seed: int) -> Policy:
    lanes = {leaf.shape[:1] for leaf in arrays.values()}
    if lanes != {(len(about["seeds"]),)}:
        raise ValueError("its arrays are not those of its seeds")
    lane = about["seeds"].index(seed)
    return Policy(
        params=traverse_util.unflatten_dict(
            {name: jnp.asarray(leaf[lane]) for name, leaf in arrays.items()}, sep="/"
        ),
        agent=Agent(
            from_plain(about["network"]),
            from_plain(about["observation_space"]),
            from_plain(about["action_space"]),
            about["inputs"],
        ),
        env=about["env"],
        seed=seed,
    )


def _check(policy: Policy) -> None:
    """A ValueError unless all of it is known, and the parameters are those of the network."""
    agent, network = policy.agent, policy.agent.network
    if not isinstance(network, ActorCritic | EquivariantActorCritic):
        raise ValueError("its network is none of an agent")
    for space in (agent.observation_space, agent.action_space):
        if not isinstance(space, Discrete | Box):
            raise ValueError("its spaces are none")
    if agent.inputs not in get_args(Inputs):
        raise ValueError(f"it reads {agent.inputs!r:.40}, which is not known")
    trees = jax.eval_shape(agent.init, jax.random.key(0)), policy.params
    kinds = [
        {name: (leaf.shape, leaf.dtype) for name, leaf in traverse_util.flatten_dict(tree).items()}
        for tree in trees
    ]
    if kinds[0] != kinds[1]:
        raise ValueError("its arrays are not those of its network")


def _checksum(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    """Of all that a file holds."""
    code = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(arrays):
        code.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        code.update(np.ascontiguousarray(arrays[name]).tobytes())
    return code.hexdigest()[:32]


def _reason(error: Exception) -> str:
    first_line = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first_line[:100]}"
