"""Two real processes under torchrun take the steps of one: copies (DDP) and shards (FSDP2), with in-batch negatives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training_worlds import CASES  # noqa: E402

DRIVER = Path(__file__).with_name("ranks_driver.py")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes has at the end of every case."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-W", "error", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    done = subprocess.run([*command, str(DRIVER), str(folder)], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((folder / f"rank{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("bf16")])
def test_two_processes_have_the_losses_and_weights_of_one(name: str, two: list[dict[str, Any]]) -> None:
    history, weights = CASES[name].run()
    for rank in two:
        assert rank[name]["losses"] == pytest.approx(history.losses, abs=1e-4)
        assert [value for _, value in rank[name]["validations"]] == pytest.approx(
            [value for _, value in history.validations], abs=1e-4
        )
        assert rank[name]["kept"] == history.kept
        for key, weight in weights.items():
            assert np.array(rank[name]["weights"][key]) == pytest.approx(weight, abs=1e-4), key
    assert two[0][name]["weights"] == two[1][name]["weights"]
    assert history.losses[-1] < history.losses[0] - 0.1


def test_bf16_is_near_and_not_equal(two: list[dict[str, Any]]) -> None:
    exact, half = two[0]["copies"]["losses"], two[0]["bf16 copies"]["losses"]
    assert half == pytest.approx(exact, rel=0.05) and half != pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize("name", ["copies", "shards"])
def test_ctrl_c_in_one_process_stops_both_and_both_resume_to_the_same_bits(name: str, two: list[dict[str, Any]]) -> None:
    assert two[0][f"{name}, interrupted"] == two[0][name]


def test_a_local_batch_alone_would_be_another_loss(two: list[dict[str, Any]]) -> None:
    """Fewer candidates make an easier task: without `gathered` the first loss of two processes would lie far below."""
    one = CASES["copies, accumulated"].run()[0].losses[0]
    assert two[0]["copies"]["losses"][0] > one + 0.3
