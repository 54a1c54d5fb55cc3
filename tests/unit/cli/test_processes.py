"""Of several processes that run one command, the first prints its answer; an error is everyone's."""

from __future__ import annotations

import runpy
import sys

import pytest


def run(arguments: list[str], rank: str | None, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["basketry", *arguments])
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    with pytest.raises(SystemExit) as left:
        runpy.run_module("basketry", run_name="__main__")
    return int(left.value.code or 0)


@pytest.mark.parametrize(("rank", "speaks"), [(None, True), ("0", True), ("1", False)])
def test_the_first_process_alone_prints(
    rank: str | None, speaks: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor"], rank, monkeypatch) == 0
    assert bool(capsys.readouterr().out) == speaks


def test_an_error_is_told_by_every_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["associations", "milk", "--shop", "no-such-shop"], "1", monkeypatch) == 5
    assert "no-such-shop" in capsys.readouterr().err
