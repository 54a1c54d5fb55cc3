"""Which encoders there are, and how one is named in `shop.toml`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from basketry.core.errors import EncoderError
from basketry.core.protocols import Encoder, Run

DEFAULT: Final = "universal"


def _universal(rest: str, run: Run) -> Encoder:
    from basketry.encoders.universal import UniversalEncoder

    if rest:
        raise EncoderError(f"encoder universal takes nothing after its name, got {rest!r}", f"write {DEFAULT!r}")
    return UniversalEncoder.load(run)


def _onnx(rest: str, run: Run) -> Encoder:
    from basketry.encoders.onnx import OnnxEncoder

    return OnnxEncoder.load(Path(rest), run)


def _sentence(rest: str, run: Run) -> Encoder:
    from basketry.encoders.sentence import SentenceEncoder

    return SentenceEncoder.load(rest, run)


ENCODERS: Final[dict[str, Callable[[str, Run], Encoder]]] = {"universal": _universal, "onnx": _onnx, "sentence": _sentence}


def load_encoder(spec: str, run: Run) -> Encoder:
    """`universal` (comes with the install), `onnx:FOLDER` (extra onnx), or `sentence:FOLDER_OR_NAME` (extra train).

    Raises EncoderError for an unknown kind, a missing extra (the hint is the pip command), or weights that cannot be trusted.
    """
    kind, colon, rest = spec.partition(":")
    if kind not in ENCODERS or (kind != "universal" and not rest) or (colon and not rest):
        raise EncoderError(f"no encoder is called {spec!r}", "use universal, onnx:FOLDER or sentence:FOLDER_OR_NAME")
    return ENCODERS[kind](rest, run)
