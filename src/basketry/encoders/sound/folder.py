"""The sounds of a folder."""

from __future__ import annotations

from pathlib import Path

from basketry.encoders.files import Refused
from basketry.encoders.folder import FileFolder, read_folder


def read_sounds(folder: Path) -> FileFolder:
    """The .wav files below `folder`; those that do not begin as WAV are set aside; see `read_folder`."""
    return read_folder(folder, lambda path: path.suffix.lower() == ".wav", _wave)


def _wave(head: bytes) -> None:
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        raise Refused("is no WAV file")
