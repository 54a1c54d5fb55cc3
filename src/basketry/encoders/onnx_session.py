"""A model opened by ONNX Runtime on CPU, in the one way that every encoder here wants it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from basketry.core.errors import EncoderError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onnxruntime import InferenceSession


def open_session(
    model: bytes | Path, what: str, *, threads: int = 1, extra: str = "onnx", without: Sequence[str] = ()
) -> InferenceSession:
    """Open the .onnx file or its bytes; `threads` inside one call, none of them spinning while it waits.

    `without` names optimisers that are left out. Raises EncoderError, calling the model `what`, if onnxruntime is not installed
    (the hint is `pip install` with `extra`) or refuses the model.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise EncoderError(f"{what} needs package onnxruntime", f"pip install 'basketry[{extra}]'") from error
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.x64quantprecision", "1")  # products of bytes saturate without VNNI: not here
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], disabled_optimizers=list(without)
        )
    except Exception as error:  # the runtime's classes derive from Exception alone
        raise EncoderError(f"cannot read {what}: {error}", "export the model again, or try another runtime") from error
