"""The benchmark of the next product: histories in a file's order and dealt anew, and models found again on disk."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from basketry.core.histories import Candidates, Histories, Queries
from basketry.core.protocols import Run
from basketry.recommendation.item_graph import ItemGraph
from basketry.recommendation.protocols import leave_one_out
from basketry.recommendation.transitions import Transitions


def benchmark(root: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, root / f"benchmarks/quality/{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def days(pytestconfig: pytest.Config) -> ModuleType:
    return benchmark(pytestconfig.rootpath, "shuffled_days")


@pytest.fixture(scope="module")
def kept(pytestconfig: pytest.Config) -> ModuleType:
    return benchmark(pytestconfig.rootpath, "kept_models")


ROWS = [("b", "y", 7), ("a", "x", 5), ("a", "z", 5), ("a", "y", 5), ("b", "x", 3), ("a", "x", 9), ("a", "w", 9)]


def test_steps_are_by_day_then_by_the_file_and_each_product_once(days: ModuleType) -> None:
    found = days.steps_of(ROWS)
    # by day: b x 3, a x 5, a z 5, a y 5, b y 7, a w 9 (a has x already); so b = 0, a = 1 and x, z, y, w = 0, 1, 2, 3
    assert found.indptr.tolist() == [0, 2, 6]
    assert found.products.tolist() == [0, 2, 0, 1, 2, 3]
    assert found.days.tolist() == [3, 7, 5, 5, 5, 9]
    assert found.visits.tolist() == [0, 1, 0, 1, 2, 3]
    assert leave_one_out(found).relevant.indices.tolist() == [2, 3]


def test_dealing_moves_nothing_out_of_its_day_and_gives_every_order_its_turn(days: ModuleType) -> None:
    histories = days.steps_of(ROWS)
    seen = set()
    for seed in range(60):
        found = days.shuffled(histories, seed)
        assert found.days.tolist() == histories.days.tolist()
        assert found.visits.tolist() == histories.visits.tolist()
        assert found.products[[0, 1, 5]].tolist() == [0, 2, 3]
        seen.add(tuple(found.products[2:5].tolist()))
    assert len(seen) == 6
    assert all(sorted(each) == [0, 1, 2] for each in seen)


def test_tied_counts_customers_whose_last_two_are_of_one_day(days: ModuleType) -> None:
    rows = [("a", "x", 1), ("a", "y", 2), ("a", "z", 2), ("b", "x", 1), ("b", "y", 1), ("b", "z", 4), ("c", "x", 2)]
    assert days.tied(days.steps_of(rows)) == 0.5  # a, not b; c has one event


@dataclass(frozen=True)
class Counting:
    """Transitions that tell how often they were fitted."""

    path: Path
    hop: float = 0.3

    def fit(self, histories: Histories, run: Run) -> ItemGraph:
        with self.path.open("a") as file:
            file.write("fitted\n")
        return Transitions(hop=self.hop).fit(histories, run)


def test_a_model_is_fitted_once_and_read_back_alike(kept: ModuleType, tmp_path: Path) -> None:
    histories = Histories.from_rows([[0, 1, 2], [1, 2, 3], [2, 3, 0]], 4)
    queries = Queries(histories, histories.days[histories.indptr[1:] - 1])
    log, run = tmp_path / "log", Run()

    def ranked(hop: float, histories: Histories) -> np.ndarray:
        model = kept.Kept(Counting(log, hop), tmp_path / "models").fit(histories, run)
        return model.rank(queries, 3, Candidates(repeats=True)).products

    first = ranked(0.3, histories)
    spent = kept.spent()
    assert ranked(0.3, histories).tolist() == first.tolist()
    assert kept.spent() >= spent  # what it took to fit counts again in a process that reads it
    assert log.read_text().count("fitted") == 1
    ranked(0.2, histories)
    ranked(0.3, Histories.from_rows([[0, 1, 2], [1, 2, 3], [2, 3, 1]], 4))
    assert log.read_text().count("fitted") == 3
