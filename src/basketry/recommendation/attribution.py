"""Histories with something left out, to ask a ranker what it would have said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from basketry.core.histories import Histories

if TYPE_CHECKING:
    from basketry.core.histories import Int64s


def left_out(histories: Histories, events: Int64s) -> Histories:
    """For each of `events` the history that holds it, without it; rows in the order of `events`."""
    whole = histories.select(histories.rows[events])
    place = whole.indptr[:-1] + events - histories.indptr[:-1][histories.rows[events]]
    kept = np.ones(len(whole.products), dtype=np.bool_)
    kept[place] = False
    return whole.where(kept)
