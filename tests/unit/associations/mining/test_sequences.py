from __future__ import annotations

import gzip

import numpy as np
import polars as pl
import pytest

from basketry.associations.baskets import BasketMatrix
from basketry.associations.mining.sequence_database import SequenceDatabase
from basketry.associations.mining.sequence_files import read_sequences
from basketry.associations.mining.sequences import Sequences
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError, RequestError, SourceEmpty, SourceFormat, SourceMissing
from basketry.core.protocols import Run
from basketry.kernels.sequence_rows import UNLIMITED, Limits

PAPER = [line.split() for line in ("a abc ac d cf", "ad c bc ae", "ef ab df c b", "e g af c b c")]


def paper():
    return SequenceDatabase.from_lists(PAPER)


def test_the_paper_from_lists_to_a_frame():
    mined = Sequences(0.5).fit(paper(), Run())
    table = mined.frame()
    assert table.columns == ["sequence", "length", "sequences", "support"]
    assert len(table) == len(mined) == 53
    rows = {tuple(map(tuple, row[0])): row[1:] for row in table.iter_rows()}
    assert rows[("a",), ("b", "c"), ("a",)] == (4, 2, 0.5)
    assert rows[("e",), ("f",), ("c",), ("b",)] == (4, 2, 0.5)
    assert rows[("a",),] == (1, 4, 1.0)


@pytest.mark.parametrize(("kind", "n"), [("closed", 17), ("maximal", 10)])
def test_a_kind_afterwards_is_the_kind_at_once(kind, n):
    once = Sequences(2, kind).fit(paper(), Run())
    after = Sequences(2).fit(paper(), Run()).published(1, kind)
    assert len(once) == len(after) == n
    assert once.frame().equals(after.frame())


def shop():
    """Customer 0 buys bread, and twelve days on wine and cheese; customer 1 both on one day in two baskets; two are unknown."""
    return Transactions(
        BasketMatrix(
            np.array([0, 1, 3, 4, 5, 6, 7]),
            np.array([0, 2, 1, 0, 2, 0, 2], dtype=np.int32),
            np.array([0, 0, 1, 1, 2, 3], dtype=np.int32),
            np.array([100, 112, 50, 50, 7, 9], dtype=np.int32),
            3,
        ),
        pl.Series("item", ["bread", "cheese", "wine"]),
    )


def found(database, limits=UNLIMITED):
    return {
        tuple(map(tuple, row[0])): row[1]
        for row in Sequences(1, limits=limits).fit(database, Run()).frame().select("sequence", "sequences").iter_rows()
    }


def test_customers_are_sequences_and_days_the_clock():
    database = SequenceDatabase.from_transactions(shop())
    assert len(database) == 4
    every = found(database)
    assert every[("bread",), ("wine",)] == 2 and every[("bread",), ("cheese", "wine")] == 1
    assert found(database, Limits(window=11))[("bread",), ("wine",)] == 1
    assert found(database, Limits(min_gap=1))[("bread",), ("wine",)] == 1
    assert found(SequenceDatabase.from_transactions(shop(), "element"), Limits(max_gap=1))[("bread",), ("wine",)] == 2
    assert every[("bread",),] == 3


def test_counts_that_tell_of_few_are_not_published():
    """30 buy bread, 25 of them wine later: the difference tells of five, so the pair is left out and bread is not."""
    database = SequenceDatabase.from_lists([["b", "w"]] * 25 + [["b"]] * 5 + [["w"]] * 25)
    told = Sequences(20).fit(database, Run()).published(20)
    assert {tuple(map(tuple, row)): n for row, n in told.frame().select("sequence", "sequences").iter_rows()} == {
        (("b",),): 30,
        (("w",),): 50,
    }
    assert len(Sequences(20).fit(database, Run()).published(5)) == 3


def test_recounting_on_other_sequences():
    mined = Sequences(2).fit(paper(), Run())
    assert np.array_equal(mined.recounted(paper()), mined.tree.support)
    with pytest.raises(RequestError, match="do not share their codes"):
        mined.recounted(SequenceDatabase.from_lists([["x"]]))


def test_nothing_to_mine():
    mined = Sequences(1).fit(SequenceDatabase.from_lists([]), Run())
    assert len(mined) == 0 and mined.frame().columns == ["sequence", "length", "sequences", "support"]
    assert len(Sequences(3).fit(SequenceDatabase.from_lists([["a"], []]), Run()).frame()) == 0


def test_times_of_lists():
    timed = SequenceDatabase.from_lists([["a", "b"], ["a", "b"]], [[0, 3], [5, 20]])
    assert found(timed, Limits(max_gap=3))[("a",), ("b",)] == 1
    with pytest.raises(DataError, match="not of one shape"):
        SequenceDatabase.from_lists([["a", "b"]], [[0]])
    with pytest.raises(DataError, match="go backwards"):
        SequenceDatabase.from_lists([["a", "b"]], [[1, 0]])


def test_wrong_requests_say_what_is_right():
    for wrong, text in (({"kind": "odd"}, "kind 'odd'"), ({"max_patterns": 0}, "max_patterns is 0")):
        with pytest.raises(RequestError, match=text):
            Sequences(**wrong)
    with pytest.raises(RequestError, match="clock 'hour'"):
        SequenceDatabase.from_transactions(shop(), "hour")
    with pytest.raises(DataError, match="names for"):
        SequenceDatabase(paper().rows, pl.Series(["x"]))
    with pytest.raises(RequestError, match="more than 10 patterns"):
        Sequences(2, max_patterns=10).fit(paper(), Run())


def test_reading_the_formats_of_spmf(tmp_path):
    plain = tmp_path / "a.txt"
    plain.write_text("# a comment\n1 3 -1 2 -1 -2\n\n10[4] -1 2[1] 2[9] 1[2] -1 -2 SUtility:33\n")
    database = read_sequences(plain)
    assert database.names.to_list() == [1, 2, 3, 10]
    assert database.rows.starts.tolist() == [0, 2, 4]
    assert database.rows.elements.tolist() == [0, 2, 3, 4, 6]
    assert database.names.gather(database.rows.items).to_list() == [1, 3, 2, 10, 1, 2]
    packed = tmp_path / "a.txt.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_sequences(packed).rows.items.tolist() == database.rows.items.tolist()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 -1", "line 1: the sequence does not end with -2"),
        ("1 -1 -2\nx -1 -2", "line 2: 'x' is not"),
        ("1 -3 -2", "'1 -3' is not"),
    ],
)
def test_lines_that_are_no_sequences(tmp_path, text, words):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(SourceFormat, match=words):
        read_sequences(tmp_path / "a.txt")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(SourceMissing):
        read_sequences(tmp_path / "none.txt")
    (tmp_path / "a.txt").write_text("\n")
    with pytest.raises(SourceEmpty):
        read_sequences(tmp_path / "a.txt")
    (tmp_path / "a.gz").write_bytes(b"no gzip")
    with pytest.raises(SourceFormat, match="cannot be read"):
        read_sequences(tmp_path / "a.gz")


@pytest.mark.data
def test_click_streams_as_two_peers_count_them(datasets):
    """Of the packages prefixspan (all) and effspm (two items and more), and of PAMI's SPADE (the last)."""
    folder = datasets / "fimi" / "spmf_utility_sequences"
    clicks = read_sequences(folder / "BMSWebView1.txt.gz")
    assert len(clicks) == 59_601
    mined = Sequences(60).fit(clicks, Run())
    assert len(mined) == 3_991 and int((mined.tree.lengths > 1).sum()) == 3_648
    assert len(Sequences(36).fit(clicks, Run())) == 461_521
    news = read_sequences(folder / "kosarak10k.txt.gz")
    mined = Sequences(50).fit(news, Run())
    assert len(mined) == 1_716 and int((mined.tree.lengths > 1).sum()) == 1_555
    assert len(Sequences(100).fit(news, Run())) == 392
