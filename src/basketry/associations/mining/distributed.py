"""The jobs of the kernels on a cluster: baskets are parted, each part is counted where it lies, and counts add up exactly.

What travels is safetensors: a part's arrays to the worker, its counts back. A part is counted on one thread; the cluster
runs as many parts at a time as it has cores. The baskets as codes (4 bytes a line, 16 a basket) and the answer stand in the
memory of the process that asks, a part and its counts in that of a worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from safetensors import numpy as safetensors

from basketry.associations.mining.union import recounted, union_trees
from basketry.core.errors import RequestError
from basketry.core.protocols import Cluster
from basketry.core.telemetry import span
from basketry.kernels.counting import count_itemsets
from basketry.kernels.itemsets import mine_itemsets
from basketry.kernels.pairs import Annotations, Floors, PairCounts, count_items, count_pairs
from basketry.kernels.trees import Int32s, Int64s, ItemsetTree

Arrays = Mapping[str, npt.NDArray[np.generic]]
_NOTHING: Final = Annotations()
_NONE: Final = Floors()


def distributed_pairs(
    cluster: Cluster,
    indptr: Int64s,
    items: Int32s,
    n_items: int,
    *,
    parts: int,
    about: Annotations = _NOTHING,
    floors: Floors = _NONE,
) -> PairCounts:
    """The rows of `count_pairs`, counted in `parts` parts; in the order of (a, b).

    Parts are runs of baskets, cut only between groups where there are groups, so that a group is counted in one part and a
    basket's partner lies in the same: counts, groups and marks of a pair are then the sums of the parts'. Items below the
    floors are left out first. A part sends back 12 to 20 bytes for each distinct pair in it, floors or not, so many parts
    of wide baskets cost more to add up than they save: take about as many as the cluster has cores.
    Raises ValueError as `count_pairs` does, and for partners without groups; RequestError if `parts` is below 1.
    """
    _check_parts(parts)
    if about.partner is not None and about.groups is None:
        raise ValueError("partners need groups, or a basket and its partner could come into two parts")
    groups = about.groups if about.groups is not None else np.zeros(len(indptr) - 1, dtype=np.int32)
    frequency, group_frequency = count_items(indptr, items, n_items, groups)
    kept = frequency >= floors.count
    if about.groups is not None:
        kept &= group_frequency >= floors.groups
    elif floors.groups > 1:
        raise ValueError("a floor on groups needs groups")
    indptr, items = _only(indptr, items, kept)
    sizes = np.diff(indptr)
    cuts = _cuts(sizes * sizes, parts, about.groups)
    sent = [_pack(_pair_part(indptr, items, n_items, about, first, last)) for first, last in cuts]
    found = []
    with span("distributed_pairs", total=len(sent), unit="parts") as progress:
        for answer in cluster.map(count_part, sent):
            found.append(safetensors.load(answer))
            progress.advance()
    return _summed(found, n_items, floors, about)


def distributed_itemsets(
    cluster: Cluster, indptr: Int64s, items: Int32s, n_items: int, *, parts: int, min_count: int
) -> ItemsetTree:
    """Every itemset in at least `min_count` baskets, as `mine_itemsets` finds them, in canonical form (see `union_trees`).

    Two passes (Savasere, Omiecinski and Navathe, VLDB 1995). Of n baskets a part holds n_i; an itemset that lies in fewer than
    ceil(min_count n_i / n) of each part lies in fewer than `min_count` of all, so what is frequent is frequent in some part at
    that count. The first pass mines each part at it, the second counts the candidates, united, in every part.

    Exact for any number of parts. Many small parts make many candidates: where ceil(min_count n_i / n) falls below some 8,
    chance alone makes itemsets frequent in a part. Candidates travel to every part, 12 bytes a node.
    Raises RequestError if `parts` or `min_count` is below 1.
    """
    _check_parts(parts)
    if min_count < 1:
        raise RequestError(f"min_count is {min_count}", "a count of baskets starts at 1")
    kept = np.bincount(items, minlength=n_items) >= min_count
    indptr, items = _only(indptr, items, kept)
    n = len(indptr) - 1
    cuts = _cuts(np.diff(indptr), parts, None)
    local = [-(-min_count * (last - first) // n) for first, last in cuts]
    about = np.array([n_items], dtype=np.int64)
    baskets = [_run(indptr, items, first, last) | {"n_items": about} for first, last in cuts]
    with span("distributed_itemsets", total=2 * len(cuts), unit="parts") as progress:
        sent = [_pack(part | {"min_count": np.array([count])}) for part, count in zip(baskets, local, strict=True)]
        trees = []
        for answer in cluster.map(mine_part, sent):
            trees.append(_tree(safetensors.load(answer)))
            progress.advance()
        candidates = union_trees(trees)
        nodes = {"parent": candidates.parent, "item": candidates.item}
        counts = np.zeros(len(candidates.parent), dtype=np.int64)
        for answer in cluster.map(count_candidates, [_pack(part | nodes) for part in baskets]):
            counts += safetensors.load(answer)["count"]
            progress.advance()
    return recounted(candidates, counts.astype(np.int32), min_count)


def count_part(part: bytes) -> bytes:
    """On a worker: the pairs of one part, sorted."""
    given = safetensors.load(part)
    n_items = int(given["n_items"][0])
    about = Annotations(given.get("groups"), given.get("partner"), given.get("marks"))
    counts = count_pairs(given["indptr"], given["items"], n_items, about=about, threads=1)
    order = np.lexsort((counts.b, counts.a))
    columns = {"a": counts.a, "b": counts.b, "count": counts.count, "groups": counts.groups, "marked": counts.marked}
    return _pack({name: column[order] for name, column in columns.items() if len(column) == len(order)})


def mine_part(part: bytes) -> bytes:
    """On a worker: the itemsets of one part at its own count."""
    given = safetensors.load(part)
    found = mine_itemsets(
        given["indptr"], given["items"], int(given["n_items"][0]), min_count=int(given["min_count"][0]), threads=1
    )
    return _pack({"parent": found.parent, "item": found.item, "support": found.support})


def count_candidates(part: bytes) -> bytes:
    """On a worker: how many baskets of one part hold each node."""
    given = safetensors.load(part)
    tree = ItemsetTree(given["parent"], given["item"], np.ones_like(given["parent"]))
    return _pack({"count": count_itemsets(given["indptr"], given["items"], tree, threads=1)})


def _check_parts(parts: int) -> None:
    if parts < 1:
        raise RequestError(f"parts is {parts}", "work is done in at least one part")


def _pack(arrays: Arrays) -> bytes:
    return safetensors.save({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def _tree(arrays: Mapping[str, npt.NDArray[np.int32]]) -> ItemsetTree:
    return ItemsetTree(arrays["parent"], arrays["item"], arrays["support"])


def _only(indptr: Int64s, items: Int32s, kept: npt.NDArray[np.bool_]) -> tuple[Int64s, Int32s]:
    """The same baskets with those items alone that are `kept` [n_items]."""
    stays = kept[items]
    before = np.concatenate([[0], np.cumsum(stays, dtype=np.int64)])
    return before[indptr], items[stays]


def _cuts(work: Int64s, parts: int, groups: Int32s | None) -> list[tuple[int, int]]:
    """Runs of baskets (first, last) of about equal `work` [n], at most `parts`, none empty, none that cuts a group in two."""
    n = len(work)
    done = np.cumsum(work)
    aims = np.arange(1, parts) * (int(done[-1]) if n else 0) / parts
    ends = np.searchsorted(done, aims, side="left") + 1
    if groups is not None and n:
        ends = np.searchsorted(groups, groups[np.minimum(ends, n) - 1], side="right")
    edges = np.unique(np.concatenate([[0], np.minimum(ends, n), [n]])).tolist()
    return [(int(first), int(last)) for first, last in pairwise(edges)]


def _run(indptr: Int64s, items: Int32s, first: int, last: int) -> dict[str, npt.NDArray[np.generic]]:
    start, end = indptr[first], indptr[last]
    return {"indptr": indptr[first : last + 1] - start, "items": items[start:end]}


def _pair_part(
    indptr: Int64s, items: Int32s, n_items: int, about: Annotations, first: int, last: int
) -> dict[str, npt.NDArray[np.generic]]:
    part = _run(indptr, items, first, last) | {"n_items": np.array([n_items], dtype=np.int64)}
    if about.groups is not None:
        part["groups"] = about.groups[first:last]
    if about.partner is not None:
        partner = about.partner[first:last]
        part["partner"] = np.where(partner < 0, -1, partner - first).astype(np.int32)
    if about.marks is not None:
        part["marks"] = about.marks[first:last]
    return part


def _summed(
    found: Sequence[Mapping[str, npt.NDArray[np.int32]]], n_items: int, floors: Floors, about: Annotations
) -> PairCounts:
    """The parts' counts added pair by pair, those below the floors left out."""
    keys = np.concatenate([np.empty(0, np.int64), *(part["a"].astype(np.int64) * n_items + part["b"] for part in found)])
    order = np.argsort(keys, kind="stable")  # a merge, for each part comes sorted
    keys = keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))

    def added(name: str, asked: bool) -> Int32s:
        if not asked or not len(starts):
            return np.empty(0, dtype=np.int32)
        return np.add.reduceat(np.concatenate([part[name] for part in found])[order], starts, dtype=np.int32)

    count, groups, marked = (
        added(name, asked)
        for name, asked in (("count", True), ("groups", about.groups is not None), ("marked", about.marks is not None))
    )
    kept = count >= floors.count
    if about.groups is not None:
        kept &= groups >= floors.groups
    a, b = np.divmod(keys[starts], max(n_items, 1))
    columns = (a.astype(np.int32), b.astype(np.int32), count, groups, marked)
    return PairCounts(*(column[kept] if len(column) == len(kept) else column for column in columns))
