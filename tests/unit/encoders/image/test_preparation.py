from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PIL")

from basketry.core.errors import EncoderError
from basketry.encoders.image.decoding import Cut, Decoder, Refused
from basketry.encoders.image.preparation import Preparation
from basketry.testing.encoders import images

CLIP = {
    "do_resize": True,
    "size": {"shortest_edge": 32},
    "do_center_crop": True,
    "crop_size": {"height": 24, "width": 24},
    "resample": 3,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.48, 0.46, 0.41],
    "image_std": [0.27, 0.26, 0.28],
}
SIGLIP = {"size": {"height": 16, "width": 24}, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
TIMM = {"input_size": [3, 224, 224], "crop_pct": 0.875, "interpolation": "bicubic", "mean": [0.5] * 3, "std": [0.5] * 3}


def written(folder: Path, name: str, settings: object) -> Path:
    (folder / name).write_text(json.dumps(settings))
    return folder


def test_a_file_of_hugging_face_is_understood(tmp_path: Path) -> None:
    found = Preparation.read(written(tmp_path, "preprocessor_config.json", CLIP))
    assert found == Preparation(Cut((32,), (24, 24), 3), (0.48, 0.46, 0.41), (0.27, 0.26, 0.28))
    assert found.size == (24, 24)


def test_siglip_squashes(tmp_path: Path) -> None:
    found = Preparation.read(written(tmp_path, "preprocessor_config.json", SIGLIP))
    assert found.cut == Cut((24, 16), None, 2)
    assert found.size == (24, 16)


def test_the_older_form_with_bare_numbers_is_understood(tmp_path: Path) -> None:
    older = CLIP | {"size": 32, "crop_size": 24}
    assert Preparation.read(written(tmp_path, "preprocessor_config.json", older)).cut == Cut((32,), (24, 24), 3)


def test_a_file_of_timm_is_understood(tmp_path: Path) -> None:
    found = Preparation.read(written(tmp_path, "config.json", {"pretrained_cfg": TIMM}))
    assert found.cut == Cut((256,), (224, 224), 3)


def test_our_own_file_reads_back_and_comes_first(tmp_path: Path) -> None:
    written(tmp_path, "preprocessor_config.json", SIGLIP)
    ours = Preparation(Cut((40,), (30, 20), 1), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert Preparation.read(written(tmp_path, "image.json", ours.card())) == ours


@pytest.mark.parametrize(
    "change",
    [
        {"rescale_factor": 1 / 127.5},
        {"size": {"longest_edge": 32}},
        {"crop_size": {"height": 40, "width": 40}},
        {"do_center_crop": False},
        {"resample": 9},
        {"size": {"shortest_edge": 100_000}},
        {"image_mean": [0.5]},
        {"crop_pct": 0.9},
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(EncoderError, match="does not say how to prepare an image"):
        Preparation.read(written(tmp_path, "preprocessor_config.json", CLIP | change))


def test_a_folder_without_a_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"no image\.json"):
        Preparation.read(tmp_path)


def test_pixels_are_scaled_by_the_formula() -> None:
    pixels = np.zeros((1, 2, 3), dtype=np.uint8)
    pixels[0, 1] = (255, 51, 0)
    found = Preparation(Cut((2, 1), None), (0.5, 0.2, 0.0), (0.5, 0.1, 2.0)).scaled([pixels])
    assert found.shape == (1, 3, 1, 2)
    assert np.allclose(found[0, :, 0, 1], [1.0, 0.0, 0.0], atol=1e-6)
    assert np.allclose(found[0, :, 0, 0], [-1.0, -2.0, 0.0], atol=1e-6)


def test_the_input_is_that_of_transformers(tmp_path: Path) -> None:
    """The twin: transformers' own preparation on Pillow, of the same files."""
    import io

    from PIL import Image

    processor = pytest.importorskip("transformers").CLIPImageProcessorPil(**CLIP)
    ours = Preparation.read(written(tmp_path, "preprocessor_config.json", CLIP))
    files = images()
    pixels = [picture for picture in Decoder().decode(files, ours.cut) if not isinstance(picture, Refused)]
    theirs = processor([Image.open(io.BytesIO(file)) for file in files], return_tensors="np")["pixel_values"]
    assert np.abs(ours.scaled(pixels) - theirs).max() < 1e-5
