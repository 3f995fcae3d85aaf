"""The page with the toggle: one self-contained HTML file.

The built page is `web/built/page.html` (Lit and Observable Plot, bundled by Vite to one file;
sources in `web/`); the recorded episodes are `data/episodes.json`, and what trained pairs
forget `data/forgetting.json`, both written by `popjax explore --record`. `page` puts these into
the first.
"""

from __future__ import annotations

import base64
import functools
import gzip
import html
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from agents.objectives import OBJECTIVES, Objective
from experiments.bridge.reported import fill
from experiments.explorer.gears import gears, sentences
from experiments.results.files import read_json
from popjax import FAMILIES

FOLDER = Path(__file__).parent
BUILT, EPISODES, FORGETTING, FIGURES = (
    FOLDER / name
    for name in (
        "web/built/page.html",
        "data/episodes.json",
        "data/forgetting.json",
        "data/figures",
    )
)
PLACE = "{{popjax-data}}"


def page(
    episodes: Mapping[str, str] | None = None,
    study: Mapping[str, Any] | None = None,
    command: str = "popjax explore",
    forgotten: Mapping[str, Any] | None = None,
    only: Collection[str] = (),
) -> str:
    """The page as one string of HTML, which loads nothing from anywhere.

    episodes: packed recordings by id, in place of those that are shipped. study: a study's table,
        see `experiments.explorer.study`. command: what made the page, as it tells.
    forgotten: forgetting curves by id, in place of those that are shipped. only: the episodes of
        these ids and no others, for a page of half a megabyte; all if empty.

    >>> text = page()
    >>> text[:15], PLACE in text
    ('<!doctype html>', False)
    """
    replays = shipped() | dict(episodes or {})
    replays = {name: one for name, one in replays.items() if name in (only or replays)}
    shown = [name for name in FAMILIES if any(name + level in replays for level in FAMILIES[name])]
    data = {
        "version": version("popjax"),
        "command": command,
        "gears": [asdict(gear) for gear in gears()],
        "families": {family: sentences(family) for family in shown},
        "ladder": ladder(),
        "figures": figures(),
        "episodes": replays,
        "forgetting": shipped_forgetting() | dict(forgotten or {}),
        "study": study,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return BUILT.read_text(encoding="utf-8").replace(PLACE, text)


@dataclass(frozen=True)
class Embedded:
    """The page inside a notebook: the last value of a cell.

    >>> Embedded(page())._repr_html_()[:16]
    '<iframe srcdoc="'
    """

    text: str = field(repr=False)
    height: int = 900

    def _repr_html_(self) -> str:
        style = f"border: 0; width: 100%; height: {self.height}px"
        return f'<iframe srcdoc="{html.escape(self.text)}" style="{style}" title="popjax"></iframe>'


@functools.cache
def shipped() -> dict[str, str]:
    """The recordings that come with the package, packed, by id."""
    return read_json(EPISODES)


@functools.cache
def shipped_forgetting() -> dict[str, Any]:
    """What the shipped pairs forget, by id; see `experiments.explorer.forgetting`.

    >>> sorted(shipped_forgetting()["RepeatPreviousEasy"])[:3]
    ['agent', 'half_life', 'language_model']
    """
    return read_json(FORGETTING)


def pack(recorded: Mapping[str, Any]) -> str:
    """A recording as the page holds it: gzip in base64, the same bytes every time.

    >>> pack({"env": "RepeatFirstEasy"})[:8]
    'H4sIAAAA'
    """
    text = json.dumps(recorded, ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def unpack(packed: str) -> dict[str, Any]:
    """The recording again.

    >>> unpack(pack({"env": "RepeatFirstEasy"}))
    {'env': 'RepeatFirstEasy'}
    """
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def ladder() -> list[dict[str, str]]:
    """The rungs from a language model to an agent, by what each of the five factors is there.

    >>> [rung["rung"] for rung in ladder()][:4]
    ['R0', 'R1', "R1'", 'R-all']
    """
    rungs = {name: _factors(name, rung) for name, rung in OBJECTIVES.items()}
    rungs["next_obs"]["name"] = "lm"
    ordered = {}
    for name, rung in rungs.items():
        if name == "sum_to_end":
            ordered["ppo"] = {
                "name": "ppo",
                "rung": "R4",
                "about": "PPO on the environment's rewards, step by step",
                "target": "the most reward",
                "histories": "the learner's own",
                "feedback": "a reward for one's own action",
                "density": "every step",
                "designer": "the environment's reward",
            }
        ordered[name] = rung
    return list(ordered.values())


PLAYED = {
    "behaviour": "a fixed player's",
    "oracle": "the oracle's own",
    "policy": "the learner's own",
}
FEEDBACK = {
    "labels": "the label itself",
    "verdicts": "a verdict on one's own word",
    "sum": "the sum of all verdicts",
}


def _factors(name: str, rung: Objective) -> dict[str, str]:
    paid = not rung.labels and not rung.needs_label and rung.scored_head == "action"
    aims = {"token": "the next observation", "action": "the oracle's action"}
    words = rung.labels or (rung.scored_head,)
    feedback = FEEDBACK[rung.feedback]
    if paid:
        feedback = {"verdicts": "a reward for one's own action", "sum": "the sum of all rewards"}[
            rung.feedback
        ]
    return {
        "name": name,
        "rung": rung.rung,
        "about": rung.about,
        "target": "the most reward" if paid else " and ".join(aims[word] for word in words),
        "histories": PLAYED[rung.played_by],
        "feedback": feedback,
        "density": "once an episode" if rung.feedback == "sum" else "every step",
        "designer": "the environment's reward"
        if paid
        else " and ".join({"token": "the data", "action": "an oracle"}[word] for word in words),
    }


def figures() -> list[dict[str, str]]:
    """The figures of the experiments that `figures.json` names, with their pictures, their texts
    filled from what the experiments found.

    >>> figures()[0]["src"].split(";")[0]
    'data:image/webp'
    """
    found = []
    for record in read_json(FIGURES / "figures.json", list):
        path = FIGURES / record["file"]
        code = base64.b64encode(path.read_bytes()).decode()
        text = fill(record["text"], record["command"].split()[-1])
        found.append({**record, "text": text, "src": f"data:image/{path.suffix[1:]};base64,{code}"})
    return found
