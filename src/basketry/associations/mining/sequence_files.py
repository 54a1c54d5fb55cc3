"""Sequences in the format of SPMF: one line a sequence, items by spaces, -1 after an element, -2 at the end."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import polars as pl

from basketry.associations.mining.sequence_database import SequenceDatabase
from basketry.core.errors import SourceEmpty, SourceFormat, SourceMissing
from basketry.kernels.sequence_rows import SequenceRows


def read_sequences(path: str | Path) -> SequenceDatabase:
    """Read `1 3 -1 2 -1 -2` a line; items are whole numbers from 0 up, a name twice in an element counts once.

    A number in brackets behind an item (`1[3]`, the utility of SPMF's other format) and all behind -2 is passed over; so are
    empty lines and those that begin with #, % or @. A `.gz` file is unpacked while it is read. Raises SourceMissing,
    SourceEmpty, or SourceFormat with the line at fault. Reads about a million items in a second.
    """
    file = Path(path)
    try:
        raw = file.read_bytes()
        raw = gzip.decompress(raw) if file.suffix == ".gz" else raw
    except FileNotFoundError as error:
        raise SourceMissing(f"{file} is not there", "name a file of sequences") from error
    except (OSError, EOFError, zlib.error) as error:
        raise SourceFormat(f"{file} cannot be read: {error}", "give a file, plain or packed by gzip") from error
    starts: list[int] = [0]
    sizes: list[int] = []
    items: list[int] = []
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip() or line[0] in "#%@":
            continue
        try:
            sequence = _sequence(line)
        except ValueError as error:
            raise SourceFormat(f"{file}, line {number}: {error}", "write sequences as: 1 3 -1 2 -1 -2") from error
        sizes += map(len, sequence)
        items += [item for element in sequence for item in element]
        starts.append(len(sizes))
    if len(starts) == 1:
        raise SourceEmpty(f"{file} holds no sequences", "write one a line, as: 1 3 -1 2 -1 -2")
    codes, coded = np.unique(np.array(items, dtype=np.int64), return_inverse=True)
    elements = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    rows = SequenceRows(np.array(starts, dtype=np.int64), elements, coded.astype(np.int32), len(codes))
    return SequenceDatabase(rows, pl.Series("item", codes))


def _sequence(line: str) -> list[list[int]]:
    """The elements of one line. Raises ValueError that says what is wrong with it."""
    body, end, _ = f" {line} ".partition(" -2 ")
    if not end:
        raise ValueError("the sequence does not end with -2")
    elements: list[list[int]] = []
    for part in f"{body} ".split(" -1 "):
        words = [word.partition("[")[0] for word in part.split()]
        if not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words):
            raise ValueError(f"{part.strip()[:40]!r} is not a list of item numbers")
        if words:
            elements.append(sorted({int(word) for word in words}))
    return elements
