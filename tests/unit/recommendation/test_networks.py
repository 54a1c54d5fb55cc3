"""Every network by name: trained by the one loop, stopped and gone on with, followed by trackers, served without torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from safetensors.numpy import save_file  # noqa: E402

from basketry.app.networks import NETWORKS as NAMES  # noqa: E402
from basketry.core.errors import RequestError  # noqa: E402
from basketry.core.histories import Histories  # noqa: E402
from basketry.core.protocols import Run  # noqa: E402
from basketry.encoders.history.layout import BODIES  # noqa: E402
from basketry.encoders.history.network import network_of  # noqa: E402
from basketry.recommendation.networks import NETWORKS, Kept, network  # noqa: E402
from basketry.recommendation.neural import Neural, NeuralRanker  # noqa: E402
from basketry.recommendation.popularity import Popularity  # noqa: E402
from basketry.recommendation.published import NETWORK, PERSONAL, WITHOUT, Recommenders, Recommending  # noqa: E402
from basketry.recommendation.transitions import Transitions  # noqa: E402
from basketry.training.plan import TrainingPlan  # noqa: E402
from basketry.training.tracking import TensorBoardTracker  # noqa: E402

RUN = Run(seed=3, threads=1)
PRODUCTS = 12
PLAN = TrainingPlan(learning_rate=0.01, epochs=3, batch_size=16, checkpoint_steps=2, patience=0)


def small(name: str) -> Neural:
    return replace(NETWORKS[name], dim=8, length=5, negatives=8, pretraining=1, plan=PLAN)


def histories() -> Histories:
    rng = np.random.default_rng(1)
    return Histories.from_rows(
        [((rng.integers(12) + np.arange(rng.integers(3, 7))) % 12).tolist() for _ in range(48)], PRODUCTS
    )


class Listening:
    """Hears everything; once `stop` steps are done it falls, as a process does that is killed."""

    def __init__(self, stop: int = 0) -> None:
        self.stop = stop
        self.losses: dict[int, float] = {}
        self.judged = 0
        self.ended: list[str] = []

    def begins(self, settings: Mapping[str, object]) -> None:
        self.settings = dict(settings)

    def measured(self, step: int, values: Mapping[str, float]) -> None:
        self.judged += "validation" in values
        if "loss" in values:
            self.losses[step] = values["loss"]
        if self.stop and step == self.stop and "loss" in values:
            raise KeyboardInterrupt

    def ends(self, reason: str) -> None:
        self.ended.append(reason)


def test_every_body_has_a_name_and_every_name_is_told() -> None:
    assert tuple(NETWORKS) == NAMES
    assert {each.body for each in NETWORKS.values()} == set(BODIES)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_that_fell_goes_on_to_the_same_bits(name: str, tmp_path: Path) -> None:
    whole, told = small(name).fit(histories(), RUN), []

    def tracker(_: str) -> Listening:
        told.append(Listening(stop=0 if told else 5))
        return told[-1]

    kept = Kept(small(name), tmp_path, tracker)
    with pytest.raises(KeyboardInterrupt):
        kept.fit(histories(), RUN)
    again = kept.fit(histories(), RUN)
    fell, went_on = told
    assert fell.ended == ["failed"] and went_on.ended == ["finished"]
    assert min(went_on.losses) == 5 and max(went_on.losses) > 5  # steps 1 to 4 were in the checkpoint
    assert went_on.losses[5] == fell.losses[5] and went_on.judged >= 2
    assert went_on.settings["weight_decay"] == PLAN.weight_decay and went_on.settings["warmup"] == PLAN.warmup
    assert set(whole.arrays) == set(again.arrays)
    assert all(np.array_equal(whole.arrays[key], again.arrays[key]) for key in whole.arrays)
    assert len(list(tmp_path.iterdir())) == 1


def test_every_network_is_served_without_torch_as_torch_would(tmp_path: Path) -> None:
    """A process that cannot import torch reads histories by ONNX Runtime: within 1e-5 of what torch makes of them here."""
    rows = [[1, 2, 3], [4], [7, 8, 9, 10, 11, 0, 1]]
    asked, want = Histories.from_rows(rows, PRODUCTS), {}
    for name in NETWORKS:
        model = small(name).fit(histories(), RUN)
        ids, lengths = model.layout.window(asked)
        mask = torch.from_numpy(np.arange(ids.shape[1]) < lengths[:, None])
        with torch.no_grad():
            want[name] = network_of(model.arrays)(torch.from_numpy(ids), mask).numpy()
        save_file(dict(model.state()), tmp_path / f"{name}.safetensors")
    script = f"""
import sys
from pathlib import Path
sys.modules["torch"] = None
import numpy as np
from safetensors.numpy import load_file
from basketry.core.histories import Histories
from basketry.recommendation.neural import NeuralRanker
asked = Histories.from_rows({rows}, {PRODUCTS})
found = {{path.stem: NeuralRanker.from_state(load_file(path)).vectors(asked) for path in Path({str(tmp_path)!r}).iterdir()}}
np.savez({str(tmp_path / "found.npz")!r}, **found)
assert not [name for name in sys.modules if name.startswith("torch.")]
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    with np.load(tmp_path / "found.npz") as found:
        assert set(found) == set(NETWORKS)
        for name in NETWORKS:
            assert np.ptp(want[name], axis=0).max() > 1e-3 or name == "dbn"  # units of a belief network start at one half
            assert found[name] == pytest.approx(want[name], abs=1e-5), name


def test_curves_of_each_training_have_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    kept = Kept(small("gru"), tmp_path / "kept", lambda name: TensorBoardTracker(tmp_path / "curves" / name))
    kept.fit(histories(), RUN)
    kept.fit(histories(), replace(RUN, seed=4))
    curves = sorted((tmp_path / "curves").iterdir())
    assert [each.name for each in curves] == sorted(each.name for each in (tmp_path / "kept").iterdir()) and len(curves) == 2
    read = EventAccumulator(str(curves[0]))
    read.Reload()
    assert len(read.Scalars("loss")) == 9 and len(read.Scalars("validation")) == 4


def test_hyperparameters_are_written_as_text() -> None:
    made = network("gru", " dim=96, epochs=10,learning_rate=0.003,corrected=true,precision=bf16 ")
    assert made == replace(
        NETWORKS["gru"],
        dim=96,
        corrected=True,
        plan=replace(NETWORKS["gru"].plan, epochs=10, learning_rate=0.003, precision="bf16"),
    )
    assert network("dbn") is not None and network("dbn") == NETWORKS["dbn"]


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("gnn", "", "no network is called 'gnn'"),
        ("gru", "depth=2", "cannot read 'depth=2'"),
        ("gru", "dim=64,dim=32", "cannot read 'dim=32'"),
        ("gru", "dim=wide", "dim of network gru cannot be 'wide'"),
        ("gru", "gated=true", "has no gated blocks"),
        ("gru", "epochs=0", "a training plan cannot have epochs = 0"),
        ("lightgcn", "masked=true", "cannot be masked"),
    ],
)
def test_what_is_no_network_is_refused_before_any_work(name: str, settings: str, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        network(name, settings)


def test_fewer_epochs_where_there_is_more_to_read(tmp_path: Path) -> None:
    heard = Listening()
    read = len(histories().products)
    Kept(small("mlp"), tmp_path, lambda _: heard, events=2 * read + 1).fit(histories(), RUN)
    assert heard.settings["epochs"] == 2
    Kept(small("mlp"), tmp_path, lambda _: heard, events=1).fit(histories(), RUN)
    assert heard.settings["epochs"] == 1


def circle() -> Histories:
    """60 customers who come once a week for 16 weeks, each week for the next of 20 products."""
    rows = [[(start + week) % 20 for week in range(16)] for start in range(20)] * 3
    made = Histories.from_rows(rows, 20)
    return replace(made, days=(made.days * 7 + 19_000).astype(np.int32))


@dataclass(frozen=True)
class Backwards:
    """Says what comes before: here never what comes next."""

    repeats: bool = False

    def fit(self, histories: Histories, run: Run) -> object:
        turned = [histories.select(np.array([row])).products[::-1].tolist() for row in range(len(histories))]
        return Transitions(hop=0).fit(Histories.from_rows(turned, histories.n_products), run)


WEAK = {"reorder": Popularity(), "next": Backwards(), "neighbours": Popularity(), "buyers": Popularity()}


def test_a_network_that_foretells_is_part_of_the_blend() -> None:
    found = Recommending(**WEAK, network=Transitions(hop=0), horizon_days=28).fit(circle(), RUN)  # type: ignore[arg-type]
    for name, exam in found.exams.items():
        assert found.weights[name][NETWORK] > 0.5
        gains = {each.second: each.gain for each in exam.differences if each.first == PERSONAL}
        assert gains[WITHOUT[NETWORK]].low > 0
    again = Recommenders.from_state(found.state())
    assert again.weights == found.weights and NETWORK in again.parts


def test_a_network_that_is_always_wrong_is_left_out() -> None:
    found = Recommending(**WEAK, network=Backwards(), horizon_days=28).fit(circle(), RUN)  # type: ignore[arg-type]
    assert NETWORK not in found.parts and all(NETWORK not in each for each in found.weights.values())
    assert all(sum(each.values()) == pytest.approx(1) for each in found.weights.values())


def test_a_neural_network_is_stored_in_the_release(tmp_path: Path) -> None:
    kept = Kept(replace(small("gru"), plan=replace(PLAN, learning_rate=0.05, epochs=30)), tmp_path, lambda _: None)
    found = Recommending(**WEAK, network=kept, horizon_days=28).fit(circle(), RUN)  # type: ignore[arg-type]
    again = Recommenders.from_state(found.state())
    assert isinstance(again.parts[NETWORK], NeuralRanker) and again.weights["new products"][NETWORK] > 0.5
