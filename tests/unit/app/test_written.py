from __future__ import annotations

import json

import polars as pl
import pytest

from basketry.app.written import write_table
from basketry.core.errors import RequestError

FRAME = pl.DataFrame({"antecedent": [["=1+1", "tea"], ["milk"]], "note": ["-x", "plain"], "lift": [1.5, float("inf")]})


def test_csv_holds_no_formula(tmp_path):
    write_table(FRAME, str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_text().splitlines() == ["antecedent,note,lift", "'=1+1; tea,'-x,1.5", "milk,plain,inf"]


def test_parquet_and_json_read_back(tmp_path):
    write_table(FRAME, str(tmp_path / "out.parquet"))
    assert pl.read_parquet(tmp_path / "out.parquet").equals(FRAME)
    write_table(FRAME, str(tmp_path / "out.json"))
    assert [row["antecedent"] for row in json.loads((tmp_path / "out.json").read_text())] == [["=1+1", "tea"], ["milk"]]


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(RequestError, match=r"cannot write to .*out\.xls"):
        write_table(FRAME, str(tmp_path / "out.xls"))
    assert not list(tmp_path.iterdir())
