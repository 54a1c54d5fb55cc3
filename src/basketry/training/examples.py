"""Tokenised texts as training examples: single with labels, and in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from basketry.encoders.batches import padded

if TYPE_CHECKING:
    import numpy.typing as npt

    Rows = npt.NDArray[np.int64]
    Tokens = Sequence[Sequence[int]]


@dataclass(frozen=True, eq=False)
class Texts:
    """Token ids of each text, and whatever else goes with a text, row for row: `label` int64 [n]."""

    tokens: Tokens
    columns: Mapping[str, npt.NDArray[np.generic]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tokens)

    def batch(self, rows: Rows) -> dict[str, Tensor]:
        """`ids` int64 and `mask` bool [n, longest], and the columns."""
        return _padded([self.tokens[row] for row in rows], "") | _columns(self.columns, rows)


@dataclass(frozen=True, eq=False)
class TextPairs:
    """Pairs (anchor, partner) of rows in `tokens`, with as many hard negatives as `negatives` has columns.

    `pairs` int64 [n, 2], `negatives` int64 [n, k]. Texts of equal `keys` int64 [texts] (the product, or its group) are never
    negatives of each other; `log_q` float32 [texts] is the log of how often each is drawn. See `objectives.Contrastive`.
    """

    tokens: Tokens
    pairs: Rows
    negatives: Rows | None = None
    keys: Rows | None = None
    log_q: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.pairs)

    def batch(self, rows: Rows) -> dict[str, Tensor]:
        """What `Contrastive` reads."""
        kinds = {"": self.pairs[rows, 0], "positive.": self.pairs[rows, 1]}
        if self.negatives is not None:
            kinds["negative."] = self.negatives[rows].reshape(-1)
        found: dict[str, Tensor] = {}
        for kind, texts in kinds.items():
            found |= _padded([self.tokens[text] for text in texts], kind)
            if self.keys is not None:
                found[f"{kind}key"] = torch.from_numpy(self.keys[texts])
            if self.log_q is not None:
                found[f"{kind}log_q"] = torch.from_numpy(self.log_q[texts])
        return found


def _padded(tokens: Tokens, kind: str) -> dict[str, Tensor]:
    ids, mask = padded(tokens)
    return {f"{kind}ids": torch.from_numpy(ids), f"{kind}mask": torch.from_numpy(mask.astype(bool))}


def _columns(columns: Mapping[str, npt.NDArray[np.generic]], rows: Rows) -> dict[str, Tensor]:
    return {name: torch.from_numpy(column[rows]) for name, column in columns.items()}
