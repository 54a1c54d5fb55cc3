"""The floor of customers holds for verdicts of a release too."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from basketry.app.adapt_pairs import _judged

ROWS = [  # of one pair: what was counted, and what reads alike and was counted by nobody
    ("a", "b", "complement", 20),
    ("b", "a", "complement", 20),
    ("a", "b", "complement", None),
    ("a", "c", "complement", 19),
    ("b", "c", "complement", None),
    ("c", "d", "substitute", 50),
]


@pytest.mark.parametrize(("floor", "wanted"), [(20, [[0, 1]]), (19, [[0, 1], [0, 2]]), (21, [])])
def test_pairs_of_few_customers_or_of_none_known_are_not_learned_from(tmp_path: Path, floor: int, wanted: list) -> None:
    table = pl.DataFrame(ROWS, schema=["product_id", "other_id", "verdict", "customers"], orient="row")
    table.write_parquet(tmp_path / "associations.parquet")
    rows, weights = _judged(tmp_path / "associations.parquet", "complement", floor, pl.Series(["a", "b", "c", "d"]))
    assert rows.tolist() == wanted and weights.tolist() == [1.0] * len(wanted)
