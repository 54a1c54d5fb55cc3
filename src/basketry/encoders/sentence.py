"""Any sentence-transformers model, by folder or by name, from safetensors only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
from safetensors import SafetensorError

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.documents import distinct
from basketry.encoders.weights import folder_digest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from basketry.core.protocols import Vectors

_BATCH: Final = 64
_EXTRA: Final = "pip install 'basketry[train]'"
_WANTED: Final = ["*.safetensors", "*.json", "*.txt", "*.model"]


class SentenceEncoder:
    """A sentence-transformers model on CPU. Weights come from .safetensors files; code in the folder is never run.

    Texts longer than the model's own limit (256 tokens for MiniLM) are cut there. Loading sets the thread count of torch for
    the whole process.
    """

    def __init__(self, name: str, model: SentenceTransformer) -> None:
        self.name: Final = name
        self._model = model
        self.dim: Final[int] = self._encoded(["a"]).shape[1]

    @classmethod
    def load(cls, name: str, run: Run) -> Self:
        """From a folder, else from the local cache of the model hub, else by download.

        Raises EncoderError if the model is not found, has weights in pickle files, or asks for code of its own.
        """
        try:
            import torch
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise EncoderError(f"encoder sentence:{name} needs package {error.name}", _EXTRA) from error
        folder = Path(name) if Path(name).is_dir() else _fetched(name)
        _refuse_code(folder)
        torch.set_num_threads(run.threads)
        try:
            model = SentenceTransformer(
                str(folder),
                device="cpu",
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
            raise EncoderError(f"cannot read the model in {folder}: {error}", "save the model again") from error
        model.eval()
        return cls(f"sentence@{folder_digest(folder)[:16]}", model)

    def encode(self, documents: Sequence[str]) -> Vectors:
        """float32 [len(documents), dim], unit norm; equal texts are computed once. Raises EncoderError on one without text."""
        texts, place = distinct(documents)
        return self._encoded(texts)[place] if texts else np.empty((0, self.dim), dtype=np.float32)

    def _encoded(self, texts: list[str]) -> Vectors:
        vectors = self._model.encode(texts, batch_size=_BATCH, show_progress_bar=False, normalize_embeddings=True)
        return np.asarray(vectors, dtype=np.float32)


def _refuse_code(folder: Path) -> None:
    """A pickle file runs code when it is read, and a module type names code to import: neither is let in."""
    if not any(folder.rglob("*.safetensors")):
        raise EncoderError(f"no .safetensors file in {folder}", "save the model again with safe_serialization=True")
    for pickle in [*folder.rglob("pytorch_model*.bin"), *folder.rglob("*.pt")]:
        if not any(pickle.parent.glob("*.safetensors")):
            raise EncoderError(f"{pickle} is a pickle file", "save the model again with safe_serialization=True")
    modules = folder / "modules.json"
    if not modules.is_file():
        raise EncoderError(f"no modules.json in {folder}", "name a folder saved by sentence-transformers")
    try:
        types = [str(module["type"]) for module in json.loads(modules.read_bytes())]
    except (ValueError, TypeError, KeyError) as error:
        raise EncoderError(f"{modules} is damaged: {error}", "save the model again") from error
    foreign = [kind for kind in types if not kind.startswith("sentence_transformers.")]
    if foreign:
        raise EncoderError(f"the model in {folder} asks for code of its own: {foreign}", "use a model of standard modules")


def _fetched(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=_WANTED, local_files_only=True))
    except (OSError, ValueError):  # not in the cache, or not a model's name at all: asking the hub says which
        pass
    try:
        return Path(snapshot_download(name, allow_patterns=_WANTED))
    except Exception as error:  # whatever the network or the hub raises, the way out is the same
        raise EncoderError(
            f"no folder and no model called {name!r} could be found: {error}", "name a folder with the model's files"
        ) from error
