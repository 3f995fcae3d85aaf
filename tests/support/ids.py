"""Ids that stand for all kinds of spaces and ends."""

import popjax

IDS = [
    name
    for name in (
        "RepeatFirstEasy",  # one integer in and out; ends by itself
        "CountRecallEasy",  # several integers in
        "MineSweeperEasy",  # several integers out; ends both ways
        "ConcentrationEasy",  # a board in
        "PositionOnlyCartPoleEasy",  # reals in
        "VelocityOnlyCartPoleEasy",  # unbounded reals in
        "PositionOnlyPendulumHard",  # reals out; only the time limit ends it
        "LabyrinthEscapeEasy",
    )
    if name in popjax.ENVS
]
