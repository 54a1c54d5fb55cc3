from __future__ import annotations

import polars as pl
import pytest

from basketry.app.product_filter import COLUMNS, kept, parsed
from basketry.core.errors import NotFound, RequestError

PRODUCTS = pl.DataFrame(
    {
        "product_id": ["1", "2", "3", "4"],
        "department": ["GROCERY", "GROCERY", "MEAT, FRESH", None],
        "brand": ["National", "Private", "National", "National"],
    }
)


def ids(text: str) -> list[str]:
    return kept(PRODUCTS, parsed(text))["product_id"].to_list()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("brand=National", {"brand": ("National",)}),
        (" brand = National , size=1 l", {"brand": ("National",), "size": ("1 l",)}),
        ("department=MEAT, FRESH,brand=National", {"department": ("MEAT, FRESH",), "brand": ("National",)}),
        ("brand=a,brand=b", {"brand": ("a", "b")}),
        ("size=1=2", {"size": ("1=2",)}),
    ],
)
def test_pairs_are_read(text, expected):
    assert parsed(text) == expected


def test_products_have_one_of_the_values_in_every_column_named():
    assert ids("") == ["1", "2", "3", "4"]
    assert ids("department=grocery") == ["1", "2"]
    assert ids("department=Grocery,brand=national") == ["1"]
    assert ids("department=GROCERY,department=meat, fresh") == ["1", "2", "3"]


@pytest.mark.parametrize("text", ["brand", "brand=", "department=A,brand=", "price>3"])
def test_what_is_no_pair_is_refused(text):
    with pytest.raises(RequestError, match="is no filter"):
        parsed(text)


def test_columns_and_values_that_are_not_there_are_named():
    with pytest.raises(RequestError, match="cannot be filtered by 'title'") as refused:
        parsed("title=x")
    assert all(column in refused.value.hint for column in COLUMNS)
    with pytest.raises(NotFound, match="no product has department 'GROCERIES'") as missing:
        ids("department=GROCERIES")
    assert "did you mean GROCERY" in missing.value.hint
    with pytest.raises(NotFound, match="no product has brand") as other:
        ids("brand=ZZZ")
    assert "National, Private" in other.value.hint
    with pytest.raises(NotFound, match="passes all"):
        ids("department=MEAT, FRESH,brand=Private")


def test_a_value_is_never_a_pattern():
    with pytest.raises(NotFound):
        ids("brand=.*")


def test_values_are_looked_for_among_all_products():
    with pytest.raises(NotFound, match="no product passes"):
        kept(PRODUCTS.head(1), parsed("brand=Private"), PRODUCTS)
    with pytest.raises(NotFound, match="no product has brand 'Own'"):
        kept(PRODUCTS.head(1), parsed("brand=Own"), PRODUCTS)


def test_a_column_nobody_filled_says_so():
    empty = PRODUCTS.with_columns(size=pl.lit(None, dtype=pl.String))
    with pytest.raises(NotFound) as refused:
        kept(empty, parsed("size=1 l"))
    assert refused.value.hint == "no product has any size"


def test_columns_are_read_in_either_case():
    assert parsed("Brand=National,DEPARTMENT=Meat, fresh") == {"brand": ("National",), "department": ("Meat, fresh",)}
