"""How well vectors find what goes with a product that was kept out: the one measure that adapting is steered and judged by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.evaluation.retrieval import Questions
from basketry.vectors.exact import nearest_others

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import nn

    from basketry.core.protocols import Vectors
    from basketry.encoders.models import Tokenise
    from basketry.evaluation.bootstrap import Resampled
    from basketry.training.adaptation.pairs import HeldOut

    Codes = npt.NDArray[np.int64]
    Encode = Callable[[Sequence[str]], Vectors]

STEERED_BY: Final = "recall@10"
KS: Final = (1, 5, 10)
_TEXTS: Final = 256  # in one pass of a network


def judge(held: HeldOut, vectors: Vectors, resamples: int = 500, seed: int = 0) -> Resampled:
    """hit, recall, MRR and nDCG at 1, 5 and 10, each query against all other texts of `held`; one vector each."""
    ranked = nearest_others(vectors, held.queries, max(KS))
    return Questions(held.relevant, held.cluster).measure(ranked, KS, resamples, seed)


def by_network(tokenise: Tokenise) -> Callable[[nn.Module, Sequence[str]], Vectors]:
    """A function that encodes texts by a torch network as it now is, texts of like length together."""
    import torch

    from basketry.encoders.batches import padded
    from basketry.training.devices import beside

    def encode(module: nn.Module, texts: Sequence[str]) -> Vectors:
        tokens = tokenise(texts)
        order = sorted(range(len(tokens)), key=lambda place: len(tokens[place]))
        parts = []
        with torch.no_grad():
            for start in range(0, len(order), _TEXTS):
                ids, mask = padded([tokens[place] for place in order[start : start + _TEXTS]])
                batch = beside(module, {"ids": torch.from_numpy(ids), "mask": torch.from_numpy(mask.astype(bool))})
                parts.append(module(batch["ids"], batch["mask"]).cpu().numpy())
        whole = np.concatenate(parts).astype(np.float32)
        vectors = np.empty_like(whole)
        vectors[order] = whole
        return vectors

    return encode
