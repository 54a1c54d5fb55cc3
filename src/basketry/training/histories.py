"""Histories as training examples: stretches of events, and what came after each of them; customers held out to stop by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from scipy.sparse import csr_array

from basketry.evaluation.retrieval import Questions
from basketry.kernels.ranking import Seen, rank_dense

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor, nn

    from basketry.core.histories import Histories
    from basketry.encoders.history.network import HistoryNetwork

    Ids = npt.NDArray[np.int64]

_JUDGES: Final = 2_000  # customers held out at most: nDCG is then known to some .01
_PART: Final = 256


@dataclass(frozen=True, eq=False)
class Stretches:
    """Stretches of at most `length` events, cut from each history's end backwards; `first`, `count` int64 [n] into its events.

    `targets` int64 [events] is a product of the customer's next visit, -1 where there is none: what shares a visit has no
    order, so it predicts nothing of the same visit. Event i of a visit is given the i-th product of the next, around and
    around.
    """

    products: Ids
    targets: Ids
    first: Ids
    count: Ids

    @classmethod
    def of(cls, histories: Histories, length: int, *, masked: bool) -> Stretches:
        """Of a masked body every event of a history of two or more; else every event that something came after."""
        targets = _next_visits(histories)
        used = histories.lengths if masked else np.add.reduceat(np.append(targets >= 0, False), histories.indptr[:-1])
        used = np.where(histories.lengths > int(masked), used, 0).astype(np.int64)  # reduceat says nothing of empty rows
        pieces = -(-used // length)
        row = np.repeat(np.arange(len(histories)), pieces)
        place = np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        last = used[row] - place * length
        count = np.minimum(last, length)
        first = histories.indptr[row] + last - count
        kept = count > int(masked)
        return cls(histories.products.astype(np.int64), targets, first[kept], count[kept])

    def __len__(self) -> int:
        return len(self.first)

    def batch(self, rows: Ids) -> dict[str, Tensor]:
        """`ids`, `targets` int64 and `mask` bool [n, longest], padded on the right."""
        place = np.arange(self.count[rows].max(initial=1))
        mask = place < self.count[rows][:, None]
        events = np.where(mask, self.first[rows][:, None] + place, 0)
        found = {"ids": self.products[events] * mask, "targets": self.targets[events], "mask": mask}
        return {name: torch.from_numpy(array) for name, array in found.items()}


def _next_visits(histories: Histories) -> Ids:
    rows, visits, n = histories.rows, histories.visits, len(histories.products)
    if not n:
        return np.empty(0, dtype=np.int64)
    new = np.ones(n, dtype=np.bool_)
    new[1:] = (np.diff(visits) != 0) | (np.diff(rows) != 0)
    starts = np.flatnonzero(new)
    number = np.cumsum(new) - 1
    sizes = np.diff(np.append(starts, n))
    after = np.minimum(number + 1, len(starts) - 1)
    there = (number + 1 < len(starts)) & (rows[starts[after]] == rows)
    event = starts[after] + (np.arange(n) - starts[number]) % sizes[after]
    return np.where(there, histories.products[event], -1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Judges:
    """Customers whose last visit was kept from training: `before` it, and the products `wanted` in it."""

    before: Histories
    wanted: csr_array

    def ndcg(self, module: nn.Module) -> float:
        """Mean nDCG@10 of a history network among all products it learned of; those of the history too, if any is wanted."""
        network: HistoryNetwork = module  # type: ignore[assignment]
        held = csr_array(
            (np.ones(len(self.before.products)), self.before.products, self.before.indptr), shape=self.wanted.shape
        )
        again = bool(held.multiply(self.wanted).nnz)
        ids, lengths = network.layout.window(self.before)
        mask = np.arange(ids.shape[1]) < lengths[:, None]
        table, bias = network.products(), network.bias
        ranked = np.full((len(ids), 10), -1, dtype=np.int64)
        for start in range(0, len(ids), _PART):
            part = slice(start, start + _PART)
            vectors = network(torch.from_numpy(ids[part]), torch.from_numpy(mask[part]))
            scores = np.ascontiguousarray((vectors @ table.T + bias).numpy())
            some = self.before.select(np.arange(len(ids))[part])
            seen = Seen(some.indptr, some.products, some.n_products, network.known, repeats=again)
            ranked[part] = rank_dense(scores, seen, 10)[0]
        questions = Questions(self.wanted, np.arange(len(ids)))
        return float(np.mean(questions.per_query(ranked, (10,))["ndcg@10"]))


def held_out(histories: Histories, share: float, seed: int) -> tuple[Histories, Judges | None]:
    """The histories without the last visit of a `share` of the customers with two or more, at most 2,000; and those."""
    visits, rows = histories.visits, histories.rows
    if not len(rows) or not share:
        return histories, None
    ends = histories.indptr[1:] - 1
    final = visits == visits[np.maximum(ends, 0)][rows]
    before = np.bincount(rows[~final], minlength=len(histories))
    able = np.flatnonzero(before > 0)
    drawn = np.random.default_rng([seed, 5]).permutation(able)[: min(round(share * len(able)), _JUDGES)]
    if not len(drawn):
        return histories, None
    judge = np.zeros(len(histories), dtype=np.bool_)
    judge[drawn] = True
    kept = ~(final & judge[rows])
    chosen = np.sort(drawn)
    wanted = histories.where(~kept).select(chosen)
    held = csr_array(
        (np.ones(len(wanted.products), dtype=np.bool_), wanted.products, wanted.indptr),
        shape=(len(chosen), histories.n_products),
    )
    held.sum_duplicates()
    learned = histories.where(kept)
    return learned, Judges(learned.select(chosen), held)
