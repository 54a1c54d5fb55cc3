"""Which encoders of images there are, and how one is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from basketry.core.errors import EncoderError
from basketry.core.protocols import EncoderOf, Run
from basketry.encoders.joint import JointEncoder

_HINT: Final = "use efficientnet, efficientnet:FOLDER, image:FOLDER or clip:FOLDER"


def _image(rest: str, run: Run) -> EncoderOf[bytes]:
    from basketry.encoders.image.encoder import ImageEncoder

    return ImageEncoder.load(Path(rest), run)


def _efficientnet(rest: str, run: Run) -> EncoderOf[bytes]:
    from basketry.encoders.image.efficientnet import converted
    from basketry.encoders.image.encoder import ImageEncoder

    return ImageEncoder.load(converted(Path(rest) if rest else None), run)


def _clip(rest: str, run: Run) -> EncoderOf[bytes]:
    return load_joint(f"clip:{rest}", run).image


IMAGE_ENCODERS: Final[dict[str, Callable[[str, Run], EncoderOf[bytes]]]] = {
    "efficientnet": _efficientnet,
    "image": _image,
    "clip": _clip,
}


def load_image_encoder(spec: str, run: Run) -> EncoderOf[bytes]:
    """`efficientnet` (extra efficientnet), `image:FOLDER` (extra images), or the image tower of `clip:FOLDER` (extra train).

    `efficientnet` converts the weights of its package when first used, into the user's cache or into the folder after a colon.

    Raises EncoderError for an unknown kind, a missing extra (the hint is the pip command), or weights that cannot be trusted.
    """
    kind, colon, rest = spec.partition(":")
    if kind not in IMAGE_ENCODERS or (kind != "efficientnet" and not rest) or (colon and not rest):
        raise EncoderError(f"no encoder of images is called {spec!r}", _HINT)
    return IMAGE_ENCODERS[kind](rest, run)


def load_joint(spec: str, run: Run) -> JointEncoder:
    """`clip:FOLDER`: texts and images in one space. Raises EncoderError as `load_image_encoder` does."""
    from basketry.encoders.clip import load_clip

    kind, _, rest = spec.partition(":")
    if kind != "clip" or not rest:
        raise EncoderError(f"no joint encoder is called {spec!r}", "use clip:FOLDER")
    return load_clip(Path(rest), run)
