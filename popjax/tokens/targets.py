"""What a language model of a task predicts at each step: the token of the next time step.

A token has one component or several. Wherever `popjax.floors` has the exact law of the next
observation, the token is the law's own, in one component: so the cross-entropy less the floor is
an excess, in nats per token, over the best predictor there can be.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
from jaxtyping import Array, Float, Int

from popjax.bins import NUM_BINS
from popjax.core import Environment, State, TimeStep
from popjax.families import family_of
from popjax.players import Episodes
from popjax.spaces import Discrete
from popjax.tokens.observations import Whole, observation_of


@dataclass(frozen=True)
class Target:
    """The observation itself, as `popjax.tokens.observations` writes it. A token of several
    components needs a head for each that reads the ones before it."""

    env: Environment
    num_bins: int = NUM_BINS

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of each component of the token."""
        return self._written.sizes

    @property
    def needs_action(self) -> bool:
        """Whether observations depend on actions; not where cards are shown whatever is done."""
        return family_of(self.env).actions_matter

    def token(self, obs: Array, action: Array, timestep: TimeStep) -> Int[Array, " m"]:
        """`[len(sizes)]`, of the time step that answered the action taken at `obs`. Unbatched and
        jittable."""
        return self._written.encode(timestep.obs)

    def tokens(self, episodes: Episodes) -> Int[Array, "T N m"]:
        """The token of every step; those after the end of an episode mean nothing."""
        answer = TimeStep(
            episodes.next_obs, episodes.reward, episodes.terminated, episodes.truncated
        )
        return jax.vmap(jax.vmap(self.token))(episodes.obs, episodes.action, answer)

    def answer(self, state: State, action: Array, token: Int[Array, " m"]) -> tuple[State, Array]:
        """The observation that a token stands for, unbatched, and the state with what it says of
        hidden things where the rule needs that to show more; else the state is not read."""
        return state, self._written.decode(token, previous=action)

    def flatten(self, token: Int[Array, "... m"]) -> Float[Array, "... sizes"]:
        """One-hot codes of the components, side by side."""
        return Discrete(self.sizes).flatten(token)

    @property
    def _written(self) -> Whole:
        return observation_of(self.env, self.num_bins)


def target_of(env: Environment, num_bins: int = NUM_BINS) -> Target:
    """What a language model of the environment predicts.

    >>> import popjax
    >>> {family: target_of(levels["Easy"]).sizes for family, levels in popjax.FAMILIES.items()}
    {'Autoencode': (8,), 'Battleship': (2,), 'Concentration': (2,), 'CountRecall': (4,),
     'HigherLower': (13,), 'LabyrinthEscape': (5, 5, 5, 5, 5, 5, 5, 5, 5),
     'LabyrinthExplore': (5, 5, 5, 5, 5, 5, 5, 5, 5), 'MineSweeper': (6,),
     'MultiarmedBandit': (2,), 'NoisyPositionOnlyCartPole': (64, 64),
     'NoisyPositionOnlyPendulum': (64, 64), 'PositionOnlyCartPole': (64, 64),
     'PositionOnlyPendulum': (64,), 'RepeatFirst': (4,), 'RepeatPrevious': (4,),
     'VelocityOnlyCartPole': (64, 64)}
    """
    return family_of(env).target(env, num_bins)
