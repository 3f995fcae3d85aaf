"""The `popjax` command."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from importlib.metadata import version
from typing import Annotated, Union

import tyro
from rich.console import Console

from experiments.bench_commands import BENCHES, Bench
from experiments.bridge_commands import BRIDGES, Bridge
from experiments.commands import Play, Report, Train
from experiments.complaints import one_line, options_in, plain
from experiments.errors import UserError
from experiments.explore_commands import Explore
from experiments.heap import keep_pages
from experiments.interrupt import Stopped
from experiments.lists import Envs, Memories
from experiments.programs import keep_compiled_programs
from experiments.published_commands import Published
from experiments.search_commands import Search
from experiments.sweep_commands import Sweep
from popjax.words import nearest

COMMANDS = {
    "envs": Envs,
    "memories": Memories,
    "play": Play,
    "train": Train,
    "sweep": Sweep,
    "search": Search,
    "report": Report,
    "published": Published,
    "bench": Bench,
    "bridge": Bridge,
    "explore": Explore,
}
GROUPS = {"bench": BENCHES, "bridge": BRIDGES}
ABOUT = """POPGym in pure JAX, and the memory models that play it.

Example: popjax sweep

Example: popjax train RepeatPreviousEasy --settings fast
"""


def parse(argv: list[str]):
    """The command that the words stand for; a UserError where they stand for none.

    A command with `defaults()` is read twice: what it says of itself decides what holds where the
    words are silent.
    """
    command = _read(argv, {})
    if hasattr(command, "defaults"):
        command = _read(argv, {"default": command.defaults()})
    return command


def _read(argv: list[str], default: dict[str, object]):
    kinds = tuple(
        Annotated[kind, tyro.conf.subcommand(name, **(default if name == argv[0] else {}))]
        for name, kind in COMMANDS.items()
    )
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            return tyro.cli(
                tyro.conf.OmitSubcommandPrefixes[Union[kinds]],  # noqa: UP007
                prog="popjax",
                description=ABOUT,
                args=argv,
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


def main(argv: list[str] | None = None) -> int:
    """Runs one command; 0 if all went well, 1 if a part of it is lost, 2 for a mistake of the
    caller's, 130 for Ctrl-C."""
    alone = argv is None  # a process of its own
    argv = sys.argv[1:] if alone else argv
    console = plain_console()
    if argv == ["--version"]:
        print(f"popjax {version('popjax')}, jax {version('jax')}")
        return 0
    try:
        if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
            raise UserError(nearest(argv[0], COMMANDS, "command"))
        group = GROUPS.get(argv[0], {}) if argv else {}
        if group and argv[1:] and argv[1] not in (*group, "-h", "--help"):
            raise UserError(nearest(argv[1], group, argv[0]))
        command = parse(argv or ["--help"])
        keep_pages()
        if not isinstance(command, Bench):  # which times compilation
            keep_compiled_programs(whole=alone)
        command.run(console)
    except UserError as error:
        print(f"popjax: {printable(str(error))}", file=sys.stderr)
        return error.code
    except Stopped:
        return 130
    except KeyboardInterrupt:
        print("popjax: stopped", file=sys.stderr)
        return 130
    return 0


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
