"""The seed of what is drawn at random: another one each time, or that of `POPJAX_FUZZ`."""

import os
import random


def fuzz_seed() -> int:
    """Printed, so that a failure can be drawn again."""
    seed = int(os.environ.get("POPJAX_FUZZ", random.SystemRandom().randrange(10**6)))
    print(f"POPJAX_FUZZ={seed}")
    return seed
