"""Texts that go together: what an encoder is adapted on, and how some products are kept out of it to judge by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from scipy.sparse import csr_array

from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.evaluation.retrieval import same_group

if TYPE_CHECKING:
    import numpy.typing as npt

    Codes = npt.NDArray[np.int64]
    Doubles = npt.NDArray[np.float64]

FEWEST: Final = 50  # pairs to learn from, and texts to judge by on either side
_MORE: Final = "give more pairs: a longer history, a lower floor"
_WIDEST: Final = 64  # texts of a group that are all paired with each other: pairs grow with the square
_DRAWN: Final = 8  # partners of each text in a larger one


@dataclass(frozen=True, eq=False)
class Pairs:
    """Distinct `texts`; `rows` int64 [n, 2] of those that go together, each once; `weights` float64 [n] > 0, how much.

    `keys` int64 [texts] says what stays together when some are kept out: the product, or its group. Texts of one key are never
    taken for negatives of each other.
    """

    texts: tuple[str, ...]
    rows: Codes
    weights: Doubles
    keys: Codes

    @classmethod
    def of_groups(cls, texts: Sequence[str], groups: Sequence[object], run: Run) -> Self:
        """All texts of one group go together. A text of two groups counts to the first.

        In a group of more than 64 texts each is paired with 16 others, drawn by `run.seed`.
        """
        if len(texts) != len(groups):
            raise RequestError(f"{len(texts)} texts and {len(groups)} groups", "give one group for each text")
        first: dict[str, object] = {}
        for text, group in zip(texts, groups, strict=True):
            first.setdefault(text, group)
        distinct = tuple(first)
        keys = np.unique(np.array([str(group) for group in first.values()]), return_inverse=True)[1].astype(np.int64)
        random = np.random.default_rng(run.seed)
        members = np.split(np.argsort(keys, kind="stable"), np.cumsum(np.bincount(keys))[:-1]) if len(keys) else []
        found = []
        for group in members:
            if len(group) <= _WIDEST:
                one, two = np.triu_indices(len(group), 1)
                found.append(np.stack([group[one], group[two]], axis=1))
            else:
                ring = random.permutation(group)
                found += [np.stack([ring, np.roll(ring, shift + 1)], axis=1) for shift in range(_DRAWN)]
        rows = np.concatenate(found) if found else np.empty((0, 2), dtype=np.int64)
        return cls(distinct, rows, np.ones(len(rows)), keys)

    @classmethod
    def of_pairs(cls, one: Sequence[str], two: Sequence[str], weights: Sequence[float] | Doubles) -> Self:
        """Text `one[i]` goes with `two[i]`, `weights[i]` much; a pair given twice, or both ways round, counts the sum."""
        if not len(one) == len(two) == len(weights):
            raise RequestError(f"{len(one)} texts, {len(two)} partners, {len(weights)} weights", "give as many of each")
        number: dict[str, int] = {}
        rows = np.array([[number.setdefault(text, len(number)) for text in pair] for pair in zip(one, two, strict=True)])
        rows = np.sort(rows.reshape(-1, 2), axis=1).astype(np.int64)
        told = np.asarray(weights, dtype=np.float64)
        if not (np.isfinite(told).all() and (told > 0).all()):
            raise RequestError("a weight of a pair is not a positive number", "leave such pairs out")
        apart = rows[:, 0] != rows[:, 1]
        distinct, inverse = np.unique(rows[apart], axis=0, return_inverse=True)
        summed = np.bincount(inverse.ravel(), told[apart], len(distinct)).astype(np.float64)
        return cls(tuple(number), distinct, summed, np.arange(len(number), dtype=np.int64))

    def partners(self) -> csr_array:
        """float64 [texts, texts]: the weight of each pair, both ways round."""
        n = len(self.texts)
        a, b = self.rows.T
        return csr_array((np.tile(self.weights, 2), (np.concatenate([a, b]), np.concatenate([b, a]))), shape=(n, n))

    def without(self, out: npt.NDArray[np.bool_]) -> Self:
        """The pairs neither of whose texts is `out` (bool [texts]), over the texts left."""
        kept = ~out
        number = np.cumsum(kept) - 1
        rows = kept[self.rows].all(axis=1)
        texts = tuple(text for text, stays in zip(self.texts, kept, strict=True) if stays)
        return type(self)(texts, number[self.rows[rows]], self.weights[rows], self.keys[kept])


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Questions to judge by: for each text kept out, `queries` int64 [q] in `texts`, which others go with it.

    `relevant` is sparse bool [q, texts]. The candidates are all `texts`: those kept out and every partner they have.
    """

    texts: tuple[str, ...]
    queries: Codes
    relevant: csr_array
    cluster: Codes


@dataclass(frozen=True, eq=False)
class Parts:
    """Pairs to learn from, questions to stop by (`valid`), questions to judge by (`test`); no query's text is learned from."""

    learn: Pairs
    valid: HeldOut
    test: HeldOut


def split(pairs: Pairs, run: Run, valid: float = 0.15, test: float = 0.15) -> Parts:
    """Keep these shares of the keys out, drawn by `run.seed`: no text of theirs, and no pair with one, is learned from.

    A product kept out is cold: to the adapted encoder it is a text it never saw. Its partners may be products that were learned
    from, as they will be when it is used. Raises RequestError if that leaves fewer than 50 pairs, or 50 queries on either side.
    """
    names, key = np.unique(pairs.keys, return_inverse=True)
    drawn = np.random.default_rng([run.seed, 7]).random(len(names))[key]
    to_test, to_valid = drawn < test, (drawn >= test) & (drawn < test + valid)
    learn = pairs.without(to_test | to_valid)
    if len(learn.rows) < FEWEST:
        raise RequestError(f"only {len(learn.rows)} pairs to learn from; {FEWEST} are needed", _MORE)
    parts = Parts(learn, _held_out(pairs, to_valid, to_test), _held_out(pairs, to_test, np.zeros_like(to_test)))
    for count, what in (
        (len(parts.valid.queries), "texts with a partner to stop by"),
        (len(parts.test.queries), "texts with a partner to judge by"),
    ):
        if count < FEWEST:
            raise RequestError(f"only {count} {what}; {FEWEST} are needed", _MORE)
    return parts


def _held_out(pairs: Pairs, asked: npt.NDArray[np.bool_], unseen: npt.NDArray[np.bool_]) -> HeldOut:
    """Questions about the texts `asked`; `unseen` texts stay out altogether."""
    table = pairs.partners()
    touched = asked[pairs.rows].any(axis=1) & ~unseen[pairs.rows].any(axis=1)
    places = np.unique(pairs.rows[touched])
    alike = csr_array(table[places][:, places] > 0)
    relevant = csr_array(alike + same_group(pairs.keys[places]))
    queries = np.flatnonzero(asked[places] & (np.diff(relevant.indptr) > 0)).astype(np.int64)
    texts = tuple(pairs.texts[place] for place in places)
    return HeldOut(texts, queries, csr_array(relevant[queries]), pairs.keys[places[queries]])
