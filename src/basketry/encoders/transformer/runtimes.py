"""What runs a transformer: ONNX Runtime by default, OpenVINO or torch where asked for and installed.

Each runtime is a function `(state, threads) -> forward`, with `forward(ids, mask) -> float32 [n, dim]` for int64 [n, t] each;
forward may be called from several threads at once, and computes in the calling one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import EncoderError
from basketry.encoders.onnx_session import open_session
from basketry.encoders.transformer.numbers import saturates
from basketry.encoders.transformer.onnx_graph import OUTPUT, onnx_bytes

if TYPE_CHECKING:
    from basketry.core.protocols import Vectors
    from basketry.encoders.batches import Forward, Ids
    from basketry.encoders.state import EncoderState

_SLOWER: Final = ["SkipLayerNormFusion"]  # its fused node takes some six times as long as the two it replaces


def _onnxruntime(state: EncoderState, _: int) -> Forward:
    session = open_session(onnx_bytes(state, "fused"), "this transformer", without=_SLOWER)

    def forward(ids: Ids, mask: Ids) -> Vectors:
        try:
            return np.asarray(session.run([OUTPUT], {"input_ids": ids, "attention_mask": mask})[0])
        except Exception as error:  # the runtime's classes derive from Exception alone
            raise _failed(ids, error) from error

    return forward


def _openvino(state: EncoderState, threads: int) -> Forward:
    try:
        import openvino
    except ImportError as error:
        raise EncoderError("runtime openvino needs its package", "pip install 'basketry[openvino]'") from error
    core = openvino.Core()
    settings = {
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": threads,
        "PERFORMANCE_HINT": "THROUGHPUT" if threads > 1 else "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    if saturates():  # whole numbers are then computed as floats: no faster, yet the same vectors as elsewhere
        settings["LP_TRANSFORMS_MODE"] = "NO"
    try:
        compiled = core.compile_model(core.read_model(onnx_bytes(state)), "CPU", settings)
    except RuntimeError as error:
        raise EncoderError(f"OpenVINO refuses the model: {error}", "try another runtime") from error

    def forward(ids: Ids, mask: Ids) -> Vectors:
        request = compiled.create_infer_request()  # of its own for each call: requests are not shared between threads
        try:
            return np.array(request.infer({"input_ids": ids, "attention_mask": mask})[0])
        except RuntimeError as error:
            raise _failed(ids, error) from error

    return forward


def _torch(state: EncoderState, _: int) -> Forward:
    try:
        import torch
    except ImportError as error:
        raise EncoderError("runtime torch needs its package", "pip install 'basketry[train]'") from error
    from basketry.encoders.transformer.torch_network import TransformerNetwork

    network = TransformerNetwork(state).eval()

    def forward(ids: Ids, mask: Ids) -> Vectors:
        with torch.inference_mode():
            try:
                return np.asarray(network(torch.from_numpy(ids), torch.from_numpy(mask)).numpy())
            except (RuntimeError, IndexError) as error:
                raise _failed(ids, error) from error

    return forward


def _failed(ids: Ids, error: Exception) -> EncoderError:
    return EncoderError(f"the model failed on {len(ids)} texts: {error}", "take the model from its source again")


RUNTIMES: Final[dict[str, Callable[[EncoderState, int], Forward]]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "torch": _torch,
}
DEFAULT: Final = "onnxruntime"
