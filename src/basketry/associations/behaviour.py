"""What shoppers do: products bought in one basket, and products bought in the order after."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from basketry.associations.adjustment import Exposure, adjusted_lift, exposure_next, exposure_together, stability
from basketry.associations.baskets import BasketMatrix, Int32s
from basketry.associations.edges import Edges
from basketry.associations.margins import Margins
from basketry.associations.measures import measures
from basketry.associations.mining.distributed import distributed_pairs
from basketry.associations.significance import benjamini_hochberg, pair_p_values
from basketry.core.protocols import Run
from basketry.core.telemetry import span
from basketry.kernels.pairs import Annotations, Floors, PairCounts, count_pairs

Int64s = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def _field(default: int, doc: str) -> int:
    value: int = field(default=default, metadata={"doc": doc})
    return value


@dataclass(frozen=True)
class _Counting:
    """The hyperparameters that both kinds of behavioural edge share."""

    min_customers: int = _field(
        20, "support floor and privacy bar: distinct customers behind an edge, and behind what it lets derive"
    )
    max_baskets_per_customer: int = _field(365, "only a customer's latest baskets count; a year of daily orders is a household")
    max_basket_size: int = _field(500, "distinct products; a larger basket is set aside, it pairs everything with everything")

    def __post_init__(self) -> None:
        if min(self.min_customers, self.max_baskets_per_customer, self.max_basket_size) < 1:
            raise ValueError(f"every hyperparameter starts at 1: {self}")

    def kept(self, baskets: BasketMatrix) -> BasketMatrix:
        """The baskets that count under these limits."""
        return _kept(baskets, self).baskets


@dataclass(frozen=True)
class BoughtTogether(_Counting):
    """Undirected edges between products of one basket.

    An edge stands where at least `min_customers` distinct customers bought both products in one basket, unless its margins
    would give away a smaller group: it is withheld where customers(A) - customers(AB) or baskets(A) - baskets(AB), or the
    same of B, lies strictly between 0 and `min_customers`. Cost: see `count_pairs`; a second or two a million lines.
    """

    def fit(self, baskets: BasketMatrix, run: Run) -> Edges:
        """Count and test every pair of products. The order of a basket's products and `run.threads` change nothing."""
        with span("bought_together", total=1, unit="count") as progress:
            kept = _kept(baskets, self)
            edges = _edges(_Occasions(kept.baskets, None), kept, self, run)
            progress.note(baskets=edges.n_baskets, edges=len(edges))
            progress.advance()
        return edges


@dataclass(frozen=True)
class BoughtNext(_Counting):
    """Directed edges from a product of one order to another product of the same customer's next order.

    Counted are steps from one order to the customer's next (of those kept): n_ab those with A in the earlier and B in the
    later. The step to a customer's first order, from nothing, and from the last, to nothing, count too, so that n_a and n_b are
    all orders with A and with B, and no product's last buyers can be told from two kinds of edge. Anonymous baskets have no
    next. An edge from a product to itself (a repeat) is left out. The floor and the privacy rule are those of `BoughtTogether`.
    """

    def fit(self, baskets: BasketMatrix, run: Run) -> Edges:
        """Count and test every ordered pair of products."""
        with span("bought_next", total=1, unit="count") as progress:
            kept = _kept(baskets, self)
            edges = _edges(_Occasions(kept.baskets, kept.baskets.next_orders()), kept, self, run)
            progress.note(orders=edges.n_baskets, edges=len(edges))
            progress.advance()
        return edges


@dataclass(frozen=True, eq=False)
class _Kept:
    baskets: BasketMatrix
    too_large: int
    over_cap: int


def _kept(baskets: BasketMatrix, limits: _Counting) -> _Kept:
    """The baskets that count: not too large, and of those each customer's latest."""
    small = baskets.select(baskets.sizes <= limits.max_basket_size)
    ends = np.searchsorted(small.customers, small.customers, side="right")
    recent = ends - np.arange(len(small)) <= limits.max_baskets_per_customer
    return _Kept(small.select(recent), len(baskets) - len(small), int(len(small) - recent.sum()))


@dataclass(frozen=True, eq=False)
class _Occasions:
    """The chances a pair has to occur: each basket, or each basket with the one it is partnered with."""

    baskets: BasketMatrix
    partner: Int32s | None

    @property
    def counted(self) -> Mask:
        """Whether a basket is an occasion."""
        return np.ones(len(self.baskets), dtype=np.bool_) if self.partner is None else self.partner >= 0

    def number(self) -> int:
        """How many there are: baskets; or steps between orders, the step to a customer's first and from the last too."""
        return len(self.baskets) + (0 if self.partner is None else len(np.unique(self.baskets.customers)))

    def late(self) -> Mask:
        """Whether a basket belongs to the later half of time, split at the median day of the occasions."""
        days = self.baskets.days
        counted = self.counted
        return days > np.median(days[counted]) if counted.any() else np.zeros(len(days), dtype=np.bool_)

    def exposure(self, counted: Mask) -> Exposure:
        """Exposure over the occasions where `counted` is true."""
        if self.partner is None:
            return exposure_together(self.baskets, counted)
        return exposure_next(self.baskets, self.partner, counted)


def _edges(occasions: _Occasions, kept: _Kept, limits: _Counting, run: Run) -> Edges:
    baskets, partner = occasions.baskets, occasions.partner
    late = occasions.late()
    about = Annotations(baskets.customers, partner, late.astype(np.uint8))
    counts = _counts(baskets, about, Floors(groups=limits.min_customers), run)
    margins = Margins.of(baskets)
    tells = margins.tell(counts, limits.min_customers)
    rows = np.flatnonzero(~tells)
    rows = rows[np.lexsort((counts.b[rows], counts.a[rows]))]
    a, b = counts.a[rows], counts.b[rows]
    n_ab, customers, n_late = (x[rows].astype(np.int64) for x in (counts.count, counts.groups, counts.marked))
    n_a, n_b, n = margins.baskets[a], margins.baskets[b], occasions.number()
    exposure = occasions.exposure(occasions.counted)
    adjusted = adjusted_lift(n_ab, customers, exposure.expected(a, b))
    n_tested = _pairs_within_reach(margins.customers, limits.min_customers, partner is not None)
    p = pair_p_values(n_ab, customers, n_a, n_b, n)
    return Edges(
        a=a,
        b=b,
        baskets=n_ab,
        customers=customers,
        **measures(n_ab, n_a, n_b, n),
        adjusted_lift=adjusted.lift,
        adjusted_low=adjusted.low,
        adjusted_high=adjusted.high,
        p=p,
        q=benjamini_hochberg(p, n_tested),
        stability=stability(
            (n_ab - n_late, occasions.exposure(~late).expected(a, b)), (n_late, occasions.exposure(late).expected(a, b))
        ),
        baskets_of=margins.baskets,
        customers_of=margins.customers,
        exposure_of=exposure.of,
        exposure_to=exposure.to,
        directed=partner is not None,
        n_baskets=n,
        n_tested=n_tested,
        baskets_too_large=kept.too_large,
        baskets_over_cap=kept.over_cap,
        edges_withheld=int(tells.sum()),
    )


def _counts(baskets: BasketMatrix, about: Annotations, floors: Floors, run: Run) -> PairCounts:
    """Counted here, or in parts on the run's cluster: the same rows, in another order."""
    indptr, items, n = baskets.indptr, baskets.items, baskets.n_products
    if run.cluster is None:
        return count_pairs(indptr, items, n, about=about, floors=floors, threads=run.threads)
    return distributed_pairs(run.cluster, indptr, items, n, parts=run.parts, about=about, floors=floors)


def _pairs_within_reach(customers: Int64s, min_customers: int, directed: bool) -> int:
    """Pairs of different products that could have reached the floor, judged by their margins alone."""
    within = int((customers >= min_customers).sum())
    ordered = within * (within - 1)
    return ordered if directed else ordered // 2
