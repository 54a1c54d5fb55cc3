"""CLIP and its family (SigLIP, Chinese-CLIP): two towers into one space, from a folder of transformers, safetensors only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from safetensors import SafetensorError

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.documents import distinct
from basketry.encoders.files import distinct_files
from basketry.encoders.image.decoding import Decoder
from basketry.encoders.image.encoder import decoded, unit
from basketry.encoders.image.preparation import Preparation
from basketry.encoders.joint import JointEncoder
from basketry.encoders.weights import folder_digest

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Vectors

_BATCH: Final = 16
_EXTRA: Final = "pip install 'basketry[images,train]'"
_PADDED: Final = ("siglip", "siglip2")  # trained on texts padded to their whole length, without a mask


class ClipTexts:
    """The text tower. Texts are cut at the model's own limit (77 tokens for CLIP), special tokens included."""

    def __init__(self, name: str, model: Any, tokeniser: Any) -> None:
        self.name: Final = name
        self._model = model
        self._tokeniser = tokeniser
        self._longest = min(int(tokeniser.model_max_length), int(model.config.text_config.max_position_embeddings))
        self._whole = model.config.model_type in _PADDED
        self.dim: Final[int] = self._forward(["a"]).shape[1]

    def encode(self, documents: Sequence[str]) -> Vectors:
        """float32 [len(documents), dim], unit norm; equal texts are computed once. Raises EncoderError on one without text."""
        texts, place = distinct(documents)
        by_length = sorted(range(len(texts)), key=lambda number: len(texts[number]))
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            batch = by_length[start : start + _BATCH]
            vectors[batch] = self._forward([texts[number] for number in batch])
        return vectors[place]

    def _forward(self, texts: list[str]) -> Vectors:
        padding = "max_length" if self._whole else True
        fed = self._tokeniser(texts, padding=padding, truncation=True, max_length=self._longest, return_tensors="pt")
        wanted = {"input_ids"} if self._whole else {"input_ids", "attention_mask"}
        return _computed(lambda: self._model.get_text_features(**{name: fed[name] for name in wanted}))


class ClipImages:
    """The image tower."""

    def __init__(self, name: str, model: Any, preparation: Preparation, decoder: Decoder) -> None:
        self.name: Final = name
        self._model = model
        self._preparation = preparation
        self._decoder = decoder
        width, height = preparation.size
        self.dim: Final[int] = self._forward(np.zeros((1, 3, height, width), dtype=np.float32)).shape[1]

    def encode(self, documents: Sequence[bytes]) -> Vectors:
        """float32 [len(documents), dim], unit norm; equal files are computed once. Raises EncoderError as ImageEncoder does."""
        files, place = distinct_files(documents)
        vectors = np.empty((len(files), self.dim), dtype=np.float32)
        for start in range(0, len(files), _BATCH):
            batch = files[start : start + _BATCH]
            vectors[start : start + len(batch)] = self._forward(
                self._preparation.scaled(decoded(self._decoder, batch, self._preparation))
            )
        return vectors[place]

    def _forward(self, rows: npt.NDArray[np.float32]) -> Vectors:
        import torch

        return _computed(lambda: self._model.get_image_features(pixel_values=torch.from_numpy(rows)))


def load_clip(folder: Path, run: Run) -> JointEncoder:
    """Both towers of a folder saved by transformers: config, safetensors, tokeniser, and `preprocessor_config.json`.

    The model classes are those of transformers that have `get_text_features` and `get_image_features`; code in the folder is
    never run. Loading sets the thread count of torch for the whole process.

    Raises EncoderError if the extra is missing, a file is missing or damaged, or weights are in a pickle.
    """
    try:
        import torch
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        raise EncoderError(f"encoder clip:{folder} needs package {error.name}", _EXTRA) from error
    if not any(folder.glob("*.safetensors")):
        raise EncoderError(
            f"no .safetensors file in {folder}", "name a folder saved by transformers with safe_serialization=True"
        )
    preparation = Preparation.read(folder)
    torch.set_num_threads(run.threads)
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        model = AutoModel.from_pretrained(str(folder), use_safetensors=True, dtype=torch.float32, **local)
        tokeniser = AutoTokenizer.from_pretrained(str(folder), **local)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise EncoderError(f"cannot read the model in {folder}: {error}", "save the model again") from error
    if not hasattr(model, "get_text_features") or not hasattr(model, "get_image_features"):
        raise EncoderError(f"{type(model).__name__} in {folder} has not both towers", "name a model of the CLIP family")
    model.eval()
    name = f"clip@{folder_digest(folder)[:16]}"
    return JointEncoder(ClipTexts(name, model, tokeniser), ClipImages(name, model, preparation, Decoder(run.threads)))


def _computed(forward: Callable[[], Any]) -> Vectors:
    import torch

    with torch.inference_mode():
        output = forward()
    features = getattr(output, "pooler_output", output)
    return unit(features.numpy())
