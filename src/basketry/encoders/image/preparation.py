"""What a network wants to see: size, cut and scale of its input, read from the file that came with it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from basketry.core.errors import EncoderError
from basketry.encoders.image.decoding import Cut

if TYPE_CHECKING:
    import numpy.typing as npt

OWN: Final = "image.json"
RESAMPLES: Final = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}  # Pillow's numbers
_HINT: Final = "put an image.json beside the model: see docs/how-to/encode-images-and-sound.md"
_LARGEST: Final = 2_048  # pixels of a side


@dataclass(frozen=True)
class Preparation:
    """From a decoded image to float32 [3, height, width]: (pixel / 255 - mean) / std, channel by channel, after `cut`."""

    cut: Cut
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what the network sees."""
        if self.cut.crop is not None:
            return self.cut.crop
        assert self.cut.resize is not None and len(self.cut.resize) == 2, "checked when read"
        return self.cut.resize[0], self.cut.resize[1]

    def scaled(self, pixels: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """float32 [n, 3, height, width] of n images of this size."""
        mean, std = (np.asarray(figures, dtype=np.float32) for figures in (self.mean, self.std))
        rows = (np.stack(pixels).astype(np.float32) * np.float32(1 / 255) - mean) / std
        return np.ascontiguousarray(rows.transpose(0, 3, 1, 2))

    def card(self) -> dict[str, Any]:
        """The same as the JSON of `image.json`."""
        names = {number: name for name, number in RESAMPLES.items()}
        return {
            "resize": self.cut.resize,
            "crop": self.cut.crop,
            "interpolation": names[self.cut.resample],
            "mean": self.mean,
            "std": self.std,
        }

    @classmethod
    def read(cls, folder: Path) -> Self:
        """From `image.json` of ours, else `preprocessor_config.json` (Hugging Face), else `config.json` with what timm wrote.

        Raises EncoderError if none is there or one says what cannot be done.
        """
        for name, understand in ((OWN, _own), ("preprocessor_config.json", _hugging_face), ("config.json", _timm)):
            file = folder / name
            if not file.is_file():
                continue
            try:
                settings = json.loads(file.read_bytes())
                cut, mean, std = understand(settings)
                return cls(_checked(cut), _three(mean), _three(std))
            except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
                raise EncoderError(f"{file} does not say how to prepare an image: {error!r}", _HINT) from error
        raise EncoderError(f"no {OWN} and no preprocessor_config.json in {folder}", _HINT)


Understood = tuple[Cut, Any, Any]


def _own(settings: Mapping[str, Any]) -> Understood:
    resize, crop = settings["resize"], settings["crop"]
    cut = Cut(resize and tuple(resize), crop and (crop[0], crop[1]), RESAMPLES[settings["interpolation"]])
    return cut, settings["mean"], settings["std"]


def _hugging_face(settings: Mapping[str, Any]) -> Understood:
    """`size` is a shortest edge, or height and width; a bare number is the edge of a square unless a crop follows."""
    crop_wanted = settings.get("do_center_crop", False)
    crop = None
    if crop_wanted:
        crop = _square(settings["crop_size"])
    resize: tuple[int, ...] | None = None
    if settings.get("do_resize", True):
        size = settings["size"]
        if isinstance(size, Mapping) and "shortest_edge" in size:
            resize = (size["shortest_edge"],)
        elif isinstance(size, int) and crop_wanted:
            resize = (size,)
        else:
            resize = _square(size)
    if settings.get("do_rescale", True) and not math.isclose(settings.get("rescale_factor", 1 / 255), 1 / 255, rel_tol=1e-3):
        raise ValueError(f"rescale_factor {settings['rescale_factor']}: only 1/255 is known here")
    if "crop_pct" in settings:
        raise ValueError("crop_pct is not known here")
    cut = Cut(resize, crop, settings.get("resample", RESAMPLES["bilinear"]))
    if not settings.get("do_normalize", True):
        return cut, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return cut, settings["image_mean"], settings["image_std"]


def _timm(settings: Mapping[str, Any]) -> Understood:
    told = settings["pretrained_cfg"]
    _, height, width = told["input_size"]
    share = told.get("crop_pct", 1.0)
    mode = told.get("crop_mode", "center")
    resample = RESAMPLES[told["interpolation"]]
    if mode == "squash":
        resize: tuple[int, ...] = (math.floor(width / share), math.floor(height / share))
    elif mode == "center" and height == width:
        resize = (math.floor(width / share),)
    else:
        raise ValueError(f"crop_mode {mode!r} at {width} x {height} is not known here")
    return Cut(resize, (width, height), resample), told["mean"], told["std"]


def _square(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size["width"], size["height"])


def _checked(cut: Cut) -> Cut:
    if cut.resample not in RESAMPLES.values():
        raise ValueError(f"resample {cut.resample} is none of {sorted(RESAMPLES.values())}")
    for side in (*(cut.resize or ()), *(cut.crop or ())):
        if not isinstance(side, int) or not 1 <= side <= _LARGEST:
            raise ValueError(f"a side of {side} pixels: from 1 to {_LARGEST:,} can be had")
    if cut.crop is None and (cut.resize is None or len(cut.resize) == 1):
        raise ValueError("images of many sizes would reach the network: say width and height, or a crop")
    if cut.crop is not None and (cut.resize is None or min(cut.resize) < max(cut.crop)):
        raise ValueError(f"a crop of {cut.crop} does not fit into {cut.resize}")
    return cut


def _three(figures: Any) -> tuple[float, float, float]:
    red, green, blue = (float(figure) for figure in figures)
    return red, green, blue
