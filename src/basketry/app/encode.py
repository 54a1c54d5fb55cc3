"""Encode: texts or images to vectors, kept by content, written to a file that other tools read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from basketry.app.encoders import HELP

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from basketry.app.shop import Shop
    from basketry.core.protocols import EncoderOf, Run, Vectors

    _Encoded = tuple[EncoderOf[Any], pl.DataFrame, Vectors, list[str]]

TOLD: Final = 5  # files set aside that are named
SUFFIXES: Final = (".parquet", ".csv", ".jsonl", ".txt")


@dataclass(frozen=True)
class EncodeRequest:
    """What to encode, and with what."""

    source: str = field(
        default="",
        metadata={
            "help": "A .parquet, .csv or .jsonl table, a .txt file of one text a line, or a folder of images; default: the "
            "shop's products.",
            "argument": True,
        },
    )
    encoder: str = field(
        default="universal", metadata={"help": f"{HELP[:-1]}; of images: efficientnet, image:FOLDER or clip:FOLDER."}
    )
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
    documents: int
    distinct: int
    seconds: float
    notes: tuple[str, ...]


def encode(shop: Shop, request: EncodeRequest) -> EncodeResult:
    """Turn texts or images into unit vectors; what was encoded before, with the same encoder, is not encoded again."""
    import time
    from pathlib import Path

    from basketry.core.protocols import Run

    _check_out(request.out)
    own = (shop.folder / "shop.toml").is_file()
    run = Run(threads=shop.settings.threads if own else 2)
    begun = time.perf_counter()
    work = _images if request.source and Path(request.source).is_dir() else _encoded_texts
    encoder, rows, vectors, notes = work(shop, request, run, own)
    seconds = time.perf_counter() - begun
    if not own:
        notes.append("outside a shop nothing is remembered: name one by --shop, and the same documents are not encoded again")
    if request.out:
        _write(Path(request.out), rows, vectors)
        notes.append(f"written to {request.out}")
    return EncodeResult(
        encoder=encoder.name,
        dim=encoder.dim,
        documents=len(rows),
        distinct=rows["text"].n_unique() if "text" in rows.columns else len(rows),
        seconds=round(seconds, 3),
        notes=tuple(notes),
    )


def _encoded_texts(shop: Shop, request: EncodeRequest, run: Run, own: bool) -> _Encoded:
    """Rows of id and text with their vectors."""
    import polars as pl

    from basketry.app.encoders import shop_encoder
    from basketry.encoders.cache import CachedEncoder
    from basketry.encoders.documents import readable

    given = given_texts(shop, request)
    rows = given.filter(pl.col("text").map_elements(readable, return_dtype=pl.Boolean))
    encoder, _ = shop_encoder(shop, request.encoder, run)
    vectors = (CachedEncoder(encoder, _cache(shop)) if own else encoder).encode(rows["text"].to_list())
    left = len(given) - len(rows)
    return encoder, rows, vectors, [f"{left:,} of {len(given):,} rows hold no text and were left out"] if left else []


def _images(shop: Shop, request: EncodeRequest, run: Run, own: bool) -> _Encoded:
    """Rows of id, the path of an image below the folder, with their vectors."""
    from pathlib import Path

    import polars as pl

    from basketry.core.errors import RequestError
    from basketry.encoders.cache import CachedEncoder
    from basketry.encoders.image.folder import encode_images, read_images
    from basketry.encoders.image.registry import IMAGE_ENCODERS, load_image_encoder

    if request.encoder.partition(":")[0] not in IMAGE_ENCODERS:
        raise RequestError(f"{request.source} is a folder, and {request.encoder} reads texts", "say --encoder efficientnet")
    encoder = load_image_encoder(request.encoder, run)
    found = encode_images(CachedEncoder(encoder, _cache(shop)) if own else encoder, read_images(Path(request.source)))
    aside = [f"{each.name} {each.reason}" for each in found.set_aside]
    more = [f"and {len(aside) - TOLD:,} more files were set aside"] if len(aside) > TOLD else []
    return encoder, pl.DataFrame({"id": found.names}, schema={"id": pl.String}), found.vectors, [*aside[:TOLD], *more]


def _cache(shop: Shop) -> Path:
    return shop.folder / "cache" / "vectors"


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


def _write(path: Path, rows: pl.DataFrame, vectors: Vectors) -> None:
    import numpy as np
    import polars as pl

    from basketry.store import durable

    with durable.writing(path) as aside:
        if path.suffix == ".npy":
            with aside.open("wb") as stream:
                np.save(stream, vectors, allow_pickle=False)
        else:
            column = pl.Series("vector", vectors, dtype=pl.Array(pl.Float32, vectors.shape[1]))
            rows.with_columns(column).write_parquet(aside)
