"""Texts and images in one space: two encoders whose vectors may be compared with each other."""

from __future__ import annotations

from dataclasses import dataclass

from basketry.core.errors import EncoderError
from basketry.core.protocols import EncoderOf


@dataclass(frozen=True)
class JointEncoder:
    """`text.encode(texts) @ image.encode(files).T` are cosines of texts with images. Such pairs come from a CLIP-like folder
    (`encoders/clip.py`) or by projecting images into a text space (`encoders/projection.py`).

    Raises EncoderError for encoders of different dimensions, which cannot share a space.
    """  # noqa: D205

    text: EncoderOf[str]
    image: EncoderOf[bytes]

    def __post_init__(self) -> None:
        if self.text.dim != self.image.dim:
            raise EncoderError(
                f"{self.text.name} has {self.text.dim} dimensions and {self.image.name} has {self.image.dim}",
                "join encoders of one space only",
            )

    @property
    def dim(self) -> int:
        """Length of a vector of either."""
        return self.text.dim
