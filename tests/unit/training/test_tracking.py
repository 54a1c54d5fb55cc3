"""What the trackers wrote is read back by the libraries' own readers."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from basketry.core.errors import RequestError  # noqa: E402
from basketry.core.protocols import Run  # noqa: E402
from basketry.training.loop import TrainedHistory, train  # noqa: E402
from basketry.training.plan import TrainingPlan  # noqa: E402
from basketry.training.tracking import MlflowTracker, TensorBoardTracker, Tracker  # noqa: E402
from training_worlds import Line, small_network, squared  # noqa: E402

PLAN = TrainingPlan(learning_rate=0.02, epochs=2, batch_size=16)


def tracked(tracker: Tracker) -> TrainedHistory:
    values = iter([1.0, 3.0, 2.0])
    run = Run(seed=6, threads=1)
    return train(small_network(), squared, Line(), PLAN, run, validate=lambda _: next(values), tracker=tracker)


def test_tensorboard_events_are_the_history(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = tracked(TensorBoardTracker(tmp_path))
    read = EventAccumulator(str(tmp_path))
    read.Reload()
    assert [(one.step, one.value) for one in read.Scalars("loss")] == [
        (step + 1, pytest.approx(loss)) for step, loss in enumerate(history.losses)
    ]
    assert [one.value for one in read.Scalars("learning_rate")] == pytest.approx(history.rates)
    assert [(one.step, one.value) for one in read.Scalars("validation")] == [(0, 1), (4, 3), (8, 2)]
    plan = read.Tensors("plan/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| batch_size | 16 |" in plan and "| seed | 6 |" in plan
    assert read.Tensors("end/text_summary")[0].tensor_proto.string_val[0] == b"finished"


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # in MLflow's own tables, under SQLAlchemy 2.1
def test_mlflow_holds_the_history_and_how_it_ended(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    pytest.importorskip("alembic")
    from mlflow.tracking import MlflowClient

    store = f"sqlite:///{tmp_path / 'runs.db'}"
    tracker = MlflowTracker(store, name="one")
    history = tracked(tracker)
    client = MlflowClient(tracking_uri=store)
    run = client.get_run(tracker.run_id)
    assert run.info.status == "FINISHED" and run.data.tags["end"] == "finished"
    assert run.data.params["learning_rate"] == "0.02" and run.data.params["examples"] == "64"
    written = client.get_metric_history(tracker.run_id, "loss")
    assert [(one.step, one.value) for one in written] == list(enumerate(history.losses, start=1))
    assert [one.step for one in client.get_metric_history(tracker.run_id, "validation")] == [0, 4, 8]

    broken = MlflowTracker(store)
    with pytest.raises(RequestError, match="the loss is nan"):
        train(
            small_network(),
            lambda module, batch: squared(module, batch) * float("nan"),
            Line(),
            PLAN,
            Run(threads=1),
            tracker=broken,
        )
    assert client.get_run(broken.run_id).info.status == "FAILED"
