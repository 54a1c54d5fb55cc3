"""A vector index in a folder of its own: arrays to map, and a sealed card with their checksums.

```
FOLDER/vectors.safetensors   the vectors as given
FOLDER/index.safetensors     ids, additions, deletions, and the structure as faiss writes it
FOLDER/index.json            sha256 of both, itself sealed
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from basketry.core.errors import NotFound, ReleaseDamaged
from basketry.store import durable
from basketry.store.arrays import read_arrays, write_arrays
from basketry.store.sealed import MALFORMED, seal, unseal
from basketry.vectors.index import VectorIndex

if TYPE_CHECKING:
    from pathlib import Path

CARD: Final = "index.json"
VECTORS: Final = "vectors.safetensors"
INDEX: Final = "index.safetensors"


def write_index(folder: Path, index: VectorIndex) -> None:
    """Put `index` into `folder` (made if need be), each file durably and atomically, the card last. Raises StorageError."""
    durable.make_folder(folder)
    state = dict(index.state())
    write_arrays(folder / VECTORS, {"vectors": state.pop("vectors")})
    write_arrays(folder / INDEX, state)
    durable.write_file(folder / CARD, seal({name: durable.fingerprint(folder / name)[0] for name in (VECTORS, INDEX)}))


def read_index(folder: Path) -> VectorIndex:
    """The index in `folder`, its vectors mapped: read from the disk where a search touches them.

    Both files are read once, as streams, to compare their checksums before anything is parsed. Raises NotFound where there is
    none, ReleaseDamaged if a file is not what was written.
    """
    if not (folder / CARD).is_file():
        raise NotFound(f"{folder} holds no vector index", "write one with: write_index(folder, index)")
    try:
        card = unseal((folder / CARD).read_bytes())
        proved = {name: card[name] for name in (VECTORS, INDEX)}
    except MALFORMED as error:
        raise ReleaseDamaged(f"{folder / CARD} cannot be believed: {error}", _AGAIN) from error
    for name, sha256 in proved.items():
        if not (folder / name).is_file() or durable.fingerprint(folder / name)[0] != sha256:
            raise ReleaseDamaged(f"{folder / name} differs from its checksum in {CARD}", _AGAIN)
    return VectorIndex.from_state({**read_arrays(folder / INDEX), **read_arrays(folder / VECTORS)})


_AGAIN: Final = "Write the index again from its vectors."
