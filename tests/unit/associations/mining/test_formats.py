"""Files of baskets, read whole or refused by line; and the counts of files that the field measures itself by."""

import gzip
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.associations.mining.files import read
from basketry.associations.mining.formats import fimi, read_fimi, read_spmf
from basketry.associations.mining.inputs import transactions
from basketry.core.errors import (
    DataError,
    RequestError,
    SourceColumns,
    SourceEmpty,
    SourceEncoding,
    SourceFormat,
    SourceMissing,
)


def listed(found):
    names, items = found.names.to_list(), found.baskets.items.tolist()
    return [{names[code] for code in items[a:b]} for a, b in pairwise(found.baskets.indptr.tolist())]


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@given(
    world=st.lists(st.sets(st.integers(0, 10**18 - 1), max_size=6), min_size=1, max_size=12),
    blanks=st.sampled_from([" ", "  ", "\t"]),
)
def test_fimi_files_read_back_as_they_were_written(tmp_path_factory, world, blanks):
    path = tmp_path_factory.getbasetemp() / "world.dat"
    path.write_bytes(fimi(transactions(world)))
    assert listed(read_fimi(path)) == world
    path.write_text("".join(f"{blanks}{blanks.join(map(str, basket))}{blanks}\r\n" for basket in world))
    assert listed(read_fimi(path)) == world
    path.write_bytes(gzip.compress(path.read_bytes().strip(b"\r\n") + b"\n" * (1 if world[-1] else 0)))
    kept = path.with_name("world.dat.gz")
    path.replace(kept)
    assert [basket for basket in listed(read(kept)) if basket] == [basket for basket in world if basket]


def test_leading_zeros_and_repeated_numbers_are_one_item(tmp_path):
    assert listed(read_fimi(written(tmp_path, "a.dat", "007 7 7\n0 00"))) == [{7}, {0}]


def test_spmf_files_skip_comments_and_empty_lines_and_know_names(tmp_path):
    path = written(tmp_path, "a.txt", "% made by hand\n1 2\n\n# and so on\n2\n@x\n3 1 1\n")
    assert listed(read_spmf(path)) == listed(read(path)) == [{1, 2}, {2}, {1, 3}]
    named = written(tmp_path, "b.txt", "@CONVERTED_FROM_TEXT\n@ITEM=2=milk\n@ITEM=1=a=b\n@ITEM=9=unsold\n1 2\n2\n")
    assert listed(read(named)) == [{"a=b", "milk"}, {"milk"}]
    with pytest.raises(SourceFormat, match="not 3"):
        read_spmf(written(tmp_path, "c.txt", "@ITEM=2=milk\n3 2\n"))
    with pytest.raises(SourceFormat, match="names no item"):
        read_spmf(written(tmp_path, "d.txt", "@ITEM=x=milk\n3 2\n"))


@pytest.mark.parametrize(
    ("name", "content", "error", "told"),
    [
        ("a.dat", "1 2\n3 x4\n", SourceFormat, "a.dat, line 2: '3 x4'"),
        ("a.dat", "1 2\n\n3,4\n", SourceFormat, "line 3: '3,4'.*\n.*commas"),
        ("a.dat", "1 2.5\n", SourceFormat, "line 1"),
        ("a.dat", "\ufeff1 2\n", SourceFormat, "line 1"),
        ("a.dat", "1 2:3:1 2\n", SourceFormat, "utilities"),
        ("a.txt", "#c\n1 -1 2 -2\n", SourceFormat, "line 2.*\n.*sequence"),
        ("a.dat", "1\n1234567890123456789\n", SourceFormat, "line 2"),
        ("a.dat", b"", SourceEmpty, "is empty"),
        ("a.dat.gz", b"\x1f\x8b\x08\x00", SourceFormat, "damaged gzip"),
        ("a.dat.gz", gzip.compress(b"1 2\n" * 100)[:-9], SourceFormat, "damaged gzip"),
        ("a.csv", b"tea,jam\ncaf\xe9\n", SourceEncoding, "line 2: byte 0xe9"),
        ("a.csv", b'"tea,jam\nbun\n', SourceFormat, "check its quotes"),
        ("a.csv", "order,item\n", SourceEmpty, "no rows"),
        ("a.csv", "order,item\n1,tea\n2\n", DataError, "1 of 2 rows have no item in 'item', such as row 2"),
        ("a.csv", "order,item\n1,tea\n,jam\n", DataError, "no basket in 'order', such as row 2"),
        ("a.csv", "order,item\n1,tea,2\n", SourceFormat, "a.csv cannot be read as a table"),
        ("a.csv", "when,what\n1,2\n1,3\n", SourceColumns, "a.csv: no column is known as basket and item; .*'when', 'what'"),
        ("a.xlsx", "x", SourceFormat, "ending"),
        ("a", "x", SourceFormat, "ending"),
        ("a.parquet", "x", SourceFormat, "not a Parquet file"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_line(tmp_path, name, content, error, told):
    with pytest.raises(error, match=f"(?s){told}"):
        read(written(tmp_path, name, content))


def test_columns_of_a_table_may_be_named(tmp_path):
    path = written(tmp_path, "a.csv", "when,what,who,day\n1,tea,x,2024-01-02\n1,jam,x,2024-01-02\n2,tea,,2024-01-01\n")
    found = read(path, basket="when", item="what", customer="who", time="day")
    assert listed(found) == [{"tea", "jam"}, {"tea"}]
    assert found.baskets.days.tolist() == [19724, 19723]
    with pytest.raises(SourceColumns, match="no column 'x'"):
        read(path, basket="x", item="what")
    with pytest.raises(SourceMissing):
        read(tmp_path)


def test_only_whole_numbers_go_into_a_fimi_file():
    with pytest.raises(RequestError, match="whole numbers only"):
        fimi(transactions([["tea"]]))
    with pytest.raises(RequestError):
        fimi(transactions([[-1]]))
    assert fimi(transactions([[3, 1], [], [3]])) == b"1 3\n\n3\n"
    assert fimi(transactions([])) == b""


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "baskets", "items", "occurrences"),
    [
        ("fimi/retail.dat.gz", 88_162, 16_470, 908_576),
        ("fimi/mushroom.dat.gz", 8_124, 119, 186_852),
        ("fimi/T10I4D100K.dat.gz", 100_000, 870, 1_010_228),
        ("groceries_arules/groceries.csv", 9_835, 169, 43_367),
        ("bakery/BreadBasket_DMS.csv", 9_531, 95, 19_640),
    ],
)
def test_known_files_hold_what_is_published_of_them(datasets, name, baskets, items, occurrences):
    found = read(datasets / name)
    assert (len(found), len(found.names), len(found.baskets.items)) == (baskets, items, occurrences)
