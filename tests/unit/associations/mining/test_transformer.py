"""Features of baskets, against subset tests in Python; and what scikit-learn asks of a transformer."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from basketry.associations.mining import transformer
from basketry.associations.mining.transformer import RuleFeatures
from basketry.core.errors import DataError, RequestError

ITEMS = list("abcde")
WORLDS = st.lists(st.sets(st.sampled_from(ITEMS), max_size=5), min_size=1, max_size=12)
OTHERS = st.lists(st.sets(st.sampled_from([*ITEMS, "never seen"]), max_size=6), max_size=12)


@given(WORLDS, OTHERS, st.sampled_from(["all", "closed", "maximal"]), st.integers(1, 3), st.sampled_from([3, 20_000_000]))
def test_an_itemset_is_1_where_all_of_it_is_in_the_basket(world, others, kind, min_length, cells):
    held = transformer._CELLS
    transformer._CELLS = cells  # blocks of few baskets give the same
    try:
        fitted = RuleFeatures(1, kind=kind, min_length=min_length).fit(world)
        found = fitted.transform(others)
    finally:
        transformer._CELLS = held
    names = [set(name.split(" & ")) for name in fitted.get_feature_names_out()]
    assert isinstance(found, sp.csr_array) and found.dtype == np.float64
    assert found.shape == (len(others), len(names))
    assert found.toarray().tolist() == [[float(itemset <= basket) for itemset in names] for basket in others]
    assert all(len(itemset) >= min_length for itemset in names)


@given(WORLDS, OTHERS)
def test_a_rule_is_its_confidence_where_it_speaks_for_something_the_basket_lacks(world, others):
    fitted = RuleFeatures(1, features="rules", min_confidence=0.4).fit(world)
    sides = [[set(side.split(" & ")) for side in name.split(" => ")] for name in fitted.get_feature_names_out()]
    confidence = [sum(x | y <= basket for basket in world) / sum(x <= basket for basket in world) for x, y in sides]
    wanted = [
        [c if x <= basket and not y <= basket else 0 for (x, y), c in zip(sides, confidence, strict=True)] for basket in others
    ]
    found = fitted.transform(others)
    assert found.shape == (len(others), len(sides))
    np.testing.assert_allclose(found.toarray().reshape(len(others), len(sides)), np.array(wanted).reshape(found.shape))
    assert confidence == sorted(confidence, reverse=True) and all(c >= 0.4 for c in confidence)
    assert all(len(y) == 1 for _, y in sides)


def test_the_features_in_most_baskets_are_kept():
    world = [{"a", "b", "c"}, {"a", "b"}, {"a", "b"}, {"b", "c"}]
    assert RuleFeatures(1, kind="all").fit(world).get_feature_names_out().tolist()[:2] == ["a & b", "b & c"]
    assert RuleFeatures(1, kind="all", max_features=1).fit(world).get_feature_names_out().tolist() == ["a & b"]


def test_lists_tables_and_matrices_give_the_same_features():
    marks = np.random.default_rng(0).random((60, 5)) < 0.4
    lists = [[ITEMS[place] for place in np.flatnonzero(row)] for row in marks]
    wanted = RuleFeatures(2).fit(lists).transform(lists).toarray()
    table = pd.DataFrame(marks, columns=ITEMS)
    for form in (table, table.astype(pd.SparseDtype(bool, False)), pl.DataFrame(marks, schema=ITEMS)):
        assert (RuleFeatures(2).fit(form).transform(form).toarray() == wanted).all()
    for form in (marks, marks.astype(np.int8), sp.csr_matrix(marks), sp.coo_array(marks)):
        fitted = RuleFeatures(2).fit(form)
        assert fitted.n_features_in_ == 5
        assert (fitted.transform(form).toarray() == wanted).all()
    shuffled = table[ITEMS[::-1]]
    assert (RuleFeatures(2).fit(table).transform(shuffled).toarray() == wanted).all()  # known by name


def test_what_does_not_fit_is_refused():
    marks = np.ones((3, 2), dtype=bool)
    fitted = RuleFeatures(1).fit(marks)
    with pytest.raises(DataError, match="X has 3 features, but RuleFeatures is expecting 2"):
        fitted.transform(np.ones((3, 3), dtype=bool))
    with pytest.raises(DataError, match="known by place in one"):
        fitted.transform([["a"]])
    with pytest.raises(DataError, match="items are String, but were Int64"):
        RuleFeatures(1).fit([[1, 2]]).transform([["1"]])
    with pytest.raises(NotFittedError):
        RuleFeatures().transform(marks)
    with pytest.raises(RequestError, match="features 'pairs'"):
        RuleFeatures(features="pairs").fit(marks)
    with pytest.raises(DataError, match="no basket"):
        RuleFeatures().fit([])


def test_it_works_in_a_pipeline_with_a_model():
    random = np.random.default_rng(1)
    marks = random.random((400, 6)) < 0.5
    both = marks[:, 0] & marks[:, 1]
    model = make_pipeline(RuleFeatures(0.05, kind="all"), LogisticRegression(C=1e4))
    assert model.fit(sp.csr_array(marks), both).score(sp.csr_array(marks), both) == 1.0
    assert clone(model[0]).get_params() == model[0].get_params()


class OfMarks(RuleFeatures):
    """The same over any numbers, so that scikit-learn's checks, which draw from a normal law, have something to check."""

    def fit(self, X, y=None):
        return super().fit(self._marks(X))

    def transform(self, X):
        return super().transform(self._marks(X))

    @staticmethod
    def _marks(X):
        return (np.asarray(X, dtype=np.float64) > 1).astype(np.int8) if isinstance(X, np.ndarray) else X


NOT_MEANT = {
    "check_estimators_nan_inf": "the subclass of this test makes marks of NaN",
    "check_complex_data": "the words of the error differ",
    "check_estimators_empty_data_messages": "no item at all is a basket that holds none",
    "check_transformer_data_not_an_array": "an array is told by its type",
    "check_fit2d_predict1d": "the subclass of this test takes the array first",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("features", ["itemsets", "rules"])
def test_scikit_learn_finds_nothing_else_to_say(features):
    done = check_estimator(OfMarks(0.1, features=features), expected_failed_checks=NOT_MEANT, on_fail="raise")
    assert sum(check["status"] == "passed" for check in done) > 30
