"""Named arrays in one safetensors file: written whole, read by mapping the file into memory. Nothing in it can run."""

from __future__ import annotations

import json
import math
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from basketry.core.errors import ReleaseDamaged
from basketry.store import durable
from basketry.store.sealed import MALFORMED

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from basketry.core.protocols import Arrays

_TYPES: Final = {
    "BOOL": "|b1", "I8": "|i1", "U8": "|u1", "I16": "<i2", "U16": "<u2", "F16": "<f2",
    "I32": "<i4", "U32": "<u4", "F32": "<f4", "I64": "<i8", "U64": "<u8", "F64": "<f8",
}  # fmt: skip


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Put `arrays` durably and atomically into `path`. Any shape and memory order; booleans, integers, float16 to float64.

    Raises ValueError for other types (text, objects, instants), StorageError if the disk refuses.
    """
    import numpy as np
    from safetensors.numpy import save_file

    allowed = {np.dtype(kind) for kind in _TYPES.values()}
    for name, array in arrays.items():
        if array.dtype.newbyteorder("<") not in allowed:
            raise ValueError(f"array {name!r} is of type {array.dtype}, which a safetensors file cannot hold")
    whole = {
        name: np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape) for name, array in arrays.items()
    }
    with durable.writing(path) as aside:
        save_file(whole, aside)


def read_arrays(path: Path) -> Arrays:
    """The arrays of a safetensors file, read-only and mapped: pages are read from the disk when they are first touched.

    Prove the file first (`Release.path`). Raises ReleaseDamaged if it is not a safetensors file with types that numpy knows,
    StorageError if it cannot be read.
    """
    with durable.guarded(path, "read"), path.open("rb") as stream:
        if path.stat().st_size < 8:
            raise _damaged(path, "it is shorter than its own header")
        mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    length = int.from_bytes(mapped[:8], "little")
    if length > len(mapped) - 8:
        raise _damaged(path, "its header is longer than itself")
    try:
        header = json.loads(mapped[8 : 8 + length])
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        return {name: _array(mapped, 8 + length, entry) for name, entry in entries.items()}
    except MALFORMED as error:
        raise _damaged(path, str(error)) from error


def _array(mapped: mmap.mmap, start: int, entry: Mapping[str, Any]) -> npt.NDArray[np.generic]:
    import numpy as np

    kind, shape, (begin, end) = np.dtype(_TYPES[entry["dtype"]]), entry["shape"], entry["data_offsets"]
    count = math.prod(shape)
    if min(shape, default=0) < 0 or not 0 <= begin <= end <= len(mapped) - start or end - begin != count * kind.itemsize:
        raise ValueError("an array's place does not fit its shape")
    if count == 0:
        return np.empty(shape, kind)
    return np.frombuffer(mapped, kind, count, start + begin).reshape(shape)


def _damaged(path: Path, reason: str) -> ReleaseDamaged:
    return ReleaseDamaged(f"{path} is not a safetensors file that can be read: {reason}", "Verify the release and roll back.")
