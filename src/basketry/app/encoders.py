"""Which encoder a command means, and the one that a release was built with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from basketry.app.shop import Shop
    from basketry.core.protocols import Encoder, Run
    from basketry.encoders.state import EncoderState

HELP: Final = "universal, minilm, model:NAME of this shop or model:FOLDER, onnx:FOLDER, or sentence:FOLDER_OR_NAME."
CHOSEN: Final = "runtimes.json"  # in the shop's cache: digest of a model, and the runtime that was fastest here


def shop_spec(shop: Shop, spec: str) -> str:
    """`spec` with a model of the shop's own turned into its folder. Raises NotFound for a model that is neither."""
    kind, _, rest = spec.partition(":")
    if kind != "model" or not rest or "/" in rest:
        return spec
    own = rest in shop.models.published() or not Path(rest).is_dir()
    return f"model:{shop.models.path(rest)}" if own else spec


def shop_state(shop: Shop, spec: str) -> EncoderState:
    """The state behind a name: what can be adapted and compressed. Raises EncoderError for what is no state."""
    from basketry.encoders.models import load_state

    return load_state(shop_spec(shop, spec))


def publish_state(shop: Shop, name: str, state: EncoderState) -> str:
    """Make `state` the model `name` of the shop; what it is called from now on. Of several processes the first one writes."""
    from basketry.core.processes import first_process
    from basketry.encoders.state import write_state

    if first_process():
        shop.models.publish(name, lambda folder: write_state(folder, state))
    return f"model:{name}"


def shop_encoder(shop: Shop, spec: str, run: Run) -> tuple[Encoder, EncoderState | None]:
    """The encoder behind a name, and its state if it is one of ours that a release must hold itself."""
    from basketry.encoders.models import encoder_of, load_state
    from basketry.encoders.registry import load_encoder

    if spec.startswith("model:"):
        state = load_state(shop_spec(shop, spec))
        return encoder_of(state, run, chosen_runtime(shop.folder, state)), state
    return load_encoder(spec, run), None


def chosen_runtime(folder: Path, state: EncoderState) -> str:
    """The runtime that `basketry doctor --bench` found fastest for this model, if it runs it and is installed; else `auto`."""
    from importlib.util import find_spec

    from basketry.encoders.models import AUTO, runtimes_of

    try:
        chosen = json.loads((folder / "cache" / CHOSEN).read_bytes()).get(state.digest, AUTO)
    except (OSError, ValueError, AttributeError):  # a cache that is not there, or not readable, decides nothing
        return AUTO
    return chosen if chosen in runtimes_of(state) and find_spec(chosen) is not None else AUTO
