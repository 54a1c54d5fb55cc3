"""A text encoder as data: arrays, settings and the files of its tokeniser. What adapting and compressing take and give.

```
FOLDER/encoder.json        family, settings, history, and the sha256 of every other file
FOLDER/state.safetensors   the arrays
FOLDER/tokenizer.json      or sp.model: the tokeniser's own file, byte for byte
FOLDER/head.safetensors    where there is one, a classification head over the vectors
```

Nothing in a folder runs when it is read, and no file is parsed before its sha256 was compared.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from basketry.core.errors import EncoderError
from basketry.core.protocols import Scalar
from basketry.store import durable

if TYPE_CHECKING:
    from basketry.core.protocols import Arrays

Family = Literal["ngram", "transformer", "static"]
FAMILIES: Final[tuple[Family, ...]] = get_args(Family)
CARD: Final = "encoder.json"
ARRAYS: Final = "state.safetensors"
HEAD: Final = "head.safetensors"
TOKENISERS: Final = ("tokenizer.json", "sp.model")
FILES: Final = (CARD, ARRAYS, HEAD, *TOKENISERS)
_OF: Final = "of"
_FORMAT: Final = 1
_AGAIN: Final = "write the model again, or take it from a copy"


@dataclass(frozen=True, eq=False)
class EncoderState:
    """A text encoder, whole: equal `digest`, equal vectors.

    `family` says which network reads the arrays: `ngram` (encoders/ngram), `transformer` (encoders/transformer) or `static`
    (encoders/static), each of which documents its names and shapes. `settings` are what the arrays cannot say (tokens read,
    pooling). `files` is the tokeniser. `history` tells, one entry a step, where the weights come from and what was done to
    them and measured; neither it nor `head`, the arrays of a classification head (`training/heads.py`), is part of the digest.
    """

    family: Family
    arrays: Arrays
    settings: Mapping[str, Scalar]
    files: Mapping[str, bytes]
    history: tuple[Mapping[str, Any], ...] = field(default=())
    head: Arrays | None = None

    @cached_property
    def digest(self) -> str:
        """sha256 over family, settings, arrays and tokeniser, in hexadecimal."""
        digest = hashlib.sha256(f"{self.family}\0{json.dumps(dict(self.settings), sort_keys=True)}\n".encode())
        for name in sorted(self.arrays):
            array = self.arrays[name]
            digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\n".encode())
            digest.update(array.tobytes())
        for name in sorted(self.files):
            digest.update(f"{name}\0{hashlib.sha256(self.files[name]).hexdigest()}\n".encode())
        return digest.hexdigest()

    @property
    def bytes(self) -> int:
        """Size of arrays and tokeniser."""
        return sum(array.nbytes for array in self.arrays.values()) + sum(map(len, self.files.values()))

    def with_head(self, head: Arrays) -> Self:
        """The same encoder with a classification head, bound to these very weights by their digest."""
        return replace(self, head={**head, _OF: np.frombuffer(bytes.fromhex(self.digest), dtype=np.uint8)})

    @property
    def own_head(self) -> Arrays | None:
        """The head, if it was trained on the vectors of these weights: once they are changed it is for others."""
        if self.head is None or np.asarray(self.head.get(_OF, ()), dtype=np.uint8).tobytes().hex() != self.digest:
            return None
        return {name: array for name, array in self.head.items() if name != _OF}

    def with_step(self, entry: Mapping[str, Any]) -> Self:
        """The same encoder with one more entry in its history: plain JSON, its key `verb` saying what was done."""
        return replace(self, history=(*self.history, entry))


def write_state(folder: Path, state: EncoderState) -> None:
    """Put `state` into `folder` (made if need be), each file durably and atomically, the card last.

    Raises EncoderError for a file that is no tokeniser's, StorageError if the disk refuses.
    """
    for name in state.files:
        _known(name, folder)
    durable.make_folder(folder)
    contents = {ARRAYS: save(dict(state.arrays)), **state.files}
    if state.head is not None and state.own_head is not None:
        contents[HEAD] = save(dict(state.head))
    for name, content in contents.items():
        durable.write_file(folder / name, content)
    card = {
        "format": _FORMAT,
        "family": state.family,
        "settings": dict(state.settings),
        "history": [dict(entry) for entry in state.history],
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    }
    durable.write_file(folder / CARD, json.dumps(card, indent=1, ensure_ascii=False, sort_keys=True).encode())


def read_state(folder: Path) -> EncoderState:
    """The encoder in `folder`. Raises EncoderError if a file is missing, differs from its sha256, or cannot be understood."""
    try:
        card = json.loads((folder / CARD).read_bytes())
        if card["format"] != _FORMAT or card["family"] not in FAMILIES:
            raise EncoderError(f"{folder} is of format {card['format']}, family {card['family']!r}", "use a newer Basketry")
        contents = {name: _proved(folder, name, sha256) for name, sha256 in card["files"].items()}
        arrays, head = load(contents.pop(ARRAYS)), contents.pop(HEAD, None)
        read = EncoderState(card["family"], arrays, card["settings"], contents, tuple(card["history"]))
        return read if head is None else replace(read, head=load(head))
    except OSError as error:
        raise EncoderError(f"cannot read the model in {folder}: {error.strerror}: {error.filename}", _AGAIN) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        raise EncoderError(f"the model in {folder} is damaged: {error!r}", _AGAIN) from error


def _proved(folder: Path, name: str, sha256: str) -> bytes:
    if name not in (ARRAYS, HEAD):
        _known(name, folder)
    content = (folder / name).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise EncoderError(f"{folder / name} differs from the sha256 on its card", _AGAIN)
    return content


def _known(name: str, folder: Path) -> None:
    """A name from a stranger's card would else become a file beside others, in a release for instance, or in their place."""
    if name not in TOKENISERS:
        raise EncoderError(f"the model in {folder} names a file {name!r}", f"it may hold {', '.join(TOKENISERS)}")
