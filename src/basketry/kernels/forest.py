"""Sums of regression trees, as gradient boosting learns them, evaluated without the library that learned them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
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

    int64 [trees + 1] starts; of each split int32 `feature`, float64 `threshold`, uint8 `flags`, int32 `child` [splits, 2];
    float64 `leaf`; and float64 `cover` and `leaf_cover`, how many rows came to each split and leaf in learning. Raises
    ValueError for arrays in which a walk could leave its tree or go round in it.
    """

    n_features: int
    split_start: Int64s
    leaf_start: Int64s
    feature: Int32s
    threshold: Floats
    flags: Bytes
    child: Int32s
    leaf: Floats
    cover: Floats
    leaf_cover: Floats

    def __post_init__(self) -> None:
        splits = len(self.feature)
        shapes = {
            "threshold": (splits,), "flags": (splits,), "child": (splits, 2), "feature": (splits,), "cover": (splits,),
            "leaf_cover": (len(self.leaf),),
        }  # fmt: skip
        types = {
            "split_start": np.int64, "leaf_start": np.int64, "feature": np.int32, "threshold": np.float64, "flags": np.uint8,
            "child": np.int32, "leaf": np.float64, "cover": np.float64, "leaf_cover": np.float64,
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
        if not (np.concatenate([self.cover, self.leaf_cover]) > 0).all():
            raise ValueError("cover must be above 0")
        parent, leaf_parent = self._parents
        if (parent < 0).sum() != np.count_nonzero(own) or (leaf_parent < 0).sum() != (own == 0).sum():
            raise ValueError("a child of two splits, or of none")

    @property
    def lowest(self) -> float:
        """No row's prediction is lower: the sum of every tree's lowest leaf."""
        return float(np.minimum.reduceat(self.leaf, self.leaf_start[:-1]).sum()) if len(self.leaf) else 0.0

    def predict(self, x: Singles) -> Floats:
        """float64 [n] of x float32 [n, n_features]. Cost: some 5 ns a row, tree and level."""
        out = np.empty(len(x), dtype=np.float64)
        self._walk(lib.forest_predict, x, out)
        return out

    def shapley(self, x: Singles) -> Floats:
        """float64 [n, n_features + 1]: the Shapley value of each feature, and what is expected of a row that is not known.

        Of the game v(S) = the mean prediction where the features S are known, other splits being taken both ways in the shares
        of `cover`: path-dependent TreeSHAP, exact. A row's values add up to its prediction, to 1e-9. Cost: some 200 ns a row
        and leaf of depth 6. Source: Lundberg et al., From local explanations to global understanding (2020).
        """
        out = np.empty((len(x), self.n_features + 1), dtype=np.float64)
        scratch = ffi.new("double[]", 4 * (self.n_features + 1))
        self._walk(lambda of, n, rows, target: lib.forest_shapley(of, n, rows, scratch, target), x, out)
        return out

    @cached_property
    def _parents(self) -> tuple[Int32s, Int32s]:
        """Of each split and leaf 2 * the split before it in its tree, + 1 on the right; -1 for the first."""
        own, leaves = np.diff(self.split_start), len(self.leaf)
        parent, leaf_parent = np.full(len(self.feature), -1, dtype=np.int32), np.full(leaves, -1, dtype=np.int32)
        place = np.arange(len(self.feature)) - np.repeat(self.split_start[:-1], own)
        begin, leaf_begin = np.repeat(self.split_start[:-1], own), np.repeat(self.leaf_start[:-1], own)
        for side in (0, 1):
            child = self.child[:, side].astype(np.int64)
            inner = child >= 0
            parent[(begin + child)[inner]] = (2 * place + side)[inner]
            leaf_parent[(leaf_begin - 1 - child)[~inner]] = (2 * place + side)[~inner]
        return parent, leaf_parent

    def _walk(self, kernel: Callable[[object, int, object, object], None], x: Singles, out: Floats) -> None:
        if x.ndim != 2 or x.shape[1] != self.n_features or x.dtype != np.float32 or not x.flags.c_contiguous:
            raise ValueError(f"x must be contiguous float32 [n, {self.n_features}]")
        of = ffi.new("forest *")
        of.n_trees, of.n_features = len(self.split_start) - 1, self.n_features
        owners = []
        parent, leaf_parent = self._parents
        for name, kind, array in (
            ("split_start", "int64_t[]", self.split_start), ("leaf_start", "int64_t[]", self.leaf_start),
            ("feature", "int32_t[]", self.feature), ("threshold", "double[]", self.threshold),
            ("flags", "uint8_t[]", self.flags), ("child", "int32_t[]", self.child), ("leaf", "double[]", self.leaf),
            ("cover", "double[]", self.cover), ("leaf_cover", "double[]", self.leaf_cover),
            ("parent", "int32_t[]", parent), ("leaf_parent", "int32_t[]", leaf_parent),
        ):  # fmt: skip
            owners.append(ffi.from_buffer(kind, array))
            setattr(of, name, owners[-1])
        for first in range(0, len(x), _CHUNK):
            rows = slice(first, first + _CHUNK)
            target = ffi.from_buffer("double[]", out[rows], require_writable=True)
            kernel(of, len(x[rows]), ffi.from_buffer("float[]", x[rows]), target)
        del owners
