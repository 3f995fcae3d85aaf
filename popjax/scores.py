"""Reference returns of every environment, where they come from, and the scale between them.

`scores.json` holds for each id, as far as known:

random: uniform play.
memoryless: the best known policy that sees only the current observation; in tasks that need the
    previous action (`needs_previous_action`) it sees that too.
memoryless_previous_action: in the other tasks, the best known policy that also sees its own last
    action.
reference: a scripted player, tagged by what it sees ("history" or "privileged", the hidden state)
    and by whether no policy of its kind can earn more ("optimal") or this is unknown ("bound").
paper_gru, paper_best: the GRU and the best of 13 models in the POPGym paper. Each is the maximum
    over training of a noisy mean, so it can lie slightly above what is attainable.
ppo_gru: the PPO-GRU agent whose data a later paper published.
published: the best of these and other published scores that we could read; `metric` says whether it
    is an MMER (a maximum over training), a final return (with sampled or greedy actions, which is
    not stated), or not stated, `digits` with how many digits it was printed.

Each is a mean return with its standard deviation over episodes (over trials for the paper's), if
known, and its source. `normalise` is the one scale on which tasks are compared.
`python -m popjax.scores --measure` plays the scripted ones again, and with `--store` stores the
scores of our own players.
"""

from __future__ import annotations

import argparse
import copy
import functools
import itertools
import math
from pathlib import Path
from typing import Any

import jax
import numpy as np

from popjax.entries import Entries, read_entries, write_entries
from popjax.families import family_of
from popjax.players import KINDS, make_player, play
from popjax.registry import ENVS, canonical

TABLE = Path(__file__).with_name("scores.json")
LEAST_GAIN = 0.1  # of the scale: where memory is worth less, there is no `memory_gain`
SOLVED = 0.9  # of the scale
SCALE = {"random", "memoryless", "reference"}


@functools.cache
def _table() -> Entries:
    return read_entries(TABLE)


def scores(env_id: str) -> dict[str, dict[str, Any]]:
    """What is known of an environment, kind by kind; nothing of one that was just added.

    >>> known = scores("CountRecallEasy")
    >>> known["reference"]["mean"], known["paper_best"]["model"]
    (1.0, 'LSTM')
    """
    return copy.deepcopy(_table().get(canonical(env_id), {}))


def normalise(env_id: str, value: Any) -> np.ndarray:
    """Returns on the one scale of all tasks: 0 is uniform play, 1 the reference player;
    not-a-number where these are not known.

    >>> normalise("RepeatPreviousEasy", [scores("RepeatPreviousEasy")["random"]["mean"], 1.0])
    array([0., 1.])
    """
    return _between(env_id, "random", value)


def memory_gain(env_id: str, value: Any) -> np.ndarray:
    """Returns on a second scale: 0 is the best policy without memory, 1 the reference player.

    Not-a-number in tasks where memory is worth at most `LEAST_GAIN` of what skill is worth, so
    that this scale would be noise, and where the players are not known.

    >>> memory_gain("RepeatPreviousEasy", 1.0), memory_gain("LabyrinthEscapeEasy", 0.9)
    (array(1.), array(nan))
    """
    known = scores(env_id)
    if known.keys() >= SCALE:
        memoryless = normalise(env_id, known["memoryless"]["mean"])
        if 1 - memoryless > LEAST_GAIN:
            return _between(env_id, "memoryless", value)
    return np.full_like(np.asarray(value, np.float64), np.nan)


def _between(env_id: str, zero: str, value: Any) -> np.ndarray:
    known, value = scores(env_id), np.asarray(value, np.float64)
    if not known.keys() >= {zero, "reference"}:
        return np.full_like(value, np.nan)
    low, high = known[zero]["mean"], known["reference"]["mean"]
    return np.asarray((value - low) / (high - low))


def solved(env_id: str, value: float) -> bool:
    """Whether a mean return lies at `SOLVED` of the scale or above.

    >>> solved("RepeatPreviousEasy", 0.9), solved("RepeatPreviousEasy", 0.8)
    (True, False)
    """
    return bool(normalise(env_id, value) >= SOLVED)


def standard_error(known: dict[str, Any]) -> float:
    """Of the mean of one entry; 0 if the figure is exact.

    >>> standard_error({"mean": 0.5, "std": 0.2, "episodes": 400})
    0.01
    """
    if known.get("std") is None or "episodes" not in known:
        return 0.0
    return known["std"] / math.sqrt(known["episodes"])


def measure(env_id: str, kind: str, num_episodes: int, seed: int = 0) -> dict[str, Any]:
    """Plays our player of that kind: an entry as in `scores`.

    >>> entry = measure("RepeatFirstEasy", "reference", 4)
    >>> entry["player"], entry["mean"], entry["std"]
    ('perfect memory', 1.0, 0.0)
    """
    env = ENVS[canonical(env_id)]
    player = make_player(env, kind)
    returns_of = jax.jit(lambda key: play(env, player, key, num_episodes).returns)
    returns = np.asarray(returns_of(jax.random.key(seed)), np.float64)
    tags = {"sees": player.sees, "best": player.best} if kind == "reference" else {}
    return {
        "mean": returns.mean().round(4).item(),
        "std": returns.std().round(4).item(),
        "episodes": num_episodes,
        "player": player.name,
        **tags,
        "source": "popjax.players",
    }


def store(env_id: str, kind: str, entry: dict[str, Any], path: Path | None = None) -> None:
    """Puts an entry into `scores.json` beside the sources, or into a copy of it at `path`.

    >>> import tempfile
    >>> copied = Path(tempfile.mkdtemp(), "scores.json")
    >>> store("RepeatFirstEasy", "random", {"mean": -0.5}, copied)
    >>> read_entries(copied)["RepeatFirstEasy"]["random"]
    {'mean': -0.5}
    """
    table = copy.deepcopy(_table())
    table.setdefault(canonical(env_id), {})[kind] = entry
    write_entries(path or TABLE, table)
    _table.cache_clear()


def main(arguments: list[str] | None = None) -> None:
    """The command `python -m popjax.scores`."""
    parser = argparse.ArgumentParser(prog="python -m popjax.scores", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--measure", nargs="*", metavar="ID", help="these environments, or all")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--episodes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", action="store_true", help="and keep them in scores.json")
    options = parser.parse_args(arguments)
    if options.measure is None or options.episodes < 1:
        parser.error("give --measure, and at least one episode")
    try:
        names = [canonical(name) for name in options.measure or ENVS]
    except ValueError as error:
        parser.error(str(error))
    line = "{:30} {:10} {:>9} {:>7}   {:>9} {:>7}   {}".format
    print(line("environment", "kind", "measured", "± s.e.", "stored", "± s.e.", "player"))
    for name, kind in itertools.product(names, options.kinds):
        if kind != "random" and family_of(ENVS[name]).players is None:
            print(line(name, kind, *4 * [""], "no player yet"))
            continue
        entry = measure(name, kind, options.episodes, options.seed)
        known = scores(name).get(kind, {"mean": math.nan})
        figures = (entry["mean"], standard_error(entry), known["mean"], standard_error(known))
        shown = (f"{figure:.4f}" for figure in figures)
        print(line(name, kind, *shown, entry["player"]), flush=True)
        if options.store:
            store(name, kind, entry)


if __name__ == "__main__":
    main()
