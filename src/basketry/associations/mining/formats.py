"""Files of baskets: FIMI and SPMF itemset files, tables with a row an item, and text with a line a basket.

FIMI (`.dat`): a line a basket, whole numbers parted by blanks; an empty line is an empty basket, which counts.
SPMF (`.txt`): likewise, but lines that begin with `#`, `%` or `@` and empty ones are no baskets; `@ITEM=3=milk` names item 3.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from basketry.associations.mining.coding import assembled, coded, rows_of
from basketry.associations.mining.lists import lists
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import RequestError, SourceEmpty, SourceEncoding, SourceFormat, SourceMissing
from basketry.kernels.trees import Int64s

MOST_DIGITS: Final = 18  # what an int64 holds for certain
BLANK, DIGIT, LINE, OTHER = range(4)
_META: Final = b"#%@"
_SHOWN: Final = 40

Bytes = npt.NDArray[np.uint8]


def _kinds() -> Bytes:
    kinds = np.full(256, OTHER, dtype=np.uint8)
    kinds[list(b" \t\r")] = BLANK
    kinds[list(b"0123456789")] = DIGIT
    kinds[10] = LINE
    return kinds


_KIND: Final = _kinds()


def contents(path: Path) -> bytes:
    """The bytes of a file, unpacked if they are gzip. Raises SourceMissing, SourceEmpty, or SourceFormat for damaged gzip."""
    try:
        data = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise SourceMissing(f"there is no file {path}", "check the path") from error
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise SourceFormat(f"{path.name} is damaged gzip: {error}", "fetch or pack the file again") from error
    if not data:
        raise SourceEmpty(f"{path.name} is empty", "give at least one basket")
    return data


def read_fimi(path: Path) -> Transactions:
    """The baskets of a FIMI file; items are whole numbers. Raises SourceFormat with line and content of what is none."""
    indptr, values = _numbers(contents(path), path.name)
    codes, names = coded(pl.Series("item", values))
    return assembled(rows_of(indptr), codes, len(indptr) - 1, names)


def read_spmf(path: Path) -> Transactions:
    """The baskets of an SPMF itemset file; items are whole numbers, or text where `@ITEM` lines name them all."""
    data = contents(path)
    plain, meta = _without_meta(data)
    indptr, values = _numbers(plain, path.name)
    sizes = np.diff(indptr)
    codes, numbers = coded(pl.Series("item", values))
    titles = _titles(meta, path.name)
    kept = sizes[sizes > 0]
    rows = np.repeat(np.arange(len(kept), dtype=np.int64), kept)
    if not titles:
        return assembled(rows, codes, len(kept), numbers)
    unnamed = [number for number in numbers.to_list() if number not in titles]
    if unnamed:
        raise SourceFormat(
            f"{path.name} names some items by @ITEM, but not {unnamed[0]}", "name every item, or remove the @ITEM lines"
        )
    order, named = coded(pl.Series("item", [titles[number] for number in numbers.to_list()], dtype=pl.String))
    return assembled(rows, order[codes], len(kept), named)


def read_lines(path: Path, separator: str = ",") -> Transactions:
    """The baskets of a text file with a line a basket, names parted by `separator`, quoted where a name holds one.

    Blanks around a name are no part of it; an empty field is no item; an empty line is an empty basket, which counts.
    """
    text = decoded(contents(path), path.name)
    if '"' in text:
        try:
            lists = pl.Series(list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)))
        except csv.Error as error:
            raise SourceFormat(f"{path.name} is not text with a line a basket: {error}", "check its quotes") from error
    else:
        lists = pl.Series(text.removesuffix("\n").split("\n")).str.split(separator)
    lists = lists.cast(pl.List(pl.String))
    sizes = lists.list.len().to_numpy().astype(np.int64)
    names = lists.explode(empty_as_null=False).str.strip_chars()
    there = (names != "").to_numpy()
    rows = np.repeat(np.arange(len(sizes), dtype=np.int64), sizes)[there]
    codes, known = coded(names.filter(pl.Series(there)).alias("item"))
    return assembled(rows, codes, len(sizes), known)


def fimi(transactions: Transactions) -> bytes:
    """The baskets as a FIMI file. Raises RequestError unless items are whole numbers from 0."""
    names = transactions.names
    if len(names) and (not names.dtype.is_integer() or names.min() < 0):  # type: ignore[operator] # an integer column
        raise RequestError(
            f"a FIMI file holds whole numbers only, but items are called such as {names.head(3).to_list()}",
            "write CSV, JSON or Parquet instead",
        )
    baskets = transactions.baskets
    lines = lists(names.cast(pl.String), baskets.items, baskets.indptr).list.join(" ")
    return ("\n".join(lines.to_list()) + "\n").encode() if len(lines) else b""


def decoded(data: bytes, name: str) -> str:
    """UTF-8 text, a mark at its start removed. Raises SourceEncoding with the line of the first byte that is none."""
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceEncoding(f"{name}, line {line}: byte {data[error.start]:#04x} is not UTF-8", "save it as UTF-8") from error


def _numbers(data: bytes, name: str) -> tuple[Int64s, Int64s]:
    """Lines of whole numbers as compressed rows: offsets [lines + 1] and values. A last line needs no line end."""
    raw = np.frombuffer(data if data.endswith(b"\n") else data + b"\n", dtype=np.uint8)
    kinds = _KIND[raw]
    if (kinds == OTHER).any():
        _refuse(data, int(np.argmax(kinds == OTHER)), name)
    digits = np.zeros(len(raw) + 1, dtype=np.int8)
    np.equal(kinds, DIGIT, out=digits[:-1].view(np.bool_))
    edges = np.diff(digits, prepend=np.int8(0))
    starts = np.flatnonzero(edges == 1)
    lengths = np.flatnonzero(edges == -1) - starts
    longest = int(lengths.max(initial=0))
    if longest > MOST_DIGITS:
        _refuse(data, int(starts[np.argmax(lengths)]), name)
    values = np.zeros(len(starts), dtype=np.int64)
    padded = np.concatenate([raw, np.zeros(longest, dtype=np.uint8)])
    for place in range(longest):
        grown = values * 10 + (padded[starts + place] - np.uint8(48))
        values = np.where(lengths > place, grown, values)
    indptr = np.zeros(1 + int((kinds == LINE).sum()), dtype=np.int64)
    indptr[1:] = np.searchsorted(starts, np.flatnonzero(kinds == LINE))
    return indptr, values


def _refuse(data: bytes, place: int, name: str) -> None:
    """Raise SourceFormat for the byte at `place`, with its line."""
    line = data.count(b"\n", 0, place) + 1
    start = data.rfind(b"\n", 0, place) + 1
    told = data[start : start + _SHOWN].split(b"\n")[0].decode(errors="replace")
    match data[place : place + 1]:
        case b":":
            hint = "this is an SPMF file with utilities, not one of itemsets only: keep what stands before the first colon"
        case b"-":
            hint = "this looks like an SPMF sequence file, with -1 and -2: basketry sequences reads those"
        case b",":
            hint = "names parted by commas are read from a file that ends in .csv"
        case _:
            hint = f"items are whole numbers of at most {MOST_DIGITS} digits, parted by blanks"
    raise SourceFormat(f"{name}, line {line}: {told!r} is not a line of item numbers", hint)


def _without_meta(data: bytes) -> tuple[bytes, list[bytes]]:
    """The same bytes with SPMF's comment and metadata lines blanked out, and these lines."""
    raw = np.frombuffer(data, dtype=np.uint8)
    starts = np.concatenate([[0], np.flatnonzero(raw == 10) + 1])
    starts = starts[starts < len(raw)]
    marked = starts[np.isin(raw[starts], np.frombuffer(_META, dtype=np.uint8))]
    if not len(marked):
        return data, []
    blank, meta = bytearray(data), []
    for start in marked.tolist():
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        meta.append(data[start:end])
        blank[start:end] = b" " * (end - start)
    return bytes(blank), meta


def _titles(meta: list[bytes], name: str) -> dict[int, str]:
    """Names given by `@ITEM=3=milk` lines."""
    titles = {}
    for line in meta:
        if line.startswith(b"@ITEM="):
            number, _, title = decoded(line, name).strip().removeprefix("@ITEM=").partition("=")
            if not number.removeprefix("-").isdigit() or not title:
                told = line[:_SHOWN].decode(errors="replace")
                raise SourceFormat(f"{name}: {told!r} names no item", "write @ITEM=3=milk")
            titles[int(number)] = title
    return titles
