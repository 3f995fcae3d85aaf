"""From the names of a cell to its environment, memory and network."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

from agents.cells import EquivariantActorCritic, EquivariantBackbone
from agents.memory import MEMORIES, Memory
from agents.networks import ActorCritic, Backbone, HeadInit, actor_critic
from agents.own_memory import check_memory, memory_class
from agents.published import HEAD_INITS, PopjaxrlBackbone, paper_backbone
from agents.ranges import MANY, Within, complaint
from experiments.results.errors import UserError
from experiments.results.spec import (
    CellSpec,
    NetworkConfig,
)
from experiments.train.widths import STEP, memory_of_parameters, memory_of_state, num_parameters
from popjax.places import is_place
from popjax.registry import FAMILIES, canonical, make
from popjax.spaces import Box, Discrete
from popjax.words import nearest


def env_name(name: str) -> str:
    """The canonical id of an environment.

    >>> env_name("popgym-RepeatFirstEasy-v0")
    'RepeatFirstEasy'
    """
    try:
        return canonical(name)
    except ValueError as error:
        raise UserError(str(error)) from None


def level_note(name: str) -> str:
    """Which level was taken for a name without one, in a line; "" for a whole name.

    >>> level_note("RepeatFirst"), level_note("popgym-RepeatFirstEasy-v0")
    ('RepeatFirst is RepeatFirstEasy here; its levels are Easy, Medium, Hard', '')
    """
    taken = env_name(name)
    levels = next((tuple(f) for family, f in FAMILIES.items() if taken == f"{family}Easy"), ())
    if "Easy" not in levels or "Easy" in name:
        return ""
    return f"{name} is {taken} here; its levels are {', '.join(levels)}"


def memory_name(name: str) -> str:
    """The canonical name of a memory model, of `MEMORIES` or `module:Class`.

    >>> memory_name("LSTM")
    'lstm'
    """
    if is_place(name):
        try:
            memory_class(name)
        except ValueError as error:
            raise UserError(str(error)) from None
        return name
    known = {own.lower(): own for own in MEMORIES}
    if name.lower() not in known:
        raise UserError(nearest(name, MEMORIES, "memory"))
    return known[name.lower()]


def memory_of(name: str, size: NetworkConfig) -> Memory:
    """One memory block, at the requested width or the widest within the budget.

    >>> memory_of("lstm", NetworkConfig(state=128)).state_size()
    128
    """
    if size.parameters and size.state:
        raise UserError("give a budget of parameters or of state, not both")
    kind = partial(memory_class(name), **memory_options(name, size.options))
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
    if not kind.func.__module__.startswith("agents."):
        try:
            check_memory(memory, name)
        except ValueError as error:
            raise UserError(str(error)) from None
    return memory


def memory_options(name: str, options: dict[str, int]) -> dict[str, Any]:
    """Fields of a memory model by their names; a UserError names the nearest right one.

    >>> memory_options("transformer", {"window": 64, "clock": 1})
    {'window': 64, 'clock': True}
    """
    own = {"features", "name", "parent"}
    kinds = {f.name: f.type for f in dataclasses.fields(memory_class(name)) if f.name not in own}
    for option in options:
        if not kinds:
            raise UserError(f"{name} has no options, not even {option!r}")
        if option not in kinds:
            raise UserError(nearest(option, kinds, f"option of {name}"))
        most = 1 if kinds[option] in ("bool", bool) else MANY
        if said := complaint(option, options[option], int, Within(0, most)):
            raise UserError(said)
    return {k: bool(v) if kinds[k] in ("bool", bool) else v for k, v in options.items()}


def blocks_of(spec: CellSpec) -> tuple[Memory, ...]:
    """The memory blocks of a cell, bottom first.

    >>> from experiments.results.spec import Settings
    >>> from experiments.train.cell import cell
    >>> len(blocks_of(cell("RepeatFirstEasy", "gru", Settings())))
    1
    """
    memory = memory_of(spec.memory, spec.settings.network)
    return tuple(memory.clone() for _ in range(spec.settings.network.num_layers))


def backbone_of(spec: CellSpec) -> Backbone:
    """The part of the network that every regime trains.

    >>> from experiments.results.spec import Settings
    >>> from experiments.train.cell import cell
    >>> settings = Settings(network=NetworkConfig(features=16, num_layers=2))
    >>> backbone_of(cell("RepeatFirstEasy", "gru", settings)).state_size()
    32
    """
    size, blocks = spec.settings.network, blocks_of(spec)
    if size.style == "cells":
        raise UserError("a network of cells is for agents trained with PPO")
    if size.style == "residual":
        return Backbone(blocks, feed_forward=size.feed_forward)
    if size.feed_forward:
        raise UserError(f"the network of {size.style} has no feed-forward block")
    if size.style == "paper":
        return paper_backbone(blocks, dense=size.head_features)
    if spec.memory == "s5":  # published as a residual stack of layers of one block each
        blocks = tuple(block.clone(blocks=1) for block in blocks)
    return PopjaxrlBackbone(blocks, dense=size.head_features, residual=spec.memory == "s5")


def equivariant_backbone(spec: CellSpec) -> EquivariantBackbone:
    """The blocks at every cell; a UserError unless each action is a cell and can be read.

    >>> from experiments.results.spec import Settings
    >>> from experiments.train.cell import cell
    >>> settings = Settings(network=NetworkConfig(features=8, style="cells"))
    >>> equivariant_backbone(cell("ConcentrationEasy", "gru", settings)).cells
    52
    """
    env, size = make(spec.env), spec.settings.network
    for name in ("feed_forward", "separate_critic", "squash"):
        if getattr(size, name):
            raise UserError(f"a network of cells has no {name.replace('_', ' ')}")
    inputs, action, seen = spec.settings.ppo.inputs, env.action_space, env.observation_space
    if not isinstance(action, Discrete) or (action.shape and not size.joint):
        raise UserError("a network of cells needs one integer as action, or several with --joint")
    wanted = "obs+joint" if action.shape else "obs+action"
    if inputs != wanted:
        raise UserError(f"a network of cells reads which was acted upon last: --inputs {wanted}")
    cells = action.num_values
    by_cell = isinstance(seen, Discrete) and seen.shape == (cells,) and len(set(seen.sizes)) == 1
    own = seen.flat_size // cells if by_cell else 0
    rows = action.sizes[0] if action.shape == (2,) else 0
    return EquivariantBackbone(blocks_of(spec), cells, own, rows)


def build(spec: CellSpec) -> tuple[Any, ActorCritic | EquivariantActorCritic]:
    """The environment and the agent of a cell.

    >>> from experiments.results.spec import Settings
    >>> from experiments.train.cell import cell
    >>> env, network = build(cell("RepeatFirstEasy", "gru", Settings()))
    >>> env.name, network.num_actions
    ('RepeatFirst', 4)
    """
    env = make(spec.env)
    size = spec.settings.network
    if size.joint and not getattr(env.action_space, "shape", ()):
        raise UserError(f"joint is for actions of several integers: one of {spec.env} is not")
    if size.style == "cells":
        return env, EquivariantActorCritic(
            equivariant_backbone(spec), head_features=size.head_features
        )
    free = size.style == "popjaxrl" and isinstance(env.action_space, Box)
    network = actor_critic(
        env.action_space,
        backbone_of(spec),
        head_features=size.head_features,
        critic=backbone_of(spec) if size.separate_critic else None,
        joint=size.joint,
        head_init=HEAD_INITS.get(size.style, HeadInit()),
        squash=size.squash,
        free=env.action_space.flat_size if free else 0,
    )
    return env, network
