"""The pairs that ship with the package: the weights of small trained networks, one file a pair.

`popjax explore --record` writes them; `shipped_pair` reads them back, so that they play, are probed
or are compared in a notebook without any training.
"""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from experiments.explorer import page
from experiments.explorer.models import pair as cells_of
from experiments.explorer.pairs import Pair, TrainedModel
from experiments.results.errors import UserError
from experiments.results.files import DamagedError, write_atomically
from experiments.results.spec import CellSpec
from experiments.train.objectives import REGIMES
from popjax.words import nearest

COSTUMES = ("agent", "language_model")
FOLDER = page.FOLDER / "data" / "networks"


def keep(env_id: str, pair: Pair, folder: Path = FOLDER) -> Path:
    """Writes the weights of a pair, and the facts of its training, as `<folder>/<env_id>.npz`."""
    costumes = {name: getattr(pair, name) for name in COSTUMES}
    facts = {name: costume.facts | {"inputs": costume.inputs} for name, costume in costumes.items()}
    arrays = {
        f"{name}/{path}": np.asarray(leaf)
        for name, costume in costumes.items()
        for path, leaf in traverse_util.flatten_dict(costume.params, sep="/").items()
    }
    file = BytesIO()
    np.savez_compressed(file, facts=np.array(json.dumps(facts)), **arrays)
    path = folder / f"{env_id}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, file.getvalue())
    return path


def with_networks(folder: Path = FOLDER) -> list[str]:
    """The environments whose pair ships.

    >>> with_networks()[:2]
    ['AutoencodeEasy', 'BattleshipEasy']
    """
    return sorted(path.stem for path in folder.glob("*.npz"))


def shipped_pair(env_id: str, folder: Path = FOLDER) -> Pair:
    """The agent and the language model that ship for an environment.

    >>> pair = shipped_pair("RepeatPreviousEasy")
    >>> pair.agent.facts["memory"], pair.agent.facts["features"], pair.agent.facts["return"] > 0.9
    ('gru', 48, True)
    """
    if env_id not in with_networks(folder):
        raise UserError(nearest(env_id, with_networks(folder), "environment with shipped networks"))
    path = folder / f"{env_id}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: jnp.asarray(file[name]) for name in file.files if name != "facts"}
            facts = json.loads(str(file["facts"]))
    except Exception as error:  # a torn archive raises what its first wrong byte stands for
        raise DamagedError(path, type(error).__name__, "install popjax again") from None
    specs = dict(zip(COSTUMES, cells_of(env_id.removesuffix("Easy")), strict=True))
    return Pair(**{name: _costume(specs[name], name, facts[name], arrays) for name in COSTUMES})


def _costume(
    spec: CellSpec, name: str, facts: dict[str, Any], arrays: dict[str, Any]
) -> TrainedModel:
    trainer = REGIMES[spec.regime].trainer(spec)
    own = {k.removeprefix(f"{name}/"): v for k, v in arrays.items() if k.startswith(f"{name}/")}
    inputs = facts.pop("inputs")
    params = traverse_util.unflatten_dict(own, sep="/")
    return TrainedModel(trainer.env, trainer.network, params, inputs, facts)
