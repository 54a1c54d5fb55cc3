"""The default encoder's network in torch: the same function of the same arrays as `network.py`, so that it can be trained.

Everything is trainable but the quantised embeddings; what is learned of a token is added to its embedding, for the tokens that
`learning` chose. `arrays()` gives back what `NgramNetwork.from_arrays` reads, so an adapted
model is served by the numpy runtime and needs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from basketry.encoders.ngram.network import BLOCKS, BRANCHES, GAP, LEARNED, PROJECT, WIDTH

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Arrays

    Codes = npt.NDArray[np.int64]

_ORDERS: Final = tuple(order for order, _ in BRANCHES)
_LINEAR: Final = {  # array of the weights [in, out], and of the bias if there is one
    "cnn_W": "cnn_b",
    **{f"proj{order}": f"proj_b{order}" for order in _ORDERS},
    **{f"w{layer}_{order}": f"b{layer}_{order}" for order in _ORDERS for layer in (1, 2)},
    **dict.fromkeys(("p1", "p3", "d0", "d1", "d2", "d3")),
}
_GAINS: Final = tuple(f"ln_g{order}" for order in _ORDERS)  # of one normalisation over the channels of all branches
_SHIFTS: Final = tuple(f"ln_b{order}" for order in _ORDERS)


_STRIDE: Final = 10.0  # how much faster the embeddings learn: Adam moves every weight alike, and a rare token is seen rarely


def learning(arrays: Arrays, tokens: Codes) -> Arrays:
    """The arrays with room to learn of these `tokens` (int64 ids, distinct), for all of which as yet nothing is learned.

    What was learned of others before stays. Costs 2 KB a token.
    """
    before, known = (np.asarray(arrays[name]) if name in arrays else None for name in LEARNED)
    whole = np.unique(tokens if before is None else np.concatenate([before, tokens])).astype(np.int32)
    vectors = np.zeros((len(whole), np.asarray(arrays["q1"]).shape[1]), dtype=np.float32)
    if before is not None and known is not None:
        vectors[np.searchsorted(whole, before)] = known
    return {**arrays, LEARNED[0]: whole, LEARNED[1]: vectors}


class NgramModule(nn.Module):
    """forward(ids int64 [n, t], mask bool [n, t]) -> float32 [n, dim], unit norm; `mask` is true where there is a token.

    Texts are laid in one row with blanks between, so padding costs nothing. Equal to the numpy runtime to 1e-5.
    """

    embeddings: Tensor
    lo: Tensor
    scale: Tensor
    row: Tensor

    def __init__(self, arrays: Arrays) -> None:
        super().__init__()
        self._fixed = {
            name: np.asarray(arrays[name]) for name in arrays if name.startswith("q") or name in ("lo", "scale", "bits")
        }
        embeddings = np.stack([np.asarray(arrays[f"q{block + 1}"], dtype=np.uint8) for block in range(BLOCKS)])
        self._eps: float = float(np.asarray(arrays["eps"]))
        self.register_buffer("embeddings", torch.from_numpy(embeddings), persistent=False)
        for name in ("lo", "scale"):
            self.register_buffer(name, _tensor(arrays[name]), persistent=False)
        self.linear = nn.ModuleDict({name: _linear(arrays, name, bias) for name, bias in _LINEAR.items()})
        self.norm_projected = _norm(arrays, _GAINS, _SHIFTS, self._eps)
        self.norm_features = _norm(arrays, ("ln_g",), ("ln_b",), self._eps)
        self.learned: nn.Embedding | None = None
        if LEARNED[0] in arrays:
            self._tokens = np.asarray(arrays[LEARNED[0]], dtype=np.int64)
            known = _tensor(arrays[LEARNED[1]]) / _STRIDE
            self.learned = nn.Embedding(len(known), known.shape[1], device="meta")
            self.learned.weight = nn.Parameter(known)
            row = np.full(embeddings.shape[0] * embeddings.shape[1], -1, dtype=np.int64)
            row[self._tokens] = np.arange(len(self._tokens))
            self.register_buffer("row", torch.from_numpy(row), persistent=False)
        self.project: nn.Linear | None = None
        if PROJECT in arrays:
            self.project = _of_weight(_tensor(arrays[PROJECT]), None)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The unit vector of each text."""
        lengths = mask.sum(dim=1)
        owner = torch.arange(len(ids), device=ids.device).repeat_interleave(lengths)
        places = torch.arange(len(owner), device=ids.device) + (owner + 1) * GAP
        size = int(places[-1]) + 1 + GAP
        there = self.lo.new_zeros(size, 1).index_fill_(0, places, 1.0)
        embedded = self.lo.new_zeros(size, self.embeddings.shape[2]).index_copy(0, places, self._embedded(ids[mask]))
        projected = self.norm_projected(torch.cat([self.linear[f"proj{order}"](embedded) for order in _ORDERS], dim=1))
        levels = (projected * there).split([WIDTH] * len(BRANCHES), dim=1)
        parts = [embedded, *(self._mixed(level, there, *branch) for level, branch in zip(levels, BRANCHES, strict=True))]
        features = self.norm_features(torch.cat(parts, dim=1)[places])
        sums = features.new_zeros(len(ids), features.shape[1]).index_add(0, owner, features)
        return self._head(sums, lengths.to(torch.float32)[:, None])

    def arrays(self) -> Arrays:
        """The weights as they are now, under the names of the published file."""
        found = dict(self._fixed)
        for name, bias in _LINEAR.items():
            found[name] = _array(self._layer(name).weight).T.copy()
            if bias is not None:
                found[bias] = _array(self._layer(name).bias)
        for names, whole in ((_GAINS, self.norm_projected.weight), (_SHIFTS, self.norm_projected.bias)):
            found |= dict(zip(names, np.split(_array(whole), len(names)), strict=True))
        found |= {"ln_g": _array(self.norm_features.weight), "ln_b": _array(self.norm_features.bias)}
        if self.project is not None:
            found[PROJECT] = _array(self.project.weight)
        if self.learned is not None:
            found |= {LEARNED[0]: self._tokens.astype(np.int32), LEARNED[1]: _array(self.learned.weight) * np.float32(_STRIDE)}
        return found | {"eps": np.array(self._eps)}

    def _layer(self, name: str) -> nn.Linear:
        layer: nn.Linear = self.linear[name]  # type: ignore[assignment]
        return layer

    def _embedded(self, ids: Tensor) -> Tensor:
        block = ids % BLOCKS
        whole: Tensor = self.embeddings[block, ids // BLOCKS] * self.scale[block, None] + self.lo[block, None]
        if self.learned is None:
            return whole
        row = self.row[ids]
        known = (row >= 0).nonzero()[:, 0]
        return whole.index_add(0, known, self.learned(row[known]) * _STRIDE)

    def _mixed(self, level: Tensor, there: Tensor, order: int, left: int) -> Tensor:
        for layer in (1, 2):
            padded = functional.pad(level, (0, 0, left, order - 1 - left))
            window = torch.cat([padded[start : start + len(level)] for start in range(order)], dim=1)
            level = (torch.relu(self.linear[f"w{layer}_{order}"](window)) + level) * there
        return level

    def _head(self, sums: Tensor, lengths: Tensor) -> Tensor:
        of, pooling = self.linear, self._layer("cnn_W")
        pooled = (sums @ pooling.weight.T + lengths * pooling.bias) / lengths.sqrt()
        first = torch.relu(of["p1"](pooled) + of["d1"](torch.relu(of["d0"](pooled))))
        second = torch.tanh(of["p3"](first) + of["d3"](torch.relu(of["d2"](first))))
        if self.project is not None:
            second = self.project(functional.normalize(second, dim=1))
        return functional.normalize(second, dim=1)


def _tensor(array: object) -> Tensor:
    return torch.from_numpy(np.array(array, dtype=np.float32))


def _array(tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(tensor.detach().cpu().numpy(), dtype=np.float32)


def _linear(arrays: Arrays, name: str, bias: str | None) -> nn.Linear:
    return _of_weight(_tensor(arrays[name]).T.contiguous(), None if bias is None else _tensor(arrays[bias]))


def _of_weight(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight = nn.Parameter(weight)
    if bias is not None:
        layer.bias = nn.Parameter(bias)
    return layer


def _norm(arrays: Arrays, gains: tuple[str, ...], shifts: tuple[str, ...], eps: float) -> nn.LayerNorm:
    gain, shift = (torch.cat([_tensor(arrays[name]) for name in names]) for names in (gains, shifts))
    layer = nn.LayerNorm(len(gain), eps=eps)
    layer.weight, layer.bias = nn.Parameter(gain), nn.Parameter(shift)
    return layer
