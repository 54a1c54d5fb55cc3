"""The images of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from basketry.encoders.folder import FileFolder, read_folder
from basketry.encoders.image.decoding import format_of

_NOT_IMAGES: Final = {".txt", ".csv", ".json", ".md", ".html", ".xml", ".toml", ".py", ".zip", ".db"}


def read_images(folder: Path) -> FileFolder:
    """The JPEG, PNG and WebP files below `folder`, by their first bytes; see `read_folder`.

    Files whose suffix says text, code or archive are not looked at; others that are no image are set aside.
    """
    return read_folder(folder, lambda path: path.suffix.lower() not in _NOT_IMAGES, format_of)
