"""Who knows the right action: a player that labels histories, its own or another's."""

from __future__ import annotations

from agents.choices import sizes_of
from popjax.core import Environment
from popjax.players import Player, make_player


def oracle_of(env: Environment, privileged: Player | None = None) -> Player:
    """The reference player, which knows no more than the history does.

    privileged: a player that sees the hidden state, if one is wanted: its actions reveal to a
    reader of its transcripts what the reader's own would not (Ortega et al. 2021, arXiv
    2110.10819).
    """
    sizes_of(env)
    player = privileged or make_player(env, "reference")
    if player.sees == "privileged" and privileged is None:
        raise ValueError(f"the reference player of {env.name} sees the hidden state")
    return player
