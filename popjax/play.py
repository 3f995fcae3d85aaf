"""Play in the terminal: `play` shows the scene, reads an action, and prints its reward."""

from __future__ import annotations

import functools
import inspect
import os
import re
import sys
from collections.abc import Callable
from typing import TextIO

import jax
import numpy as np

from popjax import render, scores
from popjax.core import Environment
from popjax.families import family_of
from popjax.keyboard import Keys, Words, keys_of, keystrokes, lines
from popjax.registry import ENVS, FAMILIES

OTHER_SCREEN, SCREEN_BEFORE, WIPE = "\x1b[?1049h", "\x1b[?1049l", "\x1b[2J\x1b[H"


def play(
    env: Environment,
    name: str,
    stream_in: TextIO = sys.stdin,
    stream_out: TextIO = sys.stdout,
    seed: int = 0,
    key_reader: Callable[[TextIO], Words] | None = None,
    reveal: bool = False,
) -> float:
    """One episode with a person at the keys; returns what he earned.

    name: its id, under which the best possible return is known.
    key_reader: what turns `stream_in` into words; single keystrokes where that is a terminal and
        one key is an action, else lines. The end of the input leaves the game, like the word q.
    reveal: show what is hidden.

    On a terminal each picture takes the place of the one before, and all are gone in the end: who
    could scroll back would need no memory.
    """
    keys = keys_of(env)
    words = (key_reader or _reader(stream_in, keys))(stream_in)
    terminal = stream_out.isatty()

    def say(*paragraphs: str) -> None:
        print(*paragraphs, sep="\n", file=stream_out, flush=True)

    key_reset, key_steps = jax.random.split(jax.random.key(seed))
    state, timestep = _reset(env, key_reset)
    total, steps, message, leaves = 0.0, 0, "", False
    if terminal:
        stream_out.write(OTHER_SCREEN)
    try:
        say(rules(env, name))
        if terminal:  # the picture will take the place of the rules
            say(f"keys: {keys.explanation}, q to leave", "press Enter to begin")
            leaves = next(words, "q").lower() == "q"
        while not leaves:
            if terminal:
                stream_out.write(WIPE)
            say(picture(env, state, timestep, reveal, colour=terminal), message)
            if timestep.last:
                break
            action = ask(keys, words, say)
            if action is None:
                break
            key = jax.random.fold_in(key_steps, steps)
            action = np.asarray(action, env.action_space.dtype)
            state, timestep = jax.device_get(_step(env, key, state, action))
            steps += 1
            total += float(timestep.reward)
            limit = f"step {steps} of at most {env.max_steps}"
            message = f"{limit}: reward {timestep.reward:+.4f}, return {total:+.4f}"
        if terminal and timestep.last:
            say("the end: press Enter")
            next(words, None)
    finally:
        words.close()
        if terminal:
            stream_out.write(SCREEN_BEFORE)
    left = "the end" if timestep.last else "you left"
    say(f"{left} after {_many(steps, 'step')}: return {total:.4f}", best_possible(name))
    return total


def ask(keys: Keys, words: Words, say: Callable[[str], None]):
    """The next action, or None to leave. A word that is no action gets one line."""
    say(f"{keys.explanation} (q to leave)")
    for word in words:
        if word.lower() == "q":
            return None
        if not word.strip():
            continue
        try:
            return keys.read(word)
        except ValueError as mistake:
            say(str(mistake))
    return None


def rules(env: Environment, name: str) -> str:
    """The rules as the environment's own docstring tells them, and those of the family that it
    refers to."""
    rules = _rules(env)
    for family in dict.fromkeys(re.findall(r"as\s+in\s+`?(\w+)", rules)):
        if family in FAMILIES:
            rules += f"\n\n{family}: {_rules(FAMILIES[family]['Easy'])}"
    return f"{name}\n\n{rules}\n"


def _rules(env: Environment) -> str:
    return (inspect.getdoc(type(env)) or "").partition("Differs from")[0].strip()


def best_possible(name: str) -> str:
    """One line on what the reference player earns.

    >>> best_possible("RepeatFirstEasy")
    'best possible: 1.000 (perfect memory)'
    """
    known = scores.scores(name).get("reference") if name in ENVS else None
    if not known:
        return f"the best possible return of {name} is not known"
    who = known["player"]
    if known["sees"] == "privileged":
        who += ", who sees what is hidden"
    if known["best"] == "optimal":
        return f"best possible: {known['mean']:.3f} ({who})"
    return f"best possible: not known; at least {known['mean']:.3f} on average ({who})"


def picture(env: Environment, state, timestep, reveal: bool, colour: bool) -> str:
    """The moment as text; the observation alone in a family without a scene."""
    if family_of(env).scene is None:
        return f"you see {np.asarray(timestep.obs).tolist()}"
    return render.ansi(render.draw(env, state, timestep, reveal), colour)


def _reader(stream: TextIO, keys: Keys) -> Callable[[TextIO], Words]:
    if keys.single and stream.isatty() and os.name == "posix":
        return keystrokes
    return lines


@functools.partial(jax.jit, static_argnames=("env",))
def _reset(env, key):
    return env.reset(key)


@functools.partial(jax.jit, static_argnames=("env",))
def _step(env, key, state, action):
    return env.step(key, state, action)


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
