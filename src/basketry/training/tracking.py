"""Where a training run is written down for people: TensorBoard, MLflow, or anything with these three methods."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from basketry.core.errors import EncoderError

if TYPE_CHECKING:
    from mlflow.entities import Metric

    from basketry.core.protocols import Scalar

_POINTS: Final = 500  # held back and written together: MLflow takes milliseconds a call and 1,000 points at most


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
    """Event files in `folder`, for `tensorboard --logdir`. Raises EncoderError if tensorboard is not installed.

    A resumed run writes one more file beside the first; TensorBoard draws both as one curve.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise EncoderError("tensorboard is not installed", "pip install 'basketry[train]'") from error
        # Made when the run begins: it opens a file, which the other processes must not.
        self._open: Callable[[], SummaryWriter] = partial(SummaryWriter, str(folder))

    def begins(self, settings: Mapping[str, Scalar]) -> None:
        """The hyperparameters as a text."""
        self._writer = self._open()
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


class MlflowTracker:
    """One run in an MLflow store: `sqlite:///FILE`, or the address of a server. Raises EncoderError if MLflow is not installed.

    MLflow's own folder of files is in maintenance and refuses new runs, so a local store is SQLite. Its reports of use to its
    makers are turned off, unless something else imported MLflow first. Points are written 500 at a time and at the end.
    """

    def __init__(self, store: str, experiment: str = "basketry", name: str | None = None) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        try:
            from mlflow.tracking import MlflowClient

            self._client = MlflowClient(tracking_uri=store)
        except ImportError as error:
            raise EncoderError(f"MLflow or what it needs is missing: {error}", "pip install 'basketry[tracking]'") from error
        self._experiment, self._name = experiment, name
        self._held: list[Metric] = []
        self.run_id = ""  # known once the run begins

    def begins(self, settings: Mapping[str, Scalar]) -> None:
        """The hyperparameters as parameters of the run."""
        from mlflow.entities import Param

        found = self._client.get_experiment_by_name(self._experiment)
        number = self._client.create_experiment(self._experiment) if found is None else found.experiment_id
        self.run_id = self._client.create_run(number, run_name=self._name).info.run_id
        self._client.log_batch(self.run_id, params=[Param(name, str(value)) for name, value in settings.items()])

    def measured(self, step: int, values: Mapping[str, float]) -> None:
        """One point a value, at this time."""
        from mlflow.entities import Metric

        now = time.time_ns() // 1_000_000
        self._held += [Metric(name, value, now, step) for name, value in values.items()]
        if len(self._held) >= _POINTS:
            self._write()

    def ends(self, reason: str) -> None:
        """Write what is held back, the reason as a tag, and the run's status."""
        self._write()
        self._client.set_tag(self.run_id, "end", reason)
        self._client.set_terminated(self.run_id, "FAILED" if reason == "failed" else "FINISHED")

    def _write(self) -> None:
        self._client.log_batch(self.run_id, metrics=self._held)
        self._held = []
