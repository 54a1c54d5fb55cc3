"""What the corrections write; that it means the same is for tests/contracts/test_engines.py and test_spark.py to prove."""

from __future__ import annotations

import pytest

from basketry.core.errors import EngineError
from basketry.engines.spark_sql import to_spark


@pytest.mark.parametrize(
    ("duck", "spark"),
    [
        ("SELECT a FROM stored.rows", "SELECT a FROM `stored_rows` AS `rows`"),
        ("SELECT r.a FROM stored.rows AS r", "SELECT r.a FROM `stored_rows` AS r"),
        ('SELECT 1 FROM stored."a ""b"""', 'SELECT 1 FROM `stored_a "b"` AS `a "b"`'),
        ("SELECT a FROM other.rows", "SELECT a FROM other.rows"),
        ("WITH rows AS (SELECT 1 AS a) SELECT a FROM rows", "WITH rows AS (SELECT 1 AS a) SELECT a FROM rows"),
        ("WITH r AS MATERIALIZED (SELECT 1 AS a) SELECT a FROM r", "WITH r AS (SELECT 1 AS a) SELECT a FROM r"),
        ("SELECT a / b", "SELECT CAST(a AS DOUBLE) / CAST(b AS DOUBLE)"),
        ("SELECT $since, '$since'", "SELECT :since, '$since'"),
        ("SELECT row_number() OVER (ORDER BY a)", "SELECT CAST(ROW_NUMBER() OVER (ORDER BY a NULLS LAST) AS BIGINT)"),
        ("SELECT row_number() OVER ()", "SELECT CAST(ROW_NUMBER() OVER (ORDER BY MONOTONICALLY_INCREASING_ID()) AS BIGINT)"),
        ("SELECT arg_min(a, b)", "SELECT MIN_BY(a, b) FILTER(WHERE NOT a IS NULL)"),
        ("SELECT hash(a, b + 1)", "SELECT (XXHASH64(a, b + 1) & 9223372036854775807)"),
        ("SELECT timezone('UTC', a)", "SELECT CAST(a AS TIMESTAMP_NTZ)"),
        ("SELECT a + to_seconds(5)", "SELECT a + MAKE_DT_INTERVAL(0, 0, 0, 5)"),
        ("SELECT strlen(a)", "SELECT OCTET_LENGTH(a)"),
        ("SELECT CAST('x' AS ENUM ('x'))", "SELECT 'x'"),
        (r"SELECT regexp_matches(a, '\d$')", r"SELECT a RLIKE '\\d\\z'"),
        ("SELECT 'it''s \\n'", r"SELECT 'it\'s \\n'"),
        ("SELECT TRY_CAST(a * b AS DECIMAL(18, 4))", "SELECT TRY_CAST(a * b AS DECIMAL(18, 4))"),
    ],
)
def test_what_it_writes(duck, spark):
    assert to_spark(duck) == spark


def test_what_does_not_parse_is_an_engine_error_that_quotes_it():
    with pytest.raises(EngineError, match="SELECT FROM WHERE"):
        to_spark("SELECT FROM WHERE")


def test_a_field_of_time_that_it_cannot_read_is_named():
    with pytest.raises(EngineError, match="does not read %j"):
        to_spark("SELECT try_strptime(a, '%Y-%j')")
