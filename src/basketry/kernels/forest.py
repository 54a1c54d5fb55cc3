"""Sums of regression trees, as gradient boosting learns them, evaluated without the library that learned them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.kernels._kernels import ffi, lib

if TYPE_CHECKING:
    import numpy.typing as npt

    Int32s = npt.NDArray[np.int32]
    Int64s = npt.NDArray[np.int64]
    Floats = npt.NDArray[np.float64]
    Singles = npt.NDArray[np.float32]
    Bytes = npt.NDArray[np.uint8]

_CHUNK: Final = 4_096  # rows between two chances to stop


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees over `n_features` float32 features; `forest.h` says how they lie in the arrays.

    int64 [trees + 1] starts; of each split int32 `feature`, float64 `threshold`, uint8 `flags`, int32 `child` [splits, 2] and
    float64 `value`; float64 `leaf`. Raises ValueError for arrays in which a walk could leave its tree or go round in it.
    """

    n_features: int
    split_start: Int64s
    leaf_start: Int64s
    feature: Int32s
    threshold: Floats
    flags: Bytes
    child: Int32s
    value: Floats
    leaf: Floats

    def __post_init__(self) -> None:
        splits = len(self.feature)
        shapes = {"threshold": (splits,), "flags": (splits,), "child": (splits, 2), "value": (splits,), "feature": (splits,)}
        types = {
            "split_start": np.int64, "leaf_start": np.int64, "feature": np.int32, "threshold": np.float64, "flags": np.uint8,
            "child": np.int32, "value": np.float64, "leaf": np.float64,
        }  # fmt: skip
        for name, kind in types.items():
            array = getattr(self, name)
            if array.dtype != kind or not array.flags.c_contiguous or array.shape != shapes.get(name, (array.size,)):
                raise ValueError(f"{name} must be a contiguous {np.dtype(kind)} array of shape {shapes.get(name, '[n]')}")
        for name, start, end in (("split", self.split_start, splits), ("leaf", self.leaf_start, len(self.leaf))):
            if not len(start) or start[0] != 0 or start[-1] != end or (np.diff(start) < 0).any():
                raise ValueError(f"{name}_start must start at 0, never fall and end at {end}")
        own, leaves = np.diff(self.split_start), np.diff(self.leaf_start)
        if len(own) != len(leaves) or (leaves < 1).any():
            raise ValueError("every tree must have a leaf")
        if splits and not (self.feature.min() >= 0 and self.feature.max() < self.n_features):
            raise ValueError(f"a feature lies outside [0, {self.n_features})")
        place = np.arange(splits) - np.repeat(self.split_start[:-1], own)
        inner = self.child >= 0
        after = (self.child > place[:, None]) & (self.child < np.repeat(own, own)[:, None])
        leafy = -1 - self.child.astype(np.int64) < np.repeat(leaves, own)[:, None]
        if not np.where(inner, after, leafy).all():
            raise ValueError("a child is neither a later split nor a leaf of its tree")

    @property
    def lowest(self) -> float:
        """No row's prediction is lower: the sum of every tree's lowest leaf."""
        return float(np.minimum.reduceat(self.leaf, self.leaf_start[:-1]).sum()) if len(self.leaf) else 0.0

    def predict(self, x: Singles) -> Floats:
        """float64 [n] of x float32 [n, n_features]. Cost: some 5 ns a row, tree and level."""
        out = np.empty(len(x), dtype=np.float64)
        self._walk(lib.forest_predict, x, out)
        return out

    def contributions(self, x: Singles) -> Floats:
        """float64 [n, n_features + 1]: what each feature did on the row's own way, and what every row begins with.

        A split adds the change from its rows' mean to its child's to its feature. Exact for the prediction, and much cheaper
        than Shapley values, from which it differs by favouring late splits. Source: Saabas, Interpreting random forests (2014).
        """
        out = np.empty((len(x), self.n_features + 1), dtype=np.float64)
        self._walk(lib.forest_contribute, x, out)
        return out

    def _walk(self, kernel: Callable[[object, int, object, object], None], x: Singles, out: Floats) -> None:
        if x.ndim != 2 or x.shape[1] != self.n_features or x.dtype != np.float32 or not x.flags.c_contiguous:
            raise ValueError(f"x must be contiguous float32 [n, {self.n_features}]")
        of = ffi.new("forest *")
        of.n_trees, of.n_features = len(self.split_start) - 1, self.n_features
        owners = []
        for name, kind in (
            ("split_start", "int64_t[]"), ("leaf_start", "int64_t[]"), ("feature", "int32_t[]"), ("threshold", "double[]"),
            ("flags", "uint8_t[]"), ("child", "int32_t[]"), ("value", "double[]"), ("leaf", "double[]"),
        ):  # fmt: skip
            owners.append(ffi.from_buffer(kind, getattr(self, name)))
            setattr(of, name, owners[-1])
        for first in range(0, len(x), _CHUNK):
            rows = slice(first, first + _CHUNK)
            target = ffi.from_buffer("double[]", out[rows], require_writable=True)
            kernel(of, len(x[rows]), ffi.from_buffer("float[]", x[rows]), target)
        del owners
