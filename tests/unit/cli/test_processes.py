"""Of several processes that run one command, the first prints its answer and writes; an error is everyone's."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest


def run(arguments: list[str], rank: str | None, monkeypatch: pytest.MonkeyPatch, world: str | None = "2") -> int:
    monkeypatch.setattr(sys, "argv", ["basketry", *arguments])
    for name, value in (("RANK", rank), ("WORLD_SIZE", world)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as left:
        runpy.run_module("basketry", run_name="__main__")
    return int(left.value.code or 0)


@pytest.mark.parametrize(
    ("rank", "world", "speaks"),
    [(None, None, True), ("0", "2", True), ("1", "2", False), ("1", None, True), ("1", "1", True), (None, "2", True)],
)
def test_the_first_process_alone_prints(
    rank: str | None, world: str | None, speaks: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor"], rank, monkeypatch, world) == 0
    assert bool(capsys.readouterr().out) == speaks


def test_an_error_is_told_by_every_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["associations", "milk", "--shop", "no-such-shop"], "1", monkeypatch) == 5
    assert "no-such-shop" in capsys.readouterr().err


@pytest.mark.parametrize(("rank", "writes"), [("0", True), ("1", False)])
def test_the_first_process_alone_publishes_a_model(
    rank: str, writes: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = [f"{kind} {number} {thing},{number}" for number in range(120) for kind, thing in zip("abcde", "vwxyz", strict=True)]
    (tmp_path / "pairs.csv").write_text("\n".join(["text,label", *rows]))
    monkeypatch.chdir(tmp_path)
    assert run(["adapt", "pairs.csv", "--method", "linear", "--keep"], rank, monkeypatch) == 0
    assert (tmp_path / "models" / "adapted").is_dir() == writes


def test_torchrun_starts_the_command_line_and_one_of_two_answers() -> None:
    pytest.importorskip("torch")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*launch, "-m", "basketry", "doctor"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("all is well") == 1
