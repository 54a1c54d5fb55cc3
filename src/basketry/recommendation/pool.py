"""What several rankers propose together, and what each of them says of every proposal: what a blend or a ranker learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from basketry.core.errors import RequestError
from basketry.core.histories import Candidates
from basketry.recommendation.voices import Singles, chunks

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from basketry.core.histories import Bools, Int32s, Int64s, Queries
    from basketry.core.protocols import Ranker
    from basketry.recommendation.voices import Voicing


@dataclass(frozen=True, eq=False)
class Pool:
    """The proposals of n queries, one query after the other, products ascending; query q has [indptr[q], indptr[q + 1]).

    Of each proposal, in a column a part: `scores` and `voices` float32, true for every proposal and not only where the part
    made it; `places` int32, from 1, among all that may be ranked as the voicing has it, and 0 beyond `depth`, so that a filter
    changes no place. Memory: 12 bytes a proposal and part.
    """

    indptr: Int64s
    products: Int32s
    scores: Singles
    voices: Singles
    places: Int32s

    @property
    def queries(self) -> Int64s:
        """The query of each proposal."""
        return np.repeat(np.arange(len(self.indptr) - 1, dtype=np.int64), np.diff(self.indptr))

    def relevant(self, answers: csr_array) -> Bools:
        """Whether each proposal is among the answers, sparse bool [queries, n_products]. Raises RequestError for another n."""
        n, products = answers.shape
        if n != len(self.indptr) - 1:
            raise RequestError(
                f"answers to {n} of {len(self.indptr) - 1} queries", "give a row for each query, also an empty one"
            )
        known = np.repeat(np.arange(n), np.diff(answers.indptr)) * np.int64(products) + answers.indices
        found: Bools = np.isin(self.queries * products + self.products, known)
        return found


def pool_of(parts: Sequence[Ranker], queries: Queries, depth: int, candidates: Candidates, voicing: Voicing) -> Pool:
    """The union of what each part ranks first to `depth` among the candidates."""
    if depth < 1 or not parts:
        raise RequestError(f"a pool of depth {depth} from {len(parts)} rankers", "both start at 1")
    pieces = [_piece(parts, queries.select(rows), depth, candidates.select(rows), voicing) for rows in chunks(len(queries))]
    if not pieces:
        empty = np.zeros((0, len(parts)), dtype=np.float32)
        return Pool(np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32), empty, empty, empty.astype(np.int32))
    lengths = np.concatenate([np.diff(piece.indptr) for piece in pieces])
    return Pool(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.concatenate([piece.products for piece in pieces]),
        np.concatenate([piece.scores for piece in pieces]),
        np.concatenate([piece.voices for piece in pieces]),
        np.concatenate([piece.places for piece in pieces]),
    )


def _piece(parts: Sequence[Ranker], queries: Queries, depth: int, candidates: Candidates, voicing: Voicing) -> Pool:
    every = Candidates(repeats=voicing.repeats)
    rankings = [part.rank(queries, max(depth, voicing.places), every) for part in parts]  # shorter ones are its beginnings
    places_of = [ranking.products[:, :depth] for ranking in rankings]
    alike = candidates.allowed is None and candidates.repeats == every.repeats
    tops = places_of if alike else [part.rank(queries, depth, candidates).products for part in parts]
    n, n_products = len(queries), parts[0].n_products
    row = np.repeat(np.arange(n, dtype=np.int64), depth)
    keys = np.concatenate([(row * n_products + top.ravel())[top.ravel() >= 0] for top in tops])
    keys = np.unique(keys)
    query, product = np.divmod(keys, n_products)
    scores = np.empty((len(keys), len(parts)), dtype=np.float32)
    voices = np.empty_like(scores)
    places: npt.NDArray[np.int32] = np.zeros(scores.shape, dtype=np.int32)
    for number, (part, ranking, top) in enumerate(zip(parts, rankings, places_of, strict=True)):
        scores[:, number] = part.scores(queries)[query, product]
        voices[:, number] = voicing.voice_of(ranking).at(scores[:, number], query)
        who, place = np.nonzero(top >= 0)
        wanted = who * np.int64(n_products) + top[who, place]
        at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        there = keys[at] == wanted if len(keys) else np.zeros(len(at), dtype=np.bool_)
        places[at[there], number] = place[there] + 1
    indptr = np.searchsorted(query, np.arange(n + 1)).astype(np.int64)
    return Pool(indptr, product.astype(np.int32), scores, voices, places)
