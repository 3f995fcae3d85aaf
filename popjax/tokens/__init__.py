"""Episodes as token streams.

target_of: what a language model of an environment predicts at each step.
corpus, stream: episodes to learn from, finite or without end; source: whether their player sees
    hidden things.
pack: the step-aligned layout, several episodes back to back in a row.
Vocabulary, encode, decode: the flat stream, one token after the other.
"""

from popjax.bins import Bins
from popjax.tokens.corpora import SOURCES, corpus, source, stream
from popjax.tokens.flat import Decoded, decode, encode
from popjax.tokens.levels import Levels
from popjax.tokens.packing import Rows, pack, unpack
from popjax.tokens.targets import Target, target_of
from popjax.tokens.vocabulary import Vocabulary

__all__ = [
    "SOURCES",
    "Bins",
    "Decoded",
    "Levels",
    "Rows",
    "Target",
    "Vocabulary",
    "corpus",
    "decode",
    "encode",
    "pack",
    "source",
    "stream",
    "target_of",
    "unpack",
]
