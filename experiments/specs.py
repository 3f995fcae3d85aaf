"""What a cell of a study is: one environment, one memory, one way of training, some seeds."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal

import tyro

from agents.distributions import num_outputs
from agents.hyperparams import Hyperparams
from agents.lm import LMConfig
from agents.memory import MEMORIES, Memory
from agents.networks import ActorCritic, Backbone, HeadStart
from agents.places import PlaceActorCritic, PlaceBackbone
from agents.ppo import PPOConfig
from agents.published import HEAD_STARTS, PopjaxrlBackbone, paper_backbone
from agents.ranges import MANY, Count, Within, complaint
from experiments.budgets import STEP, memory_of_parameters, memory_of_state, num_parameters
from experiments.errors import UserError
from experiments.ranges import check, check_hyperparams
from popjax.registry import ENVS, canonical, make
from popjax.spaces import Box, Discrete
from popjax.words import nearest

LAST_SEED = 2**31 - 1
WIDEST = 2**16
Width = Annotated[int, Within(1, WIDEST)]
Seeds = Annotated[int, Within(1, 2**16)]
Steps = Annotated[int, Within(1, 10**13)]

DEFAULT_HYPERPARAMS = {
    f.name: float(getattr(Hyperparams(), f.name)) for f in dataclasses.fields(Hyperparams)
}


@dataclass(frozen=True)
class NetworkConfig:
    """The sizes of the network.

    >>> memory_of("gru", NetworkConfig(parameters=10_000)).features
    40
    """

    features: Width = 128
    """Width of the encoder and of the memory."""
    parameters: Annotated[int, Within(0, 10**10)] = 0
    """Choose the width so that a memory block has at most this many parameters; 0: `features`."""
    state: Annotated[int, Within(0, 10**9)] = 0
    """Choose the width so that a memory block remembers at most so many numbers; 0: `features`."""
    options: dict[str, int] = field(default_factory=dict)
    """Fields of the memory model that differ from their defaults, by name: `size 64`."""
    num_layers: Annotated[int, Within(1, 256)] = 1
    """Memory blocks on top of one another."""
    feed_forward: Annotated[int, Within(0, WIDEST)] = 0
    """Width of the feed-forward block after each memory; 0 for none."""
    head_features: Width = 128
    """Width of the two layers of each head, and of a published network's encoder."""
    style: Literal["residual", "places", "paper", "popjaxrl"] = "residual"
    """Residual blocks with norms; places: the same blocks at every place of a board or arm of a
    bandit, one for each action; or an agent's network as the paper or popjaxrl has it."""
    squash: bool = False
    """Squash the Gaussian of continuous actions into their box with tanh; else they are clipped."""
    joint: bool = False
    """Give every combination of an action's integers a probability, such as row and column; else
    they are drawn independently."""
    separate_critic: bool = False
    """Give the value a backbone of its own."""

    def __post_init__(self):
        check(self)


@dataclass(frozen=True)
class Settings:
    """How to train, the same for every cell of a sweep.

    >>> settings = Settings(seeds=2, hyperparams={"gamma": 0.9})
    >>> sorted(settings.plain("ppo").keys() & {"ppo", "lm"})
    ['ppo']
    """

    total_steps: Annotated[Steps | None, tyro.conf.arg(aliases=["--steps"])] = None
    """Environment steps of each seed; 2 million for an agent, what it needs for a language model,
    if not given."""
    seeds: Seeds = 3
    """How many seeds, 0, 1, ... after `first_seed`."""
    first_seed: Annotated[int, Within(0, LAST_SEED)] = 0
    """The first seed."""
    num_segments: Annotated[int, Within(1, 100_000)] = 20
    """Compiled stretches of training; between them metrics and a checkpoint are written."""
    eval_episodes: Count = 256
    """Episodes of the evaluation of the final policy."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """The sizes of the network."""
    ppo: PPOConfig = field(default_factory=PPOConfig)
    """How an agent is trained: what changes shapes or the program."""
    lm: LMConfig = field(default_factory=LMConfig)
    """How a language model is trained: what changes shapes or the program."""
    hyperparams: dict[str, float] = field(default_factory=dict)
    """Hyper-parameters that differ from their defaults, by name."""

    def __post_init__(self):
        check(self)
        if self.first_seed + self.seeds - 1 > LAST_SEED:
            raise UserError(f"the last of the seeds must be at most {LAST_SEED:,}")
        for name in self.hyperparams:
            if name not in DEFAULT_HYPERPARAMS:
                raise UserError(nearest(name, DEFAULT_HYPERPARAMS, "hyper-parameter"))
        check_hyperparams(self.hyperparams)

    def plain(self, regime: str) -> dict[str, Any]:
        """What a regime reads of it, as plain JSON data: no other regime's own part."""
        others = {"ppo", "lm"} - {own_part(regime)}
        return {k: v for k, v in dataclasses.asdict(self).items() if k not in others}


def own_part(regime: str) -> str:
    """The name of the part of `Settings` that says how a regime gets its data.

    >>> own_part("ppo"), own_part("lm")
    ('ppo', 'lm')
    """
    return "ppo" if regime == "ppo" else "lm"


@dataclass(frozen=True)
class CellSpec:
    """One cell, fully resolved: equal specs give equal results on an equal machine.

    >>> spec = cell("RepeatFirstEasy", "gru", Settings(total_steps=100_000, seeds=2))
    >>> spec.seeds, spec.num_updates, spec.env_steps  # 12 updates are paid for, of 64 x 128 steps
    ((0, 1), 12, 196608)
    """

    env: str
    memory: str
    settings: Settings
    regime: str = "ppo"
    source: str = field(default="", compare=False)
    """Where the settings come from, in words; decides nothing."""

    @property
    def seeds(self) -> tuple[int, ...]:
        first = self.settings.first_seed
        return tuple(range(first, first + self.settings.seeds))

    @property
    def updates_per_segment(self) -> int:
        """Every segment is equally long, so that one program serves all."""
        return max(1, self._affordable_updates // self.settings.num_segments)

    @property
    def num_updates(self) -> int:
        """As many whole segments as `total_steps` pays for, at least one."""
        per_segment = self.updates_per_segment
        return per_segment * (self._affordable_updates // per_segment)

    @property
    def _affordable_updates(self) -> int:
        return max(1, self.settings.total_steps // self.steps_per_update)

    @property
    def steps_per_update(self) -> int:
        """Environment steps of one update of one seed, those after an episode's end included."""
        if own_part(self.regime) == "ppo":
            return self.settings.ppo.steps_per_update
        return self.settings.lm.num_episodes * make(self.env).max_steps

    @property
    def env_steps(self) -> int:
        """Environment steps of all seeds together."""
        return self.num_updates * self.steps_per_update * len(self.seeds)

    @property
    def hyperparams(self) -> dict[str, float]:
        return DEFAULT_HYPERPARAMS | self.settings.hyperparams

    def resolved(self) -> dict[str, Any]:
        """Everything that decides the result, as plain JSON data."""
        plain = {"env": self.env, "memory": self.memory, "regime": self.regime}
        hyperparams = {k: str(v) for k, v in self.hyperparams.items()}
        return plain | {"settings": self.settings.plain(self.regime) | {"hyperparams": hyperparams}}

    @property
    def id(self) -> str:
        """The name of the cell's folder: `id_of` the resolved spec."""
        return id_of(self.resolved())


SILENT = {  # what settings say that came after the first cells were written, where not asked for
    "network": {"options": {}, "style": "residual", "squash": False, "joint": False},
    "ppo": {"rise": 0.0, "precision": "default"},
    "lm": {"observations": "reals"},
    "hyperparams": {"value_clip": "inf"},
}
WORDS = {  # and what others said before they were words
    "anneal": {"linear": True, "constant": False},
    "normalise_advantages": {"minibatch": True, "no": False},
}


def as_before(resolved: dict[str, Any]) -> dict[str, Any]:
    """A resolved spec as it was written before there were settings that it does not use: cells of
    older versions are found again.

    >>> spec = {"settings": {"ppo": {"num_envs": 64, "anneal": "linear", "rise": 0.0}}}
    >>> as_before(spec)
    {'settings': {'ppo': {'num_envs': 64, 'anneal': True}}}
    """
    settings = dict(resolved["settings"])
    if "lm" in settings and not sees_reals(resolved["env"]):
        settings["lm"] = settings["lm"] | {"observations": "reals"}  # either way it reads integers
    for part in SILENT.keys() & settings.keys():
        said = {k: v for k, v in settings[part].items() if SILENT[part].get(k, ...) != v}
        settings[part] = {
            k: WORDS[k].get(v, v) if k in WORDS and isinstance(v, str) else v
            for k, v in said.items()
        }
    return resolved | {"settings": settings}


def sees_reals(env_id: str) -> bool:
    """Whether the observations of an environment, if it is known, are real numbers.

    >>> sees_reals("PositionOnlyPendulumEasy"), sees_reals("RepeatFirstEasy")
    (True, False)
    """
    return env_id in ENVS and isinstance(ENVS[env_id].observation_space, Box)


def id_of(resolved: dict[str, Any]) -> str:
    """`<env>-<memory>-<hash of the resolved spec>`. The regime stands before the hash if it is not
    PPO.

    >>> spec = cell("RepeatFirstEasy", "gru", Settings())
    >>> id_of(spec.resolved()) == spec.id, len(spec.id.split("-")[-1])
    (True, 10)
    """
    text = json.dumps(as_before(resolved), sort_keys=True)
    regime = "" if resolved["regime"] == "ppo" else f"{resolved['regime']}-"
    code = hashlib.sha256(text.encode()).hexdigest()[:10]
    return f"{resolved['env']}-{resolved['memory']}-{regime}{code}"


def cell(env: str, memory: str, settings: Settings, regime: str = "ppo") -> CellSpec:
    """A cell from names as a person writes them, and what its regime sets where `settings` are
    silent; a UserError names the nearest right word.

    >>> spec = cell("popgym-RepeatFirstEasy-v0", "GRU", Settings(seeds=2))
    >>> spec.env, spec.memory, spec.regime
    ('RepeatFirstEasy', 'gru', 'ppo')
    """
    from experiments.regimes import regime_name, settled  # which build cells' networks

    regime = regime_name(regime)
    return CellSpec(env_name(env), memory_name(memory), settled(settings, regime), regime)


def env_name(name: str) -> str:
    """The canonical id of an environment.

    >>> env_name("popgym-RepeatFirstEasy-v0")
    'RepeatFirstEasy'
    """
    try:
        return canonical(name)
    except ValueError as error:
        raise UserError(str(error)) from None


def memory_name(name: str) -> str:
    """The canonical name of a memory model.

    >>> memory_name("LSTM")
    'lstm'
    """
    if name.lower() not in MEMORIES:
        raise UserError(nearest(name, MEMORIES, "memory"))
    return name.lower()


def memory_of(name: str, size: NetworkConfig) -> Memory:
    """One memory block, at the width asked for or the widest within the budget.

    >>> memory_of("lstm", NetworkConfig(state=128)).state_size()
    128
    """
    if size.parameters and size.state:
        raise UserError("give a budget of parameters or of state, not both")
    kind = partial(MEMORIES[name], **memory_options(name, size.options))
    try:
        if size.parameters:
            return memory_of_parameters(kind, size.parameters)
        if size.state:
            return memory_of_state(kind, size.state)
        memory = kind(features=size.features)
        if size.features % STEP or size.options:  # such sizes may not fit one another
            num_parameters(memory, memory.features)
    except UserError:
        raise
    except (ValueError, TypeError, ArithmeticError) as error:
        raise UserError(f"{name} cannot be made: {error}") from None
    return memory


def memory_options(name: str, options: dict[str, int]) -> dict[str, Any]:
    """Fields of a memory model by their names; a UserError names the nearest right one.

    >>> memory_options("transformer", {"window": 64, "clock": 1})
    {'window': 64, 'clock': True}
    """
    own = {"features", "name", "parent"}
    kinds = {f.name: f.type for f in dataclasses.fields(MEMORIES[name]) if f.name not in own}
    for option in options:
        if not kinds:
            raise UserError(f"{name} has no options, not even {option!r}")
        if option not in kinds:
            raise UserError(nearest(option, kinds, f"option of {name}"))
        most = 1 if kinds[option] == "bool" else MANY
        if said := complaint(option, options[option], int, Within(0, most)):
            raise UserError(said)
    return {k: bool(v) if kinds[k] == "bool" else v for k, v in options.items()}


def blocks_of(spec: CellSpec) -> tuple[Memory, ...]:
    """The memory blocks of a cell, bottom first.

    >>> len(blocks_of(cell("RepeatFirstEasy", "gru", Settings())))
    1
    """
    memory = memory_of(spec.memory, spec.settings.network)
    return tuple(memory.clone() for _ in range(spec.settings.network.num_layers))


def backbone_of(spec: CellSpec) -> Backbone:
    """The part of the network that every regime trains.

    >>> settings = Settings(network=NetworkConfig(features=16, num_layers=2))
    >>> backbone_of(cell("RepeatFirstEasy", "gru", settings)).state_size()
    32
    """
    size, blocks = spec.settings.network, blocks_of(spec)
    if size.style == "places":
        raise UserError("a network of places is for agents trained with PPO")
    if size.style == "residual":
        return Backbone(blocks, feed_forward=size.feed_forward)
    if size.feed_forward:
        raise UserError(f"the network of {size.style} has no feed-forward block")
    if size.style == "paper":
        return paper_backbone(blocks, dense=size.head_features)
    if spec.memory == "s5":  # published as a residual stack of layers of one block each
        blocks = tuple(block.clone(blocks=1) for block in blocks)
    return PopjaxrlBackbone(blocks, dense=size.head_features, residual=spec.memory == "s5")


def place_backbone(spec: CellSpec) -> PlaceBackbone:
    """The blocks at every place; a UserError unless each action is a place and can be read.

    >>> settings = Settings(network=NetworkConfig(features=8, style="places"))
    >>> place_backbone(cell("ConcentrationEasy", "gru", settings)).places
    52
    """
    env, size = make(spec.env), spec.settings.network
    for name in ("feed_forward", "separate_critic", "squash"):
        if getattr(size, name):
            raise UserError(f"a network of places has no {name.replace('_', ' ')}")
    inputs, action, seen = spec.settings.ppo.inputs, env.action_space, env.observation_space
    if not isinstance(action, Discrete) or (action.shape and not size.joint):
        raise UserError("a network of places needs one integer as action, or several with --joint")
    wanted = "obs+joint" if action.shape else "obs+action"
    if inputs != wanted:
        raise UserError(f"a network of places reads which was acted upon last: --inputs {wanted}")
    places = action.num_values
    by_place = isinstance(seen, Discrete) and seen.shape == (places,) and len(set(seen.sizes)) == 1
    own = seen.flat_size // places if by_place else 0
    rows = action.sizes[0] if action.shape == (2,) else 0
    return PlaceBackbone(blocks_of(spec), places, own, rows)


def build(spec: CellSpec) -> tuple[Any, ActorCritic | PlaceActorCritic]:
    """The environment and the agent of a cell.

    >>> env, network = build(cell("RepeatFirstEasy", "gru", Settings()))
    >>> env.name, network.num_actions
    ('RepeatFirst', 4)
    """
    env = make(spec.env)
    size = spec.settings.network
    if size.joint and not getattr(env.action_space, "shape", ()):
        raise UserError(f"joint is for actions of several integers: one of {spec.env} is not")
    if size.style == "places":
        return env, PlaceActorCritic(place_backbone(spec), head_features=size.head_features)
    outputs = num_outputs(env.action_space, size.joint)
    free = size.style == "popjaxrl" and isinstance(env.action_space, Box)
    network = ActorCritic(
        backbone_of(spec),
        num_actions=outputs,
        head_features=size.head_features,
        critic=backbone_of(spec) if size.separate_critic else None,
        start=HEAD_STARTS.get(size.style, HeadStart()),
        squash=size.squash,
        free=outputs // 2 if free else 0,
    )
    return env, network
