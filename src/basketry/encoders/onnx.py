"""Any text model exported to ONNX: a folder with `model.onnx` and `tokenizer.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.batches import BatchedEncoder
from basketry.encoders.onnx_session import open_session
from basketry.encoders.pooling import FILE, pooling_modes
from basketry.encoders.weights import folder_digest

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

    from basketry.core.protocols import Vectors
    from basketry.encoders.batches import Forward, Ids

_LONGEST: Final = 512  # tokens, where the folder does not say
_INPUTS: Final = {"input_ids", "attention_mask", "token_type_ids"}
_POOLED: Final = "sentence_embedding"
_EXTRA: Final = "pip install 'basketry[onnx]'"


def load_onnx(folder: Path, run: Run) -> BatchedEncoder:
    """A model of at most three inputs (`input_ids`, `attention_mask`, `token_type_ids`), run on CPU.

    The vector is the output `sentence_embedding` where the model has one, else its first output: as it is if of shape
    [batch, dim], or if of shape [batch, tokens, dim] its mean over the tokens of the text (the first token, where
    `1_Pooling/config.json` says so). It is then divided by its norm. Texts longer than `max_seq_length` tokens of
    `sentence_bert_config.json` (else the tokeniser's own truncation, else 512) are cut there.

    Raises EncoderError if a file is missing or unreadable, the model asks for other inputs, or its tokens are pooled in
    another way.
    """
    try:
        import onnxruntime  # noqa: F401  named first where it is missing, before the folder is looked at
        from tokenizers import Tokenizer
    except ImportError as error:
        raise EncoderError(f"encoder onnx:{folder} needs package {error.name}", _EXTRA) from error
    for file in ("model.onnx", "tokenizer.json"):
        if not (folder / file).is_file():
            raise EncoderError(f"no {file} in {folder}", "name a folder that holds model.onnx and tokenizer.json")
    session = open_session(folder / "model.onnx", f"the model in {folder}")
    try:
        tokeniser = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # the library raises Exception itself
        raise EncoderError(f"cannot read the tokeniser in {folder}: {error}", "export the model again") from error
    foreign = {put.name for put in session.get_inputs()} - _INPUTS
    if foreign:
        raise EncoderError(f"the model in {folder} asks for {sorted(foreign)}", f"export it with inputs {sorted(_INPUTS)} only")
    tokeniser.no_padding()
    tokeniser.enable_truncation(_longest(folder, tokeniser))
    forward = _forward(session, pooling_modes(_settings(folder / FILE)) or {"mean"})

    def tokenise(texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in tokeniser.encode_batch(list(texts))]

    return BatchedEncoder(f"onnx@{folder_digest(folder)[:16]}", tokenise, forward, run.threads)


def _forward(session: InferenceSession, modes: set[str]) -> Forward:
    kinds = {put.name: np.dtype("int32" if "int32" in put.type else "int64") for put in session.get_inputs()}
    outputs = [put.name for put in session.get_outputs()]
    wanted = _POOLED if _POOLED in outputs else outputs[0]

    def forward(ids: Ids, mask: Ids) -> Vectors:
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(mask)}
        feed = {name: given[name].astype(kind) for name, kind in kinds.items()}
        try:
            output = np.asarray(session.run([wanted], feed)[0], dtype=np.float32)
        except Exception as error:  # the runtime's classes derive from Exception alone
            raise EncoderError(f"the model failed on {len(ids)} texts: {error}", "export the model again") from error
        if output.ndim == 3:
            if modes not in ({"mean"}, {"cls"}):
                raise EncoderError(f"the model pools by {sorted(modes)}", "export it with its pooling, as sentence_embedding")
            output = output[:, 0] if modes == {"cls"} else _mean(output, mask)
        return output

    return forward


def _mean(tokens: Vectors, mask: Ids) -> Vectors:
    counted = mask.astype(np.float32)
    mean: Vectors = np.einsum("btd,bt->bd", tokens, counted) / np.maximum(counted.sum(axis=1, keepdims=True), 1)
    return mean


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
