"""Which pairs a network is trained on, in which company: drawn evenly over products, next to those it confuses them with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from basketry.vectors.exact import nearest_others

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_array
    from torch import Tensor

    from basketry.core.protocols import Vectors
    from basketry.training.adaptation.pairs import Pairs
    from basketry.training.examples import TextPairs

    Codes = npt.NDArray[np.int64]

_BREADTH = 4  # neighbours looked at for each place in a cluster


def drawn_pairs(pairs: Pairs, random: np.random.Generator) -> Codes:
    """One round: int64 [m, 2], in which every text that has a partner stands at least once.

    Texts are taken in random order; one not seen yet becomes an anchor and draws its partner by weight. So what is sold most is
    an anchor no more often than anything else.
    """
    table = pairs.partners()
    seen = np.zeros(len(pairs.texts), dtype=np.bool_)
    uniform = random.random(len(pairs.texts))
    found = []
    for text in random.permutation(len(pairs.texts)):
        begin, end = table.indptr[text], table.indptr[text + 1]
        if seen[text] or begin == end:
            continue
        share = np.cumsum(table.data[begin:end])
        partner = table.indices[begin + np.searchsorted(share, uniform[text] * share[-1], side="right")]
        seen[text] = seen[partner] = True
        found.append((text, partner))
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def log_frequency(pairs: Pairs) -> npt.NDArray[np.float32]:
    """The log of how often each text is expected among anchors and partners, had every text been an anchor once: [texts].

    q_j = (1 + sum_i w_ij / sum_k w_ik) / (2 n): the in-batch frequency that the loss corrects for. A text without a partner is
    never drawn; it counts as one that is no one's partner.
    """
    table = pairs.partners()
    total = table.sum(axis=1)
    share = np.divide(1, total, out=np.zeros_like(total), where=total > 0)
    q: npt.NDArray[np.float64] = (1 + table.T @ share) / (2 * max(len(pairs.texts), 1))
    return np.log(q).astype(np.float32)


def alike_clusters(
    rows: Codes, vectors: Vectors, keys: Codes, known: csr_array, size: int, random: np.random.Generator
) -> Codes:
    """Pairs grouped by `size` so that a group's anchors are alike to the encoder: int64 [groups, size, 2].

    A group's other partners are its anchors' hard negatives, at no more texts to encode. A pair joins only if no anchor of the
    group is known to go with its texts, or shares its key. Greedy over random seeds, among the `4 size` pairs nearest to a
    seed; pairs that find no company make up further groups in random order, the last of them filled with pairs drawn at random.
    Exact nearest neighbours: to about 50,000 pairs (4 s a round at 10,000).
    """
    if len(rows) <= size:
        return np.take(rows, np.arange(size) % len(rows), axis=0)[None]
    if size == 1:
        return np.take(rows, random.permutation(len(rows)), axis=0)[:, None]
    near = nearest_others(vectors[rows[:, 0]], np.arange(len(rows)), min(_BREADTH * size, len(rows) - 1))
    free = np.ones(len(rows), dtype=np.bool_)
    partners = [
        frozenset(known.indices[known.indptr[text] : known.indptr[text + 1]].tolist()) for text in range(known.shape[0])
    ]
    grouped: list[list[int]] = []
    for seed in random.permutation(len(rows)):
        if not free[seed]:
            continue
        group = [int(seed)]
        for other in near[seed]:
            if len(group) == size:
                break
            if free[other] and not any(_conflict(rows[other], rows[one], keys, partners) for one in group):
                group.append(int(other))
        free[group] = False
        grouped.append(group)
    full = [group for group in grouped if len(group) == size]
    rest = random.permutation([pair for group in grouped if len(group) < size for pair in group]).astype(np.int64)
    lacking = -len(rest) % size
    rest = np.concatenate([rest, random.integers(0, len(rows), lacking)])
    order = np.concatenate([np.array(full, dtype=np.int64).reshape(-1, size), rest.reshape(-1, size)])
    return np.take(rows, order, axis=0)


def _conflict(one: Codes, two: Codes, keys: Codes, partners: list[frozenset[int]]) -> bool:
    a, b, c, d = (int(each) for each in (*one, *two))
    return len({int(keys[a]), int(keys[b])} & {int(keys[c]), int(keys[d])}) > 0 or d in partners[a] or b in partners[c]


@dataclass(frozen=True, eq=False)
class Clusters:
    """Examples for the training loop, each a whole cluster of pairs: `rows` int64 [clusters, size, 2] of the texts in `pairs`.

    `known` is sparse [texts, texts]: pairs that go together are told to the loss, as no negatives of each other.
    """

    pairs: TextPairs
    rows: Codes
    known: csr_array

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, rows: Codes) -> dict[str, Tensor]:
        """What `objectives.Contrastive` reads, with `known`."""
        import dataclasses

        import torch

        chosen = self.rows[rows].reshape(-1, 2)
        found = dataclasses.replace(self.pairs, pairs=chosen).batch(np.arange(len(chosen)))
        known = self.known[chosen[:, 0]][:, chosen[:, 1]].toarray() > 0
        return {**found, "known": torch.from_numpy(known)}
