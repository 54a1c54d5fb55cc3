"""What a release says of itself: what was fitted, on which data, with which result, and the checksum of every file."""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from basketry.core.errors import RequestError
from basketry.store.sealed import Json

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
_ID: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def new_release_id(now: dt.datetime | None = None) -> str:
    """An id never used before: the UTC second and eight random hex digits, as in `20250131T235959Z-0a1b2c3d`."""
    now = now or dt.datetime.now(dt.UTC)
    return f"{now.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}-{os.urandom(4).hex()}"


def is_release_id(text: str) -> bool:
    """Whether `text` has the form of a release id; such a text is safe as a folder's name."""
    return _ID.fullmatch(text) is not None


def checked_id(text: str) -> str:
    """`text`, if it has the form of a release id. Raises RequestError otherwise."""
    if not is_release_id(text):
        raise RequestError(
            f"{text!r} is not a release id", "Ids look like 20250131T235959Z-0a1b2c3d: list the releases to see them."
        )
    return text


def is_file_name(text: str) -> bool:
    """Whether `text` may name a file of a release: letters, digits, `_ . -`, no leading dot, no folder, not the manifest."""
    return _FILE_NAME.fullmatch(text) is not None and text != MANIFEST


@dataclass(frozen=True)
class FileEntry:
    """One file of a release: sha256 in hex, length in bytes."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """The facts of one release, all of them JSON values but the two instants, which carry a time zone.

    `data_digest` is the snapshot it was fitted on, `as_of` the knowledge cut, `fitted` maps each estimator to its
    hyperparameters, `seeds` each random draw to its seed, `metrics` holds rows of the Metrics table, baselines among them,
    `facts` whatever else a reader of the release needs, `version` that of basketry. `files` is filled in when the release is
    published.
    """

    id: str
    data_digest: str
    as_of: dt.datetime
    created: dt.datetime
    version: str
    fitted: Mapping[str, Json]
    seeds: Mapping[str, int]
    metrics: tuple[Mapping[str, Json], ...] = ()
    facts: Mapping[str, Json] = field(default_factory=dict)
    files: Mapping[str, FileEntry] = field(default_factory=dict)

    def body(self) -> dict[str, Json]:
        """The manifest as JSON."""
        return {
            "format": FORMAT,
            "id": self.id,
            "data_digest": self.data_digest,
            "as_of": self.as_of.isoformat(),
            "created": self.created.isoformat(),
            "version": self.version,
            "fitted": self.fitted,
            "seeds": self.seeds,
            "metrics": self.metrics,
            "facts": self.facts,
            "files": {name: vars(entry) for name, entry in self.files.items()},
        }

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Manifest:
        """The manifest back from its JSON.

        Raises ValueError if another version of the format wrote it, or if it names a file that is not allowed.
        """
        if body.get("format") != FORMAT:
            raise ValueError(f"format {body.get('format')!r}, and this version reads format {FORMAT}")
        fields = {name: value for name, value in body.items() if name != "format"}
        wrong = [name for name in fields["files"] if not is_file_name(name)]
        if wrong:
            raise ValueError(f"file names that are not allowed: {wrong}")
        return cls(
            **fields
            | {
                "as_of": dt.datetime.fromisoformat(fields["as_of"]),
                "created": dt.datetime.fromisoformat(fields["created"]),
                "metrics": tuple(fields["metrics"]),
                "files": {name: FileEntry(**entry) for name, entry in fields["files"].items()},
            }
        )
