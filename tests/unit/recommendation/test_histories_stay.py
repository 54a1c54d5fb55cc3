"""Fitting reads histories and leaves them as they are: they belong to whoever asks."""

from __future__ import annotations

import numpy as np
import pytest

from basketry.core.histories import Histories
from basketry.core.protocols import Run
from basketry.recommendation.item_neighbours import ItemNeighbours
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.transitions import Transitions


@pytest.mark.parametrize("estimator", [Popularity(), ItemNeighbours(), ItemNeighbours(unit="visit"), Transitions()])
def test_fitting_changes_no_history(estimator):
    histories = Histories.from_rows([[2, 1, 2, 0], [], [1, 1]], 3)
    before = [each.copy() for each in (histories.indptr, histories.products, histories.days, histories.visits)]
    estimator.fit(histories, Run())
    after = (histories.indptr, histories.products, histories.days, histories.visits)
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
