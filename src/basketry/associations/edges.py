"""The behavioural edges of a shop, as counted and tested: a model made of nothing but arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from basketry.associations.adjustment import Exposure

Floats = npt.NDArray[np.float64]
Int32s = npt.NDArray[np.int32]
Int64s = npt.NDArray[np.int64]
Codes = npt.NDArray[np.integer]


@dataclass(frozen=True, eq=False, kw_only=True)
class Edges:
    """One row an edge, sorted by (a, b); then one row a product; then facts about the whole.

    Columns from `a` to `stability` are aligned and mean what the contract `Associations` says of them. An undirected edge
    stands once, with a < b. `*_of` columns [n_products, ...] are a product's margins as A, `*_to` as B; they differ only when
    directed. Margins cover every product, also those below the floor: they are for computing, never for publishing as they
    are.
    """

    a: Int32s
    b: Int32s
    baskets: Int64s
    customers: Int64s
    support: Floats
    confidence: Floats
    confidence_back: Floats
    lift: Floats
    leverage: Floats
    conviction: Floats
    zhang: Floats
    cosine: Floats
    jaccard: Floats
    kulczynski: Floats
    imbalance: Floats
    joint_ratio: Floats
    adjusted_lift: Floats
    adjusted_low: Floats
    adjusted_high: Floats
    p: Floats
    q: Floats
    stability: Floats

    baskets_of: Int64s
    customers_of: Int64s
    exposure_of: Floats
    exposure_to: Floats

    directed: bool
    n_baskets: int  # n of the measures: baskets, or steps between orders
    n_tested: int  # pairs whose margins could have reached the floor
    baskets_too_large: int  # set aside for holding more than max_basket_size products
    baskets_over_cap: int  # set aside as older than a customer's latest max_baskets_per_customer
    edges_withheld: int  # above the floor, but telling too much of the few who bought one product without the other

    def __len__(self) -> int:
        return len(self.a)

    def expected(self, a: Codes, b: Codes) -> Floats:
        """Baskets to expect by chance for pairs of product codes, counted or never seen; see `adjustment`."""
        first, second = (a, b) if self.directed else (np.minimum(a, b), np.maximum(a, b))
        return Exposure(self.exposure_of, self.exposure_to).expected(first, second)

    def lookup(self, a: Codes, b: Codes) -> Int64s:
        """Row of each pair of product codes, -1 where there is no edge. Undirected, (a, b) and (b, a) are one."""
        first, second = a.astype(np.int64), b.astype(np.int64)
        if not self.directed:
            first, second = np.minimum(first, second), np.maximum(first, second)
        n_products = len(self.baskets_of)
        keys = self.a * np.int64(n_products) + self.b
        wanted = first * n_products + second
        rows = np.searchsorted(keys, wanted)
        found = rows < len(keys)
        found[found] = keys[rows[found]] == wanted[found]
        return np.where(found, rows, -1)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Every field as an array; the facts are arrays of one."""
        return {field.name: np.atleast_1d(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_state(cls, state: Mapping[str, npt.NDArray[Any]]) -> Self:
        """The edges back from `state()`."""
        facts = ("int", "float", "bool")
        values: dict[str, Any] = {f.name: state[f.name].item() if f.type in facts else state[f.name] for f in fields(cls)}
        return cls(**values)
