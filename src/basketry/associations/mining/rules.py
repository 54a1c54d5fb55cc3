"""Association rules: which items foretell which, kept as three numbers each and measured when asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt
import polars as pl

from basketry.associations.contingency import Contingency, Counts, Floats
from basketry.associations.mining.context import IN_CONTEXT
from basketry.associations.mining.interest import ALIASES, INTEREST
from basketry.associations.mining.itemsets import MinedItemsets
from basketry.associations.significance import rules_within_reach
from basketry.core.errors import RequestError
from basketry.core.telemetry import span
from basketry.kernels.lattice import Lattice
from basketry.kernels.rules import Sizes, Splits, best_general_rules, split_itemsets
from basketry.kernels.trees import Int32s, ItemsetTree

if TYPE_CHECKING:
    from basketry.core.protocols import Run

_BLOCK: Final = 1 << 14  # rules measured at a time: their tables stay in the cache
SHOWN: Final = ("support", "confidence", "lift")


@dataclass(frozen=True)
class Rules:
    """The estimator: its fields are the hyperparameters."""

    min_confidence: float = field(
        default=0.0, metadata={"doc": "least share of the baskets with X that hold Y, taken exactly as it is written"}
    )
    max_antecedent: int = field(default=0, metadata={"doc": "most items of X; 0: no limit"})
    max_consequent: int = field(default=0, metadata={"doc": "most items of Y; 0: no limit"})
    max_rules: int = field(default=50_000_000, metadata={"doc": "more than these are refused; 12 bytes each"})

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1:
            raise RequestError(f"min_confidence is {self.min_confidence}", "a confidence lies between 0 and 1")
        for name in ("max_antecedent", "max_consequent", "max_rules"):
            if getattr(self, name) < 0:
                raise RequestError(f"{name} is {getattr(self, name)}", "give a whole number from 0 up")

    def fit(self, mined: MinedItemsets, run: Run) -> MinedRules:  # noqa: ARG002  # every estimator is told its circumstances
        """Every rule X => Y of the mined itemsets, X and Y disjoint and not empty, whose confidence is enough; exact.

        The itemsets must hold all subsets of each (kind `all`). Raises RequestError where they do not, and where there are more
        than `max_rules`. Time: some nanoseconds a rule; one thread.
        """
        lattice = Lattice.of(mined.tree)
        splits = split_itemsets(
            lattice,
            min_confidence=Fraction(repr(float(self.min_confidence))),
            sizes=Sizes(self.max_antecedent, self.max_consequent),
            max_rules=self.max_rules,
        )
        return MinedRules(
            mined,
            splits.antecedent,
            splits.consequent,
            splits.whole,
            tried=splits.tried,
            tested=rules_within_reach(mined.tree, self.max_antecedent, self.max_consequent),
            min_confidence=float(self.min_confidence),
            indexed=lattice,
        )


@dataclass(frozen=True, eq=False)
class MinedRules:
    """Rules X => Y: aligned int32 arrays [r] of the nodes of X, of Y, and of both together in `itemsets`.

    `tried` counts the splits the rules were chosen from, whatever their confidence; `tested` the rules that could have been
    found by the frequencies of X and Y alone, which is what `q` allows for. Measures are worked out when first asked for, a
    block of rules at a time, and kept: 8 bytes a rule and measure.
    """

    itemsets: MinedItemsets
    antecedent: Int32s
    consequent: Int32s
    whole: Int32s
    tried: int = 0
    tested: int = 0
    min_confidence: float = 0.0
    indexed: Lattice | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.whole)

    @property
    def n_baskets(self) -> int:
        """Baskets in all."""
        return self.itemsets.n_baskets

    @cached_property
    def lattice(self) -> Lattice:
        """The itemsets, to be found by their items."""
        return self.indexed or Lattice.of(self.itemsets.tree)

    @cached_property
    def best_general(self) -> tuple[Int32s, Int32s]:
        """Counts (XY, X) of the most confident rule with the same Y and a proper subset of X, the empty one too."""
        splits = Splits(self.antecedent, self.consequent, self.whole, self.tried)
        return best_general_rules(self.lattice, splits, self.n_baskets)

    @cached_property
    def _measured(self) -> dict[str, Floats]:
        return {}

    def counts(self, rows: slice = slice(None)) -> tuple[Counts, Counts, Counts]:
        """Baskets with X and Y, with X, with Y: int64 [r]."""
        support = self.itemsets.tree.support
        n_xy, n_x, n_y = (support[ids[rows]].astype(np.int64) for ids in (self.whole, self.antecedent, self.consequent))
        return n_xy, n_x, n_y

    def measure(self, name: str) -> Floats:
        """One measure, float64 [r], of those on the page of measures. Raises RequestError for a name that is none."""
        return self.measures((name,))[name]

    def measures(self, names: Iterable[str]) -> dict[str, Floats]:
        """Several measures in one pass over the rules."""
        wanted = {name: canonical(name) for name in names}
        missing = list(dict.fromkeys(each for each in wanted.values() if each not in self._measured))
        for name in missing:
            if name in IN_CONTEXT:
                self._measured[name] = IN_CONTEXT[name].of(self)
        of_counts = [name for name in missing if name in INTEREST and name not in self._measured]
        if of_counts:
            self._measured.update(self._of_counts(of_counts))
        return {name: self._measured[each] for name, each in wanted.items()}

    def _of_counts(self, names: list[str]) -> dict[str, Floats]:
        columns = {name: np.empty(len(self)) for name in names}
        with span("measures", total=len(self), unit="rules") as progress:
            for first in range(0, len(self), _BLOCK):
                rows = slice(first, min(first + _BLOCK, len(self)))
                table = Contingency.of(*self.counts(rows), self.n_baskets)
                for name, column in columns.items():
                    column[rows] = INTEREST[name].of(table)
                progress.advance(rows.stop - rows.start)
        return columns

    def take(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.integer]) -> Self:
        """The rules where a mask [r] is true, or at the given rows, in their order.

        Every measure of a rule stays what it was but `q`, which is over the rules at hand: fewer rules, never a smaller q.
        Ask for q before you filter.
        """
        ids = (self.antecedent[chosen], self.consequent[chosen], self.whole[chosen])
        return type(self)(
            self.itemsets, *ids, self.tried, self.tested, self.min_confidence, self.__dict__.get("lattice", self.indexed)
        )

    def where(self, name: str, *, at_least: float = -np.inf, at_most: float = np.inf) -> Self:
        """The rules whose measure `name` lies within bounds, both included."""
        values = self.measure(name)
        return self.take((values >= at_least) & (values <= at_most))

    def sort_by(self, name: str, *, descending: bool = True) -> Self:
        """The same rules by a measure; ties stay in their order."""
        values = self.measure(name)
        return self.take(np.argsort(-values if descending else values, kind="stable"))

    def head(self, k: int) -> Self:
        """The first k rules."""
        return self.take(np.arange(min(max(k, 0), len(self))))

    def named(self) -> tuple[pl.Series, pl.Series]:
        """Antecedents and consequents as list columns of names; an itemset is written out once, however many rules hold it."""
        used = np.zeros(len(self.itemsets.tree.parent), dtype=np.bool_)
        used[self.antecedent] = used[self.consequent] = True
        nodes = np.flatnonzero(used).astype(np.int32)
        place = np.cumsum(used) - 1
        lists = self.itemsets.named(nodes)
        return (
            lists.gather(place[self.antecedent]).alias("antecedent"),
            lists.gather(place[self.consequent]).alias("consequent"),
        )

    def frame(self, measures: Iterable[str] = ()) -> pl.DataFrame:
        """One row a rule: `antecedent`, `consequent` (lists), `baskets`, `support`, `confidence`, `lift`, then `measures`."""
        extra = [name for name in measures if name not in ("baskets", *SHOWN)]
        columns = self.measures((*SHOWN, *extra))
        antecedent, consequent = self.named()
        return pl.DataFrame([antecedent, consequent, pl.Series("baskets", self.counts()[0])]).with_columns(
            pl.Series(name, values) for name, values in columns.items()
        )

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """All of it as arrays: the rules, the tree, the names, and arrays of one for the facts."""
        tree = self.itemsets.tree
        return {
            "antecedent": self.antecedent,
            "consequent": self.consequent,
            "whole": self.whole,
            "parent": tree.parent,
            "item": tree.item,
            "support": tree.support,
            **_names_as_arrays(self.itemsets.names),
            "counts": np.array([self.itemsets.n_baskets, self.itemsets.min_count, self.tried, self.tested], dtype=np.int64),
            "min_confidence": np.array([self.min_confidence]),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, npt.NDArray[Any]]) -> Self:
        """The rules back from `state()`. Raises ValueError where a rule is made of what is no node."""
        tree = ItemsetTree(state["parent"], state["item"], state["support"])
        lattice = Lattice.of(tree)
        n_baskets, min_count, tried, tested = (int(each) for each in state["counts"])
        mined = MinedItemsets(tree, _names_from_arrays(state), n_baskets, min_count)
        antecedent, consequent, whole = (lattice.checked(state[name]) for name in ("antecedent", "consequent", "whole"))
        return cls(mined, antecedent, consequent, whole, tried, tested, float(state["min_confidence"][0]), lattice)


def canonical(name: str) -> str:
    """The measure that goes by this name. Raises RequestError for one that is none, with the nearest that is."""
    known = ALIASES.get(name, name)
    if known in INTEREST or known in IN_CONTEXT:
        return known
    near = get_close_matches(name, [*INTEREST, *IN_CONTEXT, *ALIASES], 1, 0.4)
    raise RequestError(
        f"no measure is called {name!r}", f"did you mean {near[0]}?" if near else "all names: docs/reference/measures.md"
    )


def _names_as_arrays(names: pl.Series) -> dict[str, npt.NDArray[Any]]:
    """Whole numbers as they are; text as UTF-8 bytes and where each name ends."""
    if names.dtype.is_integer():
        return {"names": names.cast(pl.Int64).to_numpy()}
    encoded = [str(name).encode() for name in names.to_list()]
    return {
        "names_utf8": np.frombuffer(b"".join(encoded), dtype=np.uint8),
        "names_end": np.cumsum([len(each) for each in encoded], dtype=np.int64),
    }


def _names_from_arrays(state: Mapping[str, npt.NDArray[Any]]) -> pl.Series:
    if "names" in state:
        return pl.Series("item", state["names"])
    text, ends = state["names_utf8"].tobytes(), state["names_end"].tolist()
    return pl.Series("item", [text[a:b].decode() for a, b in zip([0, *ends], ends, strict=False)], dtype=pl.String)
