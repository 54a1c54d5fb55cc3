from __future__ import annotations

import numpy as np
import pytest

from basketry.vectors.recall import Recall, shares_found


def test_where_hits_of_a_query_are_independent_it_is_wilsons_interval() -> None:
    """Of 500 queries with one neighbour each, 490 are found: Wilson's 95% interval is .9636 to .9891 (n - 1 for n changes
    the sixth digit)."""
    recall = Recall.of_shares(np.array([1.0] * 490 + [0.0] * 10), k=1)
    assert recall.value == pytest.approx(0.98)
    assert (recall.low, recall.high) == (pytest.approx(0.9636, abs=1e-4), pytest.approx(0.9891, abs=1e-4))


def test_hits_that_come_together_are_worth_one() -> None:
    together = Recall.of_shares(np.array([1.0] * 98 + [0.0] * 2), k=10)
    spread = Recall.of_shares(np.array([0.9] * 20 + [1.0] * 80), k=10)
    assert together.value == pytest.approx(spread.value) == pytest.approx(0.98)
    assert together.high - together.low > 2 * (spread.high - spread.low)


def test_where_none_was_missed_one_is_not_sure_of_all() -> None:
    recall = Recall.of_shares(np.ones(500), k=10)
    assert recall.value == recall.high == 1
    assert recall.low == pytest.approx(500 / (500 + 1.959964**2))
    assert Recall.exact(10).low == 1


def test_between_equals_there_is_no_miss() -> None:
    true = np.array([[0.9, 0.5, 0.5]], dtype=np.float32)
    assert shares_found(np.array([[0.9, 0.5, 0.5]], dtype=np.float32), true).tolist() == [1]
    assert shares_found(np.array([[0.9, 0.5, 0.4]], dtype=np.float32), true).tolist() == [pytest.approx(2 / 3)]
    assert shares_found(np.array([[0.9, -np.inf]], dtype=np.float32), true).tolist() == [pytest.approx(1 / 3)]
    assert shares_found(np.empty((2, 0), np.float32), np.empty((2, 0), np.float32)).tolist() == [1, 1]
