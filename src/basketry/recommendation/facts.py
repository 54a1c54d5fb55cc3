"""What is known of the products that may be shown: a frame in the order of their codes, read by filters and policies."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from basketry.core.errors import DataError, NotFound, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from basketry.core.histories import Floats, Int32s, Int64s
    from basketry.core.protocols import Vectors

Kind = Literal["text", "number", "flag", "day", "texts"]


@dataclass(frozen=True, eq=False)
class Facts:
    """Row i of `frame` is the product of code i; `vectors` float32 [n, dim], unit norm or zero, are what diversity compares.

    `product_id` must be there, each once. Any other column can be asked for by filters: those of the table Products, and what a
    shop adds. Three have a meaning of their own: `hidden` (true: never shown), `stock` (0 or less: never shown; unknown: there
    is some) and `margin` (higher is better, of any unit). Columns read once are kept: some 4 to 40 bytes a product each.
    Raises DataError for a frame or vectors that break this.
    """

    frame: pl.DataFrame
    vectors: Vectors | None = None
    _folded: dict[str, tuple[pl.Series, Int64s]] = field(default_factory=dict, init=False, repr=False)
    _spelt: dict[str, dict[str, str]] = field(default_factory=dict, init=False, repr=False)
    _codes: dict[str, tuple[Int32s, tuple[str, ...]]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if "product_id" not in self.frame.columns or self.frame["product_id"].n_unique() != len(self):
            raise DataError("facts need a column product_id in which each product stands once", "join other facts by it")
        if self.vectors is not None and (self.vectors.ndim != 2 or len(self.vectors) != len(self)):
            raise DataError(f"vectors of shape {self.vectors.shape} for {len(self)} products", "give one vector a product")

    def __len__(self) -> int:
        return self.frame.height

    @cached_property
    def _places(self) -> dict[str, int]:
        return {str(each): code for code, each in enumerate(self.frame["product_id"])}

    def code(self, product_id: str) -> int:
        """The code of a product, or -1 if there is none of that id."""
        return self._places.get(product_id, -1)

    def has(self, column: str) -> bool:
        """Whether a column is there."""
        return column in self.frame.columns

    def kind(self, column: str) -> Kind:
        """What a column holds. Raises RequestError if it is not there, or holds what cannot be asked for."""
        import polars as pl

        if not self.has(column):
            near = difflib.get_close_matches(column, self.frame.columns, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(self.frame.columns)}"
            raise RequestError(f"products have no column {column!r}", hint)
        dtype = self.frame.schema[column]
        if dtype in (pl.String, pl.Categorical, pl.Enum):
            return "text"
        if isinstance(dtype, pl.List) and dtype.inner in (pl.String, pl.Categorical, pl.Enum):
            return "texts"
        if dtype.is_numeric():
            return "number"
        if dtype == pl.Boolean:
            return "flag"
        if dtype == pl.Date:
            return "day"
        raise RequestError(f"column {column} holds {dtype}, which cannot be asked for", "use text, numbers, flags or days")

    def folded(self, column: str) -> tuple[pl.Series, Int64s]:
        """The texts of a column in lower case, and the product of each: several of one product where it holds lists."""
        import polars as pl

        if column not in self._folded:
            texts, rows = self.frame[column], np.arange(len(self), dtype=np.int64)
            if self.kind(column) == "texts":
                lengths = texts.list.len().fill_null(0).to_numpy()
                rows = np.repeat(rows, lengths)
                texts = texts.filter(pl.Series(lengths > 0)).explode()
            self._folded[column] = texts.cast(pl.String).str.to_lowercase(), rows
        return self._folded[column]

    def spelling(self, column: str) -> dict[str, str]:
        """Every text of a column by its lower case."""
        import polars as pl

        if column not in self._spelt:
            texts = self.frame[column].explode() if self.kind(column) == "texts" else self.frame[column]
            held = texts.cast(pl.String).drop_nulls().unique().sort(descending=True)  # of two spellings the capitals stay
            self._spelt[column] = dict(zip(held.str.to_lowercase().to_list(), held.to_list(), strict=True))
        return self._spelt[column]

    def known(self, column: str, values: Iterable[str]) -> None:
        """Raise NotFound, with what is near, for a text that stands nowhere in a column."""
        held = self.spelling(column)
        for value in values:
            if value.lower() in held:
                continue
            near = [held[each] for each in difflib.get_close_matches(value.lower(), held, n=3)]
            known = near or sorted(held.values())[:5]
            hint = f"did you mean {' or '.join(known)}?" if near else f"there are, for instance, {', '.join(known)}"
            hint = hint if known else f"no product has any {column}"
            raise NotFound(f"no product has {column} {value!r}", hint)

    def groups(self, column: str) -> tuple[Int32s, tuple[str, ...]]:
        """The group of each product by a text column, int32 [n], -1 where it is unknown, and the names of the groups."""
        if column not in self._codes:
            if self.kind(column) != "text":
                raise RequestError(f"column {column} does not group products", "name a column of texts, as category or brand")
            held = self.spelling(column)
            number = {each: i for i, each in enumerate(held)}
            folded, _ = self.folded(column)
            codes = folded.replace_strict(number, default=-1, return_dtype=_int32()).fill_null(-1).to_numpy()
            self._codes[column] = codes, tuple(held.values())
        return self._codes[column]

    def numbers(self, column: str) -> Floats:
        """A column of numbers as float64 [n], NaN where unknown."""
        import polars as pl

        if self.kind(column) != "number":
            raise RequestError(f"column {column} holds no numbers", "name one that does, as price or stock")
        values: Floats = self.frame[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        return values


def _int32() -> pl.DataType:
    import polars as pl

    return pl.Int32()
