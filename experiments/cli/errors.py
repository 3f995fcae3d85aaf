"""Errors of tyro as one line in plain words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


def one_line(box: str) -> str:
    """The first paragraph of a framed error message, without the frame, which is ASCII where the
    terminal knows no Unicode.

    >>> one_line("╭─ Oh ─╮\\n│ No a, │\\n│ no b. │\\n│ ───── │\\n│ More. │\\n╰──────╯")
    'No a, no b.'
    >>> one_line(" Oh      \\n ------- \\n  No a,  \\n  no b.  \\n  -------\\n  More.  \\n")
    'No a, no b.'
    """
    lines = []
    for line in box.splitlines()[1:]:
        line = line.strip("│╭╰╯╮ ").strip()
        if set(line) <= {"─", "-"}:
            if lines:
                break
            continue
        lines.append(line)
    return re.sub(r"^Error parsing __tyro-dummy-inner__\S*: ", "", " ".join(lines))


def plain(line: str, options: Iterable[str] = ()) -> str:
    """The same line without Python's terms; for an unknown option, with the nearest known one.

    >>> plain("Unrecognized options: --memry, gru", ["--memory", "--seeds"])
    "no option is called '--memry': did you mean '--memory'?"
    >>> plain("Unrecognized options: --gamma, 0.9", ["--hyperparams"])
    "no option is called '--gamma': write --hyperparams gamma VALUE"
    >>> plain("Unrecognized options: extra")
    "'extra' is one word too many: options begin with --"
    >>> plain("Error parsing --seeds: invalid literal for int() with base 10: '1.5'")
    "--seeds takes a whole number, not '1.5'"
    """
    if found := re.match(r"Unrecognized (?:or misplaced )?options: ([^\s,]+)", line):
        word = found[1]
        if word.startswith("-"):
            return _no_option(word, list(options))
        return f"{word!r} is one word too many: options begin with --"
    if found := re.match(r"Error parsing (\S+): (.*)", line):
        option, why = found.groups()
        if why.startswith("takes "):  # of our own
            return f"{option.split('/')[-1]} {why}"
        for pattern, kind in KINDS.items():
            if value := re.search(pattern, why):
                return f"{option} takes {kind}, not {value[1]!r}"
        if "key-value pairs" in why:
            return f"{option} takes names and values alternately, such as: {option} NAME VALUE"
    return line


def _no_option(word: str, options: list[str]) -> str:
    from experiments.results.spec import DEFAULT_HYPERPARAMS  # which takes a second

    name = word.strip("-").replace("-", "_")
    if name in DEFAULT_HYPERPARAMS and "--hyperparams" in options:
        return f"no option is called {word!r}: write --hyperparams {name} VALUE"
    near = difflib.get_close_matches(word, options, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "--help after a command lists its options"
    return f"no option is called {word!r}: {hint}"


KINDS = {
    r"invalid literal for int\(\).*: '(.*)'": "a whole number",
    r"no type matching \{None\}\|INT .* \['(.*)'\]": "a whole number",
    r"could not convert string to float: '(.*)'": "a number",
    r"no type matching \{None\}\|FLOAT .* \['(.*)'\]": "a number",
}


def options_in(text: str) -> list[str]:
    """The options of a help text, in its order.

    >>> options_in("│ --as STR, --regime STR │ How; see --as. │")
    ['--as', '--regime']
    """
    return list(dict.fromkeys(re.findall(r"--[a-z][a-z-]*", text)))
