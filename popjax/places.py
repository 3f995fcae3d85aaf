"""What a user's own file defines, by its place: `module:NAME`, such as `mymaze:TMaze`.

The file lies in the present folder, or wherever Python finds modules.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from popjax.words import nearest

ROOT = Path(__file__).parents[1]
OURS = ("popjax", "agents", "experiments")
PLACE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def is_place(name: str) -> bool:
    """Whether a name says where a thing is defined.

    >>> is_place("mymaze:TMaze"), is_place("RepeatFirstEasy")
    (True, False)
    """
    return ":" in name


def load_module(place: str) -> ModuleType:
    """The module of a place; a ValueError of one line if it is not there or cannot be imported."""
    if not PLACE.fullmatch(place):
        raise ValueError(f"{place!r} names nothing: write MODULE:NAME, such as mymaze:TMaze")
    module = place.partition(":")[0]
    try:
        with _current_folder_first():
            importlib.invalidate_caches()
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise ValueError(_no_module(module)) from None
        raise ValueError(f"{module} cannot be imported: {describe(error)}") from None
    except (Exception, SystemExit) as error:
        raise ValueError(f"{module} cannot be imported: {describe(error)}") from None


def find(place: str, fits: Callable[[Any], bool], kind: str) -> Any:
    """The thing at a place; a ValueError of one line if there is none or it does not fit.

    fits: whether a thing is of the right kind. kind: what that is called.

    >>> from popjax.core import Environment
    >>> find("popjax.core:Environmnt", lambda thing: thing is Environment, "environment")
    Traceback (most recent call last):
    ...
    ValueError: no environment of popjax.core is called 'Environmnt': did you mean 'Environment'?
    """
    module = load_module(place)
    name = place.partition(":")[2]
    if not hasattr(module, name):
        own = [key for key, thing in vars(module).items() if fits(thing)]
        if not own:
            raise ValueError(f"{_where(module)} has no {name!r}, and no {kind} at all")
        raise ValueError(nearest(name, own, f"{kind} of {module.__name__}"))
    thing = getattr(module, name)
    if not fits(thing):
        raise ValueError(f"{place} is not a {kind}, but {thing!r:.60}")
    return thing


def describe(error: BaseException) -> str:
    """An exception in one line, with the file and line that raised it.

    >>> describe(ValueError("too long\\nindeed"))
    'ValueError: too long'
    """
    first = (str(error).strip().splitlines() or [""])[0][:200]
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError):
        where = f" ({Path(error.filename or '?').name}, line {error.lineno})"
        first = error.msg
    else:
        own = [frame for frame in frames if _is_users(frame.filename)]
        where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {first}{where}"


def _is_users(file: str) -> bool:
    """Of a file that is neither ours, nor installed, nor Python's own."""
    folders = (*(ROOT / name for name in OURS), Path(os.__file__).parent)
    path = Path(file)
    others = {"site-packages", "dist-packages"} & set(path.parts)
    return not file.startswith("<") and not others and not any(map(path.is_relative_to, folders))


@contextmanager
def _current_folder_first() -> Iterator[None]:
    """The installed command does not look for modules in the present folder; Python does."""
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        yield
    finally:
        with suppress(ValueError):
            sys.path.remove(here)
        if here not in sys.path:
            sys.path.append(here)  # for what the module imports later


def _no_module(module: str) -> str:
    here = Path.cwd()
    files = [path.stem for path in sorted(here.glob("*.py"))]
    near = difflib.get_close_matches(module, files, n=1)
    hint = f": did you mean {near[0]!r}?" if near else ""
    return f"there is no module {module} in {here}, nor is one installed{hint}"


def _where(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return f"{module.__name__} ({file})" if file else module.__name__
