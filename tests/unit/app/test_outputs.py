from __future__ import annotations

from pathlib import Path

import pytest

from basketry.app.outputs import check_output
from basketry.core.errors import RequestError


def test_what_can_be_written_is_not_refused(tmp_path: Path) -> None:
    check_output("", "draw", ".svg")
    check_output(str(tmp_path / "a.svg"), "draw", ".svg")


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "folder.svg").mkdir()
    for path, says in (
        ("a.png", "ends with|cannot draw"),
        ("missing/a.svg", "no folder missing"),
        ("folder.svg", "it is a folder"),
    ):
        with pytest.raises(RequestError, match=says):
            check_output(str(tmp_path / path) if path != "missing/a.svg" else path, "draw", ".svg")
