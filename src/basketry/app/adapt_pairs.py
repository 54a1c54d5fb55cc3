"""Where an adaptation takes its pairs from: the shop's own associations, or a table that says what goes together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from basketry.app.shop import Shop
    from basketry.core.protocols import Run
    from basketry.data.dataset import Dataset
    from basketry.training.adaptation.pairs import Pairs

BEHAVIOUR: Final = ("bought_together", "bought_next")
VERDICTS: Final = ("complement", "substitute")
SOURCES: Final = (*BEHAVIOUR, *VERDICTS)
_ROW: Final = " row"  # of the table as it was read, from 1
BEYOND_CHANCE: Final = 0.05  # largest q of an edge that is learned from


@dataclass(frozen=True, eq=False)
class FoundPairs:
    """The pairs, and what to remember of where they come from (plain JSON)."""

    pairs: Pairs
    account: dict[str, Any] = field(default_factory=dict)


def shop_pairs(shop: Shop, kind: str, as_of: str, min_customers: int, engine: str, run: Run) -> FoundPairs:
    """Texts of products that an edge of `kind` joins, known before `as_of` (ISO 8601; empty: everything).

    `bought_together` and `bought_next` are counted anew: edges of at least `min_customers` distinct customers, more frequent
    than chance (q <= 0.05 and the lower end of the adjusted lift above 1); their weight is the log of the adjusted lift.
    `complement` and `substitute` are the verdicts of the release that serves now; their weight is 1.

    Raises RequestError for another kind or instant, DataError and ReleaseError where there is nothing to read.
    """
    from basketry.app.instants import instant
    from basketry.core.errors import RequestError
    from basketry.core.tables import Documents, Products

    if kind not in SOURCES:
        raise RequestError(f"no pairs are called {kind!r}", f"use one of {', '.join(SOURCES)}")
    if kind in VERDICTS and as_of:
        raise RequestError(
            f"verdicts are those of a release, and cannot be cut at {as_of}", "build with --as-of, then adapt without it"
        )
    with shop.dataset(instant(as_of), engine=engine) as dataset:
        ids = dataset.table(Products).sort("product_id")["product_id"]
        texts = dict(dataset.query(Documents, "documents").iter_rows())
        account: dict[str, Any] = {"pairs": kind, "data_digest": dataset.digest, "min_customers": min_customers}
        if kind in VERDICTS:
            release = shop.releases.current()
            account |= {"release": release.id}
            rows, weights = _judged(release.path("associations.parquet"), kind, min_customers, ids)
        else:
            account |= {"as_of": as_of or None}
            rows, weights = _counted(dataset, kind, min_customers, len(ids), run)
    names = [_readable(texts.get(each)) for each in ids]
    return FoundPairs(_by_text(names, rows, weights), account)


def table_pairs(path: Path, run: Run) -> FoundPairs:
    """Pairs from a .parquet, .csv or .jsonl table: `text` and `label` (texts of one label go together), or `text_a`, `text_b`.

    With the latter, a column `weight` may say how much. Rows without text are left out. Raises SourceMissing, SourceFormat, or
    SourceColumns for a table with neither pair of columns.
    """
    import hashlib

    from basketry.app.text_tables import read_table
    from basketry.core.errors import SourceColumns
    from basketry.training.adaptation.pairs import Pairs

    table = read_table(path)
    account = {"pairs": "table", "file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    if {"text", "label"} <= set(table.columns):
        kept = _with_text(table.drop_nulls("label"), "text")
        return FoundPairs(Pairs.of_groups(kept["text"].to_list(), kept["label"].to_list(), run), account)
    if {"text_a", "text_b"} <= set(table.columns):
        kept = _with_text(table.with_row_index(_ROW, offset=1), "text_a", "text_b")
        weights = _weights(kept, path)
        return FoundPairs(Pairs.of_pairs(kept["text_a"].to_list(), kept["text_b"].to_list(), weights), account)
    raise SourceColumns(
        f"{path} has the columns {', '.join(table.columns)}", "name them text and label, or text_a and text_b (and weight)"
    )


def _counted(
    dataset: Dataset, kind: str, min_customers: int, products: int, run: Run
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Product codes [n, 2] and weights of the edges that chance does not explain."""
    import numpy as np

    from basketry.associations.behaviour import BoughtNext, BoughtTogether
    from basketry.associations.lookahead import read_baskets

    estimator: BoughtTogether | BoughtNext = BoughtTogether(min_customers=min_customers)
    if kind == "bought_next":
        estimator = BoughtNext(min_customers=min_customers)
    edges = estimator.fit(read_baskets(dataset, products), run)
    chosen = (edges.q <= BEYOND_CHANCE) & (edges.adjusted_low > 1)
    rows = np.stack([edges.a[chosen], edges.b[chosen]], axis=1).astype(np.int64)
    return rows, np.log(edges.adjusted_lift[chosen])


def _judged(
    path: Path, verdict: str, min_customers: int, ids: pl.Series
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Product codes [n, 2] of the pairs that a release gives this verdict on behavioural evidence; each weighs 1."""
    import numpy as np
    import polars as pl

    number = pl.DataFrame({"id": ids}).with_row_index("code")
    edges = pl.read_parquet(path, columns=["product_id", "other_id", "verdict", "customers"])
    edges = edges.filter((pl.col("verdict").cast(pl.String) == verdict) & (pl.col("customers") >= min_customers))
    pairs = edges.select("product_id", "other_id").unique()
    for side, column in (("one", "product_id"), ("two", "other_id")):
        pairs = pairs.join(number.rename({"id": column, "code": side}), on=column)
    rows = np.unique(np.sort(pairs.select(pl.col("one", "two").cast(pl.Int64)).to_numpy(), axis=1), axis=0)
    return rows, np.ones(len(rows))


def _by_text(texts: list[str | None], rows: npt.NDArray[np.int64], weights: npt.NDArray[np.float64]) -> Pairs:
    """Pairs of products as pairs of texts; products without text are left out."""
    from basketry.training.adaptation.pairs import Pairs

    found = [
        (one, two, float(weight))
        for (a, b), weight in zip(rows, weights, strict=True)
        if (one := texts[a]) is not None and (two := texts[b]) is not None
    ]
    return Pairs.of_pairs([each[0] for each in found], [each[1] for each in found], [each[2] for each in found])


def _readable(text: str | None) -> str | None:
    from basketry.encoders.documents import readable

    return text if text is not None and readable(text) else None


def _with_text(table: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """The rows in which every one of `columns` holds something to read."""
    import polars as pl

    from basketry.encoders.documents import readable

    kept = table.with_columns(pl.col(columns).cast(pl.String).fill_null(""))
    for column in columns:
        kept = kept.filter(pl.Series([readable(text) for text in kept[column]], dtype=pl.Boolean))
    return kept


def _weights(table: pl.DataFrame, path: Path) -> list[float]:
    import polars as pl

    from basketry.core.errors import DataError

    if "weight" not in table.columns:
        return [1.0] * len(table)
    numbers = table["weight"].cast(pl.Float64, strict=False)
    wrong = numbers.is_null() | ~numbers.is_finite().fill_null(False) | (numbers <= 0).fill_null(True)
    if wrong.any():
        first = table.row(int(wrong.arg_true()[0]), named=True)
        raise DataError(
            f"{int(wrong.sum()):,} weights of {path} are not above 0, first in row {first[_ROW]}: {first['weight']!r}",
            "leave such pairs out",
        )
    return numbers.to_list()
