"""The exact distribution of the next observation, and the entropy floors that follow, in nats.

No language model of a task can do better than this law, so its loss is reported as the excess over
the floor. One file per family.

make_law: the distribution of the next token, given the history; jittable.
surprise: nats of every token of played episodes under a law, the floor on these episodes.
floor, floor_table: the floors of all environments (`python -m popjax.floors`).
"""

from popjax.floors.base import Law, log_probs_along, surprise
from popjax.floors.laws import code_lengths, floor_of, has_law, make_law
from popjax.floors.table import Floor, floor, floor_table

__all__ = [
    "Floor",
    "Law",
    "code_lengths",
    "floor",
    "floor_of",
    "floor_table",
    "has_law",
    "log_probs_along",
    "make_law",
    "surprise",
]
