"""The networks that fuse: one linear map a modality into a shared space, their mean or a gated sum, and what they learn from.

Needs torch; the models that come out of it do not (`shared_space.FusedSpace`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_array

    from basketry.core.protocols import Arrays
    from basketry.training.fusion.modality import Modality

_HIDDEN: Final = 16  # neurons of the gate
_SHUT: Final = -1e9  # a logit that counts for nothing, and that times nothing is nothing


class Towers(nn.Module):
    """forward(vectors, signals) -> float32 [n, dim], unit norm: normalise(sum_m g_m normalise(P_m x_m)) over known m.

    `vectors` holds float32 [n, dim_m] by name, in the order of `names`; `signals` is float32 [n, modalities, 2], whether known
    and log evidence. g is the same for all known modalities, or with gates the softmax, over those known, of a small network
    that reads all signals of the product: it may trust a text less where much behaviour is at hand.
    """

    def __init__(self, maps: Arrays, *, gates: bool) -> None:
        super().__init__()
        self.names = tuple(maps)
        self.maps = nn.ModuleDict({name: _linear(np.asarray(weight, dtype=np.float32)) for name, weight in maps.items()})
        self.gate: Gate | None = Gate(len(self.names)) if gates else None

    def forward(self, vectors: Mapping[str, Tensor], signals: Tensor) -> Tensor:
        """The fused vectors; zero for a product of which nothing is known."""
        each = torch.stack([self.mapped(name, vectors[name]) for name in self.names], dim=1)
        known = signals[:, :, 0] > 0
        logits = torch.zeros(known.shape) if self.gate is None else self.gate(signals)
        shares = torch.where(known, torch.softmax(logits.masked_fill(~known, _SHUT), dim=1), 0.0)
        return functional.normalize((shares[:, :, None] * each).sum(dim=1), dim=1)

    def mapped(self, name: str, vectors: Tensor) -> Tensor:
        """One modality alone in the shared space, unit norm; zero stays zero."""
        mapped: Tensor = functional.normalize(self.maps[name](vectors), dim=1)
        return mapped

    def arrays(self) -> Arrays:
        """`map.NAME` [dim, dim_m] and, with gates, `gate.hidden.weight`, `.bias`, `gate.out.weight`, `.bias`."""
        found = {}
        for name, weight in self.named_parameters():
            part, _, rest = name.partition(".")
            short = f"map.{rest.removesuffix('.weight')}" if part == "maps" else name
            found[short] = np.array(weight.detach().cpu().numpy(), dtype=np.float32)
        return found


class Gate(nn.Module):
    """forward(signals [n, modalities, 2]) -> float32 [n, modalities]: out(relu(hidden(signals))), at first 0 for all."""

    def __init__(self, modalities: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(2 * modalities, _HIDDEN)
        self.out = nn.Linear(_HIDDEN, modalities)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, signals: Tensor) -> Tensor:
        """The logits of the modalities' shares."""
        logits: Tensor = self.out(torch.relu(self.hidden(signals.flatten(1))))
        return logits


class Anchors:
    """Examples of the loop: the numbers of the products that have partners."""

    def __init__(self, rows: npt.NDArray[np.int64]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, rows: npt.NDArray[np.int64]) -> dict[str, Tensor]:
        """`row` int64 [n]."""
        return {"row": torch.from_numpy(self._rows[rows])}


class PartnerObjective(nn.Module):
    """Every product is to find its partners among all products, with some of what is known of it hidden.

    The mean over anchors i of -sum_j p_ij log softmax_j(z_i . z_j / temperature), p_ij the weight of the pair over the sum of
    i's, j over all products that have partners, but i itself: InfoNCE (van den Oord et al., 2018) with every negative there is
    and all partners at once. `drop` is the chance that a modality of a product is hidden for a step, anchors and candidates
    drawn each on their own, the last known one never: so a product that is known by its text alone lands among those that are
    known by more. `align` adds that many times the InfoNCE of a product's modalities finding one another in the batch, two by
    two (Radford et al., CLIP, 2021).
    """

    def __init__(
        self, modalities: Mapping[str, Modality], partners: csr_array, *, temperature: float, drop: float, align: float
    ) -> None:
        super().__init__()
        self._names = tuple(modalities)
        self._partners = partners
        self._temperature, self._drop, self._align = temperature, drop, align
        self.candidates: Tensor
        self.register_buffer("candidates", torch.from_numpy(np.flatnonzero(np.diff(partners.indptr))), persistent=False)
        for name, each in modalities.items():
            self.register_buffer(f"of_{name}", torch.from_numpy(each.shown), persistent=False)
        signals = np.stack([each.signals for each in modalities.values()], axis=1)
        self.signals: Tensor
        self.register_buffer("signals", torch.from_numpy(signals), persistent=False)

    def forward(self, module: Towers, batch: dict[str, Tensor]) -> Tensor:
        """The loss of the anchors `row`."""
        rows = batch["row"]
        anchors, found = self._fused(module, rows), self._fused(module, self.candidates)
        scores = (anchors @ found.T / self._temperature).masked_fill(rows[:, None] == self.candidates[None, :], _SHUT)
        weights = self._partners[rows.cpu().numpy()][:, self.candidates.cpu().numpy()].toarray()
        wanted = torch.from_numpy(weights.astype(np.float32)).to(scores.device)
        wanted = wanted / wanted.sum(dim=1, keepdim=True)
        loss: Tensor = -(wanted * torch.log_softmax(scores, dim=1)).sum(dim=1).mean()
        return loss + self._align * self._aligned(module, rows) if self._align else loss

    def _fused(self, module: Towers, rows: Tensor) -> Tensor:
        """As the module sees the rows when some of their modalities are hidden."""
        signals = self.signals[rows]
        known = signals[:, :, 0] > 0
        if module.training and self._drop:
            drawn = torch.rand(known.shape, device=known.device).masked_fill(~known, -1.0)
            known = known & ((drawn >= self._drop) | (drawn == drawn.max(dim=1, keepdim=True).values))
        vectors = {name: self.get_buffer(f"of_{name}")[rows] for name in self._names}
        fused: Tensor = module(vectors, signals * known[:, :, None])
        return fused

    def _aligned(self, module: Towers, rows: Tensor) -> Tensor:
        total, terms = torch.zeros((), device=rows.device), 0
        known = self.signals[rows][:, :, 0] > 0
        each = {name: module.mapped(name, self.get_buffer(f"of_{name}")[rows]) for name in self._names}
        for one in range(len(self._names)):
            for other in range(one):
                both = known[:, one] & known[:, other]
                if int(both.sum()) < 2:
                    continue
                scores = each[self._names[one]][both] @ each[self._names[other]][both].T / self._temperature
                right = torch.arange(len(scores), device=scores.device)
                total = total + (functional.cross_entropy(scores, right) + functional.cross_entropy(scores.T, right)) / 2
                terms += 1
        return total / max(terms, 1)


def _linear(weight: npt.NDArray[np.float32]) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = nn.Parameter(torch.from_numpy(weight.copy()))
    return layer
