"""The schedule against values worked by hand, and the order of the examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.training.plan import TrainingPlan


def test_the_rate_rises_in_a_line_and_falls_in_half_a_cosine() -> None:
    plan = TrainingPlan(learning_rate=1.0, warmup=0.4)
    # 10 steps, w = 4: 1/4, 2/4, 3/4, 1, then (1 + cos(pi k / 6)) / 2 for k = 0..5.
    expected = [0.25, 0.5, 0.75, 1.0, 1.0, 0.9330127, 0.75, 0.5, 0.25, 0.0669873]
    assert [plan.rate(step, 10) for step in range(10)] == pytest.approx(expected)


def test_without_warm_up_the_first_step_has_the_highest_rate() -> None:
    assert TrainingPlan(learning_rate=3e-4, warmup=0).rate(0, 5) == 3e-4


@given(examples=st.integers(1, 200), size=st.integers(1, 50), epoch=st.integers(0, 3))
def test_an_epoch_holds_every_example_once_in_batches_of_equal_size(examples: int, size: int, epoch: int) -> None:
    plan = TrainingPlan(batch_size=size)
    batches = plan.order(examples, seed=5, epoch=epoch)
    assert len(batches) == plan.batches(examples)
    sizes = [len(batch) for batch in batches]
    assert max(sizes) <= size and max(sizes) - min(sizes) <= 1
    assert sorted(np.concatenate(batches).tolist()) == list(range(examples))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    plan = TrainingPlan(batch_size=100)
    orders = [plan.order(100, seed, epoch)[0].tolist() for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert orders[0] == orders[1] and orders[0] != orders[2] and orders[0] != orders[3]


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0.0},
        {"epochs": 0},
        {"warmup": 1.5},
        {"accumulate": 65},
        {"precision": "fp8"},
        {"max_norm": float("nan")},
    ],
)
def test_values_out_of_range_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(RequestError, match=next(iter(wrong))):
        TrainingPlan(**wrong)
