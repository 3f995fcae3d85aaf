"""The command `python -m popjax.floors`."""

from popjax.floors.table import main

main()
