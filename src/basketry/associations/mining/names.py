"""The names behind item codes: joined when baskets of two catalogues meet, and kept as plain arrays."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from basketry.associations.baskets import BasketMatrix, Int32s
from basketry.associations.mining.transactions import Transactions
from basketry.core.errors import DataError

if TYPE_CHECKING:
    from basketry.core.protocols import Arrays


def joined(names: pl.Series, more: pl.Series) -> tuple[pl.Series, Int32s]:
    """`names` followed by those of `more` it lacks, in their order; and the code in it of each of `more`, int32.

    Raises DataError where one is text and the other whole numbers.
    """
    if not len(more):
        return names, np.empty(0, dtype=np.int32)
    if len(names) and names.dtype != more.dtype:
        raise DataError(f"items named by {more.dtype} meet items named by {names.dtype}", "name items alike in both")
    whole = pl.concat([names, more.filter(~more.is_in(names.implode()))]) if len(names) else more
    known = pl.DataFrame({"name": whole, "code": np.arange(len(whole), dtype=np.int32)})
    codes = more.alias("name").to_frame().join(known, on="name", how="left", maintain_order="left")["code"]
    return whole.alias(names.name), codes.to_numpy().astype(np.int32)


def recoded(transactions: Transactions, names: pl.Series) -> Transactions:
    """The same baskets under the codes of `names`, followed by the names that are new."""
    if names.equals(transactions.names):
        return transactions
    whole, codes = joined(names, transactions.names)
    baskets = transactions.baskets
    items = codes[baskets.items] if len(baskets.items) else baskets.items
    return Transactions(BasketMatrix(baskets.indptr, items, baskets.customers, baskets.days, len(whole)), whole)


def names_to_arrays(names: pl.Series) -> Arrays:
    """Whole numbers as one int64 array `names`; text as its UTF-8 bytes, uint8 `names`, and `name_ends` int64 [n].

    A column of text in a Parquet file beside would be a second file to keep in step; this way one file holds all of a model.
    """
    if names.dtype.is_integer():
        return {"names": names.to_numpy().astype(np.int64)}
    encoded = [str(name).encode() for name in names.to_list()]
    ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
    return {"names": np.frombuffer(b"".join(encoded), dtype=np.uint8), "name_ends": ends}


def names_from_arrays(arrays: Arrays) -> pl.Series:
    """The names back. Raises DataError for bytes that no names were written as."""
    if "name_ends" not in arrays:
        return pl.Series("item", arrays["names"].astype(np.int64))
    ends = arrays["name_ends"].astype(np.int64)
    data = arrays["names"].tobytes()
    edges = np.concatenate([[0], ends])
    if (np.diff(edges) < 0).any() or edges[-1] != len(data):
        raise DataError("the ends of the names do not fit their bytes", "write the model again")
    try:
        texts = [data[a:b].decode() for a, b in pairwise(edges.tolist())]
    except UnicodeDecodeError as error:
        raise DataError(f"a name is not UTF-8: {error.reason}", "write the model again") from error
    return pl.Series("item", texts, dtype=pl.String)
