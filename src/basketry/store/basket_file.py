"""Baskets on the disk: one file that proves itself, written as rows arrive and mapped when read, however large.

The file is a safetensors file of four arrays in this order: `indptr` int64 [n + 1], `items` int32, `customers` int32 [n] and
`days` int32 [n], as `BasketMatrix` has them. Its header also holds the number of products and a sha256 of the numbers and the
arrays; header and arrays are a function of what was written, so a reader accepts the file only if it is, byte for byte, what
the writer would have written. One file is one rename: it is there whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

import numpy as np
import numpy.typing as npt

from basketry.core.errors import DataError, StorageError
from basketry.store import durable
from basketry.store.sealed import MALFORMED, Json, canonical

if TYPE_CHECKING:
    import dataframely as dy

    from basketry.core.tables import Baskets

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

_HEADER: Final = (
    1024  # bytes before the arrays, the header's own length among them; a multiple of 8, so that arrays are aligned
)
_CHUNK: Final = 1 << 22  # bytes read at a time while the file is put together and proved
_TYPES: Final = {"<i4": "I32", "<i8": "I64"}
_LARGEST: Final = 2**31 - 2  # baskets and products, as the kernels have it
_ORDER: Final = "sort the rows by `basket`, and baskets by customer, then time"


@dataclass(frozen=True, eq=False)
class BasketPart:
    """Some whole baskets in the order customer, time: basket i holds `items[indptr[i]:indptr[i + 1]]`, and indptr[0] is 0.

    `indptr` int64 [n + 1], `items` int32, `customers` and `days` int32 [n].
    """

    indptr: Int64s
    items: Int32s
    customers: Int32s
    days: Int32s

    def __len__(self) -> int:
        return len(self.customers)


@dataclass(frozen=True, eq=False)
class BasketFile:
    """Baskets of an open file: arrays mapped from the disk, read-only; pages are read when they are first touched.

    What has been touched stays resident, as the page cache does, until the system wants the memory or `forget` gives it back.
    """

    path: Path
    n_products: int
    indptr: Int64s
    items: Int32s
    customers: Int32s
    days: Int32s
    _mapped: mmap.mmap

    def __len__(self) -> int:
        return len(self.customers)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Prove the file (one read of all of it, in pieces of 4 MiB) and map it.

        Raises StorageError if it cannot be read, or differs anywhere from what was written.
        """
        with durable.guarded(path, "read"), path.open("rb") as stream:
            shape = _proved(path, stream)
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        arrays = {
            name: np.frombuffer(mapped, kind, count, _HEADER + at) if count else np.empty(0, kind)
            for name, kind, at, count in shape.places()
        }
        return cls(path, shape.n_products, **arrays, _mapped=mapped)

    def part(self, first: int, last: int) -> BasketPart:
        """Baskets [first, last): `indptr` a copy that starts at 0, the rest views of the file."""
        begin, end = int(self.indptr[first]), int(self.indptr[last])
        return BasketPart(
            self.indptr[first : last + 1] - begin, self.items[begin:end], self.customers[first:last], self.days[first:last]
        )

    def forget(self) -> None:
        """Let go of every resident page; a page touched again is read again."""
        self._mapped.madvise(mmap.MADV_DONTNEED)


def write_baskets(path: Path, parts: Iterable[BasketPart], n_products: int) -> int:
    """Write the baskets of `parts`, one after the other, durably and atomically into `path`; return how many.

    Memory: one part. Disk: twice the file while it is being written, for columns are collected apart and then joined.
    Raises DataError where customers go backwards or a product lies outside [0, n_products), StorageError if the disk refuses;
    `path` is then as it was.
    """
    if not 0 <= n_products <= _LARGEST:
        raise DataError(f"{n_products} products", f"a basket file takes 0 to {_LARGEST}")
    with durable.writing(path) as aside, ExitStack() as stack:
        columns = [stack.enter_context(tempfile.TemporaryFile(dir=path.parent)) for _ in range(4)]
        columns[0].write(np.zeros(1, np.int64).tobytes())
        n = n_items = 0
        customer = -1
        for part in parts:
            _check_part(part, customer, n_products)
            if not len(part):
                continue
            columns[0].write((part.indptr[1:] + n_items).astype("<i8").tobytes())
            for column, array in zip(columns[1:], (part.items, part.customers, part.days), strict=True):
                column.write(array.astype("<i4", copy=False).tobytes())
            n += len(part)
            n_items += int(part.indptr[-1])
            customer = int(part.customers[-1])
        _join(aside, columns, _Shape(n, n_items, n_products))
    return n


def write_frames(path: Path, frames: Iterable[dy.DataFrame[Baskets]], n_products: int) -> int:
    """The same for frames of the Baskets contract, wherever they were cut; rows must come in the order of their baskets.

    Raises DataError besides where baskets go backwards, or a basket has two customers or days.
    """
    return write_baskets(path, _parts(frames), n_products)


def _parts(frames: Iterable[dy.DataFrame[Baskets]]) -> Iterator[BasketPart]:
    """Each frame's whole baskets; the last basket of a frame waits for what the next one has of it."""
    held = [np.empty(0, np.int32)] * 4
    for frame in frames:
        read = (frame[name].to_physical().to_numpy() for name in ("basket", "product", "customer", "day"))
        rows = [np.concatenate([before, now]) for before, now in zip(held, read, strict=True)]
        cut = int(np.searchsorted(rows[0], rows[0][-1])) if len(rows[0]) else 0
        _check_rows(rows)
        yield _part([column[:cut] for column in rows])
        held = [column[cut:] for column in rows]
    yield _part(held)


def _check_rows(rows: list[Int32s]) -> None:
    basket, _, customer, day = rows
    same = basket[1:] == basket[:-1]
    if (basket[1:] < basket[:-1]).any() or ((customer[1:] != customer[:-1]) | (day[1:] != day[:-1]))[same].any():
        raise DataError("baskets do not come in the order of customer, time and order", _ORDER)


def _part(rows: list[Int32s]) -> BasketPart:
    basket, product, customer, day = rows
    starts = np.flatnonzero(np.diff(basket, prepend=-1) != 0)
    return BasketPart(np.append(starts, len(product)).astype(np.int64), product, customer[starts], day[starts])


def _check_part(part: BasketPart, customer: int, n_products: int) -> None:
    n = len(part)
    sizes = np.diff(part.indptr)
    if len(part.indptr) != n + 1 or len(part.days) != n or part.indptr[0] != 0 or part.indptr[-1] != len(part.items):
        raise DataError("a part's indptr, customers and days do not fit its items", "give whole baskets, indptr from 0")
    if n and (sizes.min() < 0 or part.customers[0] < customer or (np.diff(part.customers) < 0).any()):
        raise DataError("baskets do not come in the order of customer, time and order", _ORDER)
    if len(part.items) and not (part.items.min() >= 0 and part.items.max() < n_products):
        raise DataError(f"a product code lies outside [0, {n_products})", "code products and baskets from the same catalogue")


@dataclass(frozen=True)
class _Shape:
    """The three numbers that, with the checksum, give the whole header."""

    n: int
    n_items: int
    n_products: int

    def places(self) -> list[tuple[str, str, int, int]]:
        """Name, type, place after the header and length of each array."""
        columns = [("indptr", "<i8", self.n + 1), ("items", "<i4", self.n_items)]
        columns += [("customers", "<i4", self.n), ("days", "<i4", self.n)]
        places, at = [], 0
        for name, kind, count in columns:
            places.append((name, kind, at, count))
            at += count * int(kind[2])
        return places

    def length(self) -> int:
        """Length of the whole file."""
        _, kind, at, count = self.places()[-1]
        return _HEADER + at + count * int(kind[2])

    def digest(self) -> hashlib._Hash:
        """A sha256 that has taken in the numbers and waits for the arrays."""
        return hashlib.sha256(canonical(vars(self)))

    def header(self, sha256: str) -> bytes:
        """The first bytes of the file: the header's length, its JSON, and blanks up to the arrays."""
        entries: Mapping[str, Json] = {
            name: {"dtype": _TYPES[kind], "shape": [count], "data_offsets": [at, at + count * int(kind[2])]}
            for name, kind, at, count in self.places()
        }
        numbers = {name: str(value) for name, value in vars(self).items()}  # a safetensors header takes text here, no numbers
        text = canonical({"__metadata__": {**numbers, "sha256": sha256}, **entries})
        return (_HEADER - 8).to_bytes(8, "little") + text.ljust(_HEADER - 8)


def _join(aside: Path, columns: Sequence[IO[bytes]], shape: _Shape) -> None:
    """Put the columns behind one another, and before them the header, which is known last."""
    digest = shape.digest()
    with aside.open("wb") as whole:
        whole.write(bytes(_HEADER))
        for column in columns:
            column.seek(0)
            while chunk := column.read(_CHUNK):
                digest.update(chunk)
                whole.write(chunk)
        whole.seek(0)
        whole.write(shape.header(digest.hexdigest()))


def _proved(path: Path, stream: IO[bytes]) -> _Shape:
    """The shape of a file that is exactly what the writer would have written."""
    header = stream.read(_HEADER)
    try:
        known = json.loads(header[8:])["__metadata__"]
        shape = _Shape(*(int(known[name]) for name in ("n", "n_items", "n_products")))
        if min(vars(shape).values()) < 0 or os.fstat(stream.fileno()).st_size != shape.length():
            raise ValueError("its length is not that of its arrays")
        digest = shape.digest()
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
        if header != shape.header(digest.hexdigest()):
            raise ValueError("the content differs from its checksum")
    except MALFORMED as error:
        raise StorageError(f"{path} is not a basket file, or is damaged: {error}", "Write it again from the tables.") from error
    return shape
