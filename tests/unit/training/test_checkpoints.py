"""A run killed on the way ends in the same bits; a checkpoint that is damaged or another run's is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from basketry.core.errors import RequestError, StorageError  # noqa: E402
from basketry.core.protocols import Run  # noqa: E402
from basketry.training.loop import train  # noqa: E402
from basketry.training.plan import TrainingPlan  # noqa: E402
from training_worlds import Line, small_network, squared, train_dropping, weights_of  # noqa: E402

DRIVER = Path(__file__).with_name("killed_driver.py")
PLAN = TrainingPlan(learning_rate=0.02, batch_size=16, checkpoint_steps=2)


def kill(folder: Path, where: str, number: int) -> None:
    done = subprocess.run([sys.executable, str(DRIVER), str(folder), where, str(number)], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def reached(folder: Path) -> int:
    return json.loads((folder / "checkpoint.json").read_bytes())["body"]["step"]


def test_killed_in_a_step_and_again_while_writing_it_ends_in_the_same_bits(tmp_path: Path) -> None:
    straight, module = train_dropping(None)
    kill(tmp_path, "step", 8)
    assert reached(tmp_path) == 6
    kill(tmp_path, "card", 3)  # checkpoints of steps 9 and 12 are whole, of 15 there are the arrays only
    assert reached(tmp_path) == 12 and (tmp_path / "step-00000015.safetensors").exists()
    calls: list[None] = []
    history, resumed = train_dropping(tmp_path, before=lambda: calls.append(None))
    assert len(calls) == 12 and history == straight
    ours, theirs = weights_of(resumed), weights_of(module)
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    history, module = train_dropping(tmp_path)
    calls: list[None] = []
    again, same = train_dropping(tmp_path, before=lambda: calls.append(None))
    assert not calls and again == history
    assert all(np.array_equal(weights_of(same)[name], weight) for name, weight in weights_of(module).items())


def test_only_the_same_run_goes_on(tmp_path: Path) -> None:
    def go(module: torch.nn.Module, examples: Line, plan: TrainingPlan, seed: int) -> None:
        train(module, squared, examples, plan, Run(seed=seed, threads=1), folder=tmp_path)

    go(small_network(), Line(), PLAN, 1)
    other = small_network()
    with torch.no_grad():
        other[3].bias.add_(1e-3)
    for module, examples, plan, seed in [
        (other, Line(), PLAN, 1),
        (small_network(), Line(65), PLAN, 1),
        (small_network(), Line(), TrainingPlan(**{**vars(PLAN), "learning_rate": 0.03}), 1),
        (small_network(), Line(), PLAN, 2),
    ]:
        with pytest.raises(RequestError, match="another training run"):
            go(module, examples, plan, seed)


@pytest.mark.parametrize("name", ["checkpoint.json", "step-00000004.safetensors"])
def test_a_flipped_bit_is_found(name: str, tmp_path: Path) -> None:
    train(small_network(), squared, Line(), PLAN, Run(threads=1), folder=tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StorageError, match="damaged"):
        train(small_network(), squared, Line(), PLAN, Run(threads=1), folder=tmp_path)


def test_frozen_weights_are_not_written(tmp_path: Path) -> None:
    from basketry.store.arrays import read_arrays

    module = small_network()
    module[0].requires_grad_(False)
    train(module, squared, Line(), PLAN, Run(threads=1), folder=tmp_path)
    names = set(read_arrays(tmp_path / "step-00000004.safetensors"))
    kinds = ("weight", "moment1", "moment2", "count")
    assert names == {f"{kind}.module.3.{part}" for kind in kinds for part in ("weight", "bias")}
