"""Encode: texts, images or sounds to vectors, kept by content, written to a file that other tools read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from basketry.app.encoders import HELP
from basketry.app.outputs import check_output

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from basketry.app.shop import Shop
    from basketry.core.protocols import Arrays, EncoderOf, Run, Vectors

    _Encoded = tuple[EncoderOf[Any], pl.DataFrame, Vectors, list[str]]

TOLD: Final = 5  # files set aside that are named, labels that are counted


@dataclass(frozen=True)
class EncodeRequest:
    """What to encode, and with what."""

    source: str = field(
        default="",
        metadata={
            "local": True,
            "help": "A .parquet, .csv or .jsonl table, a .txt file of a text a line, or a folder of images or sounds; "
            "default: the shop's products.",
            "argument": True,
        },
    )
    encoder: str = field(
        default="universal",
        metadata={
            "local": True,
            "help": f"{HELP[:-1]}; of images: efficientnet, image:FOLDER, clip:FOLDER; of sounds: spectrogram, speech, "
            "whisper:FOLDER.",
        },
    )
    text: str = field(default="text", metadata={"help": "Column of a table that holds the texts."})
    id: str = field(default="", metadata={"help": "Column of a table that names the rows; default: their number from 1."})
    out: str = field(
        default="",
        metadata={
            "local": True,
            "help": "Where to write id, text, label (of a model with a head) and vector: .parquet, or .npy for vectors.",
        },
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
    """Turn texts, images or sounds into unit vectors; what was encoded before, with the same encoder, is not encoded again."""
    import time
    from pathlib import Path

    from basketry.core.protocols import Run

    check_output(request.out, "write vectors", ".parquet", ".npy")
    own = (shop.folder / "shop.toml").is_file()
    run = Run(threads=shop.settings.threads if own else 2)
    begun = time.perf_counter()
    work = _folder if request.source and Path(request.source).is_dir() else _encoded_texts
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
    encoder, state = shop_encoder(shop, request.encoder, run)
    vectors = (CachedEncoder(encoder, _cache(shop)) if own else encoder).encode(rows["text"].to_list())
    left = len(given) - len(rows)
    notes = [f"{left:,} of {len(given):,} rows hold no text and were left out"] if left else []
    head = None if state is None else state.own_head
    if head is not None:
        rows, told = _labelled(rows, vectors, head)
        notes.append(told)
    return encoder, rows, vectors, notes


def _labelled(rows: pl.DataFrame, vectors: Vectors, head: Arrays) -> tuple[pl.DataFrame, str]:
    """The rows with the label that the head tells and its probability; and how many there are of each label."""
    import numpy as np
    import polars as pl

    from basketry.training.heads import Head

    known = Head.from_state(head)
    probable = known.predict_proba(vectors)
    labels = known.named(probable.argmax(axis=1).astype(np.int64))
    labelled = rows.with_columns(pl.Series("label", labels, dtype=pl.String), pl.Series("probability", probable.max(axis=1)))
    counts = labelled["label"].value_counts(sort=True).head(TOLD)
    return labelled, "labelled: " + ", ".join(f"{label} {count:,}" for label, count in counts.iter_rows())


def _folder(shop: Shop, request: EncodeRequest, run: Run, own: bool) -> _Encoded:
    """Rows of id, the path of an image or sound below the folder, with their vectors."""
    from pathlib import Path

    import polars as pl

    from basketry.core.errors import RequestError
    from basketry.encoders.cache import CachedEncoder
    from basketry.encoders.folder import encode_files
    from basketry.encoders.image.folder import read_images
    from basketry.encoders.image.registry import IMAGE_ENCODERS, load_image_encoder
    from basketry.encoders.sound.folder import read_sounds
    from basketry.encoders.sound.registry import SOUND_ENCODERS, load_sound_encoder

    kind, folder = request.encoder.partition(":")[0], Path(request.source)
    if kind in IMAGE_ENCODERS:
        encoder, files = load_image_encoder(request.encoder, run), read_images(folder)
    elif kind in SOUND_ENCODERS:
        encoder, files = load_sound_encoder(request.encoder, run), read_sounds(folder)
    else:
        hint = "say --encoder efficientnet for images, spectrogram or speech for sounds"
        raise RequestError(f"{request.source} is a folder, and {request.encoder} reads texts", hint)
    found = encode_files(CachedEncoder(encoder, _cache(shop)) if own else encoder, files)
    aside = [f"{each.name} {each.reason}" for each in found.set_aside]
    more = [f"and {len(aside) - TOLD:,} more files were set aside"] if len(aside) > TOLD else []
    return encoder, pl.DataFrame({"id": found.names}, schema={"id": pl.String}), found.vectors, [*aside[:TOLD], *more]


def _cache(shop: Shop) -> Path:
    return shop.folder / "cache" / "vectors"


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
