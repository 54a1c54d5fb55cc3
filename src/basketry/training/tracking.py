"""Where a training run is written down for people: TensorBoard, MLflow, or anything with these three methods."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from basketry.core.errors import EncoderError

if TYPE_CHECKING:
    from basketry.core.protocols import Scalar


class Tracker(Protocol):
    """Hears of one training run. Only the first of several processes tells it anything."""

    def begins(self, settings: Mapping[str, Scalar]) -> None:
        """The run begins, or goes on from a checkpoint, under these hyperparameters."""
        ...

    def measured(self, step: int, values: Mapping[str, float]) -> None:
        """After `step` steps these values were seen: `loss`, `learning_rate`, `validation`."""
        ...

    def ends(self, reason: str) -> None:
        """The run is over: `finished`, `stopped early` or `failed`."""
        ...


class TensorBoardTracker:
    """Event files in `folder`, for `tensorboard --logdir`. Raises EncoderError if tensorboard is not installed."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise EncoderError("tensorboard is not installed", "pip install 'basketry[train]'") from error
        self._writer = SummaryWriter(str(folder))

    def begins(self, settings: Mapping[str, Scalar]) -> None:
        """The hyperparameters as a text."""
        lines = "\n".join(f"| {name} | {value} |" for name, value in settings.items())
        self._writer.add_text("plan", f"| name | value |\n| --- | --- |\n{lines}")

    def measured(self, step: int, values: Mapping[str, float]) -> None:
        """One point on each value's curve."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def ends(self, reason: str) -> None:
        """Write the reason and close the files."""
        self._writer.add_text("end", reason)
        self._writer.close()
