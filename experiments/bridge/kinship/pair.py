"""Any two runs, an agent and a language model with one backbone, as a cell of the table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax

from experiments.bridge.kinship.config import FAMILIES, FULL, REGISTERED, KinshipConfig
from experiments.bridge.kinship.measures import measured
from experiments.bridge.kinship.networks import Networks
from experiments.bridge.kinship.verdict import record, verdict
from experiments.results.errors import UserError
from experiments.results.store import Cell
from popjax import ENVS

LEAST_SEEDS = 2


def cell_of_pair(agent: Cell, model: Cell, histories: int = FULL.histories) -> dict[str, Any]:
    """The record of the cell that two runs make. Raises UserError where they make none."""
    config = replace(FULL, histories=histories)
    nets = networks_of(config, agent, model)
    table = measured(nets)
    found = verdict(agent.spec.env, agent.spec.memory, table)
    spec = {
        costume: {"seeds": list(cell.spec.seeds), "settings": cell.spec.resolved()["settings"]}
        for costume, cell in nets.cells.items()
    }
    return record(found, table, spec)


def networks_of(config: KinshipConfig, agent: Cell, model: Cell) -> Networks:
    """Of two runs, which must share all but head and objective."""
    for cell, regime in ((agent, "ppo"), (model, "lm")):
        if cell.spec.regime != regime:
            raise UserError("a cell of the kinship table is one run as ppo and one as lm")
    family = ENVS[agent.spec.env].name
    if family not in REGISTERED:
        raise UserError(f"the kinship table has {', '.join(FAMILIES)} so far, not {family}")
    if agent.spec.seeds != model.spec.seeds or len(agent.spec.seeds) < LEAST_SEEDS:
        raise UserError(f"a cell takes the same seeds in both runs, {LEAST_SEEDS} at least")
    if "cells" in (agent.spec.settings.network.style, model.spec.settings.network.style):
        raise UserError("a cell takes networks without --style cells")
    nets = Networks(config, {"agent": agent, "model": model})
    shapes = [
        jax.tree.map(lambda leaf: leaf.shape[1:], nets.backbones(kind))
        for kind in ("agent", "model")
    ]
    if shapes[0] != shapes[1]:
        raise UserError(
            "a cell takes two runs with the same backbone, inputs and width; give both --features, "
            "--inputs obs and --separate-critic alike"
        )
    return nets
