"""Any image network exported to ONNX: a folder with `model.onnx` and a word on how to prepare an image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.files import Picked, Refused, distinct_files
from basketry.encoders.image.decoding import Decoder
from basketry.encoders.image.preparation import OWN, Preparation
from basketry.encoders.onnx_session import open_session
from basketry.encoders.weights import folder_digest, verified

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnxruntime import InferenceSession

    from basketry.core.protocols import Vectors

_BATCH: Final = 16  # images in one pass: 10 MB of input at 224 x 224
_OUTPUTS: Final = ("image_embeds", "embedding", "pooler_output")  # taken before any other, in this order
_TOLERANCE: Final = 1e-5
_FIX: Final = "save it again as a JPEG, PNG or WebP of at most 20 million pixels, or leave it out"


class ImageEncoder:
    """A network of one input [n, 3, height, width], run on CPU.

    The vector is the output `image_embeds`, `embedding` or `pooler_output` where the model has one, else its first: as it is if
    of shape [n, dim], its mean over the places if of shape [n, dim, rows, columns], its first token if of shape [n, tokens,
    dim]. It is then divided by its norm. How an image becomes the input is read from the folder: see `Preparation`.

    A model quantised on the fly takes its scales from the whole batch; loading detects it, and such a model is run image by
    image.
    """

    def __init__(self, name: str, session: InferenceSession, preparation: Preparation, decoder: Decoder) -> None:
        self.name: Final = name
        self._session = session
        self._input = session.get_inputs()[0].name
        outputs = [put.name for put in session.get_outputs()]
        self._output = next((name for name in _OUTPUTS if name in outputs), outputs[0])
        self._preparation = preparation
        self._decoder = decoder
        width, height = preparation.size
        probe = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
        probe[1] //= 8  # another range, so that scales taken from the batch show
        together, *alone = (self.forward(preparation.scaled(rows)) for rows in (list(probe), [probe[0]], [probe[1]]))
        self._batch = _BATCH if np.allclose(together, np.concatenate(alone), rtol=0, atol=_TOLERANCE) else 1
        self.dim: Final[int] = together.shape[1]

    @classmethod
    def load(cls, folder: Path, run: Run) -> Self:
        """Read a folder. Raises EncoderError if a file is missing or unreadable, or the model asks for another input."""
        if not (folder / "model.onnx").is_file():
            raise EncoderError(f"no model.onnx in {folder}", "name a folder that holds model.onnx and image.json")
        preparation = Preparation.read(folder)
        _prove(folder)
        session = open_session(folder / "model.onnx", f"the model in {folder}", threads=run.threads, extra="images")
        inputs = [(put.name, put.type, len(put.shape)) for put in session.get_inputs()]
        if len(inputs) != 1 or inputs[0][1:] != ("tensor(float)", 4):
            raise EncoderError(
                f"the model in {folder} asks for {inputs}", "export it with one input, float [n, 3, height, width]"
            )
        return cls(f"image@{folder_digest(folder)[:16]}", session, preparation, Decoder(run.threads))

    def encode(self, documents: Sequence[bytes]) -> Vectors:
        """float32 [len(documents), dim], unit norm; equal files are computed once.

        Raises EncoderError, giving the position, on a file that is no JPEG, PNG or WebP, cannot be decoded, has more than 20
        million pixels or 32 MiB, or ends the process that decodes it.
        """
        files, place = distinct_files(documents)
        vectors = np.empty((len(files), self.dim), dtype=np.float32)
        for start in range(0, len(files), self._batch):
            batch = files[start : start + self._batch]
            vectors[start : start + len(batch)] = self.forward(
                self._preparation.scaled(decoded(self._decoder, batch, self._preparation))
            )
        return vectors[place]

    def forward(self, rows: npt.NDArray[np.float32]) -> Vectors:
        """float32 [n, dim], unit norm, of n prepared images. Raises EncoderError if the network fails or gives no direction."""
        try:
            output = np.asarray(self._session.run([self._output], {self._input: rows})[0], dtype=np.float32)
        except Exception as error:  # the runtime's classes derive from Exception alone
            raise EncoderError(f"the model failed on {len(rows)} images: {error}", "export the model again") from error
        if output.ndim == 4:
            output = output.mean(axis=(2, 3))
        elif output.ndim == 3:
            output = output[:, 0]
        if output.ndim != 2 or len(output) != len(rows):
            raise EncoderError(f"the model's output {self._output} has shape {output.shape}", "export one vector an image")
        return unit(output)


def _prove(folder: Path) -> None:
    """Compare the model with the sha256 in `image.json`, where one stands there, before anything parses it."""
    card = folder / OWN
    told = json.loads(card.read_bytes()).get("sha256") if card.is_file() else None
    if told is not None:
        verified(folder / "model.onnx", str(told))


def decoded(decoder: Decoder, files: Picked, preparation: Preparation) -> list[npt.NDArray[np.uint8]]:
    """The pixels of all `files`. Raises EncoderError with the position of the first that cannot be decoded."""
    found = decoder.decode(list(files), preparation.cut)
    pixels: list[npt.NDArray[np.uint8]] = []
    for position, picture in zip(files.positions, found, strict=True):
        if isinstance(picture, Refused):
            raise EncoderError(f"document {position} {picture}", _FIX) from picture
        pixels.append(picture)
    return pixels


def unit(rows: Any) -> Vectors:
    """Rows divided by their norms. Raises EncoderError where one has no direction."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and norms.all()):
        raise EncoderError("the model gave a vector without direction", "check the export")
    divided: Vectors = np.asarray(rows / norms, dtype=np.float32)
    return divided
