"""In the place of mlxtend: its own answers, frame by frame, over small worlds; and where ours is right and its is not."""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import basketry.frequent_patterns as ours
from basketry.associations.mining.inputs import transactions
from basketry.core.errors import DataError, NotFound, RequestError
from basketry.frequent_patterns.rules import METRICS

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlxtend.frequent_patterns as theirs

# mlxtend warns of DataFrames without booleans, and divides by zero
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:mlxtend", "ignore::RuntimeWarning", "ignore::UserWarning:mlxtend"
)

MINERS = ("apriori", "fpgrowth", "hmine")


@st.composite
def worlds(draw, nulls=False):
    rows, columns = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    cell = st.sampled_from([0.0, 1.0, np.nan] if nulls else [False, True])
    data = draw(st.lists(st.lists(cell, min_size=columns, max_size=columns), min_size=rows, max_size=rows))
    return pd.DataFrame(data, columns=[f"p{n}" for n in range(columns)])


def sets(frame):
    return dict(zip(frame["itemsets"], frame["support"], strict=True))


def rules(frame):
    keys = zip(frame["antecedents"], frame["consequents"], strict=True)
    return dict(zip(keys, frame.drop(columns=["antecedents", "consequents"]).astype(float).to_numpy().tolist(), strict=True))


def same_rules(one, two):
    one, two = rules(one), rules(two)
    assert one.keys() == two.keys()
    for key, figures in one.items():
        assert figures == pytest.approx(two[key], rel=1e-9, abs=1e-9, nan_ok=True), key


@pytest.mark.parametrize("name", ["apriori", "fpgrowth", "fpmax", "hmine", "association_rules"])
def test_the_signature_is_theirs(name):
    def told(function):
        found = inspect.signature(function).parameters.values()
        return [(each.name, list(each.default) if each.name == "return_metrics" else each.default) for each in found]

    assert told(getattr(ours, name)) == told(getattr(theirs, name))


@settings(deadline=None)
@given(worlds(), st.integers(1, 12), st.booleans(), st.sampled_from([None, 1, 2, 3]))
def test_itemsets_are_theirs(frame, count, use_colnames, max_len):
    min_support = min(count, len(frame)) / len(frame)
    asked = {"use_colnames": use_colnames, "max_len": max_len}
    wanted = theirs.apriori(frame, min_support, **asked)
    for name in MINERS:
        found = getattr(ours, name)(frame, min_support, **asked)
        assert sets(found) == sets(wanted)
        pd.testing.assert_frame_equal(found, wanted)  # the very order, types and index
    # mlxtend's fpmax loses ties to rounding, and pairs with them
    lowered = theirs.fpmax(frame, (min(count, len(frame)) - 0.5) / len(frame), **asked)
    assert sets(ours.fpmax(frame, min_support, **asked)) == sets(lowered)


@settings(deadline=None)
@given(worlds(), st.sampled_from([0.15, 0.3, 0.55, 0.8]))
def test_every_dtype_and_sparse_columns_give_the_same_frame(frame, min_support):
    wanted = ours.apriori(frame, min_support)
    forms = [
        frame.astype(int),
        frame.astype(float),
        frame.astype(object),
        frame.astype("boolean"),
        frame.astype(pd.SparseDtype(bool, False)),
        frame.astype(pd.SparseDtype(int, 0)),
        frame.astype(pd.SparseDtype(float, 0.0)),
        pd.DataFrame.sparse.from_spmatrix(sp.csc_matrix(frame.to_numpy().astype(np.int8))),
    ]
    for form in forms:
        pd.testing.assert_frame_equal(ours.apriori(form, min_support), wanted)


@settings(deadline=None)
@given(
    worlds(),
    st.sampled_from([0.15, 0.3]),
    st.sampled_from(METRICS),
    st.sampled_from([0.0, 0.31, 0.52, 0.77, 1.03]),
    st.booleans(),
)
def test_rules_are_theirs(frame, min_support, metric, min_threshold, exact):
    itemsets = theirs.apriori(frame, min_support, use_colnames=True)
    if not len(itemsets):
        with pytest.raises(DataError):
            ours.association_rules(itemsets)
        return
    asked = {"metric": metric, "num_itemsets": len(frame) if exact else 1}
    # a measure of exactly 0 may come out as ±1e-17 there
    wanted = theirs.association_rules(itemsets, min_threshold=min_threshold - 1e-9, **asked)
    found = ours.association_rules(itemsets, min_threshold=min_threshold, **asked)
    same_rules(found, wanted)
    assert list(found.columns) == list(wanted.columns)
    assert found.dtypes.to_list() == wanted.dtypes.to_list()
    if len(found):
        whole = [x | y for x, y in zip(found["antecedents"], found["consequents"], strict=True)]
        assert whole == [x | y for x, y in zip(wanted["antecedents"], wanted["consequents"], strict=True)]
        assert list(map(len, found["antecedents"])) == list(map(len, wanted["antecedents"]))


@settings(deadline=None)
@given(worlds(), st.sampled_from([0.1, 0.4]))
def test_support_only_needs_no_part_to_be_there(frame, min_threshold):
    itemsets = theirs.fpmax(frame, 0.15)
    if len(itemsets):
        wanted = theirs.association_rules(itemsets, support_only=True, min_threshold=min_threshold)
        same_rules(ours.association_rules(itemsets, support_only=True, min_threshold=min_threshold), wanted)


@settings(deadline=None, max_examples=40)  # mlxtend looks at each row of each rule in Python
@given(worlds(nulls=True), st.sampled_from([0.13, 0.27, 0.41]), st.booleans())
def test_nulls_are_told_of_as_there(frame, min_support, use_colnames):
    asked = {"null_values": True, "use_colnames": use_colnames}
    wanted = theirs.fpgrowth(frame, min_support, **asked)
    found = ours.fpgrowth(frame, min_support, **asked)
    assert sets(found) == pytest.approx(sets(wanted))
    assert sets(ours.fpmax(frame, min_support, **asked)) == pytest.approx(sets(theirs.fpmax(frame, min_support, **asked)))
    if not len(wanted) or len(frame) == 1:
        return
    itemsets = complete(wanted)
    asked = {"num_itemsets": len(frame), "df_orig": frame, "null_values": True, "metric": "support", "min_threshold": 0.1}
    same_rules(ours.association_rules(itemsets, **asked), theirs.association_rules(itemsets, **asked))


def complete(itemsets):
    """The itemsets all of whose parts are there: with nulls, supports do not fall with length."""
    known = set(itemsets["itemsets"])
    kept = [all(frozenset(one - {item}) in known or len(one) == 1 for item in one) for one in itemsets["itemsets"]]
    smaller = itemsets[kept]
    return smaller if len(smaller) == len(itemsets) else complete(smaller)


def test_a_confidence_that_just_reaches_the_threshold_is_kept():
    """4 of 5 is .8; from supports as floats, .8 is not reached: (4/10) / (5/10) is, (12/49) / (15/49) is not."""
    rows = [[True, True]] * 12 + [[True, False]] * 3 + [[False, False]] * 34
    itemsets = ours.apriori(pd.DataFrame(rows, columns=["x", "y"]), 0.1, use_colnames=True)
    lost = (12 / 49) / (15 / 49)
    assert lost < 0.8
    assert len(theirs.association_rules(itemsets, min_threshold=0.8)) == 1
    for told in ({}, {"num_itemsets": 49}):
        found = ours.association_rules(itemsets, min_threshold=0.8, **told)
        assert [(set(x), set(y)) for x, y in found[["antecedents", "consequents"]].to_numpy()] == [
            ({"x"}, {"y"}),
            ({"y"}, {"x"}),
        ]


def test_a_support_that_just_reaches_the_threshold_is_kept_by_every_miner():
    frame = pd.DataFrame({"a": [True] * 7 + [False] * 93, "b": [True] * 7 + [False] * 93})
    assert 0.07 * 100 > 7
    assert len(theirs.fpgrowth(frame, 0.07)) == 3 and len(theirs.hmine(frame, 0.07)) < 3
    for name in MINERS:
        assert len(getattr(ours, name)(frame, 0.07)) == 3


def test_the_frozensets_of_the_frame_are_shared_by_its_rules():
    itemsets = ours.apriori(pd.DataFrame([[True] * 3] * 2), 0.5)
    found = ours.association_rules(itemsets, num_itemsets=2)
    known = {id(each) for each in itemsets["itemsets"]}
    assert len(found) == 12
    assert {id(each) for side in ("antecedents", "consequents") for each in found[side]} <= known


@pytest.mark.parametrize("name", ["apriori", "fpgrowth", "fpmax", "hmine"])
def test_what_they_refuse_is_refused(name):
    miner = getattr(ours, name)
    frame = pd.DataFrame({"a": [0, 1, 2], "b": [1, 1, 0]})
    with pytest.raises(ValueError, match="column 'a' has 1 values"):
        miner(frame, 0.5)
    with pytest.raises(DataError, match="nan in row 1"):
        miner(pd.DataFrame({"a": [np.nan, 1.0], "b": [1.0, 1.0]}), 0.5)
    for share in (0, -0.1, 1.1):
        with pytest.raises(RequestError, match="min_support is"):
            miner(frame.clip(upper=1), share)
    assert miner(frame.iloc[:0], 0.5).shape == (0, 2)
    assert miner(frame.clip(upper=1), 1.0).shape == (0, 2)


def test_rules_of_an_incomplete_frame_are_refused_with_the_part_that_is_missing():
    itemsets = pd.DataFrame({"support": [0.5, 0.5], "itemsets": [frozenset({"a"}), frozenset({"a", "b"})]})
    with pytest.raises(KeyError) as caught:
        ours.association_rules(itemsets)
    assert isinstance(caught.value, NotFound) and "{'b'}" in str(caught.value)
    with pytest.raises(ValueError, match="no column 'support'"):
        ours.association_rules(itemsets[["itemsets"]])
    with pytest.raises(ValueError, match="no metric is called 'x'"):
        ours.association_rules(itemsets, metric="x")
    with pytest.raises(ValueError, match="df_orig"):
        ours.association_rules(itemsets, null_values=True)


def test_numpy_numbers_in_itemsets_become_plain_ones():
    itemsets = theirs.apriori(pd.DataFrame([[True, True]] * 2), 0.5)
    found = ours.association_rules(itemsets, num_itemsets=2)
    assert {type(item) for each in found["antecedents"] for item in each} == {int}


@pytest.mark.data
def test_the_410_classic_rules_of_the_groceries_are_all_found(datasets):
    """Support .001 and confidence .8: 410 rules with one item on the right, 413 in all; mlxtend finds 406 of the 410."""
    known = transactions(datasets / "groceries_arules/groceries.csv")
    baskets = known.baskets
    matrix = sp.csr_matrix((np.ones(len(baskets.items), dtype=bool), baskets.items, baskets.indptr), shape=(len(known), 169))
    frame = pd.DataFrame.sparse.from_spmatrix(matrix, columns=known.names.to_list())
    itemsets = ours.apriori(frame, 0.001, use_colnames=True)
    assert len(itemsets) == 13_492
    for told in ({}, {"num_itemsets": 9_835}):
        found = ours.association_rules(itemsets, min_threshold=0.8, **told)
        assert (len(found), int((found["consequents"].map(len) == 1).sum())) == (413, 410)
    theirs_found = theirs.association_rules(itemsets, min_threshold=0.8)
    assert int((theirs_found["consequents"].map(len) == 1).sum()) == 406
