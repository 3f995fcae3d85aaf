"""Reference returns of every environment, where they come from, and the scale between them.

`scores.json` holds for each id, as far as known:

random: uniform play.
memoryless: the best policy known that sees the present observation alone.
memoryless_previous_action: the best known that sees its own last action as well.
reference: a scripted player, tagged by what it sees ("history" or "privileged", the hidden state)
    and whether any policy of its kind could earn more ("optimal") or not known ("bound").
paper_gru, paper_best: the GRU and the best of 13 models in the POPGym paper. Each is the maximum
    over training of a noisy mean, so it can lie a little above what is attainable.
ppo_gru: the PPO-GRU agent whose data a later paper published.

Each is a mean return with its standard deviation over episodes (over trials for the paper's), if
known, and its source. `python -m popjax.scores --measure` plays the scripted ones again.
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
import math
from importlib import resources
from typing import Any

import jax
import numpy as np

from popjax.registry import ENVS, canonical


@functools.cache
def _table() -> dict[str, dict[str, dict[str, Any]]]:
    return json.loads(resources.files("popjax").joinpath("scores.json").read_text("utf-8"))


def scores(env_id: str) -> dict[str, dict[str, Any]]:
    """What is known of an environment, kind by kind.

    >>> known = scores("CountRecallEasy")
    >>> known["reference"]["mean"], known["paper_best"]["model"]
    (1.0, 'LSTM')
    """
    return copy.deepcopy(_table()[canonical(env_id)])


def normalise(env_id: str, value: Any) -> np.ndarray:
    """Returns on the scale where 0 is the best policy without memory (`memoryless`) and 1 the
    reference player. Where the former already earns as much as the latter
    (VelocityOnlyCartPoleEasy), 0 is uniform play.

    >>> normalise("RepeatPreviousEasy", [scores("RepeatPreviousEasy")["memoryless"]["mean"], 1.0])
    array([0., 1.])
    """
    known = _table()[canonical(env_id)]
    one = known["reference"]["mean"]
    zero = known["memoryless"]["mean"]
    if zero >= one:
        zero = known["random"]["mean"]
    return (np.asarray(value, np.float64) - zero) / (one - zero)


def standard_error(known: dict[str, Any]) -> float:
    """Of the mean of one entry; 0 if the figure is exact.

    >>> standard_error({"mean": 0.5, "std": 0.2, "episodes": 400})
    0.01
    """
    if known.get("std") is None or "episodes" not in known:
        return 0.0
    return known["std"] / math.sqrt(known["episodes"])


def measure(env_id: str, kind: str, num_episodes: int, seed: int = 0) -> tuple[str, float, float]:
    """Plays our player of that kind: its name, its mean return and the standard error of that.

    >>> measure("RepeatFirstEasy", "reference", 4)
    ('perfect memory', 1.0, 0.0)
    """
    from popjax.players import make_player, play

    env = ENVS[canonical(env_id)]
    player = make_player(env, kind)
    returns_of = jax.jit(lambda key: play(env, player, key, num_episodes).returns)
    returns = np.asarray(returns_of(jax.random.key(seed)), np.float64).round(6)
    return player.name, returns.mean().item(), returns.std().item() / math.sqrt(num_episodes)


def main(arguments: list[str] | None = None) -> None:
    """The command `python -m popjax.scores`."""
    from popjax.players import KINDS, PLAYERS

    parser = argparse.ArgumentParser(prog="python -m popjax.scores", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--measure", nargs="*", metavar="ID", help="these environments, or all")
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.measure is None or options.episodes < 1:
        parser.error("give --measure, and at least one episode")
    try:
        names = [canonical(name) for name in options.measure or ENVS]
    except ValueError as error:
        parser.error(str(error))
    line = "{:34} {:12} {:>9} {:>8}   {:>9} {:>8}   {}".format
    print(line("environment", "kind", "measured", "± s.e.", "stored", "± s.e.", "player"))
    for name in names:
        for kind in KINDS:
            if kind != "random" and ENVS[name].name not in PLAYERS:
                print(line(name, kind, *4 * [""], "no player yet"))
                continue
            player, mean, error = measure(name, kind, options.episodes, options.seed)
            known = scores(name)[kind]
            figures = (mean, error, known["mean"], standard_error(known))
            print(line(name, kind, *(f"{figure:.4f}" for figure in figures), player), flush=True)


if __name__ == "__main__":
    main()
