"""Where a killed adaptation goes on from: one folder for each question asked, so that another question never finds it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from basketry.app.adapt_request import AdaptRequest
    from basketry.app.shop import Shop
    from basketry.encoders.state import EncoderState

_NOT_ASKED: Final = {"name", "keep", "track"}  # they change what becomes of the result, not the result


def checkpoint_folder(
    shop: Shop, request: AdaptRequest, base: EncoderState, texts: Sequence[str], *arrays: npt.NDArray[np.generic]
) -> Path:
    """`cache/adapt/NAME/DIGEST`, the digest being of the request, the base, and the texts and arrays that are learned from."""
    asked = {name: value for name, value in dataclasses.asdict(request).items() if name not in _NOT_ASKED}
    found = hashlib.sha256(json.dumps([asked, base.digest, list(texts)], sort_keys=True).encode())
    for array in arrays:
        found.update(array.tobytes())
    return shop.folder / "cache" / "adapt" / request.name / found.hexdigest()[:16]


def forget_checkpoints(shop: Shop, request: AdaptRequest) -> None:
    """Remove what a finished adaptation of that name left behind, of this question and of any other."""
    from basketry.store import durable

    durable.remove_folder(shop.folder / "cache" / "adapt" / request.name)
