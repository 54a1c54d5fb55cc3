"""Rules as three nodes each: every way to part the itemsets of a tree in two."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Final

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.kernels._kernels import ffi, lib
from basketry.kernels.lattice import Lattice, not_closed, pointer
from basketry.kernels.trees import Int32s

_BUDGET: Final = 1 << 22  # splits tried between two chances to stop: some hundredths of a second
_LONGEST: Final = 22  # items of an itemset whose subsets are all tabled: 64 MiB
_UNLIMITED: Final = 64
_LARGEST: Final = 2**31 - 1
_MOST_ITEMS: Final = 31  # 2**32 subsets of a longer itemset would not fit a tree


@dataclass(frozen=True)
class Sizes:
    """The most items of the antecedent and of the consequent; 0 for no limit."""

    antecedent: int = 0
    consequent: int = 0

    @property
    def bounds(self) -> tuple[int, int]:
        """The same with the absence of a limit as a large number."""
        return self.antecedent or _UNLIMITED, self.consequent or _UNLIMITED

    def splits(self, length: int) -> int:
        """Rules that one itemset of `length` items gives, whatever their confidence."""
        antecedent, consequent = self.bounds
        return sum(comb(length, size) for size in range(max(1, length - consequent), min(length - 1, antecedent) + 1))


@dataclass(frozen=True, eq=False)
class Splits:
    """Rules X => Y as aligned int32 arrays [r] of nodes: X, Y and their union. `tried` counts the splits there were to try.

    The rules of one itemset stand together; the order is the same every time.
    """

    antecedent: Int32s
    consequent: Int32s
    whole: Int32s
    tried: int


def split_itemsets(
    lattice: Lattice, *, min_confidence: Fraction = Fraction(0), sizes: Sizes = Sizes(), max_rules: int = 100_000_000
) -> Splits:
    """Every rule X => Y with X and Y disjoint and not empty, X u Y a member, and support(X u Y) / support(X) >= min_confidence.

    Exact: the comparison is one of whole numbers. Cost: half a look-up (about 10 ns) a split tried, or two where limits on
    sizes leave few; less, one comparison, for what min_confidence leaves out. Memory: 12 bytes a rule, and 16 * 2**(longest
    itemset). An interrupt takes effect within some hundredths of a second, on itemsets of up to 22 items.
    Raises RequestError where there are more than `max_rules`, where an itemset is too long to try all its splits, or where the
    support of a subset that is needed is not in the tree.
    """
    if not 0 <= min_confidence <= 1 or max_rules < 0 or min(sizes.antecedent, sizes.consequent) < 0:
        raise ValueError(f"no such limits: min_confidence={min_confidence}, {sizes}, max_rules={max_rules}")
    members = np.bincount(lattice.depth[lattice.tree.support > 0]).tolist() or [0]
    tried = sum(count * sizes.splits(length) for length, count in enumerate(members))
    small = _few_splits(np.bincount(lattice.depth).tolist(), sizes)
    _check_work(len(members) - 1, tried, min_confidence, max_rules, small)
    room = min(tried, max_rules) + 1
    columns = [np.empty(room, dtype=np.int32) for _ in range(3)]
    longest = int(lattice.depth.max(initial=0))
    owners = (
        *(np.zeros(1 if small else 1 << longest, dtype=kind) for kind in (np.uint64, np.int32, np.int32)),
        *(np.zeros(longest + 1, dtype=kind) for kind in (np.uint64, np.int32, np.uint8)),
        *columns,
    )
    order = _depth_first(lattice)
    bound = least_fraction(min_confidence, max(1, int(lattice.tree.support.max(initial=1))))
    tables = tuple(pointer(array) for array in (order, lattice.depth, *owners))
    limits = (bound.numerator, bound.denominator, *sizes.bounds)
    struct = ffi.new("splitter *", (lattice.struct, *tables[:2], *limits, *tables[2:], room - 1, 0, 0))
    with span("rules", total=len(order), unit="itemsets") as progress:
        while struct.at < len(order):
            begun = struct.at
            refusal = lib.split_nodes(struct, len(order), _BUDGET, small)
            if refusal == 1:
                raise _too_many(f"there are more than {max_rules:,} rules")
            if refusal == 2:
                raise not_closed(lattice.tree, int(order[struct.at]))
            progress.advance(struct.at - begun)
        progress.note(tried=tried, rules=struct.found)
    antecedent, consequent, whole = (_trimmed(column, struct.found) for column in columns)
    return Splits(antecedent, consequent, whole, tried)


def best_general_rules(lattice: Lattice, rules: Splits, n_baskets: int) -> tuple[Int32s, Int32s]:
    """Of all rules X' => Y with X' a proper subset of X, the empty one too: the counts of the most confident, for each rule.

    Two aligned int32 arrays [r]: support(X' u Y) and support(X'), where the empty itemset is in all `n_baskets`; so the
    confidence is their quotient, and can be compared exactly. Ties go to any of them. Cost: two look-ups for each subset of
    X.
    Raises RequestError where X has more than 22 items, or a subset that is needed is not in the tree.
    """
    antecedent, consequent, whole = (lattice.checked(ids) for ids in (rules.antecedent, rules.consequent, rules.whole))
    if not len(antecedent) == len(consequent) == len(whole) or not 0 <= n_baskets <= _LARGEST:
        raise ValueError("antecedent, consequent and whole must be aligned, and n_baskets fit 31 bits")
    sizes = lattice.depth[antecedent]
    longest = int(sizes.max(initial=0))
    if longest > _LONGEST:
        raise RequestError(
            f"an antecedent of {longest} items has {2**longest:,} subsets to compare with",
            f"limit max_antecedent to {_LONGEST} or fewer",
        )
    best_xy, best_x = np.empty(len(whole), dtype=np.int32), np.empty(len(whole), dtype=np.int32)
    keys = np.empty(longest + 1, dtype=np.uint64)
    arrays = [pointer(array) for array in (antecedent, consequent, whole, keys, best_xy, best_x)]
    done = np.cumsum(np.left_shift(1, sizes.astype(np.int64)))
    first = 0
    with span("improvement", total=len(whole), unit="rules") as progress:
        while first < len(whole):
            before = done[first - 1] if first else 0
            last = max(first + 1, int(np.searchsorted(done, before + _BUDGET)))
            refused = lib.best_general_rules(lattice.struct, n_baskets, first, last, *arrays)
            if refused >= 0:
                raise not_closed(lattice.tree, int(whole[refused]))
            progress.advance(last - first)
            first = last
    return best_xy, best_x


def least_fraction(bound: Fraction, most: int) -> Fraction:
    """The smallest p/q >= `bound` with 1 <= q <= `most`: as good as the bound for quotients of whole numbers up to `most`.

    A bound written with many decimals thus becomes two numbers of 31 bits. The nearest such fraction is the bound's neighbour
    on one side; if that is below, the one wanted is its right neighbour among fractions in lowest terms, for which p b - q a
    = 1 (Farey; Hardy and Wright, An introduction to the theory of numbers, chapter III).
    """
    near = bound.limit_denominator(most)
    if near >= bound:
        return near
    a, b = near.numerator, near.denominator
    q = most - (most + pow(a, -1, b)) % b
    return Fraction((a * q + 1) // b, q)


def _few_splits(lengths: list[int], sizes: Sizes) -> bool:
    """Whether looking up the smaller side of each split costs less than a table of all subsets."""
    if not (sizes.antecedent or sizes.consequent):
        return False
    by_side = sum(count * 2 * sizes.splits(length) for length, count in enumerate(lengths))
    by_table = sum(count * 2 ** (length - 1) for length, count in enumerate(lengths) if length)
    return by_side <= by_table or len(lengths) - 1 > _LONGEST


def _check_work(longest: int, tried: int, min_confidence: Fraction, max_rules: int, small: bool) -> None:
    if longest > (_MOST_ITEMS if small else _LONGEST):
        raise _too_many(f"an itemset of {longest} items alone can be split in {2**longest - 2:,} ways")
    if min_confidence == 0 and tried > max_rules:
        raise _too_many(f"there are {tried:,} rules, and {max_rules:,} are allowed")


def _too_many(what: str) -> RequestError:
    return RequestError(what, "raise min_confidence or min_support, limit max_antecedent or max_consequent, or raise max_rules")


def _depth_first(lattice: Lattice) -> Int32s:
    """The nodes, each followed by its descendants."""
    m = len(lattice.depth)
    child, sibling, order = np.full(m, -1, dtype=np.int32), np.empty(m, dtype=np.int32), np.empty(m, dtype=np.int32)
    lib.order_depth_first(m, *(pointer(array) for array in (lattice.tree.parent, child, sibling, order)))
    return order


def _trimmed(column: Int32s, used: int) -> Int32s:
    """The part in use; a copy where most was never used, so that no more is held than is needed."""
    return column[:used] if 2 * used >= len(column) else column[:used].copy()
