from __future__ import annotations

import datetime as dt

import pytest

from basketry.core.errors import ConfigError
from basketry.data import shopfile
from basketry.data.shopfile import Constant, Join, Multiply, Own, Week
from basketry.data.templates import TEMPLATES, template

HEAD = 'name = "x"\ncurrency = "EUR"\ntimezone = "Europe/Berlin"\n'
PRODUCTS = '[[source]]\ntable = "products"\npath = "p.csv"\n[source.columns]\nproduct_id = "SKU"\ntitle = "name"\n'


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_is_a_valid_file(name):
    assert shopfile.parse(template(name)).name


def test_all_forms_of_a_column():
    columns = """
product_id = "SKU"
store_id = ["shop", "branch"]
first_day = {week = "week", begins = 2017-01-01}
display = {column = "place", none = "0"}
mailer = {join = ["a", ["b", "c"]], separator = "-"}
"""
    text = f'{HEAD}[[source]]\ntable = "promotions"\npath = "p.parquet"\n[source.columns]{columns}'
    source = shopfile.parse(text).sources[0]
    assert source.format == "parquet"
    assert source.mapping == {
        "product_id": Own(("SKU",)),
        "store_id": Own(("shop", "branch")),
        "first_day": Week("week", dt.date(2017, 1, 1)),
        "display": Own(("place",), "0"),
        "mailer": Join((Own(("a",)), Own(("b", "c"))), "-"),
    }


def test_constants_and_products_of_columns():
    data = {"order_id": "o", "product_id": "p", "ts": "t", "units": {"value": 1}, "amount": {"multiply": ["n", "price"]}}
    source = shopfile.source({"table": "order_lines", "path": "x.jsonl.gz", "columns": data}, "here")
    assert source.format == "jsonl"
    assert source.mapping["units"] == Constant("1")
    assert source.mapping["amount"] == Multiply("n", "price")


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("name = ", "is not TOML", "line"),
        (HEAD.replace("name", "nmae"), "no key 'nmae'", "did you mean 'name'"),
        (PRODUCTS, "does not say name, currency, timezone", "name ="),
        (HEAD.replace("EUR", "euro") + PRODUCTS, "currency 'euro'", "three capitals"),
        (HEAD.replace("Berlin", "Berlln") + PRODUCTS, "no time zone 'Europe/Berlln'", "Europe/Berlin"),
        (HEAD + PRODUCTS.replace("path", "pat"), "no key 'pat'", "did you mean 'path'"),
        (HEAD + PRODUCTS.replace("products", "prodcts"), "no input table 'prodcts'", "did you mean 'products'"),
        (HEAD + PRODUCTS.replace("title", "titel"), "has no column 'titel'", "did you mean 'title'"),
        (HEAD + PRODUCTS.replace('title = "name"', ""), "does not map title", "title ="),
        (HEAD + PRODUCTS.replace('"name"', "7"), "7 does not name a column|cannot read 7", "value"),
        (HEAD + PRODUCTS.replace('"p.csv"', '"p.csv"\nencoding = "latin-99"'), "no encoding 'latin-99'", "cp1252"),
        (HEAD + PRODUCTS.replace('"p.csv"', '"p.csv"\ndelimiter = "||"'), "one character", "tab"),
        (HEAD + PRODUCTS.replace('"p.csv"', '"p.csv"\nformat = "xlsx"'), "no format 'xlsx'", "csv"),
        (HEAD + PRODUCTS.replace('path = "p.csv"', 'dsn_env = "A B"\nquery = "SELECT 1"'), "PostgreSQL", "dsn_env"),
        (HEAD + "threads = 0\n" + PRODUCTS, "threads 0", "threads = 2"),
        (HEAD + "threads = true\n" + PRODUCTS, "threads = True is not int", "comments"),
        (HEAD + '[rules]\noutliers = "drop"\n' + PRODUCTS, "cannot clean outliers so", "flag"),
        (HEAD + '[adapter]\npath = "x"\n', "has no name", "complete_journey"),
    ],
)
def test_what_is_wrong_is_refused_with_a_way_out(text, says, hint):
    with pytest.raises(ConfigError, match=says) as caught:
        shopfile.parse(text)
    assert hint in caught.value.hint


def test_a_raw_customer_id_cannot_slip_into_another_column():
    columns = {
        "order_id": {"join": ["card", "day"]},
        "product_id": "p",
        "ts": "day",
        "units": "n",
        "amount": "a",
        "customer_id": "card",
    }
    with pytest.raises(ConfigError, match="order_id would carry the raw customer id of card"):
        shopfile.source({"table": "order_lines", "path": "x.csv", "columns": columns}, "here")


def test_a_folder_without_the_file_is_no_shop(tmp_path):
    with pytest.raises(ConfigError, match="is not a shop"):
        shopfile.load(tmp_path)
