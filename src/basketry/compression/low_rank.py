"""Low-rank factorisation: a matrix as the product of two narrow ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.compression.step import Materials, hyperparameter, of_family, with_arrays
from basketry.core.errors import RequestError
from basketry.encoders.state import EncoderState
from basketry.encoders.transformer.calibration import observe
from basketry.encoders.transformer.layout import unscaled

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]
    Doubles = npt.NDArray[np.float64]

_TEXTS: Final = 512
_PARTS: Final = {"all": "layers.", "attention": ".attention.", "feed": ".feed."}
_RIDGE: Final = 1e-6  # of the largest second moment: directions never seen keep a little weight


@dataclass(frozen=True)
class LowRank:
    """Factor the matrices of the layers, `left` [out, r] times `right` [r, in], by truncated singular values.

    With `weighted`, what is kept best is not the matrix W but its outputs: the truncation minimises E |W x - left right x|^2
    over the sample's inputs, by the singular values of W C with C C' = E[x x'] (Hsu et al., Language Model Compression with
    Weighted Low-Rank Factorization, 2022, with the full moment in place of a diagonal). A matrix that would grow stays whole.
    """

    rank: float = hyperparameter(0.5, "rank as a share of the full one, above 0 to 1")
    part: str = hyperparameter("all", "which matrices: all, attention or feed")
    weighted: bool = hyperparameter(True, "keep outputs over sample texts best, not the matrix itself")

    def __post_init__(self) -> None:
        if not 0 < self.rank <= 1 or self.part not in _PARTS:
            raise RequestError(
                f"lowrank cannot have rank={self.rank}, part={self.part!r}", "rank above 0 to 1; part all, attention or feed"
            )

    def apply(self, state: EncoderState, materials: Materials) -> EncoderState:
        """The state with its matrices in two factors where that is smaller."""
        of_family(state, "lowrank", "transformer")
        arrays = unscaled(state.arrays)
        plain = with_arrays(state, dict(arrays))
        seen = observe(plain, materials.sample(_TEXTS), moments=True) if self.weighted else {}
        for name in [
            one for one in arrays if one.startswith("layers.") and one.endswith(".weight") and _PARTS[self.part] in one
        ]:
            out, into = arrays[name].shape
            rank = max(1, round(self.rank * min(out, into)))
            if rank * (out + into) >= out * into:
                continue
            left, right = factors(arrays.pop(name), rank, seen[name].second if self.weighted else None)
            base = name.removesuffix(".weight")
            arrays |= {f"{base}.left": left, f"{base}.right": right}
        return with_arrays(state, dict(arrays))


def factors(matrix: Floats, rank: int, second: Doubles | None = None) -> tuple[Floats, Floats]:
    """Factors left [out, rank] and right [rank, in] whose product is nearest to `matrix` [out, in].

    Nearest in the Frobenius norm (Eckart and Young, 1936), or, given `second` = E[x x'], in E |matrix x - left right x|^2.
    """
    exact = matrix.astype(np.float64)
    if second is None:
        left, singular, right = np.linalg.svd(exact, full_matrices=False)
        return _float(left[:, :rank] * singular[:rank]), _float(right[:rank])
    values, directions = np.linalg.eigh(second)
    root = directions * np.sqrt(np.maximum(values, _RIDGE * values[-1]))  # root root' = second, rounding apart
    left = np.linalg.svd(exact @ root, full_matrices=False)[0][:, :rank]
    return _float(left), _float(left.T @ exact)


def _float(matrix: Doubles) -> Floats:
    return np.ascontiguousarray(matrix, dtype=np.float32)
