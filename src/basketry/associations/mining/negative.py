"""Negative patterns: what is bought often, and with something else seldom or never.

A depleted pair is **no proof of substitution**. Three dull reasons deplete pairs too: customers of different tastes (the one
buys coffee, the other tea), stores that stock the one or the other, and products whose seasons part. So each pair is held
against three yardsticks, and the last is the telling one:

- `ratio`: against independence of the margins, n_a n_b / n.
- `adjusted_ratio`: against what baskets of their sizes expect (see `associations.adjustment`). Large baskets hold everything,
  so they hide depletion.
- `within_ratio`: among customers who ever bought both, each held against their own habits: expected = sum over those customers
  of their baskets with A, times their baskets with B, over all their baskets. Taste and store cancel. What remains are
  customers who want one thing of the kind a trip, or who changed from the one to the other for good.

Whether a pair is called a substitute is for `associations.verdict`, which asks for the next trip as a placebo, and for like
texts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from basketry.associations.history import History, Pairs
from basketry.associations.mining.depletion import (
    Counts,
    Floats,
    Ratio,
    depletion_p_values,
    odds_ratio,
    ratio,
    stratified_p_values,
    yule_q,
)
from basketry.associations.mining.itemsets import min_count
from basketry.associations.significance import benjamini_hochberg
from basketry.core.errors import RequestError
from basketry.core.telemetry import span

if TYPE_CHECKING:
    from basketry.associations.baskets import BasketMatrix
    from basketry.associations.margins import Margins
    from basketry.associations.mining.transactions import Transactions
    from basketry.core.protocols import Run

_BLOCK: Final = 256  # items whose expectations with all others stand in memory at a time


@dataclass(frozen=True)
class NegativePairs:
    """Finds pairs of items, each frequent, that share baskets less often than chance, those that never meet among them.

    The family of tests is chosen by margins alone: every pair of items in at least `min_support` of the baskets that should
    meet `min_expected` times by chance (fewer, and not even a count of none says anything: P(0) = e^-5 at 5). Every pair of the
    family is tested and q is over all of it, whatever was counted. Limits: `max_pairs` pairs in the family, at about 200 bytes
    each, and the memory of `History` for the counts.
    """

    min_support: int | float = field(
        default=0.01, metadata={"doc": "of each item; a whole number counts, a fraction is a share"}
    )
    min_expected: float = field(
        default=5.0, metadata={"doc": "meetings that chance would bring, below which a pair is not tested"}
    )
    max_pairs: int = field(default=5_000_000, metadata={"doc": "pairs to test at most"})

    def __post_init__(self) -> None:
        if not 0 < self.min_expected < float("inf") or self.max_pairs < 1:
            raise RequestError(
                f"min_expected is {self.min_expected} and max_pairs {self.max_pairs}",
                "min_expected lies above 0, max_pairs starts at 1",
            )

    def fit(self, transactions: Transactions, run: Run) -> NegativeModel:
        """Count and test them. `run.threads` changes nothing but the time."""
        baskets = transactions.baskets
        with span("negative pairs", total=3, unit="steps") as progress:
            history = History.of(baskets, run)
            progress.advance()
            pairs = self._family(history.margins.baskets, len(baskets), baskets.n_products)
            together = history.together(pairs)
            progress.advance()
            within = expected_within(baskets, pairs)
            progress.advance()
            progress.note(tested=len(pairs))
        return NegativeModel.of(
            transactions, history.margins, pairs, together.baskets, (together.expected, within), self.min_expected
        )

    def _family(self, frequency: Counts, n: int, n_items: int) -> Pairs:
        floor = min_count(self.min_support, n)
        items = np.flatnonzero(frequency >= floor)
        items = items[np.argsort(-frequency[items], kind="stable")]
        often = frequency[items].astype(np.float64)
        # Frequent enough beside an item is a prefix of the order; only those before itself, so that each pair comes once.
        needed = self.min_expected * n / np.maximum(often, 1)
        partners = np.minimum(np.searchsorted(-often, -needed * (1 - 1e-12), side="right"), np.arange(len(items)))
        if partners.sum() > self.max_pairs:
            raise RequestError(
                f"{int(partners.sum()):,} pairs are frequent enough to be tested, more than {self.max_pairs:,}",
                "raise min_support or min_expected, or allow more with max_pairs",
            )
        second = np.repeat(np.arange(len(items)), partners)
        first = np.arange(len(second)) - np.repeat(np.cumsum(partners) - partners, partners)
        return Pairs.of(items[first], items[second], n_items)


def expected_within(baskets: BasketMatrix, pairs: Pairs) -> Floats:
    """Meetings to expect of each pair if every customer bought A and B independently, each at their own rate.

    Sum over customers c of n_ac n_bc / n_c, with n_c the baskets of c and n_ac those with A; only customers who bought both
    count, by themselves. A customer of one basket expects all of what was counted there, so anonymous baskets add what they
    hold.
    """
    items = np.unique(np.concatenate([pairs.a, pairs.b]))
    place = np.full(baskets.n_products, -1)
    place[items] = np.arange(len(items))
    _, customer = np.unique(baskets.customers, return_inverse=True)
    rows, columns = np.repeat(customer, baskets.sizes), place[baskets.items]
    chosen = columns >= 0
    shape = (int(customer.max(initial=-1)) + 1, len(items))
    ones = np.ones(int(chosen.sum()))
    habits = sparse.csc_array(sparse.coo_array((ones, (rows[chosen], columns[chosen])), shape=shape))
    rates = sparse.csr_array(sparse.diags_array(1.0 / np.bincount(customer, minlength=shape[0])) @ habits)
    a, b, found = place[pairs.a], place[pairs.b], np.zeros(len(pairs))
    for start in range(0, len(items), _BLOCK):
        inside = np.flatnonzero((a >= start) & (a < start + _BLOCK))
        if len(inside):
            expected = (habits[:, start : start + _BLOCK].T @ rates).toarray()
            found[inside] = expected[a[inside] - start, b[inside]]
    return found


@dataclass(frozen=True, eq=False)
class NegativeModel:
    """Every pair of the family, aligned: counts, expectations on the three yardsticks, and their tests."""

    names: pl.Series
    n_baskets: int
    pairs: Pairs
    n_ab: Counts
    n_a: Counts
    n_b: Counts
    expected: Floats
    adjusted: Floats
    within: Floats
    per_customer: Floats
    p: Floats
    q: Floats
    within_p: Floats
    within_q: Floats

    @classmethod
    def of(
        cls,
        transactions: Transactions,
        margins: Margins,
        pairs: Pairs,
        n_ab: Counts,
        expectations: tuple[Floats, Floats],
        min_expected: float,
    ) -> NegativeModel:
        """Test the counts of `pairs`; `expectations`: adjusted for basket size, and within customers."""
        n = len(transactions)
        n_a, n_b = margins.baskets[pairs.a], margins.baskets[pairs.b]
        repeats = margins.baskets / np.maximum(margins.customers, 1)
        per_customer = np.maximum(np.maximum(repeats[pairs.a], repeats[pairs.b]), 1.0)
        p = depletion_p_values(n_ab, n_a, n_b, n, per_customer)
        adjusted, within = expectations
        known = bool((np.diff(transactions.baskets.customers) == 0).any())
        testable = (within >= min_expected) & known
        within_p, within_q = np.full(len(pairs), np.nan), np.full(len(pairs), np.nan)
        within_p[testable] = stratified_p_values(n_ab[testable], within[testable])
        within_q[testable] = benjamini_hochberg(within_p[testable], int(testable.sum()))
        return cls(
            names=transactions.names,
            n_baskets=n,
            pairs=pairs,
            n_ab=n_ab,
            n_a=n_a,
            n_b=n_b,
            expected=n_a * (n_b / max(n, 1)),
            adjusted=adjusted,
            within=np.where(known, within, np.nan),
            per_customer=per_customer,
            p=p,
            q=benjamini_hochberg(p, len(p)),
            within_p=within_p,
            within_q=within_q,
        )

    def __len__(self) -> int:
        return len(self.pairs)

    def depleted(self, level: float = 0.05, *, within: bool = False) -> npt.NDArray[np.bool_]:
        """Pairs called at a false discovery rate of `level`: by baskets, or within the customers who bought both."""
        called: npt.NDArray[np.bool_] = np.nan_to_num(self.within_q if within else self.q, nan=1.0) <= level
        return called

    def frame(self, level: float = 0.05) -> pl.DataFrame:
        """The depleted pairs, the most certain first: `item`, `other`, counts, the three ratios with 95% intervals, p and q.

        `exclusive` is P(A xor B) = (n_a + n_b - 2 n_ab) / n, the share of baskets that hold just one of the two; `odds_ratio`
        and `yule_q` say the same of A and of B. `ratio` is n_ab over n_a n_b / n. `within_*` is null where customers are not
        known, or those who bought both expect too few meetings to be tested.
        """
        rows = np.flatnonzero(self.depleted(level))
        rows = rows[np.lexsort((self._ratio(self.expected, rows).high, self.p[rows]))]
        ab, a, b, n = self.n_ab[rows], self.n_a[rows], self.n_b[rows], self.n_baskets
        columns: dict[str, object] = {
            "item": self.names.gather(self.pairs.a[rows]),
            "other": self.names.gather(self.pairs.b[rows]),
            "baskets": ab,
            "item_baskets": a,
            "other_baskets": b,
            "exclusive": (a + b - 2 * ab) / max(n, 1),
            "odds_ratio": odds_ratio(ab, a, b, n),
            "yule_q": yule_q(ab, a, b, n),
        }
        for prefix, expected in (("", self.expected), ("adjusted_", self.adjusted), ("within_", self.within)):
            found = self._ratio(expected, rows)
            columns[f"{prefix}expected"] = expected[rows]
            columns |= {f"{prefix}ratio": found.value, f"{prefix}low": found.low, f"{prefix}high": found.high}
        columns |= {"p": self.p[rows], "q": self.q[rows], "within_p": self.within_p[rows], "within_q": self.within_q[rows]}
        return pl.DataFrame(columns).with_columns(pl.selectors.float().fill_nan(None))

    def rules(self, level: float = 0.05) -> pl.DataFrame:
        """The rules X => not Y of the depleted pairs, both ways, the most certain first.

        `antecedent` X and `absent` Y (lists), `baskets` with X and without Y, `support` their share, `confidence` P(not Y | X),
        `lift` of the negation confidence / P(not Y), `leverage`, and `p`, `q` of the pair.
        """
        rows = np.flatnonzero(self.depleted(level))
        rows = rows[np.argsort(self.p[rows], kind="stable")]
        both = [
            self._one_way(rows, self.pairs.a, self.pairs.b, self.n_a, self.n_b),
            self._one_way(rows, self.pairs.b, self.pairs.a, self.n_b, self.n_a),
        ]
        return pl.concat(both).sort("p", "confidence", descending=[False, True], maintain_order=True)

    def _one_way(
        self, rows: npt.NDArray[np.intp], x: npt.NDArray[np.int32], y: npt.NDArray[np.int32], n_x: Counts, n_y: Counts
    ) -> pl.DataFrame:
        n, alone = self.n_baskets, n_x[rows] - self.n_ab[rows]
        without = n - n_y[rows]
        confidence = alone / n_x[rows]
        return pl.DataFrame(
            {
                "antecedent": self.names.gather(x[rows]).reshape((-1, 1)).cast(pl.List(self.names.dtype)),
                "absent": self.names.gather(y[rows]).reshape((-1, 1)).cast(pl.List(self.names.dtype)),
                "baskets": alone,
                "support": alone / n,
                "confidence": confidence,
                "lift": confidence * (n / without),
                "leverage": (alone * n - n_x[rows] * without) / n / n,
                "p": self.p[rows],
                "q": self.q[rows],
            }
        )

    def _ratio(self, expected: Floats, rows: npt.NDArray[np.intp]) -> Ratio:
        return ratio(self.n_ab[rows], expected[rows], self.per_customer[rows])
