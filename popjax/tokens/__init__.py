"""Episodes as token streams.

target_of: what a language model of an environment predicts at each step.
"""

from popjax.tokens.bins import Bins, Levels
from popjax.tokens.targets import Target, target_of

__all__ = ["Bins", "Levels", "Target", "target_of"]
