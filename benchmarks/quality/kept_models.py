"""Models kept on disk as they are fitted, so that a long benchmark goes on where it was stopped, and asks two exams of one fit.

A model is found again only for the same estimator (all its fields), the same histories, the same seed and the same source code
of the house, so none of an older program is ever shown.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

from basketry.core.histories import Histories
from basketry.core.protocols import Ranker, Run
from basketry.recommendation.rankers import RankerEstimator, nested, parts_of

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "basketry"
CODE = (".py", ".c", ".h", ".inc")
_read: list[float] = []  # what the models cost that this process did not fit but read


@dataclass(frozen=True)
class Kept:
    """An estimator that fits once on the same histories, in this run and in later ones; `of` alone is told in its repr."""

    of: RankerEstimator
    folder: Path = field(default=ROOT / "build" / "models", repr=False)
    known: dict[str, Ranker] = field(default_factory=dict, compare=False, repr=False)

    def fit(self, histories: Histories, run: Run) -> Ranker:
        """The model, or the one it made before."""
        key = key_of(self.of, histories, run)
        if key not in self.known:
            path = self.folder / f"{key}.npz"
            self.known[key] = _open(path) if path.exists() else self._fit(path, histories, run)
        return self.known[key]

    def _fit(self, path: Path, histories: Histories, run: Run) -> Ranker:
        begun = spent()
        model = self.of.fit(histories, run)
        self.folder.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".part.npz")
        np.savez(aside, **nested((model,)), seconds=np.array([spent() - begun]))
        aside.replace(path)
        return model


def spent() -> float:
    """CPU seconds of this process, and those that the models it read took to fit."""
    return time.process_time() + sum(_read)


def key_of(estimator: RankerEstimator, histories: Histories, run: Run) -> str:
    """The name of the file: a digest of all that the model depends on."""
    hashed = hashlib.sha256(f"{estimator!r}\n{histories.n_products}\n{run.seed}\n{_code(SOURCES)}".encode())
    for array in (histories.indptr, histories.products, histories.days, histories.visits):
        hashed.update(f"\n{array.shape}\n".encode() + np.ascontiguousarray(array, dtype="<i8").tobytes())
    return hashed.hexdigest()[:24]


def _open(path: Path) -> Ranker:
    with np.load(path, allow_pickle=False) as found:
        _read.append(float(found["seconds"][0]))
        return parts_of(dict(found))[0]


@cache
def _code(folder: Path) -> str:
    """A digest of every source file, by name and content."""
    hashed = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.suffix in CODE):
        hashed.update(f"{path.relative_to(folder)}\n{path.stat().st_size}\n".encode())
        hashed.update(path.read_bytes())
    return hashed.hexdigest()
