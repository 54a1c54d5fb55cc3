"""Worlds of chance that keep the margins of a real one: what an association must be told from."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log

import numpy as np
import numpy.typing as npt

from basketry.kernels._kernels import ffi, lib
from basketry.kernels.pairs import count_items

Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]

_BLOCK = 1 << 20  # occurrences drawn or traded between two chances to stop: some ten milliseconds
_UNMOVED = 1e-3  # share of the real world's pairs that may still stand together because neither item ever moved
_STRANGE = 1e-2  # how far the number of others an item meets may be from its limit, on average
_MOST_ROUNDS = 1000


def redraw_items(indptr: Int64s, items: Int32s, n_items: int, *, seed: Sequence[int]) -> tuple[Int64s, Int32s]:
    """Baskets in which each item stands in as many as before, drawn uniformly and independently of all other items.

    Returns `(indptr, items)`, rows ascending; basket sizes are not kept: they come out nearly Poisson. The same seed gives the
    same world. Cost: 15 ns an occurrence. Memory: 8 bytes an occurrence and 12 a basket.
    Raises ValueError for arrays that `count_pairs` would refuse.
    """
    n = len(indptr) - 1
    frequency = _frequencies(indptr, items, n_items)
    state = _state(seed)
    stamp = np.full(n, -1, dtype=np.int32)
    drawn = np.empty(len(items), dtype=np.int32)
    ends = np.cumsum(frequency, dtype=np.int64)
    first = done = 0
    while first < n_items:
        last = max(first + 1, int(np.searchsorted(ends, done + _BLOCK, side="right")))
        lib.draw_baskets(
            n,
            first,
            last,
            ffi.from_buffer("int32_t[]", frequency),
            ffi.from_buffer("uint64_t[]", state),
            ffi.from_buffer("int32_t[]", stamp),
            ffi.from_buffer("int32_t[]", drawn[done:]),
        )
        first, done = last, int(ends[last - 1])
    starts, rows = np.zeros(n + 1, dtype=np.int64), np.empty_like(drawn)
    lib.gather_rows(
        n,
        n_items,
        ffi.from_buffer("int32_t[]", frequency),
        ffi.from_buffer("int32_t[]", drawn),
        ffi.from_buffer("int64_t[]", starts),
        ffi.from_buffer("int32_t[]", rows),
    )
    return starts, rows


def trade_items(indptr: Int64s, items: Int32s, n_items: int, *, seed: Sequence[int], rounds: int | None = None) -> Int32s:
    """The items of baskets that keep their sizes, while each item stands in as many baskets as before.

    Every world with both margins is as likely as any other, in the limit of many rounds; in each round all baskets meet in
    pairs and deal anew what only one of the two holds (curveball trades: Strona et al. 2014; uniform: Carstens 2015). Without
    `rounds` it takes `rounds_to_forget`. Rows come out ascending under the same `indptr`. The same seed gives the same world.
    Cost: 6 to 10 ns an occurrence and round. Memory: 4 bytes an occurrence and a basket.
    Raises ValueError for arrays that `count_pairs` would refuse, and for rounds below 0.
    """
    n = len(indptr) - 1
    if rounds is not None and rounds < 0:
        raise ValueError(f"rounds start at 0, got {rounds}")
    _frequencies(indptr, items, n_items)
    sizes = np.diff(indptr)
    traded = ascending(indptr, items)
    if n < 2:
        return traded
    state = _state(seed)
    largest = int(sizes.max())
    scratch = np.empty(6 * largest + 1, dtype=np.int32)
    order = np.arange(n, dtype=np.int32)
    block = max(1, int(_BLOCK // (2 * (sizes.mean() + 1))))
    for _ in range(rounds_to_forget(sizes) if rounds is None else rounds):
        lib.shuffle_order(n, ffi.from_buffer("int32_t[]", order), ffi.from_buffer("uint64_t[]", state))
        for first in range(0, n // 2, block):
            lib.trade_baskets(
                first,
                min(first + block, n // 2),
                largest,
                ffi.from_buffer("int64_t[]", indptr),
                ffi.from_buffer("int32_t[]", order),
                ffi.from_buffer("int32_t[]", traded),
                ffi.from_buffer("uint64_t[]", state),
                ffi.from_buffer("int32_t[]", scratch),
            )
    return traded


def rounds_to_forget(sizes: Int64s) -> int:
    """Rounds of trades that make a world forget the real one.

    In a trade between baskets of sizes s and u an item of the first changes sides with chance f = u / (s + u). So (1) two items
    of one basket stay together with chance (1 - f)^2 + f^2: averaged over partners u, and over baskets by their s (s - 1)
    pairs, fewer than a thousandth may be left together unmoved; and (2) an item walks among the sizes of baskets: how many
    others it meets on average must come within 1% of the walk's limit, wherever it began. Large baskets among small ones
    forget slowly: even baskets need 10 rounds, a supermarket's some 25. At most 1,000.
    """
    values, counts = np.unique(np.asarray(sizes, dtype=np.float64), return_counts=True)
    values, counts = values[values > 0], counts[values > 0]
    pairs, rounds = counts * values * (values - 1), ceil(log(_UNMOVED) / log(0.5))
    if pairs.sum() == 0:
        return rounds
    moves = values[None, :] / (values[:, None] + values[None, :]) * counts / counts.sum()
    share = moves * counts.sum() / counts
    stay = ((share**2 + (1 - share) ** 2) * counts).sum(axis=1) / counts.sum()
    walk = moves + np.diag(1 - moves.sum(axis=1))
    limit = pairs.sum() / (counts @ values)
    met = np.linalg.matrix_power(walk, rounds) @ (values - 1)
    while rounds < _MOST_ROUNDS and (
        pairs @ stay**rounds > _UNMOVED * pairs.sum() or (counts * values) @ np.abs(met - limit) > _STRANGE * pairs.sum()
    ):
        rounds += 1
        met = walk @ met
    return rounds


def ascending(indptr: Int64s, items: Int32s) -> Int32s:
    """A copy of the items, ascending within each basket."""
    inside = np.ones(len(items), dtype=np.bool_)
    inside[indptr[:-1][np.diff(indptr) > 0]] = False
    if not (np.diff(items, prepend=0)[inside] < 0).any():
        return items.copy()
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    return items[np.lexsort((items, rows))]


def _frequencies(indptr: Int64s, items: Int32s, n_items: int) -> Int32s:
    """Baskets of each item, of arrays found sound."""
    frequency, _ = count_items(indptr, items, n_items, np.zeros(max(len(indptr) - 1, 0), dtype=np.int32))
    return frequency


def _state(seed: Sequence[int]) -> npt.NDArray[np.uint64]:
    """Four words that hold the whole seed, never all zero."""
    return np.asarray(np.random.SeedSequence(list(seed)).generate_state(4, np.uint64), dtype=np.uint64)
