"""The process of one job: an operation on a shop, its progress and at last its answer in files that its worker reads.

python -m basketry.app.job_process SHOP OPERATION ANSWER < REQUEST
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from basketry.core.telemetry import Span

PROGRESS: Final = "progress.json"
_EVERY: Final = 0.5  # seconds between two accounts


class Account:
    """A telemetry exporter that keeps a file up to date: what is being done, how much of it is, of how much."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spans: list[Span] = []
        self._told = 0.0

    def started(self, span: Span) -> None:
        """Tell at once that something else is being done."""
        self._spans.append(span)
        self._tell()

    def advanced(self, span: Span) -> None:
        """Tell how far it is, now and then."""
        del span
        if time.monotonic() - self._told >= _EVERY:
            self._tell()

    def ended(self, span: Span, error: BaseException | None) -> None:
        """It is no longer being done."""
        del error
        self._spans.remove(span)

    def _tell(self) -> None:
        self._told = time.monotonic()
        steps = [{"name": each.name, "done": each.done, "total": each.total, "unit": each.unit} for each in self._spans]
        _replace(self._path, {"steps": steps})


def main(folder: str, name: str, answer: str) -> None:
    """Run the operation with the request on standard input; write its result, or an error that was raised on purpose."""
    from basketry.app.operations import OPERATIONS
    from basketry.app.results import parts_of
    from basketry.app.shop import Shop
    from basketry.core.errors import BasketryError
    from basketry.core.telemetry import attached

    operation = next(each for each in OPERATIONS if each.name == name)
    target = Path(answer)
    try:
        with attached(Account(target.with_name(PROGRESS))):
            told = parts_of(operation.call(Shop.open(folder), operation.request(**json.load(sys.stdin)))).as_json()
    except BasketryError as error:
        told = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
    _replace(target, told)


def _replace(path: Path, told: object) -> None:
    """Whoever reads the file meanwhile sees the old account or the new one."""
    from basketry.app.results import plain

    aside = path.with_suffix(".aside")
    aside.write_text(json.dumps(told, default=plain, ensure_ascii=False), encoding="utf-8")
    aside.replace(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
