from __future__ import annotations

import gzip
import hashlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.core.errors import SourceEmpty, SourceEncoding, SourceFormat, SourceMissing
from basketry.data import text


def survey(tmp_path, data: bytes, encoding: str = "utf-8") -> text.Surveyed:
    path = tmp_path / "file.csv"
    path.write_bytes(data)
    return text.survey(path, encoding, tmp_path / "copy.txt")


def test_plain_utf8_is_read_where_it_lies(tmp_path):
    found = survey(tmp_path, "a,b\n1,é\n".encode())
    assert found.path == tmp_path / "file.csv"
    assert found.digest == hashlib.sha256("a,b\n1,é\n".encode()).hexdigest()
    assert found.head == "a,b"


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path):
    assert survey(tmp_path, b"\xef\xbb\xbfa,b\n1,2\n").head == "a,b"


@pytest.mark.parametrize("encoding", ["gb18030", "cp1252", "utf-16", "shift_jis"])
def test_other_encodings_are_copied_into_utf8(tmp_path, encoding):
    words = {"cp1252": "prix,é\n1,€\n"}.get(encoding, "价格,a\n1,牛\n" if encoding != "shift_jis" else "価格,a\n1,牛\n")
    found = survey(tmp_path, words.encode(encoding), encoding)
    assert found.path.read_text(encoding="utf-8") == words


def test_gzip_is_inflated_through_all_its_members(tmp_path):
    data = gzip.compress(b"a,b\n" * 3) + gzip.compress(b"1,2\n" * 500_000)
    found = survey(tmp_path, data)
    assert found.path.read_bytes() == b"a,b\n" * 3 + b"1,2\n" * 500_000
    assert found.digest == hashlib.sha256(data).hexdigest()


def test_a_gzip_stream_cut_short_is_refused(tmp_path):
    whole = gzip.compress(bytes(range(256)).hex().encode() * 100)
    with pytest.raises(SourceFormat, match="cut short"):
        survey(tmp_path, whole[:-20])


def test_bad_bytes_are_named_by_line_and_byte(tmp_path):
    with pytest.raises(SourceEncoding, match=r"line 3, byte 9: the bytes e9 0a .* are not utf-8") as caught:
        survey(tmp_path, b"a,b\n1,2\n3\xe9\n4,5\n")
    assert "cp1252" in caught.value.hint


def test_bad_bytes_far_into_the_file_are_still_named(tmp_path):
    line = b"x" * 99 + b"\n"
    with pytest.raises(SourceEncoding, match="line 30001, byte 3000000:"):
        survey(tmp_path, line * 30_000 + b"\xff\xff\n")


def test_a_character_across_two_chunks_is_no_error(tmp_path):
    data = b"a" * (text.CHUNK - 1) + "é\nb\n".encode()
    assert survey(tmp_path, data).path.read_bytes() == data


def test_a_cut_character_at_the_end_is_an_error(tmp_path):
    with pytest.raises(SourceEncoding, match="line 2"):
        survey(tmp_path, b"a,b\n1,\xc3")


def test_nul_is_refused_with_its_line(tmp_path):
    with pytest.raises(SourceFormat, match="line 2: a NUL"):
        survey(tmp_path, b"a,b\n1,\x002\n")


def test_a_line_of_300_mb_is_refused_in_little_memory(tmp_path):
    path = tmp_path / "long.csv"
    with path.open("wb") as file:
        file.write(b"a,b\n1,")
        for _ in range(300):
            file.write(b"x" * 1_000_000)
    tracemalloc.start()
    with pytest.raises(SourceFormat, match="line 2: the line is longer than 4 MiB"):
        text.survey(path, "utf-8", tmp_path / "copy")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40_000_000


def test_lines_just_below_the_limit_are_read(tmp_path):
    line = b"x" * (text.MAX_LINE - 1) + b"\n"
    assert survey(tmp_path, b"a\n" + line * 2).digest
    with pytest.raises(SourceFormat, match="line 3"):
        survey(tmp_path, b"a\n" + line + b"xx" + line * 2)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(tmp_path, data):
    with pytest.raises(SourceEmpty):
        survey(tmp_path, data)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SourceMissing, match="No such file"):
        text.survey(tmp_path / "gone.csv", "utf-8", tmp_path / "copy")


def test_a_file_that_grows_while_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "grows.csv"
    path.write_bytes(b"a,b\n1,2\n")
    feed = text._Reader.feed

    def feed_and_grow(self, chunk, *, final=False):
        with path.open("ab") as file:
            file.write(b"3,4\n")
        return feed(self, chunk, final=final)

    monkeypatch.setattr(text._Reader, "feed", feed_and_grow)
    with pytest.raises(SourceMissing, match="changed while it was read"):
        text.survey(path, "utf-8", tmp_path / "copy")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(lambda words: words.strip()))
def test_what_is_copied_is_what_was_written(tmp_path_factory, words):
    folder = tmp_path_factory.mktemp("copy")
    found = survey(folder, words.encode("utf-16"), "utf-16")
    assert found.path.read_bytes().decode("utf-8") == words
