"""Which seeds are for what: they never meet."""

REPORTING_SEEDS = range(0, 1000)  # 0, 1, 2, ...: what is published is trained with these
TUNING_SEEDS = range(1000, 2000)  # a search compares settings on these
FRESH_SEEDS = range(2000, 3000)  # and its winner is tried on these
