"""The `popjax` command."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Union

import tyro
from rich.console import Console

from experiments.cli.errors import one_line, options_in, plain
from experiments.cli.shorthands import spelled_out
from experiments.results.errors import Stopped, UserError
from popjax.words import nearest

COMMANDS = {  # imported when needed: most need JAX, which takes seconds
    "envs": "list.Envs",
    "memories": "list.Memories",
    "play": "train.Play",
    "train": "train.Train",
    "sweep": "sweep.Sweep",
    "search": "search.Search",
    "report": "train.Report",
    "published": "published.Published",
    "bench": "bench.Bench",
    "bridge": "bridge.Bridge",
    "explore": "explore.Explore",
}
GROUPS = {"bench": "bench.BENCHES", "bridge": "bridge.BRIDGES"}
LONGEST_NAME = 255  # bytes in the name of a file
ABOUT = """POPGym in pure JAX, and the memory models that play it.

Example: popjax sweep

Example: popjax train RepeatPreviousEasy --settings fast
"""


def parse(argv: list[str]):
    """The command that the words stand for; a UserError where they stand for none.

    A command with `defaults()` is read twice: what it says of itself decides what holds where the
    words are silent.
    """
    argv = spelled_out(argv)
    command = _read(argv, {})
    if hasattr(command, "defaults"):
        command = _read(argv, {"default": command.defaults()})
    return command


def found(place: str) -> Any:
    """What stands at a place of this package, such as `list.Envs`.

    >>> found("list.Envs").__name__
    'Envs'
    """
    module, name = place.split(".")
    return getattr(importlib.import_module(f"experiments.cli.{module}"), name)


def described(place: str) -> type:
    """An empty command with the words of the one at that place, of which nothing is imported.

    >>> described("list.Envs").__doc__.splitlines()[0]
    'List the environments, or tell all of one: rules, spaces, scores, what learns it.'
    """
    module, name = place.split(".")
    tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text("utf-8"))
    (node,) = [node for node in tree.body if getattr(node, "name", None) == name]
    return dataclass(type(name, (), {"__doc__": ast.get_docstring(node)}))


def _read(argv: list[str], default: dict[str, object]):
    kinds = tuple(
        Annotated[found(place), tyro.conf.subcommand(name, **default)]
        if name == argv[0]
        else Annotated[described(place), tyro.conf.subcommand(name)]
        for name, place in COMMANDS.items()
    )
    registry = None
    if argv[0] in COMMANDS:
        from experiments.results.ranges import REGISTRY

        registry = REGISTRY
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            return tyro.cli(
                tyro.conf.OmitSubcommandPrefixes[Union[kinds]],  # noqa: UP007
                prog="popjax",
                description=ABOUT,
                args=argv,
                registry=registry,
            )
    except SystemExit as leave:
        if leave.code in (0, None):
            raise
    line = one_line(complaint.getvalue())
    raise UserError(plain(line, _options(argv) if line.startswith("Unrecognized") else ()))


def _options(argv: list[str]) -> list[str]:
    """Those of the command that the words begin with, from its help."""
    words = argv[: 2 if argv[0] in GROUPS else argv[0] in COMMANDS]
    text = io.StringIO()
    with redirect_stdout(text), suppress(SystemExit, UserError):
        _read([*words, "--help"], {})
    return options_in(text.getvalue())


def main(argv: list[str] | None = None, imported: Callable[[], Any] = lambda: None) -> int:
    """Runs one command. `imported` is called once all is imported, before the command begins.

    Returns 0 if all went well, 1 if a part of it is lost, 2 for a mistake of the caller's, 130 for
    Ctrl-C.
    """
    alone = argv is None  # a process of its own
    argv = sys.argv[1:] if alone else argv
    console = plain_console()
    if argv == ["--version"]:
        print(f"popjax {version('popjax')}, jax {version('jax')}")
        return 0
    try:
        if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
            raise UserError(nearest(argv[0], COMMANDS, "command"))
        if argv and argv[0] in GROUPS and argv[1:] and argv[1] not in ("-h", "--help"):
            group = found(GROUPS[argv[0]])
            if argv[1] not in group:
                raise UserError(nearest(argv[1], group, argv[0]))
        command = parse(argv or ["--help"])
        check_names(command)
        _prepare(argv[0], alone)
        imported()
        command.run(console)
    except UserError as error:
        print(f"popjax: {printable(str(error))}", file=sys.stderr)
        return error.code
    except OSError as error:  # of a file that a person named
        if error.filename is None:
            raise
        print(f"popjax: {printable(f'{error.filename}: {error.strerror}')}", file=sys.stderr)
        return 2
    except Stopped:
        return 130
    except KeyboardInterrupt:
        print("popjax: stopped", file=sys.stderr)
        return 130
    return 0


def check_names(command: Any) -> None:
    """A UserError if the command was given a name that no file can have."""
    for field in dataclasses.fields(command):
        value = getattr(command, field.name)
        if dataclasses.is_dataclass(value):
            check_names(value)
        for part in value.parts if isinstance(value, Path) else [value]:
            if isinstance(part, str) and len(part.encode()) > LONGEST_NAME:
                short = f"{part[:20]}...{part[-5:]}"
                raise UserError(
                    f"{field.name} takes names of at most {LONGEST_NAME} bytes, not {short!r}"
                )


def _prepare(name: str, alone: bool) -> None:
    """What holds for the whole process, before the command begins."""
    from experiments.train.compile import keep_compiled_programs
    from experiments.train.process import keep_pages

    keep_pages()
    if name != "bench":  # which times compilation
        keep_compiled_programs(whole=alone)


def plain_console() -> Console:
    """A console that prints text as it is: names of files are no markup."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names need not be UTF-8
    width = None if sys.stdout.isatty() else 170
    return Console(width=width, markup=False, emoji=False)


def printable(text: str) -> str:
    """One line: what is no character to be seen is written as Python writes it.

    >>> printable("results/a\\nb is damaged")
    'results/a\\\\nb is damaged'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


if __name__ == "__main__":
    sys.exit(main())
