"""Where mining commands find their baskets: in the shop's own tables, or in a file of any known kind."""

import gzip
from itertools import pairwise

import polars as pl
import pytest

from basketry.app.ingest import Frame, IngestRequest, ingest
from basketry.app.shop import Shop
from basketry.app.transactions import load_transactions
from basketry.core.errors import SourceColumns, SourceFormat, SourceMissing


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corner")
    (folder / "shop.toml").write_text('name = "x"\ncurrency = "EUR"\ntimezone = "UTC"\n', encoding="utf-8")
    lines = {
        "order_id": ["o2", "o1", "o1", "o3"],
        "customer_id": ["c1", "c1", "c1", None],
        "product_id": ["tea", "jam", "bun", "tea"],
        "ts": ["2024-01-02 10:00:00", "2024-01-01 10:00:00", "2024-01-01 10:00:00", "2024-01-03 10:00:00"],
        "units": ["1"] * 4,
        "amount": ["2"] * 4,
    }
    opened = Shop.open(folder)
    products = pl.DataFrame({"product_id": ["tea", "jam", "bun", "unsold"], "title": ["Tea", "Jam", "Bun", "Unsold"]})
    ingest(opened, IngestRequest((Frame("products", products), Frame("order_lines", pl.DataFrame(lines)))))
    return opened


def listed(transactions):
    names, indptr = transactions.names.to_list(), transactions.baskets.indptr.tolist()
    items = [names[code] for code in transactions.baskets.items.tolist()]
    return [sorted(items[a:b]) for a, b in pairwise(indptr)]


def test_the_shops_own_baskets_come_with_customers_days_and_every_product(shop):
    found = load_transactions(shop, "")
    assert sorted(listed(found)) == [["bun", "jam"], ["tea"], ["tea"]]
    assert found.names.to_list() == ["bun", "jam", "tea", "unsold"]
    assert len(set(found.baskets.customers.tolist())) == 2
    assert sorted(found.baskets.days.tolist()) == [19723, 19724, 19725]


FILES = {
    "a.dat": "3 1\n\n3\n",
    "a.txt": "3 1\n\n3",
    "a.dat.gz": gzip.compress(b"3 1 \r\n\r\n3 3\r\n"),
    "spmf.txt": "@CONVERTED_FROM_TEXT\n@ITEM=1=jam\n@ITEM=3=tea\n3 1\n3\n",
    "long.csv": 'Order ID,x,Product\nb,1,tea\na,1,jam\na,1,"tea, green"\nb,2,tea\n',
    "lines.csv": "tea, jam\ntea\n\n,bun,\n",
    "quoted.csv": '"tea, green",jam\ntea\n',
    "tab.tsv": "order\titem\n1\t007\n1\t7\n",
}
WANTED = {
    "a.dat": [[1, 3], [], [3]],
    "a.txt": [[1, 3], [], [3]],
    "a.dat.gz": [[1, 3], [], [3]],
    "spmf.txt": [["jam", "tea"], ["tea"]],
    "long.csv": [["tea"], ["jam", "tea, green"]],
    "lines.csv": [["jam", "tea"], ["tea"], [], ["bun"]],
    "quoted.csv": [["jam", "tea, green"], ["tea"]],
    "tab.tsv": [["007", "7"]],
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_as_what_its_ending_and_first_line_say(shop, tmp_path, name):
    content = FILES[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert listed(load_transactions(shop, str(tmp_path / name))) == WANTED[name]


def test_a_parquet_table_is_read_by_the_names_of_its_columns(shop, tmp_path):
    pl.DataFrame({"transaction_id": [5, 5, 4], "sku": [1, 2, 1], "price": [1.0, 2.0, 3.0]}).write_parquet(
        tmp_path / "a.parquet"
    )
    assert listed(load_transactions(shop, str(tmp_path / "a.parquet"))) == [[1, 2], [1]]


@pytest.mark.parametrize(
    ("name", "content", "error", "told"),
    [
        ("a.dat", "1 2\n3 x4\n", SourceFormat, "line 2: '3 x4'"),
        ("a.dat", "1 2:3:1 2\n", SourceFormat, "utilities"),
        ("a.txt", "1 -1 2 -1 -2\n", SourceFormat, "sequence"),
        ("a.dat", "1 1234567890123456789\n", SourceFormat, "line 1"),
        ("a.xlsx", "x", SourceFormat, "ending"),
        ("a.csv", "1,milk\n1,bread\n", SourceColumns, "'1', 'milk'"),
        ("a.csv", "when,what,price\n1,2,1\n3,4,1\n", SourceColumns, "'when', 'what', 'price'"),
        ("a.csv", "order,item\n1,2,3\n", SourceFormat, "as a table"),
        ("a.parquet", "nothing", SourceFormat, "not a Parquet file"),
        ("a.dat.gz", b"\x1f\x8bxx", SourceFormat, "damaged gzip"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place_and_the_way_out(shop, tmp_path, name, content, error, told):
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(error, match=told):
        load_transactions(shop, str(tmp_path / name))


def test_a_file_that_is_not_there_is_said_to_be_missing(shop):
    with pytest.raises(SourceMissing, match="no-such-file"):
        load_transactions(shop, "no-such-file.csv")


def test_a_notebook_mines_its_own_shop(shop):
    from basketry.app.notebook import Notebook

    found = Notebook.open(shop.folder).mine(1, min_customers=1)
    assert sorted(zip(found["itemset"].to_list(), found["titles"].to_list(), found["customers"].to_list(), strict=True)) == [
        (["bun"], ["Bun"], 1),
        (["bun", "jam"], ["Bun", "Jam"], 1),
        (["jam"], ["Jam"], 1),
        (["tea"], ["Tea"], 2),
    ]
    assert len(Notebook.open(shop.folder).mine(1)) == 0
    assert Notebook.open(shop.folder).mine(1, kind="closed", min_customers=2)["baskets"].to_list() == [2]
