"""What customers did last, held out, so that what weighs other rankers learns from purchases they have not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.errors import DataError
from basketry.core.histories import Queries
from basketry.evaluation.retrieval import Questions

if TYPE_CHECKING:
    from basketry.core.histories import Bools, Histories


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The histories without what is held out, the queries these end in, and what the customers then bought."""

    earlier: Histories
    queries: Queries
    questions: Questions


def last_visits(histories: Histories) -> HeldOut:
    """The last visit of every customer with at least two, asked on its day.

    `earlier` still holds what others did later than that, as leave-one-out does. Raises DataError where nobody came twice.
    """
    ends = histories.indptr[1:] - 1
    rows = histories.rows
    last = np.where(histories.lengths > 0, histories.visits[np.maximum(ends, 0)], 0) if len(histories.visits) else ends
    held = histories.visits == last[rows]
    again = np.bincount(rows[~held], minlength=len(histories)) > 0
    return _held(histories, held & again[rows])


def last_days(histories: Histories, days: int) -> HeldOut:
    """What every customer with a history before them bought in the `days` last of all, asked on the first of these days.

    Raises DataError where nobody came before and in them.
    """
    first = int(histories.days.max(initial=0)) - days + 1
    held = histories.days >= first
    found = _held(histories, held)
    asked = np.full(len(found.queries), first, dtype=np.int32)
    return HeldOut(found.earlier, Queries(found.queries.histories, asked), found.questions)


def _held(histories: Histories, held: Bools) -> HeldOut:
    from scipy.sparse import csr_array

    earlier = histories.where(~held)
    later = histories.where(held)
    who = np.flatnonzero((earlier.lengths > 0) & (later.lengths > 0))
    if not len(who):
        raise DataError("nobody bought both before what is held out and in it", "give longer histories, or hold out less")
    answers = later.select(who)
    relevant = csr_array(
        (np.ones(len(answers.products), dtype=np.bool_), (answers.rows, answers.products)),
        shape=(len(who), histories.n_products),
    )
    relevant.sum_duplicates()
    relevant.data[:] = True
    days = answers.days[answers.indptr[:-1]]
    return HeldOut(earlier, Queries(earlier.select(who), days), Questions(relevant, who))
