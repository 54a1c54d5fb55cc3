"""Any text model exported to ONNX: a folder with `model.onnx` and `tokenizer.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.documents import distinct
from basketry.encoders.weights import folder_digest

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnxruntime import InferenceSession
    from tokenizers import Encoding, Tokenizer

    from basketry.core.protocols import Vectors

_BATCH: Final = 32
_LONGEST: Final = 512  # tokens, where the folder does not say
_INPUTS: Final = {"input_ids", "attention_mask", "token_type_ids"}
_POOLED: Final = "sentence_embedding"
_TOLERANCE: Final = 1e-5
_PROBE: Final = ("a", "a somewhat longer line of text, so that the first one is padded beside it")
_EXTRA: Final = "pip install 'basketry[onnx]'"


class OnnxEncoder:
    """A model of at most three inputs (`input_ids`, `attention_mask`, `token_type_ids`), run on CPU.

    The vector is the output `sentence_embedding` where the model has one, else its first output: as it is if of shape
    [batch, dim], or if of shape [batch, tokens, dim] its mean over the tokens of the text (the first token, where
    `1_Pooling/config.json` says so). It is then divided by its norm. Texts longer than `max_seq_length` tokens of
    `sentence_bert_config.json` (else the tokeniser's own truncation, else 512) are cut there.

    A model quantised on the fly takes its scales from the whole batch; loading detects it and such a model is run text by text.
    """

    def __init__(self, name: str, session: InferenceSession, tokeniser: Tokenizer, *, first_token: bool) -> None:
        self.name: Final = name
        self._session = session
        self._tokeniser = tokeniser
        self._first_token = first_token
        self._inputs = {put.name: np.dtype("int32" if "int32" in put.type else "int64") for put in session.get_inputs()}
        outputs = [put.name for put in session.get_outputs()]
        self._output = _POOLED if _POOLED in outputs else outputs[0]
        together, *alone = (self._vectors(list(texts), _BATCH) for texts in (_PROBE, _PROBE[:1], _PROBE[1:]))
        self._batch = _BATCH if np.allclose(together, np.concatenate(alone), rtol=0, atol=_TOLERANCE) else 1
        self.dim: Final[int] = together.shape[1]

    @classmethod
    def load(cls, folder: Path, run: Run) -> Self:
        """Read a folder. Raises EncoderError if a file is missing or unreadable, or the model asks for other inputs."""
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise EncoderError(f"encoder onnx:{folder} needs package {error.name}", _EXTRA) from error
        for file in ("model.onnx", "tokenizer.json"):
            if not (folder / file).is_file():
                raise EncoderError(f"no {file} in {folder}", "name a folder that holds model.onnx and tokenizer.json")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = run.threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
            tokeniser = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # both libraries raise classes that derive from Exception alone
            raise EncoderError(f"cannot read the model in {folder}: {error}", "export the model again") from error
        foreign = {put.name for put in session.get_inputs()} - _INPUTS
        if foreign:
            raise EncoderError(
                f"the model in {folder} asks for {sorted(foreign)}", f"export it with inputs {sorted(_INPUTS)} only"
            )
        tokeniser.no_padding()
        tokeniser.enable_truncation(_longest(folder, tokeniser))
        pooling = _settings(folder / "1_Pooling" / "config.json")
        first_token = pooling.get("pooling_mode_cls_token") is True
        return cls(f"onnx@{folder_digest(folder)[:16]}", session, tokeniser, first_token=first_token)

    def encode(self, documents: Sequence[str]) -> Vectors:
        """float32 [len(documents), dim], unit norm; equal texts are computed once. Raises EncoderError on one without text."""
        texts, place = distinct(documents)
        return self._vectors(texts, self._batch)[place] if texts else np.empty((0, self.dim), dtype=np.float32)

    def _vectors(self, texts: list[str], batch: int) -> Vectors:
        encodings = self._tokeniser.encode_batch(texts)
        by_length = sorted(range(len(texts)), key=lambda position: len(encodings[position].ids))
        batches = [by_length[start : start + batch] for start in range(0, len(texts), batch)]
        parts = [self._forward([encodings[position] for position in positions]) for positions in batches]
        ordered = np.concatenate(parts)
        vectors = np.empty_like(ordered)
        vectors[by_length] = ordered
        return vectors

    def _forward(self, encodings: list[Encoding]) -> Vectors:
        longest = max(len(encoding.ids) for encoding in encodings)
        mask = _padded([encoding.attention_mask for encoding in encodings], longest)
        given = {"input_ids": _padded([encoding.ids for encoding in encodings], longest), "attention_mask": mask}
        given["token_type_ids"] = np.zeros_like(mask)
        feed = {name: given[name].astype(kind) for name, kind in self._inputs.items()}
        try:
            output = np.asarray(self._session.run([self._output], feed)[0], dtype=np.float32)
        except Exception as error:  # the runtime's classes derive from Exception alone
            raise EncoderError(f"the model failed on {len(encodings)} texts: {error}", "export the model again") from error
        if output.ndim == 3:
            output = output[:, 0] if self._first_token else _mean(output, mask)
        if output.ndim != 2 or len(output) != len(encodings):
            raise EncoderError(f"the model's output {self._output} has shape {output.shape}", "export one vector a text")
        norms = np.linalg.norm(output, axis=1, keepdims=True)
        if not (np.isfinite(norms).all() and norms.all()):
            raise EncoderError("the model gave a vector without direction", "check the export, and texts of unknown words only")
        unit: Vectors = output / norms
        return unit


def _mean(tokens: Vectors, mask: npt.NDArray[np.int64]) -> Vectors:
    counted = mask.astype(np.float32)
    mean: Vectors = np.einsum("btd,bt->bd", tokens, counted) / np.maximum(counted.sum(axis=1, keepdims=True), 1)
    return mean


def _padded(rows: list[list[int]], length: int) -> npt.NDArray[np.int64]:
    return np.array([row + [0] * (length - len(row)) for row in rows], dtype=np.int64)


def _longest(folder: Path, tokeniser: Tokenizer) -> int:
    said = _settings(folder / "sentence_bert_config.json").get("max_seq_length")
    if isinstance(said, int) and said > 0:
        return said
    truncation = tokeniser.truncation
    return int(truncation["max_length"]) if truncation else _LONGEST


def _settings(file: Path) -> dict[str, object]:
    if not file.is_file():
        return {}
    try:
        settings = json.loads(file.read_bytes())
    except ValueError as error:
        raise EncoderError(f"{file} is not JSON: {error}", "export the model again") from error
    return settings if isinstance(settings, dict) else {}
