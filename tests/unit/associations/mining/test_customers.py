"""Distinct customers behind itemsets, against sets of names in Python."""

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from basketry.associations.mining.customers import customers_of
from basketry.associations.mining.inputs import transactions
from basketry.kernels.itemsets import mine_itemsets

ROWS = st.lists(
    st.tuples(st.sampled_from([None, "ann", "bob", "cem"]), st.sets(st.sampled_from("abcde"), min_size=1)),
    min_size=1,
    max_size=15,
)


@given(ROWS, st.sampled_from(["all", "closed", "maximal"]))
def test_customers_are_those_with_a_basket_that_holds_it_all(rows, kind):
    lines = [(place, who, item) for place, (who, basket) in enumerate(rows) for item in basket]
    frame = pl.DataFrame(lines, schema={"order": pl.Int64, "who": pl.String, "item": pl.String}, orient="row")
    found = transactions(frame, customer="who")
    baskets = found.baskets
    tree = mine_itemsets(baskets.indptr, baskets.items, baskets.n_products, min_count=1, kind=kind)
    everything = np.arange(len(tree.parent), dtype=np.int32)
    indptr, items = tree.flatten(everything)
    counted = customers_of(found, tree)
    assert counted.dtype == np.int64 and len(counted) == len(everything)
    for node in everything:
        whole = {found.names[code] for code in items[indptr[node] : indptr[node + 1]].tolist()}
        wanted = {who or f"anonymous {place}" for place, (who, basket) in enumerate(rows) if whole <= basket}
        assert counted[node] == len(wanted)


def test_where_each_basket_is_a_customer_they_are_the_supports():
    found = transactions([["a", "b"], ["a"], ["a", "b", "c"]])
    baskets = found.baskets
    tree = mine_itemsets(baskets.indptr, baskets.items, 3, min_count=1)
    assert (customers_of(found, tree) == tree.support).all()
