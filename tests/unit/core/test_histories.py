from __future__ import annotations

import numpy as np
import pytest

from basketry.core.errors import DataError, RequestError
from basketry.core.histories import Histories, Queries


def arrays(*lists):
    return [np.array(each, dtype=np.int32) for each in lists]


def test_rows_of_codes_are_visits_of_their_own():
    histories = Histories.from_rows([[4, 2], [], [2]], 5)
    assert histories.indptr.tolist() == [0, 2, 2, 3]
    assert histories.days.tolist() == histories.visits.tolist() == [0, 1, 0]
    assert histories.rows.tolist() == [0, 0, 2]


def test_events_and_customers_can_be_chosen():
    histories = Histories(np.array([0, 2, 2, 5]), *arrays([0, 1, 2, 3, 4], [7, 8, 1, 1, 2], [0, 1, 0, 0, 1]), 5)
    early = histories.where(histories.days < 8)
    assert early.indptr.tolist() == [0, 1, 1, 4]
    assert early.products.tolist() == [0, 2, 3, 4]
    turned = histories.select(np.array([2, 0, 2]))
    assert turned.indptr.tolist() == [0, 3, 5, 8]
    assert turned.products.tolist() == [2, 3, 4, 0, 1, 2, 3, 4]
    assert turned.days.tolist() == [1, 1, 2, 7, 8, 1, 1, 2]
    assert len(histories.select(np.array([], dtype=np.int64))) == 0


def test_ages_are_days_before_the_question():
    histories = Histories(np.array([0, 2, 3]), *arrays([0, 1, 1], [7, 8, 3], [0, 1, 0]), 2)
    assert Queries(histories, np.array([10, 3], dtype=np.int32)).ages.tolist() == [3, 2, 0]
    with pytest.raises(RequestError, match="later day"):
        Queries(histories, np.array([7, 3], dtype=np.int32))
    with pytest.raises(RequestError, match="1 days for 2"):
        Queries(histories, np.array([10], dtype=np.int32))


@pytest.mark.parametrize(
    ("indptr", "rest", "says"),
    [
        ([0, 1], [[0, 1], [0, 0], [0, 0]], "indptr"),
        ([0, 3, 2], [[0, 1], [0, 0], [0, 0]], "indptr"),
        ([], [[], [], []], "indptr"),
        ([0, 2], [[0, 9], [0, 0], [0, 0]], "outside"),
        ([0, 2], [[0, 1], [1, 0], [0, 0]], "days fall"),
        ([0, 2], [[0, 1], [0, 0], [1, 0]], "visits fall"),
        ([0, 2], [[0, 1], [0], [0, 0]], "1 days for 2"),
    ],
)
def test_arrays_that_break_the_rules_are_refused(indptr, rest, says):
    with pytest.raises(DataError, match=says):
        Histories(np.array(indptr, dtype=np.int64), *arrays(*rest), 5)


def test_days_may_fall_from_one_customer_to_the_next():
    for ends in ([0, 1, 2], [0, 0, 1, 2, 2], [0, 1, 1, 2]):
        assert len(Histories(np.array(ends), *arrays([0, 1], [5, 0], [3, 0]), 2)) == len(ends) - 1
