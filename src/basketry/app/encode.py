"""Encode: texts to vectors, kept by content, written to a file that other tools read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from basketry.app.encoders import HELP

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from basketry.app.shop import Shop

SUFFIXES: Final = (".parquet", ".csv", ".jsonl", ".txt")


@dataclass(frozen=True)
class EncodeRequest:
    """What to encode, and with what."""

    source: str = field(
        default="",
        metadata={
            "help": "A .parquet, .csv or .jsonl table, or a .txt file of one text a line; default: the shop's products.",
            "argument": True,
        },
    )
    encoder: str = field(default="universal", metadata={"help": HELP})
    text: str = field(default="text", metadata={"help": "Column of a table that holds the texts."})
    id: str = field(default="", metadata={"help": "Column of a table that names the rows; default: their number from 1."})
    out: str = field(
        default="", metadata={"help": "Where to write id, text and vector: a .parquet file, or .npy for vectors alone."}
    )


@dataclass(frozen=True)
class EncodeResult:
    """How much was encoded, how fast, and where it stands."""

    encoder: str
    dim: int
    texts: int
    distinct: int
    seconds: float
    notes: tuple[str, ...]


def encode(shop: Shop, request: EncodeRequest) -> EncodeResult:
    """Turn texts into unit vectors; what was encoded before, with the same encoder, is not encoded again."""
    import time
    from pathlib import Path

    import polars as pl

    from basketry.app.encoders import shop_encoder
    from basketry.core.protocols import Run
    from basketry.encoders.cache import CachedEncoder
    from basketry.encoders.documents import readable

    _check_out(request.out)
    given = given_texts(shop, request)
    readables = given.filter(pl.col("text").map_elements(readable, return_dtype=pl.Boolean))
    own = (shop.folder / "shop.toml").is_file()
    encoder, _ = shop_encoder(shop, request.encoder, Run(threads=shop.settings.threads if own else 2))
    kept = CachedEncoder(encoder, shop.folder / "cache" / "vectors") if own else encoder
    begun = time.perf_counter()
    vectors = kept.encode(readables["text"].to_list())
    seconds = time.perf_counter() - begun
    notes = []
    if len(given) > len(readables):
        notes.append(f"{len(given) - len(readables):,} of {len(given):,} rows hold no text and were left out")
    if not own:
        notes.append("outside a shop nothing is remembered: name one by --shop, and the same texts are not encoded again")
    if request.out:
        _write(Path(request.out), readables, vectors)
        notes.append(f"written to {request.out}")
    return EncodeResult(
        encoder=encoder.name,
        dim=encoder.dim,
        texts=len(readables),
        distinct=readables["text"].n_unique(),
        seconds=round(seconds, 3),
        notes=tuple(notes),
    )


def given_texts(shop: Shop, request: EncodeRequest) -> pl.DataFrame:
    """Columns `id` and `text`, both strings, no nulls in `text`."""
    import polars as pl

    if not request.source:
        from basketry.core.tables import Documents

        with shop.dataset() as dataset:
            found = dataset.query(Documents, "documents").select("text", id="product_id")
    else:
        found = file_texts(request)
    return found.select(pl.col("id").cast(pl.String), pl.col("text").cast(pl.String).fill_null(""))


def file_texts(request: EncodeRequest) -> pl.DataFrame:
    """Columns `id` and `text` of the file that is named. Raises SourceError if it cannot be read, or lacks a column."""
    from pathlib import Path

    import polars as pl

    from basketry.core.errors import RequestError, SourceColumns, SourceFormat, SourceMissing

    path = Path(request.source)
    if not path.is_file():
        raise SourceMissing(f"there is no file {path}", "check the path")
    if path.suffix not in SUFFIXES:
        raise RequestError(f"{path.name} is of no known kind", f"give one of {', '.join(SUFFIXES)}")
    try:
        if path.suffix == ".txt":
            table = pl.DataFrame({"text": path.read_text(encoding="utf-8").splitlines()})
        elif path.suffix == ".parquet":
            table = pl.read_parquet(path)
        elif path.suffix == ".csv":
            table = pl.read_csv(path, infer_schema=False)
        else:
            table = pl.read_ndjson(path)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise SourceFormat(f"{path} cannot be read: {error}", "save it as UTF-8, one header line, one row a line") from error
    column = "text" if path.suffix == ".txt" else request.text
    absent = [name for name in (column, request.id) if name and name not in table.columns]
    if absent:
        raise SourceColumns(f"{path} has no column {absent[0]!r}", f"it has {', '.join(table.columns)}: see --text and --id")
    named = table[request.id] if request.id else pl.Series(range(1, len(table) + 1), dtype=pl.Int64)
    return pl.DataFrame({"id": named.cast(pl.String), "text": table[column].cast(pl.String)})


def _check_out(out: str) -> None:
    from basketry.core.errors import RequestError

    if out and not out.endswith((".parquet", ".npy")):
        raise RequestError(f"cannot write vectors to {out}", "name a file that ends with .parquet or .npy")


def _write(path: Path, rows: pl.DataFrame, vectors: object) -> None:
    import numpy as np
    import polars as pl

    from basketry.store import durable

    array = np.asarray(vectors, dtype=np.float32)
    with durable.writing(path) as aside:
        if path.suffix == ".npy":
            with aside.open("wb") as stream:
                np.save(stream, array, allow_pickle=False)
        else:
            column = pl.Series("vector", array, dtype=pl.Array(pl.Float32, array.shape[1]))
            rows.with_columns(column).write_parquet(aside)
