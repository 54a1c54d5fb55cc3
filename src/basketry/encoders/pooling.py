"""How sentence-transformers say that a text's vector is made of its tokens': the file 1_Pooling/config.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

FILE: Final = "1_Pooling/config.json"


def pooling_modes(config: Mapping[str, Any]) -> set[str]:
    """The ways that the file names, as mean, cls or max; none where it names none.

    Up to version 5 each way is a switch of its own, `"pooling_mode_cls_token": true`; later `"pooling_mode"` holds their names.
    """
    said = config.get("pooling_mode")
    if said is not None:
        return set(map(str, said)) if isinstance(said, list | tuple) else {str(said)}
    switched = [
        name.removeprefix("pooling_mode_") for name, on in config.items() if name.startswith("pooling_mode_") and on is True
    ]
    return {name.removesuffix("s").removesuffix("_token") for name in switched}
