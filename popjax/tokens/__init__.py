"""Episodes as tokens, one position a step.

target_of: what a language model of an environment predicts at each step.
corpus, stream: episodes to learn from, finite or without end; source: whether their player sees
    hidden things.
Vocabulary: a number and a word for all that is seen and done.
"""

from popjax.bins import Bins
from popjax.tokens.corpora import SOURCES, corpus, source, stream
from popjax.tokens.levels import Levels
from popjax.tokens.targets import Target, target_of
from popjax.tokens.vocabulary import Vocabulary

__all__ = [
    "SOURCES",
    "Bins",
    "Levels",
    "Target",
    "Vocabulary",
    "corpus",
    "source",
    "stream",
    "target_of",
]
