"""What runs a history encoder: ONNX Runtime, from its arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from basketry.encoders.history.onnx_graph import OUTPUT, onnx_bytes
from basketry.encoders.onnx_session import open_session

if TYPE_CHECKING:
    from basketry.core.protocols import Arrays, Vectors
    from basketry.encoders.history.layout import Ids

    Reader = Callable[[Ids, Ids], Vectors]


def open_reader(arrays: Arrays) -> Reader:
    """`read(ids, lengths) -> float32 [n, dim]`, as `Layout.window` gives them; it may be called from several threads at once.

    Raises EncoderError if onnx or onnxruntime is not installed.
    """
    session = open_session(onnx_bytes(arrays), "this history encoder")

    def read(ids: Ids, lengths: Ids) -> Vectors:
        return np.asarray(session.run([OUTPUT], {"ids": ids, "lengths": lengths})[0])

    return read
