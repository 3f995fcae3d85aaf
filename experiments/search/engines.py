"""The engines of a search: each proposes a batch of points and receives their scores.

    propose(n) -> n places `[n, dimensions]` in the unit cube
    report(places, scores)    higher is better; -inf for a run that diverged

An engine's proposals depend on its seed and on what was reported, and on nothing else: a search
that was cut off reports again what it finds on the disk, and continues as it would have.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import scipy  # its parts load when they are used

from experiments.results.errors import UserError
from popjax.words import nearest


class Engine(Protocol):
    """What a search asks of an engine."""

    def propose(self, n: int) -> np.ndarray: ...

    def report(self, places: np.ndarray, scores: np.ndarray) -> None: ...


class SobolEngine:
    """Scrambled Sobol points (Owen 1998): evenly spread, whatever the scores.

    >>> engine = SobolEngine(2, seed=0)
    >>> places = engine.propose(4)
    >>> sorted((places * 4).astype(int)[:, 0].tolist())
    [0, 1, 2, 3]
    """

    def __init__(self, dimensions: int, seed: int):
        self._dimensions, self._seed, self._reported = dimensions, seed, 0

    def propose(self, n: int) -> np.ndarray:
        sequence = scipy.stats.qmc.Sobol(
            self._dimensions, scramble=True, rng=np.random.default_rng(self._seed)
        )
        power = (self._reported + n - 1).bit_length()  # whole powers of two keep the balance
        return sequence.random_base2(power)[self._reported : self._reported + n]

    def report(self, places: np.ndarray, scores: np.ndarray) -> None:
        self._reported += len(places)


class OptunaEngine:
    """Optuna's tree-structured Parzen estimator, proposing whole batches.

    What was reported goes to a new study at each batch: nothing is pending but the batch.
    """

    def __init__(self, dimensions: int, seed: int):
        try:
            import optuna
        except ImportError:
            raise UserError("the engine optuna needs: pip install 'popjax[optuna]'") from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._optuna, self._seed, self._reported = optuna, seed, []
        self._axes = {
            f"x{i}": optuna.distributions.FloatDistribution(0.0, 1.0) for i in range(dimensions)
        }

    def propose(self, n: int) -> np.ndarray:
        sampler = self._optuna.samplers.TPESampler(seed=self._seed + len(self._reported))
        study = self._optuna.create_study(direction="maximize", sampler=sampler)
        study.add_trials(self._reported)
        asked = [study.ask(self._axes).params for _ in range(n)]
        return np.array([[params[axis] for axis in self._axes] for params in asked])

    def report(self, places: np.ndarray, scores: np.ndarray) -> None:
        finite = scores[np.isfinite(scores)]
        worst = finite.min() if finite.size else 0.0
        for place, score in zip(places, scores, strict=True):
            params = dict(zip(self._axes, map(float, place), strict=True))
            value = float(score if np.isfinite(score) else worst)
            trial = self._optuna.trial.create_trial(
                params=params, distributions=self._axes, value=value
            )
            self._reported.append(trial)


ENGINES = {"sobol": SobolEngine, "optuna": OptunaEngine}


def engine_of(name: str, dimensions: int, seed: int) -> Engine:
    """The engine of that name; a UserError names the nearest one."""
    if name not in ENGINES:
        raise UserError(nearest(name, ENGINES, "engine"))
    return ENGINES[name](dimensions, seed)
