"""A fitted vector index: searched, filtered, added to and deleted from; immutable, so each change gives another index."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np

from basketry.core.errors import ReleaseDamaged, RequestError
from basketry.vectors.exact import MISSING, nearest_allowed, sort_keys, unpack
from basketry.vectors.recall import Recall, shares_found
from basketry.vectors.unit import checked_unit

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Arrays, Run, Vectors
    from basketry.vectors.exact import Mask, Rows
    from basketry.vectors.indexing import VectorIndexing
    from basketry.vectors.structure import Sieve, Structure

    Ids = npt.NDArray[np.int64]

FORMAT: Final = 1  # of `state`
FEW: Final = 20_000  # allowed vectors up to which a filtered search compares them all
_AGAIN: Final = "Build the release again."
_BLOCK: Final = 4096  # queries at a time: their candidates are some hundred each
_DEEPER: Final = 1 / 4  # breadth grows with k to this power beyond the k it was tuned for, as measured


@dataclass(frozen=True, eq=False)
class Nearest:
    """What was found: `ids` int64 and `cosine` float32, both [q, found], best first; ties, to 5 decimals, by smaller id."""

    ids: Ids
    cosine: Vectors


@dataclass(frozen=True, eq=False)
class Allowed:
    """The vectors of one index that a search may answer with: bool, of its base and of its additions."""

    base: Mask
    fresh: Mask
    structure: Structure | None
    of: tuple[Ids, Mask, Ids]  # the ids, deletions and added ids of its index: the arrays themselves

    @cached_property
    def base_count(self) -> int:
        """How many of the base they are."""
        return int(np.count_nonzero(self.base))

    @property
    def count(self) -> int:
        """How many they are."""
        return self.base_count + int(np.count_nonzero(self.fresh))

    @cached_property
    def sieve(self) -> Sieve | None:
        """What the structure asks of them."""
        return self.structure.sieve(self.base) if self.structure else None


@dataclass(frozen=True)
class Tuning:
    """How hard an approximate search tries: cells or nodes looked at, and so many times the usual candidates compared."""

    breadth: int = 0
    depth: int = 1


@dataclass(frozen=True, eq=False)
class VectorIndex:
    """Unit vectors under int64 ids, and where they are many a structure that finds the near ones without looking at all.

    `vectors` float32 [n, dim] and `ids` [n], increasing, are the base; `gone` marks deleted rows of it; `fresh` vectors under
    `fresh_ids`, increasing, were added since and are compared one by one. Every cosine in an answer is of the vectors
    themselves. `recall` is that of the base when it was built.
    """

    indexing: VectorIndexing
    vectors: Vectors
    ids: Ids
    structure: Structure | None
    tuning: Tuning
    recall: Recall
    gone: Mask = field(default_factory=lambda: np.empty(0, dtype=np.bool_))  # empty: none
    fresh: Vectors = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))
    fresh_ids: Ids = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def __len__(self) -> int:
        """How many vectors can be found."""
        return len(self.ids) - int(np.count_nonzero(self.gone)) + len(self.fresh_ids)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.vectors.shape[1])

    def way(self, allowed: Allowed | None = None) -> Literal["exact", "hnsw", "ivf"]:
        """How it searches, among all or those allowed."""
        if self.structure is None or (allowed is not None and allowed.base_count <= FEW):
            return "exact"
        return self.structure.kind

    def search(self, queries: Vectors, k: int, allowed: Allowed | None = None, threads: int = 1) -> Nearest:
        """The `k` nearest of each query (unit float32 [q, dim]), or all there are where they are fewer.

        `allowed` (see `only`) restricts the answer. Up to 20,000 allowed vectors are compared one by one, which misses none;
        of more, an approximate index looks at more of itself the fewer are allowed, and a query for which it still meets too
        few is answered by comparing all of them.

        Raises RequestError for k < 1, queries that are not of unit norm or of another length, or a filter of another index.
        """
        if k < 1:
            raise RequestError(f"k is {k}", "ask for at least one neighbour")
        queries = checked_unit(queries, self.dim)
        live = self._live if allowed is None else allowed
        if any(one is not other for one, other in zip(live.of, self._identity, strict=True)):
            raise RequestError("a filter made for another index", "make it with only() of the index that is searched")
        rows, cosine = self._base(queries, k, None if live.base_count == len(self.ids) else live, threads)
        ids = self.ids[rows]
        if len(self.fresh_ids) and live.fresh.any():
            extra, near = nearest_allowed(self.fresh, queries, k, live.fresh)
            ids = np.concatenate([ids, self.fresh_ids[extra]], axis=1)
            cosine = np.concatenate([cosine, near], axis=1)
            order = np.lexsort((ids, -cosine), axis=1)[:, :k]
            ids, cosine = np.take_along_axis(ids, order, axis=1), np.take_along_axis(cosine, order, axis=1)
        return Nearest(ids, cosine)

    def only(self, ids: npt.ArrayLike) -> Allowed:
        """The vectors of `ids` (int64 [m]; those it does not hold are passed over), to search among as often as wanted."""
        wanted = _whole(ids).ravel()
        base, fresh = (_marked(held, wanted) for held in (self.ids, self.fresh_ids))
        return Allowed(base & self._live.base, fresh, self.structure, self._identity)

    def with_added(self, ids: npt.ArrayLike, vectors: Vectors) -> Self:
        """An index that finds these too (int64 [m], unit float32 [m, dim]). Costs a copy of all additions so far.

        Raises RequestError if an id is held already or stands there twice (`without` it first), or vectors do not fit.
        """
        added = checked_unit(vectors, self.dim)
        new = checked_ids(ids, len(added))
        held = _marked(self.held, new)
        if held.any():
            raise RequestError(f"id {self.held[held][0]} is in the index already", "take it out first: index.without(ids)")
        all_ids = np.concatenate([self.fresh_ids, new])
        order = np.argsort(all_ids, kind="stable")
        fresh = np.concatenate([self.fresh.reshape(-1, self.dim), added])[order]
        return replace(self, fresh=fresh, fresh_ids=all_ids[order])

    def without(self, ids: npt.ArrayLike) -> Self:
        """An index that no longer finds these. Raises RequestError if it does not hold one of them."""
        unwanted = np.unique(_whole(ids))
        missing = unwanted[~_marked(unwanted, self.held)]
        if len(missing):
            raise RequestError(f"id {missing[0]} is not in the index", "see index.held")
        keep = ~_marked(self.fresh_ids, unwanted)
        gone = ~self._live.base | _marked(self.ids, unwanted)
        return replace(self, gone=gone if gone.any() else gone[:0], fresh=self.fresh[keep], fresh_ids=self.fresh_ids[keep])

    def compacted(self, run: Run) -> VectorIndex:
        """The same vectors indexed anew, with no additions and deletions left to carry along, and recall measured again."""
        rows = np.flatnonzero(self._live.base)
        vectors = np.concatenate([self.vectors[rows], self.fresh.reshape(-1, self.dim)])
        return self.indexing.fit(vectors, run, ids=np.concatenate([self.ids[rows], self.fresh_ids]))

    def measured(self, queries: Vectors, k: int, allowed: Allowed | None = None, threads: int = 1) -> Recall:
        """Recall of these queries' `k` nearest against comparing all vectors, which costs their time once."""
        live = self._live if allowed is None else allowed
        exact = replace(self, structure=None)
        found, true = (each.search(queries, k, live, threads).cosine for each in (self, exact))
        return Recall.of_shares(shares_found(found, true), k) if len(queries) else Recall.exact(k)

    @cached_property
    def held(self) -> Ids:
        """The ids it holds, increasing."""
        return np.sort(np.concatenate([self.ids[self._live.base], self.fresh_ids]))

    def state(self) -> Arrays:
        """The arrays that hold all of it; `vectors` is as given, `structure` what faiss writes (empty where exact)."""
        words = {
            "indexing": dataclasses.asdict(self.indexing),
            "tuning": dataclasses.asdict(self.tuning),
            "recall": dataclasses.asdict(self.recall),
            "way": self.way(),
            "format": FORMAT,
        }
        structure = self.structure.to_bytes() if self.structure else np.empty(0, dtype=np.uint8)
        return {
            "vectors": self.vectors,
            "ids": self.ids,
            "gone": self.gone,
            "fresh": self.fresh.reshape(-1, self.dim),
            "fresh_ids": self.fresh_ids,
            "structure": structure,
            "words": np.frombuffer(json.dumps(words, sort_keys=True).encode(), dtype=np.uint8),
        }

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The index back from its arrays, which may be mapped from a file and are not copied.

        Prove the file's checksum first, as `Release.path` does: faiss believes the bytes of `structure`. Raises ReleaseDamaged
        for arrays that are no index of this format, or that do not belong together.
        """
        from basketry.vectors.indexing import VectorIndexing

        try:
            words = json.loads(np.asarray(state["words"], dtype=np.uint8).tobytes())
            if words["format"] != FORMAT:
                raise ReleaseDamaged(f"a vector index of format {words['format']}, not {FORMAT}", _AGAIN)
            arrays: dict[str, Any] = {
                name: np.asarray(state[name]) for name in ("vectors", "ids", "gone", "fresh", "fresh_ids")
            }
            structure = None
            if words["way"] != "exact":
                from basketry.vectors.structure import from_bytes

                structure = from_bytes(words["way"], np.asarray(state["structure"], dtype=np.uint8))
            found = cls(
                indexing=VectorIndexing(**words["indexing"]),
                structure=structure,
                tuning=Tuning(**words["tuning"]),
                recall=Recall(**words["recall"]),
                **arrays,
            )
        except (KeyError, TypeError, ValueError, RequestError, RuntimeError) as error:  # RuntimeError: faiss
            raise ReleaseDamaged(f"this is no vector index: {error!r}", _AGAIN) from error
        _check_fit(found)
        return found

    @cached_property
    def _live(self) -> Allowed:
        base = ~self.gone if len(self.gone) else np.ones(len(self.ids), dtype=np.bool_)
        return Allowed(base, np.ones(len(self.fresh_ids), dtype=np.bool_), self.structure, self._identity)

    @property
    def _identity(self) -> tuple[Ids, Mask, Ids]:
        return self.ids, self.gone, self.fresh_ids

    def _base(self, queries: Vectors, k: int, allowed: Allowed | None, threads: int) -> tuple[Rows, Vectors]:
        """Rows and cosines of the base."""
        count, mask = (len(self.ids), None) if allowed is None else (allowed.base_count, allowed.base)
        if self.structure is None or self.way(allowed) == "exact" or not len(queries):
            return nearest_allowed(self.vectors, queries, k, mask)
        parts = []
        for start in range(0, len(queries), _BLOCK):
            block = queries[start : start + _BLOCK]
            keys, wanted = self._approximate(self.structure, block, k, allowed.sieve if allowed else None, threads)
            short = np.flatnonzero(keys[:, min(wanted, count) - 1] == MISSING)
            rows, cosine = unpack(keys[:, : min(k, count)])
            if len(short):
                rows[short], cosine[short] = nearest_allowed(self.vectors, block[short], k, mask)
            parts.append((rows, cosine))
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([rows for rows, _ in parts]), np.concatenate([cosine for _, cosine in parts])

    def _approximate(
        self, structure: Structure, queries: Vectors, k: int, sieve: Sieve | None, threads: int
    ) -> tuple[Rows, int]:
        """Sort keys of the best candidates of each query, best first, and how many of them it should have met."""
        from basketry.vectors.structure import cosines

        usual, spare = structure.spared(k)
        breadth = self.tuning.breadth * max(1.0, k / self.indexing.k) ** _DEEPER
        rows = structure.candidates(queries, usual * self.tuning.depth, breadth, sieve, threads)
        keys = sort_keys(rows, cosines(self.vectors, queries, rows, threads))
        wanted = min(k + spare, keys.shape[1])
        if wanted < keys.shape[1]:
            keys = np.partition(keys, wanted - 1, axis=1)[:, :wanted]
        keys.sort(axis=1)
        return keys, wanted


def _check_fit(index: VectorIndex) -> None:
    """Raise ReleaseDamaged unless the arrays are of their types and belong together."""
    vectors, n = index.vectors, len(index.ids)
    kinds: list[tuple[npt.NDArray[Any], str, int]] = [
        (vectors, "float32", 2),
        (index.fresh, "float32", 2),
        (index.ids, "int64", 1),
        (index.fresh_ids, "int64", 1),
        (index.gone, "bool", 1),
    ]
    right = all(array.dtype == kind and array.ndim == axes for array, kind, axes in kinds)
    right = right and len(vectors) == n and len(index.fresh) == len(index.fresh_ids) and len(index.gone) in (0, n)
    right = right and (not len(index.fresh) or index.fresh.shape[1] == vectors.shape[1])
    right = right and all(bool((np.diff(ids) > 0).all()) for ids in (index.ids, index.fresh_ids))
    if not right or (index.structure is not None and index.structure.rows != n):
        rows = index.structure.rows if index.structure else 0
        raise ReleaseDamaged(f"{len(vectors)} vectors under {n} ids with a structure of {rows} do not fit together", _AGAIN)


def _marked(ids: Ids, among: Ids) -> Mask:
    """Which of `ids` (increasing) are `among` the others."""
    marked: Mask = np.zeros(len(ids), dtype=np.bool_)
    if len(ids):
        place = np.minimum(np.searchsorted(ids, among), len(ids) - 1)
        marked[place[ids[place] == among]] = True
    return marked


def _whole(ids: npt.ArrayLike) -> Ids:
    """`ids` as int64; RequestError for what are no whole numbers: a mask, or shares, would be taken for ids."""
    given = np.asarray(ids)
    if given.size and not np.issubdtype(given.dtype, np.integer):
        raise RequestError(f"ids of type {given.dtype}", "give whole numbers: np.flatnonzero(mask) of a mask")
    return given.astype(np.int64)


def checked_ids(ids: npt.ArrayLike, n: int) -> Ids:
    """`ids` as int64 [n], each there once and none negative. Raises RequestError otherwise."""
    given = np.asarray(ids)
    if given.shape != (n,) or not (np.issubdtype(given.dtype, np.integer) or not given.size):
        raise RequestError(f"ids of shape {given.shape} and type {given.dtype} for {n} vectors", "give one integer a vector")
    found, counts = np.unique(given, return_counts=True)
    if len(found) < n:
        raise RequestError(f"id {found[counts > 1][0]} stands there twice", "give each vector an id of its own")
    if n and found[0] < 0:
        raise RequestError(f"id {found[0]} is negative", "ids count from 0")
    return given.astype(np.int64)
