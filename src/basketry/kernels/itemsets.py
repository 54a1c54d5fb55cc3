"""Itemsets that stand in enough baskets."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.kernels._kernels import ffi, lib
from basketry.kernels.trees import Int32s, Int64s, ItemsetTree

Floats = npt.NDArray[np.float64]
Kind = Literal["all", "closed", "maximal", "generators"]
KINDS: Final = ("all", "closed", "maximal", "generators")
ISAS: Final = ("best", "plain", "avx2", "avx512")

_LARGEST: Final = 2**31 - 2
_MOST: Final = 2**31 - 2**17
_STOPPED, _TOO_MANY, _NO_MEMORY = 1, 2, 9
_REFUSALS: Final = {
    1: "indptr must start at 0, never fall and end at len(items); it breaks at basket {where}",
    2: "basket {where} holds an item outside [0, n_items)",
    3: "basket {where} holds an item twice; keep each item of a basket once",
}
_GLANCE: Final = 0.1  # seconds between two looks at the progress, and at Ctrl-C


@dataclass(frozen=True, eq=False)
class Limits:
    """What an itemset of the answer has to satisfy besides its support; pushed into the search.

    `max_length` 0 is no limit. `floors` int32 [n_items]: each item's own least count, an itemset's being the least of its
    items' (in place of `min_count`). `weights` float64 [n_items], not negative: their sum over an itemset may not pass
    `budget`. `relatives` compressed rows (int64 [n_items + 1], int32), ascending: item i stands in no itemset with one of its
    relatives; the relation must be symmetric. The last three go with kind "all".
    """

    max_length: int = 0
    floors: Int32s | None = None
    weights: Floats | None = None
    budget: float = 0.0
    relatives: tuple[Int64s, Int32s] | None = None


def mine_itemsets(
    indptr: Int64s,
    items: Int32s,
    n_items: int,
    *,
    min_count: int,
    kind: Kind = "all",
    limits: Limits = Limits(),
    max_itemsets: int = _MOST,
    threads: int = 1,
    isa: str = "best",
) -> ItemsetTree:
    """Every itemset of `kind` that stands in at least `min_count` baskets, with the number of those.

    Basket i holds `items[indptr[i]:indptr[i + 1]]`, codes in [0, n_items), each at most once, in any order.
    """
    _check(indptr, items, n_items, limits)
    request, owners = _request(indptr, items, n_items, limits)
    request.min_count = min(max(min_count, 1), _LARGEST)
    request.kind = KINDS.index(kind)
    request.isa = ISAS.index(isa)
    request.threads = threads
    request.max_itemsets = min(max_itemsets, _MOST)
    with _opened(request) as miner:
        _run(miner, threads)
        state = lib.itemsets_state(miner)
        if state == _TOO_MANY:
            raise RequestError("too many", "hint")
        if state == _NO_MEMORY:
            raise MemoryError
        tree = _taken(miner)
    del owners
    return tree


def _check(indptr: Int64s, items: Int32s, n_items: int, limits: Limits) -> None:
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


def _request(indptr: Int64s, items: Int32s, n_items: int, limits: Limits) -> tuple[Any, tuple[object, ...]]:
    request = ffi.new("itemset_request *")
    arrays = {
        "indptr": ffi.from_buffer("int64_t[]", indptr),
        "items": ffi.from_buffer("int32_t[]", items),
        "floors": ffi.NULL if limits.floors is None else ffi.from_buffer("int32_t[]", limits.floors),
        "weights": ffi.NULL if limits.weights is None else ffi.from_buffer("double[]", limits.weights),
        "relative_start": ffi.NULL if limits.relatives is None else ffi.from_buffer("int64_t[]", limits.relatives[0]),
        "relatives": ffi.NULL if limits.relatives is None else ffi.from_buffer("int32_t[]", limits.relatives[1]),
    }
    for name, pointer in arrays.items():
        setattr(request, name, pointer)
    request.n, request.n_items, request.nnz = len(indptr) - 1, n_items, len(items)
    request.budget, request.max_length = limits.budget, limits.max_length
    return request, tuple(arrays.values())


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


def _run(miner: Any, threads: int) -> None:
    """Mine in threads of their own, so that this one hears Ctrl-C and tells of progress."""
    with ThreadPoolExecutor(threads) as pool:
        tasks = [pool.submit(lib.itemsets_mine, miner, number) for number in range(threads)]
        try:
            left = wait(tasks, _GLANCE, FIRST_EXCEPTION).not_done
            if left:
                _watch(miner, left)
        except BaseException:
            lib.itemsets_stop(miner)
            raise


def _watch(miner: Any, left: Any) -> None:
    done, total, found = ffi.new("int64_t *"), ffi.new("int64_t *"), ffi.new("int64_t *")
    lib.itemsets_progress(miner, done, total, found)
    with span("itemsets", total=total[0], unit="items") as progress:
        while left:
            lib.itemsets_progress(miner, done, total, found)
            progress.advance(min(done[0], total[0]) - progress.done)
            progress.note(found=found[0])
            left = wait(left, _GLANCE, FIRST_EXCEPTION).not_done


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


def count_itemsets(indptr: Int64s, items: Int32s, tree: ItemsetTree, *, threads: int = 1) -> Int32s:
    """Baskets that hold each node of `tree`, int32 [m], members or not. Placeholder."""
    held: dict[int, int] = {}
    for t in range(len(indptr) - 1):
        for code in items[indptr[t] : indptr[t + 1]].tolist():
            held[code] = held.get(code, 0) | 1 << t
    shared: list[int] = []
    for above, code in zip(tree.parent.tolist(), tree.item.tolist(), strict=True):
        shared.append((shared[above] if above >= 0 else (1 << (len(indptr) - 1)) - 1) & held.get(code, 0))
    return np.array([each.bit_count() for each in shared], dtype=np.int32)
