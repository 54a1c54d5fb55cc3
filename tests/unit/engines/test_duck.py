"""The DuckDB engine's boundary: what it is given is bound, what goes wrong is told in the house's own errors."""

from __future__ import annotations

import dataframely as dy
import polars as pl
import pytest

from basketry.core.errors import EngineError, SourceFormat, SourceMissing
from basketry.core.protocols import Csv, Parquet
from basketry.engines.duck import DuckEngine


class Numbers(dy.Schema):
    n = dy.Int64(primary_key=True)
    word = dy.String(nullable=True)


ALL = "SELECT * FROM stored.numbers ORDER BY n"


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "numbers.parquet"
    pl.DataFrame({"word": [f"w{n}" for n in range(9_000)], "n": range(9_000), "unused": 1}).write_parquet(path)
    return {"numbers": Parquet((path,))}


@pytest.fixture
def engine(stored, tmp_path):
    opened = DuckEngine(stored, spill=tmp_path)
    yield opened
    opened.close()


def test_a_file_that_is_not_there_is_a_missing_source(tmp_path):
    with pytest.raises(SourceMissing, match=r"absent\.parquet"):
        DuckEngine({"numbers": Parquet((tmp_path / "absent.parquet",))})


def test_a_file_that_vanishes_is_a_missing_source(engine, stored):
    stored["numbers"].paths[0].unlink()
    with pytest.raises(SourceMissing, match=r"numbers\.parquet"):
        engine.read(Numbers, ALL, {})


@pytest.mark.parametrize("sql", ["SELECT FROM WHERE", "SELECT * FROM stored.absent", "SELECT CAST('x' AS INTEGER) AS n"])
def test_sql_that_fails_is_an_engine_error_that_quotes_it(engine, sql, tmp_path):
    for attempt in (
        lambda: engine.read(Numbers, sql, {}),
        lambda: list(engine.stream(Numbers, sql, {}, 10)),
        lambda: engine.write(sql, {}, tmp_path / "out.parquet"),
    ):
        with pytest.raises(EngineError) as caught:
            attempt()
        assert sql in caught.value.message


def test_a_line_with_too_many_fields_is_a_wrong_format(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("n,word\n1,a\n2,b,c\n", encoding="utf-8")
    engine = DuckEngine({"numbers": Csv(path, ("n", "word"))})
    with pytest.raises(SourceFormat):
        engine.read(Numbers, "SELECT CAST(n AS BIGINT) AS n, word FROM stored.numbers", {})
    engine.close()


def test_memory_that_does_not_suffice_says_what_to_raise(stored):
    engine = DuckEngine(stored, memory="20MB")
    sql = "SELECT max(a) AS n, NULL AS word FROM (SELECT list(n || repeat('x', 1000)) AS a FROM stored.numbers, range(50))"
    with pytest.raises(EngineError, match="out of memory") as caught:
        engine.read(Numbers, sql, {})
    assert "memory" in caught.value.hint
    engine.close()


def test_a_closed_engine_says_so_and_closes_twice(engine, tmp_path):
    engine.close()
    engine.close()
    for attempt in (
        lambda: engine.read(Numbers, ALL, {}),
        lambda: list(engine.stream(Numbers, ALL, {}, 10)),
        lambda: engine.write(ALL, {}, tmp_path / "out.parquet"),
    ):
        with pytest.raises(EngineError, match="closed"):
            attempt()


def test_parameters_are_bound_in_every_verb(engine, tmp_path):
    sql = "SELECT * FROM stored.numbers WHERE word = $word OR n = $n"
    params = {"word": "w3' OR '1' = '1", "n": 7}
    assert engine.read(Numbers, sql, params)["n"].to_list() == [7]
    assert [frame["n"].to_list() for frame in engine.stream(Numbers, sql, params, 10)] == [[7]]
    assert engine.write(sql, params, tmp_path / "out.parquet") == 1


def test_a_stream_is_the_read_in_pieces(engine):
    sql = "SELECT range AS n, 'w' || range AS word FROM range(300000) ORDER BY n"
    whole = engine.read(Numbers, sql, {})
    pieces = list(engine.stream(Numbers, sql, {}, 1_000))
    assert whole.columns == ["n", "word"] and whole.height == 300_000
    assert len(pieces) > 1
    assert pl.concat(pieces).equals(whole)


def test_names_and_paths_are_quoted(tmp_path):
    path = tmp_path / 'it\'s; -- "one".parquet'
    pl.DataFrame({"n": [1], "word": ["a"]}).write_parquet(path)
    engine = DuckEngine({'a "b"': Parquet((path,))})
    assert engine.read(Numbers, 'SELECT * FROM stored."a ""b"""', {}).rows() == [(1, "a")]
    engine.close()


def test_a_written_file_is_in_the_order_of_its_rows(engine, tmp_path):
    path = tmp_path / "out.parquet"
    assert engine.write("SELECT n FROM stored.numbers ORDER BY hash(n)", {}, path) == 9_000
    expected = engine.read(Numbers, "SELECT n, NULL AS word FROM stored.numbers ORDER BY hash(n)", {})["n"]
    assert pl.read_parquet(path)["n"].to_list() == expected.to_list()
