"""Read a BERT-like model as Hugging Face and sentence-transformers save it: config.json, model.safetensors, tokenizer.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from basketry.core.errors import EncoderError
from basketry.encoders.pooling import FILE, pooling_modes
from basketry.encoders.state import EncoderState
from basketry.encoders.weights import file_digest, folder_digest

if TYPE_CHECKING:
    from basketry.core.protocols import Arrays, Scalar

_FIRST_POSITION: Final = {"bert": 0, "roberta": 2, "xlm-roberta": 2}  # rows before are for padding
_ACTIVATIONS: Final = {"gelu": "gelu", "relu": "relu"}
_LAYER: Final = {
    "attention.self.query": "attention.query",
    "attention.self.key": "attention.key",
    "attention.self.value": "attention.value",
    "attention.output.dense": "attention.output",
    "attention.output.LayerNorm": "attention.norm",
    "intermediate.dense": "feed.inner",
    "output.dense": "feed.outer",
    "output.LayerNorm": "feed.norm",
}
_AGAIN: Final = "name a folder saved with safe_serialization=True, with config.json, model.safetensors and tokenizer.json"


def from_hugging_face(folder: Path, sha256: str = "") -> EncoderState:
    """The model of `folder` as a state of family transformer; `sha256` of its model.safetensors is compared where given.

    Read are BERT, RoBERTa and XLM-RoBERTa (MiniLM, E5, BGE and bge-m3's dense vector among them) in one .safetensors file, with
    mean or first-token pooling and at most one dense layer without activation after it (sentence-transformers modules).

    Raises EncoderError for any other kind, a missing file, or weights that are not the ones pinned.
    """
    weights = folder / "model.safetensors"
    if sha256 and file_digest(weights) != sha256:
        raise EncoderError(f"{weights} differs from the pinned weights", "install the encoder's package again")
    try:
        config = json.loads((folder / "config.json").read_bytes())
        named = load(weights.read_bytes())
        tokeniser = (folder / "tokenizer.json").read_bytes()
        kind = config["model_type"]
        if kind not in _FIRST_POSITION or config.get("position_embedding_type", "absolute") != "absolute":
            known = ", ".join(_FIRST_POSITION)
            raise EncoderError(f"{folder} is of type {kind!r}", f"take one of {known}, or use it unchanged: sentence:FOLDER")
        arrays = _arrays(named, _FIRST_POSITION[kind])
        settings = _settings(folder, config, len(arrays["embeddings.position"]))
        project = _dense_layer(folder)
    except OSError as error:
        raise EncoderError(f"no {Path(str(error.filename)).name} in {folder}", _AGAIN) from error
    except (ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise EncoderError(f"cannot read the model in {folder}: {error!r}", _AGAIN) from error
    if project is not None:
        arrays["project.weight"] = project
    origin = {"verb": "import", "from": f"{kind} {config.get('_name_or_path') or folder.name}", "sha256": folder_digest(folder)}
    return EncoderState("transformer", arrays, settings, {"tokenizer.json": tokeniser}, (origin,))


def _arrays(named: Mapping[str, np.ndarray[Any, Any]], first: int) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays under our names, in float32."""
    prefix = next((name.split("embeddings.")[0] for name in named if "embeddings.word_embeddings" in name), "")
    given = {name.removeprefix(prefix): np.asarray(array, dtype=np.float32) for name, array in named.items()}
    arrays = {
        "embeddings.word": given["embeddings.word_embeddings.weight"],
        "embeddings.position": given["embeddings.position_embeddings.weight"][first:]
        + given["embeddings.token_type_embeddings.weight"][0],
        "embeddings.norm.gain": given["embeddings.LayerNorm.weight"],
        "embeddings.norm.shift": given["embeddings.LayerNorm.bias"],
    }
    layers = {name.split(".")[2] for name in given if name.startswith("encoder.layer.")}
    for layer in range(len(layers)):
        for theirs, ours in _LAYER.items():
            names = ("gain", "shift") if ours.endswith("norm") else ("weight", "bias")
            for part, name in zip(("weight", "bias"), names, strict=True):
                arrays[f"layers.{layer}.{ours}.{name}"] = given[f"encoder.layer.{layer}.{theirs}.{part}"]
    return arrays


def _settings(folder: Path, config: Mapping[str, Any], positions: int) -> dict[str, Scalar]:
    activation = _ACTIVATIONS.get(config["hidden_act"])
    if activation is None:
        raise EncoderError(f"{folder} has activation {config['hidden_act']!r}", f"one of {', '.join(_ACTIVATIONS)} is read")
    modes = pooling_modes(_optional(folder / FILE))
    if modes and modes not in ({"mean"}, {"cls"}):
        raise EncoderError(f"{folder} pools by {sorted(modes)}", "mean and first-token pooling are read")
    longest = _optional(folder / "sentence_bert_config.json").get("max_seq_length") or positions
    return {
        "head_dim": config["hidden_size"] // config["num_attention_heads"],
        "pooling": "first" if modes == {"cls"} else "mean",
        "max_tokens": min(int(longest), positions),
        "norm_eps": float(config["layer_norm_eps"]),
        "activation": activation,
    }


def _dense_layer(folder: Path) -> np.ndarray[Any, Any] | None:
    """The weights of a dense layer after pooling, where there is one."""
    modules = _optional_list(folder / "modules.json")
    kinds = {str(module["type"]).rsplit(".", 1)[-1]: str(module["path"]) for module in modules}
    foreign = set(kinds) - {"Transformer", "Pooling", "Normalize", "Dense"}
    if foreign:
        raise EncoderError(f"{folder} has modules {sorted(foreign)}", "use it unchanged: sentence:FOLDER")
    if "Dense" not in kinds:
        return None
    inside = folder / kinds["Dense"]
    if not _optional(inside / "config.json").get("activation_function", "").endswith("Identity"):
        raise EncoderError(f"the dense layer of {folder} has an activation", "use it unchanged: sentence:FOLDER")
    layer: Arrays = load((inside / "model.safetensors").read_bytes())
    if np.abs(layer.get("linear.bias", np.zeros(1))).max() > 0:
        raise EncoderError(f"the dense layer of {folder} has a bias", "use it unchanged: sentence:FOLDER")
    return np.asarray(layer["linear.weight"], dtype=np.float32)


def _optional(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_bytes())) if file.is_file() else {}


def _optional_list(file: Path) -> list[dict[str, Any]]:
    return list(json.loads(file.read_bytes())) if file.is_file() else []
