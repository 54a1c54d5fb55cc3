"""Where the curves of an adaptation go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from basketry.app.adapt_request import TRACKERS, AdaptRequest

if TYPE_CHECKING:
    from basketry.app.shop import Shop
    from basketry.training.tracking import Tracker


def tracker_of(shop: Shop, request: AdaptRequest) -> Tracker | None:
    """Where the curves go: SHOP/tracking/NAME for TensorBoard, SHOP/tracking/mlflow.db for MLflow."""
    if request.track == TRACKERS[0]:
        return None
    from basketry.store import durable
    from basketry.training.tracking import MlflowTracker, TensorBoardTracker

    folder = shop.folder / "tracking"
    durable.make_folder(folder)
    if request.track == "tensorboard":
        return TensorBoardTracker(folder / request.name)
    return MlflowTracker(f"sqlite:///{folder / 'mlflow.db'}", name=request.name)
