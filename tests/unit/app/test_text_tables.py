from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from basketry.app.adapt_pairs import table_pairs
from basketry.app.text_tables import file_texts, read_table
from basketry.core.errors import DataError, SourceFormat
from basketry.core.protocols import Run

NESTED = {
    "list": [["a"], ["b"]],
    "struct": [{"a": 1}, {"a": 2}],
    "binary": [b"a", b"b"],
}


@pytest.mark.parametrize("kind", NESTED)
@pytest.mark.parametrize("column", ["text", "label", "text_a", "weight"])
def test_a_column_of_more_than_one_value_a_row_is_named(tmp_path: Path, kind: str, column: str) -> None:
    pl.DataFrame({column: NESTED[kind]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(SourceFormat, match=f"column '{column}'"):
        read_table(tmp_path / "t.parquet")


def test_columns_that_nobody_asked_for_are_left_out(tmp_path: Path) -> None:
    pl.DataFrame({"text": ["a", "b"], "tags": [["x"], []]}).write_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").columns == ["text"]
    assert file_texts(tmp_path / "t.parquet")["text"].to_list() == ["a", "b"]


def test_a_wrong_weight_is_told_by_its_row_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("text_a,text_b,weight\na,,1\nb,c,1\n,d,0\ne,f,-2\ng,h,x\n")
    with pytest.raises(DataError, match=r"2 weights .* first in row 4: '-2'"):
        table_pairs(tmp_path / "p.csv", Run())
