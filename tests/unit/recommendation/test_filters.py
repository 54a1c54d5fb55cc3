"""Filters read back as they were written, and pass what a reading of them by hand passes."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.core.errors import NotFound, RequestError
from basketry.recommendation.facts import Facts
from basketry.recommendation.filter_text import DEEPEST, parsed
from basketry.recommendation.filters import ORDERS, Among, Contains, Every, Known, Not, Ordered, Some, passing

FACTS = Facts(
    pl.DataFrame(
        {
            "product_id": ["1", "2", "3", "4"],
            "category": ["Dairy", "dairy", "MEAT, FRESH", None],
            "brand": ["A", "B", "O'Neil", "A"],
            "price": [1.5, 6.0, 4.0, None],
            "stock": [0, 3, 9, None],
            "promoted": [True, False, None, True],
            "since": [dt.date(2026, 1, 1), dt.date(2026, 3, 1), None, dt.date(2026, 2, 1)],
            "tag": [["x", "Y"], [], None, ["z"]],
        }
    )
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1234"),
        ("category = Dairy", "12"),
        ("category='DAIRY' and price < 5", "1"),
        ("category = 'meat, fresh' or brand in (A, 'b')", "1234"),
        ("category = 'meat, fresh' or brand = A and price < 2", "13"),
        ("(category = 'meat, fresh' or brand = A) and price < 4", "1"),
        ("brand = 'O''Neil'", "3"),
        ('brand = "O\'Neil"', "3"),
        ("not tag = 'x'", "234"),
        ("tag in (y, z)", "14"),
        ("price >= 4.0", "23"),
        ("not price >= 4", "14"),
        ("price is null", "4"),
        ("category IS NOT NULL AND NOT brand IN (A)", "23"),
        ("brand not in (A, B)", "3"),
        ("brand != A", "23"),
        ("stock > 0", "23"),
        ("stock = 3", "2"),
        ("promoted = true", "14"),
        ("promoted != true", "23"),
        ("since > 2026-01-15", "24"),
        ("category contains 'fresh'", "3"),
        ("tag contains y", "1"),
        ("product_id = 2", "2"),
    ],
)
def test_products_that_pass(text, expected):
    kept = passing(parsed(text), FACTS)
    assert "".join(FACTS.frame["product_id"].filter(pl.Series(kept))) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("category", "at its end: there should be =, !="),
        ("category = ", "a value, in quotes"),
        ("category = and", "a value, in quotes"),
        ("= 3", "a column"),
        ("'category' = 3", "a column"),
        ("price < 5 price > 3", "and, or, or the end"),
        ("(price < 5", r"should be \)"),
        ("brand in A", r"should be \("),
        ("brand in ()", "a value"),
        ("price == 3", "a value"),
        ("category = 'Dairy", "a quote that is not closed"),
        ("price < 5; drop", "';', which says nothing here"),
        ("__import__('os')", "should be ="),
        ("category like 'D%'", "should be ="),
    ],
)
def test_what_cannot_be_read_is_refused(text, said):
    with pytest.raises(RequestError, match=said) as refused:
        parsed(text)
    assert "category = 'Dairy'" in refused.value.hint


def test_long_and_deep_filters_are_refused():
    with pytest.raises(RequestError, match="characters"):
        parsed("price < 1 or " * 400 + "price < 1")
    assert parsed("(" * DEEPEST + "price < 1" + ")" * DEEPEST) == Ordered("price", "<", "1")
    for deep in ("(" * (DEEPEST + 1) + "price < 1" + ")" * (DEEPEST + 1), "not " * (DEEPEST + 1) + "price < 1"):
        with pytest.raises(RequestError, match="nests more"):
            parsed(deep)


@pytest.mark.parametrize(
    ("text", "error", "said", "hint"),
    [
        ("catgory = Dairy", RequestError, "no column 'catgory'", "did you mean category"),
        ("colour = red", RequestError, "no column 'colour'", "there are product_id"),
        ("category = Diary", NotFound, "no product has category 'Diary'", "did you mean Dairy"),
        ("not tag = w", NotFound, "no product has tag 'w'", "x"),
        ("brand = .*", RequestError, "cannot be read", "write it"),
        ("brand = '.*'", NotFound, "no product has brand", "A, B"),
        ("price < cheap", RequestError, "'cheap' is no value of column price", "a number"),
        ("price < nan", RequestError, "is no value", "a number"),
        ("price = 1e999", RequestError, "is no value", "a number"),
        ("promoted = yes", RequestError, "is no value of column promoted", "true or false"),
        ("since < tomorrow", RequestError, "is no value of column since", "a day"),
        ("brand < B", RequestError, "no order", "="),
        ("price contains 4", RequestError, "holds no text", "="),
    ],
)
def test_columns_and_values_are_checked(text, error, said, hint):
    with pytest.raises(error, match=said) as refused:
        passing(parsed(text), FACTS)
    assert hint in refused.value.hint


def test_a_stored_filter_outlives_a_brand():
    assert not passing(parsed("brand = gone"), FACTS, strict=False).any()
    assert passing(parsed("brand != gone"), FACTS, strict=False).all()


texts = st.text(min_size=1, max_size=6)
leaves = st.one_of(
    st.builds(Among, st.sampled_from(["brand", "category", "tag"]), st.lists(texts, min_size=1, max_size=3).map(tuple)),
    st.builds(Ordered, st.just("price"), st.sampled_from(list(ORDERS)), st.integers(-3, 9).map(str)),
    st.builds(Contains, st.sampled_from(["brand", "tag"]), texts),
    st.builds(Known, st.sampled_from(["price", "tag", "brand"])),
)
filters = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(Every, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Some, st.lists(inner, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@given(filters)
def test_a_filter_reads_back(chosen):
    assert parsed(str(chosen)) == chosen


def by_hand(chosen, row):
    """One product, in plain Python."""
    match chosen:
        case Every(parts):
            return all(by_hand(part, row) for part in parts)
        case Some(parts):
            return any(by_hand(part, row) for part in parts)
        case Not(of):
            return not by_hand(of, row)
    held = row[chosen.column]
    if held is None:
        return False
    texts = [each.lower() for each in held] if isinstance(held, list) else [str(held).lower()]
    match chosen:
        case Known():
            return True
        case Among(_, values):
            return any(value.lower() in texts for value in values)
        case Contains(_, value):
            return any(value.lower() in text for text in texts)
        case Ordered(_, order, value):
            return {"<": held < float(value), "<=": held <= float(value), ">": held > float(value), ">=": held >= float(value)}[
                order
            ]


@given(
    filters,
    st.lists(
        st.tuples(
            st.none() | texts, st.none() | texts, st.none() | st.integers(-3, 9), st.none() | st.lists(texts, max_size=3)
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_products_pass_as_they_do_by_hand(chosen, rows):
    frame = pl.DataFrame(
        [(str(i), *row) for i, row in enumerate(rows)],
        schema={
            "product_id": pl.String,
            "brand": pl.String,
            "category": pl.String,
            "price": pl.Int64,
            "tag": pl.List(pl.String),
        },
        orient="row",
    )
    kept = passing(chosen, Facts(frame), strict=False)
    assert kept.tolist() == [by_hand(chosen, row) for row in frame.iter_rows(named=True)]
