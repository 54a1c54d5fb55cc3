"""Itemsets that are worth enough: high-utility itemsets, and the k of highest utility."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import numpy.typing as npt

from basketry.core.errors import RequestError
from basketry.kernels._kernels import ffi, lib
from basketry.kernels.pairs import count_items
from basketry.kernels.trees import Int32s, Int64s, ItemsetTree

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_LARGEST: Final = 2**31 - 2
_MOST_UTILITY: Final = 2.0**61  # of all absolute utilities, so that no sum of them overflows
_MOST_SLOTS: Final = 16  # up to so many items an itemset, bounds count only the largest utilities of a basket
_DONE, _STOPPED, _TOO_MANY, _TOO_LARGE = range(4)


@dataclass(frozen=True, eq=False)
class UtilityTree:
    """Itemsets with what they are worth: `utility` int64 [m] is aligned with the nodes of `tree`, 0 where no member."""

    tree: ItemsetTree
    utility: Int64s

    def __len__(self) -> int:
        return len(self.tree)


@dataclass(frozen=True)
class UtilityLimits:
    """Where a search ends: items an itemset (`max_length`, 0 for no limit), itemsets an answer, bytes of the kernel."""

    max_length: int = 0
    max_itemsets: int = 10_000_000
    max_bytes: int = 2 << 30


def mine_utility(
    indptr: Int64s,
    items: Int32s,
    utilities: Int64s,
    n_items: int,
    *,
    min_utility: int,
    limits: UtilityLimits = UtilityLimits(),
    threads: int = 1,
) -> UtilityTree:
    """Every itemset X with u(X) >= min_utility, the sum over the baskets that hold X of the utilities of its items there.

    Basket i holds `items[indptr[i]:indptr[i + 1]]`, codes in [0, n_items), each at most once; `utilities` int64, aligned with
    `items`, is what each is worth in that basket, in the smallest unit of the currency. Utilities may be negative, also of one
    item in some baskets and not in others; the answer is exact all the same. min_utility starts at 1. The nodes come in the
    same order for any number of threads.

    Cost: a branch for every prefix whose bound reaches min_utility, each reading the baskets of its prefix; measured figures
    stand in docs/reference/speed-utility.md. Memory: 12 bytes an occurrence, as much again at most a level, 20 bytes an itemset
    (twice while it is handed over). Limits: 2**31 - 2 baskets, items and occurrences; absolute utilities of 2**61 in all.
    Honours an interrupt between two branches.
    Raises ValueError for arrays that break any of the above, RequestError above `limits`.
    Source: Zida, Fournier-Viger, Lin, Wu, Tseng, EFIM: a fast and memory efficient algorithm for high-utility itemset mining
    (2017), without its limitation to utilities above zero.
    """
    _check(indptr, items, utilities, n_items)
    _check_question(min_utility, limits, threads)
    question = _Question(min_utility, 0, limits, threads)
    return _searched(_recoded(indptr, items, utilities, n_items, question), question, _gathered, _no_itemsets())


def utility_of_kth(
    indptr: Int64s,
    items: Int32s,
    utilities: Int64s,
    n_items: int,
    *,
    k: int,
    limits: UtilityLimits = UtilityLimits(),
    threads: int = 1,
) -> int:
    """The utility of the k-th best itemset, 1 if fewer than k are worth anything: the min_utility that gives the k best.

    The same search with a threshold that rises to the k-th best utility so far, begun at the k-th best single item (as TKO
    does: Tseng, Wu, Fournier-Viger, Yu, 2016) and at the branches that promise most; nothing is written down. Arguments, limits
    and errors as for `mine_utility`; k starts at 1.
    """
    _check(indptr, items, utilities, n_items)
    _check_question(1, limits, threads)
    if k < 1:
        raise ValueError(f"k starts at 1, got {k}")
    worth = np.zeros(n_items, dtype=np.int64)
    np.add.at(worth, items, utilities)
    start = max(1, int(np.partition(worth, n_items - k)[n_items - k])) if k <= n_items else 1
    question = _Question(start, k, limits, threads)

    def kth(search: object) -> int:
        best = np.empty(k * threads, dtype=np.int64)
        found = np.sort(best[: lib.utility_best(search, _pointer(best))])
        return max(start, int(found[-k])) if len(found) >= k else start

    return _searched(_recoded(indptr, items, utilities, n_items, question), question, kth, start)


@dataclass(frozen=True)
class _Question:
    min_utility: int
    k: int
    limits: UtilityLimits
    threads: int

    def struct(self) -> object:
        limits = self.limits
        length = limits.max_length
        fields = (self.min_utility, self.k, limits.max_itemsets, limits.max_bytes, length, self.threads)
        return ffi.new("utility_question *", fields)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Baskets by rank, the least bound first, items that may go negative last; `code` of each rank."""

    row_start: Int32s
    rows: Int32s
    utility: Int64s
    code: Int32s


def _check(indptr: Int64s, items: Int32s, utilities: Int64s, n_items: int) -> None:
    n = len(indptr) - 1
    if utilities.ndim != 1 or utilities.dtype != np.int64 or not utilities.flags.c_contiguous:
        raise ValueError(f"utilities must be a contiguous one-dimensional int64 array, got {utilities.dtype}{utilities.shape}")
    if len(utilities) != len(items):
        raise ValueError(f"{len(utilities)} utilities for {len(items)} occurrences of items")
    if len(items) > _LARGEST:
        raise ValueError(f"at most {_LARGEST} occurrences can be searched, got {len(items)}")
    count_items(indptr, items, n_items, np.zeros(max(n, 0), dtype=np.int32))  # refuses a broken CSR
    if np.abs(utilities.astype(np.float64)).sum() > _MOST_UTILITY:
        raise ValueError("the absolute utilities add up to more than 2**61: count in a larger unit")


def _check_question(min_utility: int, limits: UtilityLimits, threads: int) -> None:
    if min_utility < 1 or threads < 1 or limits.max_length < 0 or min(limits.max_itemsets, limits.max_bytes) < 1:
        raise ValueError(f"min_utility, threads and limits start at 1: got {min_utility}, {threads} and {limits}")
    if min_utility > 2**62 or limits.max_length > _LARGEST:
        raise ValueError(f"min_utility goes up to 2**62, max_length to {_LARGEST}")
    if limits.max_itemsets > 2**62 or limits.max_bytes > 2**62:
        raise ValueError(f"limits go up to 2**62, got {limits}")


def _recoded(indptr: Int64s, items: Int32s, utilities: Int64s, n_items: int, question: _Question) -> _Rows:
    """The baskets without the items that can be in no answer."""
    n = len(indptr) - 1
    given = tuple(_pointer(each) for each in (indptr, items, utilities))
    alive, left = np.ones(n_items, dtype=np.uint8), n_items
    few = question.limits.max_length if question.limits.max_length <= _MOST_SLOTS else 0
    while True:  # leaving items out lowers the bounds of the others; not worth a pass over the baskets for a handful
        bound = np.zeros(n_items, dtype=np.int64)
        lib.utility_bounds(n, *given, _pointer(alive), few, _pointer(bound))
        alive = (bound >= question.min_utility).astype(np.uint8)
        left, before = int(alive.sum()), left
        if left > 0.5 * before or not left:
            break
    goes_negative = np.zeros(n_items, dtype=np.bool_)
    goes_negative[items[utilities < 0]] = True
    code = np.flatnonzero(alive).astype(np.int32)
    code = code[np.lexsort((bound[code], goes_negative[code]))]
    rank = np.full(n_items, -1, dtype=np.int32)
    rank[code] = np.arange(len(code), dtype=np.int32)
    frequency = np.bincount(items, minlength=n_items)[code]
    cursor = np.concatenate([[0], np.cumsum(frequency)])[:-1].astype(np.int32)
    kept = int(frequency.sum())
    occ, value = np.empty(kept, dtype=np.int32), np.empty(kept, dtype=np.int64)
    made = _Rows(np.empty(n + 1, np.int32), np.empty(kept, np.int32), np.empty(kept, np.int64), code)
    scratch = (rank, cursor, occ, value, made.row_start, made.rows, made.utility)
    lib.utility_recode(n, len(code), *given, *(_pointer(each) for each in scratch))
    return made


def _searched(rows: _Rows, question: _Question, answer: Callable[[object], T], nothing: T) -> T:
    """Run the search over the threads and read off the answer; the memory of the search is given back in any case."""
    if not len(rows.code):
        return nothing
    stop = np.zeros(1, dtype=np.int32)
    columns = tuple(_pointer(each) for each in (rows.row_start, rows.rows, rows.utility, rows.code))
    n = len(rows.row_start) - 1
    search = lib.utility_open(n, len(rows.code), *columns, question.struct(), _pointer(stop))
    if search == ffi.NULL:
        raise _too_large(question)
    try:
        statuses = _worked(search, question.threads, stop)
        if _TOO_LARGE in statuses:
            raise _too_large(question)
        if _TOO_MANY in statuses or lib.utility_size(search) > _LARGEST:
            raise _too_many(search, question)
        return answer(search)
    finally:
        lib.utility_close(search)


def _worked(search: object, threads: int, stop: Int32s) -> list[int]:
    """What each worker came back with. They work in threads of their own, so that this one may hear of an interrupt.

    However it ends, no worker is left when it does: the memory they search is given back next.
    """
    pool = ThreadPoolExecutor(threads)
    try:
        workers = [pool.submit(lib.utility_work, search, number) for number in range(threads)]
        return [worker.result() for worker in workers]
    finally:
        stop[0] = 1
        try:
            pool.shutdown(wait=True)
        except BaseException:  # interrupted again
            pool.shutdown(wait=True)
            raise


def _gathered(search: object) -> UtilityTree:
    size = lib.utility_size(search)
    parent, item, support = (np.empty(size, dtype=np.int32) for _ in range(3))
    utility = np.empty(size, dtype=np.int64)
    lib.utility_gather(search, *(_pointer(each) for each in (parent, item, support, utility)))
    return UtilityTree(ItemsetTree(parent, item, support), utility)


def _no_itemsets() -> UtilityTree:
    return UtilityTree(ItemsetTree(*(np.empty(0, dtype=np.int32) for _ in range(3))), np.empty(0, dtype=np.int64))


def _too_many(search: object, question: _Question) -> RequestError:
    so_far = _gathered(search).utility
    so_far = so_far[so_far > 0]
    higher = max(2 * question.min_utility, int(np.median(so_far)) if len(so_far) else 0)
    return RequestError(
        f"more than {question.limits.max_itemsets:,} itemsets have a utility of at least {question.min_utility:,}",
        f"raise min_utility, to {higher:,} say, set max_length, or ask for the k best",
    )


def _too_large(question: _Question) -> RequestError:
    return RequestError(
        f"the search for itemsets of utility {question.min_utility:,} takes more than {question.limits.max_bytes:,} bytes",
        "raise min_utility, set max_length, or allow more with max_bytes",
    )


def _pointer(array: npt.NDArray[np.generic]) -> object:
    """The array's memory as a C pointer of its own element type; the pointer keeps the array alive."""
    return ffi.from_buffer(f"{_C_NAMES[array.dtype.char]}[]", array)


_C_NAMES = {
    np.dtype(np.int32).char: "int32_t",
    np.dtype(np.int64).char: "int64_t",
    np.dtype(np.uint8).char: "uint8_t",
}
