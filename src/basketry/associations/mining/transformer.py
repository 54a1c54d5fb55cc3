"""From baskets to features for scikit-learn: which itemsets a basket holds, or which rules speak for something it lacks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final, Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from basketry.associations.mining.inputs import transactions
from basketry.associations.mining.itemsets import Itemsets, MinedItemsets
from basketry.associations.mining.rules import Rules
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError, RequestError
from basketry.core.protocols import Run
from basketry.kernels.itemsets import Kind
from basketry.kernels.trees import Int32s, ItemsetTree

FEATURES: Final = ("itemsets", "rules")
_CELLS: Final = 20_000_000  # counts of a block of baskets held at a time: some 250 MB at the worst


class RuleFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A transformer: `fit` mines the baskets given, `transform` says of each basket what was found in it.

    With features="itemsets", one column an itemset of `kind` with at least `min_length` items: 1 where the basket holds all of
    it. With features="rules", one column a rule X => y with one item y and a confidence of at least `min_confidence`: the
    confidence where the basket holds X and not yet y, 0 elsewhere. The `max_features` in most baskets (rules: of highest
    confidence) are kept; ties go to what is in more baskets, then to shorter ones, then by the order of names.

    Baskets come in any form that basketry.mine takes with a row a basket: lists of names, one-hot tables, arrays, scipy
    matrices. In tables and lists items are known by name, and one never seen before is passed over; in arrays and matrices by
    the place of their column. The answer is always a scipy CSR matrix, float64: time and memory go with what is there.
    """

    def __init__(
        self,
        min_support: int | float = 0.01,
        *,
        features: Literal["itemsets", "rules"] = "itemsets",
        kind: Kind = "closed",
        min_length: int = 2,
        min_confidence: float = 0.3,
        max_features: int = 1000,
    ) -> None:
        self.min_support = min_support
        self.features = features
        self.kind = kind
        self.min_length = min_length
        self.min_confidence = min_confidence
        self.max_features = max_features

    def fit(self, X: object, y: object = None) -> Self:  # noqa: ARG002, N803 - scikit-learn's names
        """Mine the baskets `X`. Sets `names_` (the items), `left_`, `right_` (items of each feature) and `score_`."""
        if self.features not in FEATURES:
            raise RequestError(f"features {self.features!r} are not known", f"choose one of {', '.join(FEATURES)}")
        found = transactions(X)
        if not len(found):
            raise DataError("there is no basket to learn from", "give at least one")
        self._known_by_place = _has_places(X)
        self.n_features_in_ = len(found.names)
        self.names_ = found.names
        run = Run()
        if self.features == "itemsets":
            mined = Itemsets(self.min_support, self.kind).fit(found, run)
            nodes = self._best(mined)
            self.left_ = _columns(mined.tree, nodes, len(found.names))
            self.right_ = sparse.csc_array((len(found.names), len(nodes)))
            self.score_ = np.ones(len(nodes))
        else:
            rules = Rules(min_confidence=self.min_confidence, max_consequent=1).fit(
                Itemsets(self.min_support).fit(found, run), run
            )
            n_xy, n_x, _ = rules.counts()
            tree = rules.itemsets.tree
            order = np.lexsort((rules.consequent, rules.antecedent, tree.lengths[rules.antecedent], -n_xy, -(n_xy / n_x)))
            best = rules.take(order[: self.max_features])
            self.left_ = _columns(tree, best.antecedent, len(found.names))
            self.right_ = _columns(tree, best.consequent, len(found.names))
            self.score_ = best.measure("confidence")
        return self

    def transform(self, X: object) -> sparse.csr_array:  # noqa: N803
        """What each basket of `X` holds of the features: [n_baskets, n_features]. Raises DataError for columns too few or many."""
        check_is_fitted(self)
        baskets = self._coded(transactions(X), X)
        held = _contained(baskets, self.left_)
        if self.right_.nnz:
            held = held - held.multiply(_contained(baskets, self.right_))
        scored = sparse.csr_array(held.multiply(self.score_[None, :]))
        scored.eliminate_zeros()
        return scored

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:  # noqa: ARG002
        """What each column stands for: `jam & tea`, or `jam & tea => bun`."""
        told = [_told(self.left_, self.names_)]
        if self.features == "rules":
            told.append(_told(self.right_, self.names_))
        return np.array([" => ".join(sides) for sides in zip(*told, strict=True)], dtype=object)

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn may expect: two-dimensional 0 and 1, dense or sparse, or lists of names."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags

    def _best(self, mined: MinedItemsets) -> Int32s:
        """The nodes of the itemsets to keep, best first."""
        nodes = mined.tree.members
        nodes = nodes[mined.tree.lengths[nodes] >= self.min_length]
        order = np.lexsort((nodes, mined.tree.lengths[nodes], -mined.tree.support[nodes]))
        return nodes[order[: self.max_features]]

    def _coded(self, found: Transactions, given: object) -> sparse.csr_array:
        """Baskets as a 0/1 matrix [n, items] over the items known."""
        width = len(self.names_)
        if _has_places(given) != self._known_by_place:
            raise DataError(
                "items were known by place in one of fit and transform, and by name in the other", "give both alike"
            )
        if self._known_by_place:
            if len(found.names) != width:
                raise DataError(
                    f"X has {len(found.names)} features, but {type(self).__name__} is expecting {width} features as input",
                    "give the columns of fit",
                )
            place = np.arange(width)
        elif found.names.dtype.is_integer() != self.names_.dtype.is_integer() and len(found.names) and width:
            raise DataError(
                f"items are {found.names.dtype}, but were {self.names_.dtype}", "name items alike in fit and transform"
            )
        else:
            known = pl.DataFrame({"item": self.names_, "place": np.arange(width)})
            asked = found.names.cast(self.names_.dtype).alias("item").to_frame()
            place = asked.join(known, on="item", how="left", maintain_order="left")["place"].fill_null(-1).to_numpy()
        rows = np.repeat(np.arange(len(found)), found.baskets.sizes)
        codes = place[found.baskets.items] if len(place) else found.baskets.items
        there = codes >= 0
        return sparse.csr_array((np.ones(int(there.sum()), dtype=np.int32), (rows[there], codes[there])), (len(found), width))


def _has_places(data: object) -> bool:
    """Whether items are known by the place of a column: in arrays and matrices."""
    return hasattr(data, "shape") and not hasattr(data, "columns") and not isinstance(data, pl.Series | pl.LazyFrame)


def _columns(tree: ItemsetTree, nodes: Int32s, width: int) -> sparse.csc_array:
    """The items of each node as a column of ones, int32 [items, k]."""
    indptr, items = tree.flatten(nodes)
    return sparse.csc_array((np.ones(len(items), dtype=np.int32), items, indptr), shape=(width, len(nodes)))


def _contained(baskets: sparse.csr_array, itemsets: sparse.csc_array) -> sparse.csr_array:
    """1 where a basket holds all items of an itemset, int8 [n, k]: the items they share are as many as the itemset has.

    A block of baskets at a time, so that the counts of partly held itemsets never pile up.
    """
    lengths = np.diff(itemsets.indptr)
    step = max(1, _CELLS // max(len(lengths), 1))
    parts = []
    for first in range(0, max(baskets.shape[0], 1), step):
        shared = (baskets[first : first + step] @ itemsets).tocsr()
        whole = shared.data == lengths[shared.indices]
        ends = np.concatenate([[0], np.cumsum(whole)])[shared.indptr]
        held = (np.ones(int(whole.sum()), dtype=np.int8), shared.indices[whole], ends)
        parts.append(sparse.csr_array(held, shape=shared.shape))
    return sparse.csr_array(sparse.vstack(parts))


def _told(itemsets: sparse.csc_array, names: pl.Series) -> list[str]:
    words = names.cast(pl.String).to_list()
    listed = [words[code] for code in itemsets.indices.tolist()]
    return [" & ".join(listed[a:b]) for a, b in pairwise(itemsets.indptr.tolist())]
