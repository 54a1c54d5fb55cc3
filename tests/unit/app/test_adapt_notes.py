"""What is said of the cheap adapter beside the trained one."""

from __future__ import annotations

import numpy as np
import pytest

from basketry.app.adapt import _notes
from basketry.app.adapt_request import AdaptRequest
from basketry.evaluation.bootstrap import Resampled


def measured(value: float, noise: float, seed: int) -> Resampled:
    drawn = value + noise * np.random.default_rng(seed).normal(size=200)
    return Resampled({"recall@10": np.array([value, *drawn])})


@pytest.mark.parametrize(
    ("linear", "trained", "told"),
    [
        (0.6, 0.61, True),  # better than the base, and the trained one is not shown to be better still
        (0.6, 0.9, False),  # the trained one is
        (0.3, 0.31, False),  # no better than the base itself
    ],
)
def test_the_cheap_adapter_is_named_only_if_it_gains_and_is_not_shown_to_be_worse(linear, trained, told):
    found = {"base": measured(0.3, 0.0, 0), "linear": measured(linear, 0.02, 1), "contrastive": measured(trained, 0.02, 2)}
    notes = [note for note in _notes(AdaptRequest(), found, "") if "--method linear" in note]
    assert bool(notes) == told
    for note in notes:
        assert "not shown to be worse" in note and "recall@10 +0.010 (-0.0" in note
