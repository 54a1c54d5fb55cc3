"""The walk through trees against one in Python, and against LightGBM where it is installed."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

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
    np.array([1.0, 2.0, 3.0, 10.0]),
    np.array([4.0, 2.0]),
    np.array([2.0, 1.0, 1.0, 4.0]),
)


def test_by_hand():
    nan = float("nan")
    x = np.array([[0.5, 9], [0.6, 2], [0.6, 2.1], [nan, 0], [1, nan]], dtype=np.float32)
    assert BY_HAND.predict(x).tolist() == [11, 12, 13, 11, 12]  # a NaN of x0 counts as 0
    # nothing known: half of 1, a quarter of 2 and of 3, and 10. Of the first row x1 alone gives half of 1 and of 3, 2, x0 alone
    # 1, both 1: x1 is worth the mean of 2 - 1.75 and of 1 - 1, x0 that of 1 - 1.75 and of 1 - 2
    assert np.allclose(BY_HAND.shapley(x)[[0, 3]], [[-0.875, 0.125, 11.75], [-0.625, -0.125, 11.75]])
    # of the second x0 alone gives the mean of 2 and 3, x1 alone 1.5, both 2
    assert np.allclose(BY_HAND.shapley(x)[1], [(0.75 + 0.5) / 2, (-0.25 - 0.5) / 2, 11.75])
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
        rng.normal(size=total + trees),
        *_covers(child, rng),
    ), rng


def _covers(children, rng):
    """Rows that came to each split and leaf: those of a split are those of its children."""
    covers, leaf_covers = [np.empty(0)], [np.empty(0)]
    for own in children:
        leaves = rng.integers(1, 9, len(own) + 1).astype(float)
        cover = np.zeros(len(own))
        for split in range(len(own))[::-1]:
            cover[split] = sum(cover[each] if each >= 0 else leaves[-1 - each] for each in own[split])
        covers.append(cover)
        leaf_covers.append(leaves)
    return np.concatenate(covers), np.concatenate(leaf_covers)


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
    assert np.abs(forest.shapley(x).sum(axis=1) - found).max() <= 1e-9
    assert (found >= forest.lowest - 1e-9).all()


def expected(forest, row, known):
    """The mean prediction where only some features are known, node by node."""

    def below(t, at):
        leaf = forest.leaf_start[t] - 1 - at
        if at < 0:
            return forest.leaf[leaf]
        split = forest.split_start[t] + at
        own = [
            forest.cover[forest.split_start[t] + each] if each >= 0 else forest.leaf_cover[forest.leaf_start[t] - 1 - each]
            for each in forest.child[split]
        ]
        values = [below(t, each) for each in forest.child[split]]
        if forest.feature[split] not in known:
            return np.dot(own, values) / sum(own)
        x, flags = float(row[forest.feature[split]]), int(forest.flags[split])
        x = 0.0 if np.isnan(x) and not flags & 2 else x
        missing = np.isnan(x) or (flags & 4 and x == 0)
        return values[0 if (bool(flags & 1) if missing else x <= forest.threshold[split]) else 1]

    trees = range(len(forest.split_start) - 1)
    return sum(below(t, 0 if forest.split_start[t + 1] > forest.split_start[t] else -1) for t in trees)


@given(forests())
def test_shapley_values_are_means_over_all_orders(made):
    forest, rng = made
    x = rng.integers(-3, 4, (3, forest.n_features)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    orders = list(permutations(range(forest.n_features)))
    for row, found in zip(x, forest.shapley(x), strict=True):
        by_hand = np.zeros(forest.n_features + 1)
        by_hand[-1] = expected(forest, row, ())
        for order in orders:
            for place, feature in enumerate(order):
                gain = expected(forest, row, order[: place + 1]) - expected(forest, row, order[:place])
                by_hand[feature] += gain / len(orders)
        assert np.abs(found - by_hand).max() <= 1e-9


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
        {"cover": np.array([4.0, 0.0])},
        {"child": np.array([[-1, 1], [-2, -2]], dtype=np.int32)},  # one leaf twice, another never
    ],
)
def test_arrays_in_which_a_walk_could_get_lost_are_refused(broken):
    with pytest.raises(ValueError, match=r"child|feature|leaf|split_start|threshold|cover"):
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
    assert np.allclose(forest.shapley(x), booster.predict(x, pred_contrib=True), rtol=0, atol=1e-9)
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
