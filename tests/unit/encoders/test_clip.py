"""A CLIP and a SigLIP with random weights, small enough to be made here, saved as the real ones are and loaded from disk."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("PIL")

import torch
import transformers

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.image.registry import load_image_encoder, load_joint
from basketry.encoders.joint import JointEncoder
from basketry.encoders.registry import load_encoder
from basketry.testing.encoders import check_encoder, images

WORDS = ("<s>", "</s>", "<unk>", "milk", "bread", "red", "apple", "dog", "food")
PREPARATION = {
    "size": {"shortest_edge": 32},
    "do_center_crop": True,
    "crop_size": {"height": 32, "width": 32},
    "resample": 3,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.3, 0.3, 0.2],
}
SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
SEEN = {**SMALL, "image_size": 32, "patch_size": 8}
READ = {**SMALL, "vocab_size": len(WORDS), "max_position_embeddings": 12}
ENDS = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}


def saved(folder: Path, kind: str) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    torch.manual_seed(5)
    if kind == "clip":
        read, seen = READ | ENDS | {"projection_dim": 8}, SEEN | {"projection_dim": 8}
        model = transformers.CLIPModel(transformers.CLIPConfig(text_config=read, vision_config=seen, projection_dim=8))
    else:
        model = transformers.SiglipModel(
            transformers.SiglipConfig(text_config=READ | {"projection_size": 16}, vision_config=SEEN)
        )
    model.save_pretrained(folder)
    tokeniser = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokeniser.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [("<s>", 0), ("</s>", 1)]
    tokeniser.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokeniser, model_max_length=12, **names).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPARATION))
    return folder


@pytest.fixture(scope="module", params=["clip", "siglip"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def joint(folder: Path) -> JointEncoder:
    return load_joint(f"clip:{folder}", Run(threads=1))


def test_both_towers_keep_every_law(joint: JointEncoder) -> None:
    check_encoder(
        joint.text, ("milk", "bread", "red apple", "dog food and a line far longer than the twelve tokens it reads", "milk")
    )
    check_encoder(joint.image, images())


def test_cosines_of_texts_with_images_are_those_of_transformers(joint: JointEncoder, folder: Path) -> None:
    from PIL import Image

    texts, files = ["milk", "red apple"], images()[:3]
    model = transformers.AutoModel.from_pretrained(folder, use_safetensors=True)
    tokeniser = transformers.AutoTokenizer.from_pretrained(folder)
    processor = transformers.CLIPImageProcessorPil(**PREPARATION)
    whole = "siglip" in folder.name
    read = tokeniser(texts, padding="max_length" if whole else True, return_tensors="pt")
    seen = processor([Image.open(io.BytesIO(file)) for file in files], return_tensors="pt")
    mask = {} if whole else {"attention_mask": read["attention_mask"]}
    with torch.inference_mode():
        output = model(input_ids=read["input_ids"], pixel_values=seen["pixel_values"], **mask)
    expected = (output.text_embeds @ output.image_embeds.T).numpy()
    assert np.abs(joint.text.encode(texts) @ joint.image.encode(files).T - expected).max() < 1e-5


def test_one_space_one_name(joint: JointEncoder, folder: Path) -> None:
    assert joint.text.name == joint.image.name == load_image_encoder(f"clip:{folder}", Run()).name
    assert joint.text.dim == joint.image.dim == joint.dim


def test_pickles_and_single_towers_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(EncoderError, match=r"no \.safetensors file"):
        load_joint(f"clip:{tmp_path}", Run())
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config["vision_config"] | {"model_type": "clip_vision_model"}))
    with pytest.raises(EncoderError):
        load_joint(f"clip:{tmp_path}", Run())


def test_spaces_of_other_dimensions_are_not_joined(joint: JointEncoder) -> None:
    with pytest.raises(EncoderError, match="512 dimensions"):
        JointEncoder(load_encoder("universal", Run()), joint.image)
    with pytest.raises(EncoderError, match="no joint encoder"):
        load_joint("universal", Run())
