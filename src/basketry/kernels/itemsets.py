"""Itemsets that stand in enough baskets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from basketry.core.errors import RequestError
from basketry.kernels._kernels import ffi, lib
from basketry.kernels.condense import condensed, only_generators
from basketry.kernels.threads import in_threads
from basketry.kernels.trees import KINDS, Int32s, Int64s, ItemsetTree, Kind

Floats = npt.NDArray[np.float64]
ISAS: Final = ("best", "plain", "avx2", "avx512")

MOST: Final = 2**31 - 2**17  # itemsets that a tree can hold
_LARGEST: Final = 2**31 - 2
_PAIRS: Final = 4  # after the kinds of itemsets
_TOO_MANY: Final = 2
_NO_MEMORY: Final = 9
_FEW: Final = 8  # item occurrences to an itemset from which all itemsets are few
_REFUSALS: Final = {
    1: "indptr must start at 0, never fall and end at len(items); it breaks at basket {where}",
    2: "basket {where} holds an item outside [0, n_items)",
    3: "basket {where} holds an item twice; keep each item of a basket once",
}


@dataclass(frozen=True, eq=False)
class Limits:
    """What an itemset of the answer has to satisfy besides its support; pushed into the search.

    `max_length` 0 is no limit. `floors` int32 [n_items]: each item's own least count, an itemset's being the least of its
    items' (in place of `min_count`). `weights` float64 [n_items], not negative: their sum over an itemset may not pass
    `budget`. `relatives` compressed rows (int64 [n_items + 1], int32), ascending: item i stands in no itemset with one of its
    relatives; the relation must be symmetric. All of these go with kind
    "all". More than `max_itemsets` itemsets of any kind are an error.
    """

    max_length: int = 0
    floors: Int32s | None = None
    weights: Floats | None = None
    budget: float = 0.0
    relatives: tuple[Int64s, Int32s] | None = None
    max_itemsets: int = MOST

    @property
    def free(self) -> bool:
        """Whether nothing but the number of itemsets is limited."""
        return not self.max_length and self.floors is None and self.weights is None and self.relatives is None


def mine_itemsets(
    indptr: Int64s,
    items: Int32s,
    n_items: int,
    *,
    min_count: int,
    kind: Kind = "all",
    limits: Limits = Limits(),
    threads: int = 1,
    isa: str = "best",
) -> ItemsetTree:
    """Every itemset of `kind` that stands in at least `min_count` baskets, with the number of those.

    Basket i holds `items[indptr[i]:indptr[i + 1]]`, codes in [0, n_items), each at most once, in any order (a repeat of
    an item that is too rare to matter goes unnoticed). An itemset X is
    closed where no further item stands in all of X's baskets; maximal where X with any further item is too rare; a generator
    where every proper subset, the empty one too, stands in more baskets. The empty itemset is never counted.

    Depth first over lists, then over bits (see itemsets.c). The answer, and the order of its nodes, are the same for any number
    of threads and every `isa` (one of `ISAS`: the best that this processor has, or less, for tests). Memory: 6 to 8 bytes an
    item occurrence, 12 bytes an itemset (24 with several threads), and scratch of some MiB a thread. An interrupt takes effect
    within some tenths of a second. Limits: 2**31 - 2 baskets and items, 2**32 - 2**20 occurrences.
    Raises ValueError for arrays that break any of this; RequestError where there are more than `limits.max_itemsets`, with
    a support that gives fewer.
    Sources: Zaki 2000 (depth-first search over vertical bits), Uno, Kiyomi and Arimura 2004 (occurrence delivery), Lucchese,
    Orlando and Perego 2006 (closedness by witnesses), Liu, Hsu and Ma 1999 (`floors`).
    """
    request = _request(indptr, items, n_items, min_count, kind, limits, threads, isa)
    found = _of_kind(request, kind)
    if found is None:
        raise _too_many(request)
    return found


def mine_few_itemsets(
    indptr: Int64s, items: Int32s, n_items: int, *, min_count: int, most: int, threads: int = 1
) -> ItemsetTree | None:
    """All frequent itemsets as `mine_itemsets` gives them, or None as soon as there are more than `most`."""
    return _of_kind(_request(indptr, items, n_items, min_count, "all", Limits(max_itemsets=most), threads, "best"), "all")


def mine_pairs(
    indptr: Int64s, items: Int32s, n_items: int, *, min_count: int, threads: int = 1, isa: str = "best"
) -> tuple[Int32s, Int32s, Int32s]:
    """Every pair of items in at least `min_count` baskets: the lesser code, the greater, and the count, int32 [m] each.

    The same walk as of all itemsets, without a tree; arguments, order and errors are those of `mine_itemsets`. Raises
    RequestError where there are more than 2**31 - 2**17 pairs.
    """
    request = _request(indptr, items, n_items, min_count, "all", Limits(), threads, isa)
    request.struct.kind = _PAIRS
    found = _mined(request)
    if found is None:
        raise RequestError(f"more than {MOST:,} pairs stand in at least {min_count} baskets", "raise the floor on baskets")
    return found.parent, found.item, found.support


def _of_kind(request: _Request, kind: Kind) -> ItemsetTree | None:
    """The itemsets of a kind, or None where there are more than `max_itemsets`."""
    if kind in ("closed", "maximal") and (found := _sparsely(request, kind)) is not None:
        return found
    tree = _mined(request)
    return only_generators(tree) if kind == "generators" and tree is not None else tree


def _sparsely(request: _Request, kind: Kind) -> ItemsetTree | None:
    """Closed or maximal itemsets chosen from among all, where those are few (as in most baskets of shops); else None.

    Then looking for witnesses costs more than finding all: on the retail baskets twice as much.
    """
    wishes = request.struct
    asked, most = wishes.kind, wishes.max_itemsets
    wishes.kind, wishes.max_itemsets = KINDS.index("all"), max(wishes.nnz // _FEW, 1)
    everything = _mined(request)
    wishes.kind, wishes.max_itemsets = asked, most
    found = condensed(everything, kind, wishes.n) if everything is not None else None
    return found if found is not None and len(found.parent) <= most else None


def _mined(request: _Request) -> ItemsetTree | None:
    """The tree, or None where there are more than `max_itemsets`."""
    with _opened(request.struct) as miner:
        in_threads(
            "itemsets",
            lambda number: lib.itemsets_mine(miner, number),
            request.struct.threads,
            stop=lambda: lib.itemsets_stop(miner),
            progress=lambda: _progress(miner),
        )
        state = lib.itemsets_state(miner)
        if state == _TOO_MANY:
            return None
        if state == _NO_MEMORY:
            raise MemoryError("no memory for the itemsets: raise min_support, or lower max_itemsets to hear of it earlier")
        return _taken(miner)


def _too_many(request: _Request) -> RequestError:
    """What to say, with the least doubling of the support that is few enough."""
    wishes = request.struct
    asked = f"more than {wishes.max_itemsets:,} itemsets stand in at least {wishes.min_count} baskets"
    if wishes.floors == ffi.NULL:
        while wishes.min_count <= wishes.n // 2:
            wishes.min_count *= 2
            fewer = _mined(request)
            if fewer is not None:
                hint = f"min_support={wishes.min_count} gives {len(fewer):,}; or mine closed ones, or raise max_itemsets"
                return RequestError(asked, hint)
    return RequestError(asked, "raise min_support, mine closed or maximal itemsets, limit their length, or raise max_itemsets")


def _check(indptr: Int64s, items: Int32s, n_items: int, limits: Limits, kind: Kind) -> None:
    n = len(indptr) - 1
    expected: list[tuple[str, npt.NDArray[np.generic] | None, type[np.generic], int]] = [
        ("indptr", indptr, np.int64, n + 1),
        ("items", items, np.int32, len(items)),
        ("floors", limits.floors, np.int32, n_items),
        ("weights", limits.weights, np.float64, n_items),
    ]
    for name, array, dtype, length in expected:
        if array is None:
            continue
        if array.ndim != 1 or array.dtype != dtype or not array.flags.c_contiguous:
            raise ValueError(
                f"{name} must be a contiguous one-dimensional {np.dtype(dtype)} array, got {array.dtype}{array.shape}"
            )
        if len(array) != length:
            raise ValueError(f"{name} has {len(array)} entries, {length} are needed")
    if n < 0 or n > _LARGEST or not 0 <= n_items <= _LARGEST or len(items) > 2**32 - 2**20:
        raise ValueError(f"0 to {_LARGEST} baskets and items can be mined, got {n} and {n_items}")
    if limits.max_length < 0 or (limits.floors is not None and len(limits.floors) and limits.floors.min() < 1):
        raise ValueError("max_length starts at 0 and floors at 1")
    if kind != "all" and not limits.free:
        raise ValueError(f"limits go with kind 'all': which itemsets are {kind} depends on those that a limit leaves out")
    if limits.weights is not None and not (limits.weights >= 0).all():
        raise ValueError("weights are not negative")
    if limits.relatives is not None:
        _check_relatives(*limits.relatives, n_items)


def _check_relatives(start: Int64s, relatives: Int32s, n_items: int) -> None:
    if start.dtype != np.int64 or relatives.dtype != np.int32 or len(start) != n_items + 1:
        raise ValueError(f"relatives are compressed rows, int64 [{n_items + 1}] and int32")
    if start[0] != 0 or start[-1] != len(relatives) or (np.diff(start) < 0).any():
        raise ValueError("the rows of relatives must start at 0, never fall and end at their number")
    if len(relatives) and (relatives.min() < 0 or relatives.max() >= n_items):
        raise ValueError(f"relatives lie in [0, {n_items})")
    owner = np.repeat(np.arange(n_items, dtype=np.int64), np.diff(start))
    keys = owner * n_items + relatives
    if (np.diff(keys) <= 0).any() or not np.array_equal(keys, np.sort(relatives.astype(np.int64) * n_items + owner)):
        raise ValueError("relatives must ascend within a row, and be each other's")


@dataclass(frozen=True)
class _Request:
    """The C struct, and what keeps its arrays alive."""

    struct: Any
    owners: tuple[object, ...]


def _request(
    indptr: Int64s, items: Int32s, n_items: int, min_count: int, kind: Kind, limits: Limits, threads: int, isa: str
) -> _Request:
    _check(indptr, items, n_items, limits, kind)
    arrays = {
        "indptr": ffi.from_buffer("int64_t[]", indptr),
        "items": ffi.from_buffer("int32_t[]", items),
        "floors": ffi.NULL if limits.floors is None else ffi.from_buffer("int32_t[]", limits.floors),
        "weights": ffi.NULL if limits.weights is None else ffi.from_buffer("double[]", limits.weights),
        "relative_start": ffi.NULL if limits.relatives is None else ffi.from_buffer("int64_t[]", limits.relatives[0]),
        "relatives": ffi.NULL if limits.relatives is None else ffi.from_buffer("int32_t[]", limits.relatives[1]),
    }
    numbers = {
        "n": len(indptr) - 1,
        "n_items": n_items,
        "nnz": len(items),
        "budget": limits.budget,
        "max_length": limits.max_length,
        "min_count": min(max(min_count, 1), _LARGEST),
        "kind": KINDS.index(kind),
        "isa": ISAS.index(isa),
        "threads": threads,
        "max_itemsets": min(limits.max_itemsets, MOST),
    }
    return _Request(ffi.new("itemset_request *", {**arrays, **numbers}), tuple(arrays.values()))


@contextmanager
def _opened(request: Any) -> Iterator[Any]:
    refusal, where = ffi.new("int32_t *"), ffi.new("int64_t *")
    miner = lib.itemsets_open(request, refusal, where)
    if refusal[0] == _NO_MEMORY:
        raise MemoryError("no memory for the baskets")
    if refusal[0]:
        raise ValueError(_REFUSALS[refusal[0]].format(where=where[0]))
    try:
        yield miner
    finally:
        lib.itemsets_close(miner)


def _progress(miner: Any) -> tuple[int, int]:
    done, total, found = ffi.new("int64_t *"), ffi.new("int64_t *"), ffi.new("int64_t *")
    lib.itemsets_progress(miner, done, total, found)
    return min(done[0], total[0]), total[0]


def _taken(miner: Any) -> ItemsetTree:
    columns = [ffi.new("int32_t **") for _ in range(3)]
    n = lib.itemsets_take(miner, *columns)
    if n < 0:
        raise MemoryError("no memory for the itemsets")
    return ItemsetTree(*(_array(column[0], n) for column in columns))


def _array(column: Any, n: int) -> Int32s:
    """The column as an array that gives it back when nobody needs it any more."""
    if column == ffi.NULL:
        return np.empty(0, dtype=np.int32)
    owner = ffi.gc(column, lib.itemsets_free)
    return np.frombuffer(ffi.buffer(owner, max(n, 1) * 4), dtype=np.int32, count=n)
