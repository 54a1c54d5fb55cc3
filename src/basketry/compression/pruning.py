"""Structured pruning, fine: attention heads and neurons of the feed-forward layers, by how much they matter.

What matters is asked in one of four ways, of a unit u with rows W_in (what makes it) and columns W_out (what it adds):

- `l1`: sum |W_in| + sum |W_out|; `l2`: sqrt(sum W_in^2 + sum W_out^2). No texts needed. Li et al., Pruning Filters (2017).
- `activation`: E |W_out x_u|^2, the mean square of what the unit adds to its token over sample texts.
- `taylor`: E |g . x_u|, how much the distance to the teacher's vectors would change without it, to first order. Molchanov et
  al., Importance Estimation (2019); Michel et al., Are Sixteen Heads Really Better than One? (2019). Needs the extra train.

What a pruned unit added on average is put into the bias of the layer behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np

from basketry.compression.step import Materials, hyperparameter, of_family, with_arrays
from basketry.core.errors import RequestError
from basketry.encoders.state import EncoderState
from basketry.encoders.transformer.calibration import Inputs, observe
from basketry.encoders.transformer.layout import ATTENTION, Shape, unscaled

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Arrays = dict[str, npt.NDArray[np.float32]]

By = Literal["activation", "taylor", "l2", "l1"]
_TEXTS: Final = 512


@dataclass(frozen=True)
class _Units:
    """Where the units of one layer are: rows of `into`, columns of `out`, `width` numbers each."""

    into: tuple[str, ...]
    out: str
    width: int


@dataclass(frozen=True)
class Heads:
    """Keep the attention heads that matter most, as many in every layer."""

    keep: int = hyperparameter(8, "heads to keep in each layer; at least 1")
    by: str = hyperparameter("activation", "importance: activation, taylor, l2 or l1")

    def __post_init__(self) -> None:
        _check("heads", self.keep, self.by)

    def apply(self, state: EncoderState, materials: Materials) -> EncoderState:
        """The state with narrower attention. Layers with no more than `keep` heads stay as they are."""
        of_family(state, "heads", "transformer")
        width = Shape.of(state).head_dim
        units = {
            f"layers.{layer}": _Units(
                tuple(f"layers.{layer}.attention.{part}" for part in ATTENTION), f"layers.{layer}.attention.output", width
            )
            for layer in range(len(Shape.of(state).heads))
        }
        return _pruned(state, units, self.keep, self.by, materials)


@dataclass(frozen=True)
class Feed:
    """Keep the neurons of the feed-forward layers that matter most, as many in every layer."""

    keep: int = hyperparameter(768, "neurons to keep in each layer; at least 1, best a multiple of 32")
    by: str = hyperparameter("activation", "importance: activation, taylor, l2 or l1")

    def __post_init__(self) -> None:
        _check("feed", self.keep, self.by)

    def apply(self, state: EncoderState, materials: Materials) -> EncoderState:
        """The state with narrower feed-forward layers. Layers with no more than `keep` neurons stay as they are."""
        of_family(state, "feed", "transformer")
        units = {
            f"layers.{layer}": _Units((f"layers.{layer}.feed.inner",), f"layers.{layer}.feed.outer", 1)
            for layer in range(len(Shape.of(state).feed))
        }
        return _pruned(state, units, self.keep, self.by, materials)


def _check(verb: str, keep: int, by: str) -> None:
    if keep < 1 or by not in get_args(By):
        raise RequestError(f"{verb} cannot keep {keep} by {by!r}", f"keep at least 1, by one of {', '.join(get_args(By))}")


def _pruned(state: EncoderState, units: Mapping[str, _Units], keep: int, by: str, materials: Materials) -> EncoderState:
    arrays: Arrays = unscaled(state.arrays)
    plain = with_arrays(state, dict(arrays))
    factored = [name for name in arrays if name.endswith(".left") and name.startswith("layers.")]
    if factored:
        raise RequestError(f"{factored[0]} is in two factors and cannot be pruned", "prune before lowrank")
    texts = [] if by in ("l1", "l2") else materials.sample(_TEXTS)
    seen = observe(plain, texts, moments=by == "activation") if texts else {}
    slopes = _slopes(plain, materials, texts) if by == "taylor" else {}
    for one in units.values():
        count = len(arrays[f"{one.into[0]}.weight"]) // one.width
        if count <= keep:
            continue
        score = importance(arrays, one.into, one.out, one.width, by, seen.get(f"{one.out}.weight"), slopes.get(one.out))
        best = np.sort(np.argsort(-score, kind="stable")[:keep])
        _cut(arrays, one, (best[:, None] * one.width + np.arange(one.width)).ravel(), seen.get(f"{one.out}.weight"))
    return with_arrays(state, dict(arrays))


def importance(
    arrays: Mapping[str, npt.NDArray[np.float32]],
    into: tuple[str, ...],
    out: str,
    width: int,
    by: str,
    seen: Inputs | None = None,
    slopes: Floats | None = None,
) -> Floats:
    """float64 [units]: how much each group of `width` rows of `into`, which are as many columns of `out`, matters."""
    columns = arrays[f"{out}.weight"].astype(np.float64)
    if by == "activation":
        assert seen is not None and seen.second is not None, "activation importance needs second moments"
        blocks = [slice(start, start + width) for start in range(0, columns.shape[1], width)]
        return np.array([np.einsum("oi,ij,oj->", columns[:, at], seen.second[at, at], columns[:, at]) for at in blocks])
    if by == "taylor":
        assert slopes is not None, "taylor importance needs slopes"
        total: Floats = slopes.reshape(-1, width).sum(axis=1)
        return total
    rows = np.concatenate([arrays[f"{name}.weight"].astype(np.float64) for name in into], axis=1)
    whole = np.concatenate([rows, columns.T], axis=1)
    parts = whole.reshape(-1, width * whole.shape[1])
    found: Floats = np.abs(parts).sum(axis=1) if by == "l1" else np.linalg.norm(parts, axis=1)
    return found


def _slopes(state: EncoderState, materials: Materials, texts: list[str]) -> dict[str, Floats]:
    from basketry.training.importance import slopes

    return slopes(state, texts, materials.run)


def _cut(arrays: Arrays, units: _Units, rows: npt.NDArray[np.int64], seen: Inputs | None) -> None:
    """Leave only `rows` of what the units read and write; their mean goes on in the bias."""
    weight = arrays[f"{units.out}.weight"]
    if seen is not None:
        gone = np.setdiff1d(np.arange(weight.shape[1]), rows)
        arrays[f"{units.out}.bias"] = (arrays[f"{units.out}.bias"] + weight[:, gone] @ seen.mean[gone]).astype(np.float32)
    arrays[f"{units.out}.weight"] = np.ascontiguousarray(weight[:, rows])
    for name in units.into:
        arrays[f"{name}.weight"] = np.ascontiguousarray(arrays[f"{name}.weight"][rows])
        arrays[f"{name}.bias"] = arrays[f"{name}.bias"][rows]
