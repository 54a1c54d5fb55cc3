"""The walk through trees against one in Python, and against LightGBM where it is installed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.core.errors import DataError
from basketry.core.protocols import Run
from basketry.kernels.forest import Forest
from basketry.recommendation.boosting import Boosting, read_forest

# A stump: x0 <= 0.5 -> 1, else -> x1 <= 2 -> 2, else 3; and a tree that is one leaf, 10.
BY_HAND = Forest(
    2,
    np.array([0, 2, 2]),
    np.array([0, 3, 4]),
    np.array([0, 1], dtype=np.int32),
    np.array([0.5, 2.0]),
    np.array([0, 2 | 1], dtype=np.uint8),  # of x1 a NaN is missing and goes left
    np.array([[-1, 1], [-2, -3]], dtype=np.int32),
    np.array([1.5, 2.5]),
    np.array([1.0, 2.0, 3.0, 10.0]),
)


def test_by_hand():
    nan = float("nan")
    x = np.array([[0.5, 9], [0.6, 2], [0.6, 2.1], [nan, 0], [1, nan]], dtype=np.float32)
    assert BY_HAND.predict(x).tolist() == [11, 12, 13, 11, 12]  # a NaN of x0 counts as 0
    did = BY_HAND.contributions(x)
    # every row begins at 1.5 + 10; x0 takes it to 1 or 2.5, x1 from 2.5 to 2 or 3
    assert did.tolist() == [[-0.5, 0, 11.5], [1, -0.5, 11.5], [1, 0.5, 11.5], [-0.5, 0, 11.5], [1, -0.5, 11.5]]
    assert BY_HAND.lowest == 11
    zero = replace(BY_HAND, flags=np.array([4, 0], dtype=np.uint8))  # zero is missing and goes right
    assert zero.predict(np.array([[0, 0], [-1, 0]], dtype=np.float32)).tolist() == [12, 11]


@st.composite
def forests(draw):
    """Random trees: each split's children are later splits of its tree or leaves."""
    seed, trees, features = draw(st.integers(0, 10**6)), draw(st.integers(0, 4)), draw(st.integers(1, 3))
    rng = np.random.default_rng(seed)
    splits = rng.integers(0, 6, trees)
    child = []
    for n in splits:
        # grow: take a free place, put the next split there
        slots, own = [], np.zeros((n, 2), dtype=np.int32)
        for split in range(n):
            if slots:
                at = slots.pop(int(rng.integers(len(slots))))
                own[at] = split
            slots += [(split, 0), (split, 1)]
        for leaf, at in enumerate(slots):
            own[at] = -1 - leaf
        child.append(own)
    total = int(splits.sum())
    return Forest(
        features,
        np.concatenate([[0], np.cumsum(splits)]).astype(np.int64),
        np.concatenate([[0], np.cumsum(splits + 1)]).astype(np.int64),
        rng.integers(0, features, total).astype(np.int32),
        rng.integers(-2, 3, total).astype(np.float64),
        rng.integers(0, 8, total).astype(np.uint8),
        np.concatenate([np.empty((0, 2), dtype=np.int32), *child]),
        rng.normal(size=total),
        rng.normal(size=total + trees),
    ), rng


def walked(forest, row):
    total = 0.0
    for t in range(len(forest.split_start) - 1):
        first, leaves = forest.split_start[t], forest.leaf[forest.leaf_start[t] :]
        at = 0 if forest.split_start[t + 1] > first else -1
        while at >= 0:
            split = first + at
            x, flags = float(row[forest.feature[split]]), int(forest.flags[split])
            if np.isnan(x) and not flags & 2:
                x = 0.0
            missing = np.isnan(x) or (flags & 4 and x == 0)
            left = bool(flags & 1) if missing else x <= forest.threshold[split]
            at = int(forest.child[split, 0 if left else 1])
        total += leaves[-1 - at]
    return total


@given(forests())
def test_walks_as_its_twin(made):
    forest, rng = made
    x = rng.integers(-3, 4, (20, forest.n_features)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    found = forest.predict(x)
    assert np.allclose(found, [walked(forest, row) for row in x])
    assert np.allclose(forest.contributions(x).sum(axis=1), found)
    assert (found >= forest.lowest - 1e-9).all()


@pytest.mark.parametrize(
    "broken",
    [
        {"child": np.array([[-1, 0], [-2, -3]], dtype=np.int32)},  # round and round
        {"child": np.array([[-1, 2], [-2, -3]], dtype=np.int32)},
        {"child": np.array([[-1, 1], [-2, -4]], dtype=np.int32)},  # the next tree's leaf
        {"feature": np.array([0, 2], dtype=np.int32)},
        {"leaf_start": np.array([0, 4, 4])},
        {"split_start": np.array([0, 2, 1])},
        {"threshold": np.array([0.5])},
        {"leaf": np.array([1.0, 2.0, 3.0, 4.0], dtype=np.float32)},
    ],
)
def test_arrays_in_which_a_walk_could_get_lost_are_refused(broken):
    with pytest.raises(ValueError, match=r"child|feature|leaf|split_start|threshold"):
        replace(BY_HAND, **broken)
    with pytest.raises(ValueError, match="contiguous float32"):
        BY_HAND.predict(np.zeros((2, 3), dtype=np.float32))


def learned(rounds=30):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2_000, 5)).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = np.nan
    relevant = np.nan_to_num(x[:, 0]) + np.nan_to_num(x[:, 2]) ** 2 + rng.normal(size=2_000) > 1.5
    return Boosting(rounds=rounds, least=10).fit(x, relevant, np.arange(0, 2_001, 20), Run(threads=1)), x, relevant


def test_reads_what_lightgbm_writes():
    lightgbm = pytest.importorskip("lightgbm", reason="lightgbm writes what is read (pip install 'basketry[rank]')")
    text, x, relevant = learned()
    forest = read_forest(text)
    booster = lightgbm.Booster(model_str=text.tobytes().decode())
    assert np.allclose(forest.predict(x), booster.predict(x), rtol=0, atol=1e-12)
    assert len(forest.split_start) - 1 == booster.num_trees() > 1
    found = forest.predict(x)
    assert found[relevant].mean() > found[~relevant].mean() + 0.5


def test_a_damaged_text_is_refused():
    pytest.importorskip("lightgbm", reason="lightgbm writes what is damaged (pip install 'basketry[rank]')")
    text = learned(rounds=3)[0].tobytes().decode()
    for old, new in (
        ("num_cat=0", "num_cat=1"),
        ("max_feature_idx", "max"),
        ("left_child=", "left_child=x "),
        ("left_child=", "left_child=99999999999 "),
    ):
        with pytest.raises(DataError):
            read_forest(np.frombuffer(text.replace(old, new).encode(), dtype=np.uint8))
    with pytest.raises(DataError):
        read_forest(np.array([255, 254], dtype=np.uint8))
