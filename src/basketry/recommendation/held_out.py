"""What customers did last, held out, so that what weighs other rankers learns from purchases they have not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from basketry.core.errors import DataError
from basketry.recommendation.protocols import Split, leave_one_out, time_split

if TYPE_CHECKING:
    from basketry.core.histories import Histories


def hold_out(histories: Histories, horizon_days: int, repeats: bool) -> Split:
    """The last visit of every customer who came twice, or, above 0, what customers known before bought in the last days.

    The first suits an exam by leave one out: what others did later is still learned from. The second is what a shop meets.
    Raises DataError where nothing is left to be asked for.
    """
    if horizon_days:
        end = int(histories.days.max(initial=0)) + 1
        first = end - horizon_days
        if not (histories.days < first).any():
            raise DataError(f"nothing happened before the last {horizon_days} days", "give longer histories, or hold out less")
        split = time_split(histories, first, horizon_days, repeats)
    else:
        split = leave_one_out(histories, unit="visit", repeats=repeats, learn_validation=True)
    if not split.relevant.nnz:
        raise DataError("nobody bought anything both before what is held out and in it", "give longer histories")
    return split
