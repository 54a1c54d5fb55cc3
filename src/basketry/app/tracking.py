"""Where the curves of a training go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from basketry.app.shop import Shop
    from basketry.training.tracking import Tracker

TRACKERS: Final = ("none", "tensorboard", "mlflow")
TRACK_HELP: Final = "Write the training's curves: none, tensorboard (SHOP/tracking/) or mlflow (SHOP/tracking/mlflow.db)."


def tracker_of(shop: Shop, kind: str, name: str) -> Tracker | None:
    """Of a training called `name`: SHOP/tracking/NAME for TensorBoard, SHOP/tracking/mlflow.db for MLflow.

    Raises RequestError for another kind, EncoderError where what it needs is not installed.
    """
    from basketry.core.errors import RequestError

    if kind not in TRACKERS:
        raise RequestError(f"no tracker is called {kind!r}", f"use one of {', '.join(TRACKERS)}")
    if kind == TRACKERS[0]:
        return None
    from basketry.store import durable
    from basketry.training.tracking import MlflowTracker, TensorBoardTracker

    folder = shop.folder / "tracking"
    durable.make_folder(folder)
    if kind == "tensorboard":
        return TensorBoardTracker(folder / name)
    return MlflowTracker(f"sqlite:///{folder / 'mlflow.db'}", name=name)
