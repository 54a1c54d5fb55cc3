"""Fewer bits a number: int8 with fixed or running ranges, int8 and int4 for storage alone, float16; layers kept in float."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np

from basketry.compression.step import Materials, hyperparameter, of_family, with_arrays
from basketry.core.errors import RequestError
from basketry.encoders.state import EncoderState
from basketry.encoders.transformer.calibration import observe
from basketry.encoders.transformer.layout import Shape, matrices, unscaled
from basketry.encoders.transformer.numbers import packed_blocks, rounded_rows

if TYPE_CHECKING:
    import numpy.typing as npt

Inputs = Literal["static", "dynamic", "float"]
_TEXTS: Final = 512
_NONE: Final = "none"


@dataclass(frozen=True)
class Int8:
    """Matrices as int8, a scale per output channel; word embeddings too, a scale per token.

    `static`: inputs are rounded between the lowest and highest value seen on up to 512 sample texts, and products are of whole
    numbers: about 2.5 times float on a processor with VNNI. `dynamic`: each row of an input is rounded by its own blocks:
    closer, no faster than float here. `float`: numbers are only stored so. In none of them does a text's vector depend on its
    neighbours.
    """

    inputs: str = hyperparameter("static", "how inputs are rounded: static, dynamic or float (not at all)")
    bits: int = hyperparameter(8, "8, or 7 for processors whose byte products saturate (x86 without VNNI)")
    keep: str = hyperparameter(_NONE, "layers that stay in float, as 0/5; none")
    words: bool = hyperparameter(True, "the word embeddings too")

    def __post_init__(self) -> None:
        if self.inputs not in get_args(Inputs) or self.bits not in (7, 8):
            raise RequestError(f"int8 cannot have inputs={self.inputs!r}, bits={self.bits}", "static, dynamic or float; 8 or 7")
        _layers(self.keep)

    def apply(self, state: EncoderState, materials: Materials) -> EncoderState:
        """The state in whole numbers. Of a static encoder, its vectors with a scale per token."""
        of_family(state, "int8", "transformer", "static")
        if state.family == "static":
            numbers, scale = rounded_rows(static_vectors(state), self.bits)
            return with_arrays(state, {**state.arrays, "vectors": numbers, "vectors.scale": scale})
        plain = with_arrays(state, dict(unscaled(state.arrays)))
        seen = observe(plain, materials.sample(_TEXTS)) if self.inputs == "static" else {}
        spans = {name: (one.low, one.high) for name, one in seen.items()}
        return in_whole_numbers(plain, None if self.inputs == "float" else spans, self.bits, self.keep, words=self.words)


@dataclass(frozen=True)
class Int4:
    """Matrices of 4 bits with a scale per block of inputs: an eighth of the bytes; word embeddings as int8."""

    block: int = hyperparameter(32, "inputs that share a scale: 16, 32, 64 or 128")
    inputs: str = hyperparameter("float", "how inputs are rounded: float (not at all) or dynamic")
    keep: str = hyperparameter(_NONE, "layers that stay in float, as 0/5; none")

    def __post_init__(self) -> None:
        if self.block not in (16, 32, 64, 128) or self.inputs not in ("float", "dynamic"):
            raise RequestError(f"int4 cannot have block={self.block}, inputs={self.inputs!r}", "16 to 128; float or dynamic")
        _layers(self.keep)

    def apply(self, state: EncoderState, materials: Materials) -> EncoderState:
        """The state with packed matrices. Matrices whose inputs do not divide by `block`, and factors, become int8."""
        del materials  # nothing is calibrated
        of_family(state, "int4", "transformer")
        arrays: dict[str, Any] = dict(unscaled(state.arrays))
        for name in _quantised(with_arrays(state, dict(arrays)), self.keep):
            base = name.removesuffix(".weight")
            if name.endswith(".weight") and arrays[name].shape[1] % self.block == 0:
                arrays[f"{base}.packed"], arrays[f"{base}.scale"] = packed_blocks(arrays.pop(name), self.block)
            else:
                arrays[name], arrays[f"{base}.scale"] = rounded_rows(arrays[name])
            if self.inputs == "dynamic":
                arrays[f"{base}.range"] = np.zeros(0, dtype=np.float32)
        arrays["embeddings.word"], arrays["embeddings.word.scale"] = rounded_rows(arrays["embeddings.word"])
        return with_arrays(state, arrays)


@dataclass(frozen=True)
class Float16:
    """Every matrix of floats stored in 16 bits: half the bytes, the same arithmetic, cosines off by about 1e-6."""

    def apply(self, state: EncoderState, materials: Materials) -> EncoderState:
        """The state with its float32 arrays of two dimensions as float16. Scales, ranges and norms stay as they are."""
        del materials  # nothing is calibrated
        kept = {
            name: array.astype(np.float16)
            if array.dtype == np.float32 and array.ndim == 2 and not name.endswith(".scale")
            else array
            for name, array in state.arrays.items()
        }
        return with_arrays(state, kept)


def in_whole_numbers(
    state: EncoderState, spans: Mapping[str, tuple[float, float]] | None, bits: int, keep: str, *, words: bool = True
) -> EncoderState:
    """A transformer in float32 with the matrices of its layers, but those of the layers `keep`, as int8.

    `spans` holds the ends of each matrix's input; for a matrix it does not name, rows are rounded as they come; without
    `spans`, inputs are not rounded at all.
    """
    arrays: dict[str, Any] = dict(state.arrays)
    for name in _quantised(state, keep):
        base = name.removesuffix(".weight")
        arrays[name], arrays[f"{base}.scale"] = rounded_rows(arrays[name], bits)
        if spans is not None:
            arrays[f"{base}.range"] = np.array(spans.get(name, ()), dtype=np.float32)
    if words:
        arrays["embeddings.word"], arrays["embeddings.word.scale"] = rounded_rows(arrays["embeddings.word"])
    return with_arrays(state, arrays)


def static_vectors(state: EncoderState) -> npt.NDArray[np.float32]:
    """The token vectors of a static state as float32."""
    vectors = np.asarray(state.arrays["vectors"], dtype=np.float32)
    scale = state.arrays.get("vectors.scale")
    return vectors if scale is None else vectors * np.asarray(scale, dtype=np.float32)[:, None]


def _quantised(state: EncoderState, keep: str) -> list[str]:
    """The matrices of all layers but those kept."""
    kept = _layers(keep)
    depth = len(Shape.of(state).heads)
    if kept and max(kept) >= depth:
        raise RequestError(f"there is no layer {max(kept)} to keep in float", f"the encoder has layers 0 to {depth - 1}")
    return [name for name in matrices(state.arrays) if name.startswith("layers.") and int(name.split(".")[1]) not in kept]


def _layers(keep: str) -> set[int]:
    if keep == _NONE:
        return set()
    if not all(part.isdecimal() for part in keep.split("/")):
        raise RequestError(f"layers {keep!r} cannot be kept in float", "write their numbers from 0, as 0/5, or none")
    return {int(part) for part in keep.split("/")}
