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
    from basketry.app.text_tables import given_texts
    from basketry.encoders.cache import CachedEncoder
    from basketry.encoders.documents import readable

    given = given_texts(shop, request.source, request.text, request.id)
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
