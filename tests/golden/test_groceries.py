"""The Groceries baskets of the R package arules (Hahsler et al. 2006): figures printed in many a textbook."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from basketry.associations.baskets import BasketMatrix
from basketry.associations.behaviour import BoughtTogether
from basketry.core.protocols import Run

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def groceries(datasets: Path) -> tuple[BasketMatrix, list[str]]:
    with (datasets / "groceries_arules" / "groceries.csv").open(encoding="utf-8", newline="") as file:
        baskets = [sorted({name.strip() for name in row if name.strip()}) for row in csv.reader(file)]
    names = sorted({name for basket in baskets for name in basket})
    code = {name: i for i, name in enumerate(names)}
    indptr = np.cumsum([0, *map(len, baskets)])
    items = np.array([code[name] for basket in baskets for name in basket], dtype=np.int32)
    each = np.arange(len(baskets), dtype=np.int32)
    return BasketMatrix(indptr, items, each, each, len(names)), names


def test_whole_milk_and_other_vegetables(groceries):
    baskets, names = groceries
    edges = BoughtTogether().fit(baskets, Run())
    assert (edges.n_baskets, len(names), len(baskets.items)) == (9835, 169, 43_367)
    milk, vegetables = names.index("whole milk"), names.index("other vegetables")
    row = edges.lookup(np.array([milk]), np.array([vegetables]))[0]
    assert (edges.a[row], edges.b[row]) == (vegetables, milk)
    assert edges.baskets[row] == 736
    assert round(edges.support[row], 4) == 0.0748
    assert round(edges.confidence[row], 4) == 0.3868
    assert round(edges.lift[row], 4) == 1.5136
    assert edges.confidence_back[row] == pytest.approx(736 / 2513, rel=1e-12)
    assert edges.q[row] < 1e-20
