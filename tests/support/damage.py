"""Damage as disks, editors and interrupted copies do it: to one file, in one way."""

from __future__ import annotations

import json
import random
from pathlib import Path


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def empty(data: bytes, rng: random.Random) -> bytes:
    return b""


def other_type(data: bytes, rng: random.Random) -> bytes:
    return rng.choice([b"[1, 2]", b"7", b'"words"', b"null", b"{}", b"[" * 100_000])


def other_encoding(data: bytes, rng: random.Random) -> bytes:
    return data.decode("latin-1").encode("utf-16")


def without_key(data: bytes, rng: random.Random) -> bytes:
    """One line of a record, or one member anywhere in it."""
    try:
        record = json.loads(data)
    except ValueError:
        return flip(data, rng)
    places = [record]
    for place in places:
        places += [inner for inner in place.values() if isinstance(inner, dict) and inner]
    place = rng.choice(places)
    del place[rng.choice(list(place))]
    return json.dumps(record).encode()


def gone(data: bytes, rng: random.Random) -> None:
    return None


DAMAGES = (cut, flip, empty, other_type, other_encoding, without_key, gone)


def damage(folder: Path, rng: random.Random) -> str:
    """Damages one file under a folder, drawn at random; says which and how."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]
    kinds = sorted({path.name for path in files})
    name = rng.choice(kinds)  # there are many parts of checkpoints, and few summaries
    path = rng.choice([path for path in files if path.name == name])
    how = rng.choice(DAMAGES)
    changed = how(path.read_bytes(), rng)
    path.unlink() if changed is None else path.write_bytes(changed)
    return f"{how.__name__} {path.relative_to(folder)}"
