"""Poles and pendulums as tokens."""

from __future__ import annotations

import numpy as np

from popjax.bins import Bins
from popjax.tokens.levels import levels_of
from popjax.tokens.observations import Whole
from popjax.tokens.words import Words


class PoleWords(Words):
    """A pole on a cart."""

    def observation(self, component, value):
        rates = self.env.shows() == "velocities"
        names = ("velocity", "turning") if rates else ("place", "angle")
        return f"{names[component]} bin {value}"

    def action(self, value):
        return ("push left", "push right")[value]


class PendulumWords(Words):
    """A pendulum, and the torque on it."""

    def observation(self, component, value):
        names = ("angle",) if self.env.shows() == "angle" else ("cosine", "sine")
        return f"{names[component]} bin {value}"

    def action(self, value):
        space = self.env.action_space
        levels = np.linspace(*space.low, *space.high, levels_of(self.env).num_values)
        return f"torque {levels[value]:g}"


class Binned(Whole):
    """The bin of each component, and back to its middle."""

    @property
    def sizes(self):
        return (self.num_bins,) * self._bins.num_components

    def encode(self, obs, first=False):
        return self._bins.index(obs, first)

    def decode(self, token, first=False, previous=0):
        return self._bins.centre(token, first)

    @property
    def _bins(self) -> Bins:
        return Bins(self.env, self.num_bins)
