"""Examples in docstrings become blocks of code, for the site's reference."""

from __future__ import annotations

import griffe


def fenced(text: str) -> str:
    """Each run of lines from `>>>` to the next empty one between fences.

    >>> print(fenced("Adds.\\n\\n>>> 1 + 1\\n2"))
    Adds.
    <BLANKLINE>
    ```python
    >>> 1 + 1
    2
    ```
    """
    lines, inside = [], False
    for line in [*text.splitlines(), ""]:
        if not inside and line.startswith(">>> "):
            lines.append("```python")
            inside = True
        if inside and not line.strip():
            lines.append("```")
            inside = False
        lines.append(line)
    return "\n".join(lines[:-1])


class Fences(griffe.Extension):
    """What mkdocstrings asks of every object that it reads."""

    def on_object(self, *, obj: griffe.Object, **kwargs) -> None:
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)
