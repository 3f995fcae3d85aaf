"""`python -m popjax.render OUT.png` draws a contact sheet of all families."""

from __future__ import annotations

import sys

from popjax.render.sheet import families_sheet


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not arguments[0].endswith(".png"):
        print("usage: python -m popjax.render OUT.png", file=sys.stderr)
        return 2
    families_sheet().quantize(256).save(arguments[0], optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
