"""The products of datasets/grocery_store_images: one studio photo and one English description each, read from the archive in
memory; and what a careless camera would make of a photo, for want of natural ones.
"""

from __future__ import annotations

import csv
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

ROOT = "dataset"
LARGEST = 4 * 2**20


@dataclass(frozen=True)
class Product:
    """Its name, the kind it is one of (43 of them), its text and the bytes of its photo."""

    name: str
    kind: str
    text: str
    photo: bytes


def read_products(folder: Path) -> list[Product]:
    """The 81 products, in the order of their class numbers. Nothing is extracted; only members that the list names are read."""
    with tarfile.open(folder / "grocery_iconic_text.tar") as archive:
        rows = list(csv.DictReader(io.StringIO(_member(archive, f"{ROOT}/classes.csv").decode("utf-8"))))
        products = []
        for row in rows:
            name = row["Class Name (str)"]
            description = _member(archive, ROOT + row["Product Description Path (str)"]).decode("utf-8").strip()
            photo = _member(archive, ROOT + row["Iconic Image Path (str)"])
            products.append(Product(name, row["Coarse Class Name (str)"], f"{name.replace('-', ' ')}. {description}", photo))
    return products


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    """One plain file below the data set's folder, of at most 4 MiB."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"the archive's list names {name!r}")
    member = archive.getmember(name)
    content = archive.extractfile(member) if member.isfile() and member.size <= LARGEST else None
    if content is None:
        raise ValueError(f"{name} is no plain file of at most {LARGEST:,} bytes")
    return content.read()


def disturbed(photo: bytes, draw: np.random.Generator) -> bytes:
    """The photo cut to 60-95% of its sides, turned by up to 25 degrees, in other light, blurred, small on a plain ground, as a
    JPEG of quality 40. A stand-in for a snapshot, kinder than one: no hand, no shelf, no second product.
    """
    image = Image.open(io.BytesIO(photo)).convert("RGB")
    share = draw.uniform(0.6, 0.95)
    width, height = (int(side * share) for side in image.size)
    left, top = (int(draw.integers(0, whole - part + 1)) for whole, part in zip(image.size, (width, height), strict=True))
    image = image.crop((left, top, left + width, top + height))
    image = image.rotate(draw.uniform(-25, 25), resample=Image.Resampling.BICUBIC, expand=True, fillcolor=(255, 255, 255))
    for change in (ImageEnhance.Brightness, ImageEnhance.Color, ImageEnhance.Contrast):
        image = change(image).enhance(draw.uniform(0.6, 1.3))
    tint = np.asarray(image, dtype=np.float64) * draw.uniform(0.85, 1.15, size=3)
    image = Image.fromarray(np.clip(tint, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(draw.uniform(0, 1.5)))
    ground = Image.new("RGB", (224, 224), tuple(int(level) for level in draw.integers(40, 230, size=3)))
    image.thumbnail((int(draw.integers(120, 210)),) * 2)
    ground.paste(image, tuple(int(draw.integers(0, 225 - side)) for side in image.size))
    file = io.BytesIO()
    ground.save(file, "JPEG", quality=40)
    return file.getvalue()
