"""Strength learned and proved by looking ahead inside the data.

```
history ────────────────▶ cut 1 ── horizon ──▶ cut 2 ── horizon ──▶ as_of
fit:   evidence before cut 1, what happened from cut 1 to cut 2
test:  evidence before cut 2, what happened from cut 2 to as_of      (never seen by the fit that is tested)
serve: evidence before as_of, weights fitted again on the test window
```
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from basketry.associations.baskets import BasketMatrix
from basketry.associations.history import History, Pairs
from basketry.associations.strength import FEATURES, PairEvidence, Strength, StrengthModel, poisson_rule
from basketry.core.tables import Baskets
from basketry.core.telemetry import span
from basketry.evaluation.binary import Outcomes
from basketry.evaluation.bootstrap import Interval

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.associations.behaviour import BoughtTogether
    from basketry.core.protocols import Run, Vectors
    from basketry.data.dataset import Dataset
    from basketry.vectors.index import VectorIndex

    Floats = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]
    Codes = npt.NDArray[np.int32]

BEGINNING: Final = "0001-01-01T00:00:00Z"
MOST_PAIRS: Final = 60_000  # of each kind of candidate; more are drawn from
BASELINES: Final = ("past_rate", "behaviour", "meaning")


@dataclass(frozen=True, eq=False)
class Catalogue:
    """What is known of products whatever is sold: codes are positions in sorted product ids.

    `vectors` float32 [documents, dim]; `document`, `category`, `subcategory`, `text_group` (texts that mean alike) are int32
    [n], -1 for none. `index` of the vectors, where there is one already.
    """

    vectors: Vectors
    document: Codes
    category: Codes
    subcategory: Codes
    text_group: Codes
    index: VectorIndex | None = None

    def similarity(self, a: Codes, b: Codes) -> Floats:
        """Cosine of the two texts, NaN where one has none; in blocks, so that a million pairs take 100 MB."""
        found = np.full(len(a), np.nan)
        known = np.flatnonzero((self.document[a] >= 0) & (self.document[b] >= 0))
        for rows in np.array_split(known, max(1, len(known) // 20_000)):
            left, right = self.vectors[self.document[a[rows]]], self.vectors[self.document[b[rows]]]
            found[rows] = np.clip(np.einsum("ij,ij->i", left, right), -1, 1)
        return found

    def evidence(self, pairs: Pairs, history: History, min_customers: int) -> PairEvidence:
        """All that may be said of the pairs at the end of `history`; a product of too few customers counts as new."""
        sold = np.where(history.margins.customers >= min_customers, history.margins.baskets, 0).astype(float)
        same = [(codes[pairs.a] == codes[pairs.b]) & (codes[pairs.a] >= 0) for codes in (self.category, self.subcategory)]
        return PairEvidence(
            together=history.published(pairs, min_customers),
            sold=sold[pairs.a],
            other_sold=sold[pairs.b],
            similarity=self.similarity(pairs.a, pairs.b),
            same_category=same[0].astype(float),
            same_subcategory=same[1].astype(float),
            text_lift=history.group_lift(pairs, self.text_group),
            category_lift=history.group_lift(pairs, self.subcategory),
            days=history.days(),
        )


@dataclass(frozen=True, eq=False)
class Proof:
    """The model to serve, and one row of Metrics (metric, model, slice, value, low, high, n) per figure of the hold-out."""

    model: StrengthModel
    metrics: list[dict[str, Any]]


@dataclass(frozen=True)
class Lookahead:
    """Fits `strength` on the next-to-last horizon, proves it on the last. Needs at least four horizons of history."""

    strength: Strength = field(default_factory=Strength)
    resamples: int = 100

    def fit(
        self, dataset: Dataset, catalogue: Catalogue, similar: tuple[Codes, Codes], counting: BoughtTogether, run: Run
    ) -> Proof | None:
        """None where the history is too short to look ahead twice.

        `similar` are the pairs whose texts are alike; `counting` gives the limits under which baskets and pairs count.
        """
        horizon = dt.timedelta(days=self.strength.horizon_days)
        late, early = dataset.as_of - horizon, dataset.as_of - 2 * horizon
        with span("look ahead", total=3, unit="steps") as progress:
            first = _window(dataset.before(late), early, catalogue, similar, counting, run)
            if first.evidence.days < 2 * self.strength.horizon_days:
                return None
            progress.advance()
            second = _window(dataset, late, catalogue, similar, counting, run)
            progress.advance()
            probability: dict[str, Floats] = {"past_rate": poisson_rule(second.evidence, self.strength.horizon_days)}
            for features in FEATURES:
                fitted = self.strength.fit(first.evidence, first.happened, run, features)
                probability[features] = fitted.probability(second.evidence)
            metrics = _metrics(probability, second, self.resamples, run)
            progress.advance()
        return Proof(self.strength.fit(second.evidence, second.happened, run), metrics)


@dataclass(frozen=True, eq=False)
class _Window:
    """Pairs, what was known of them at a cut, and whether they were bought together after it.

    `launched`: the pair has a product that was first sold after the cut, and both were sold then.
    """

    pairs: Pairs
    evidence: PairEvidence
    happened: Flags
    launched: Flags


def _window(
    dataset: Dataset, cut: dt.datetime, catalogue: Catalogue, similar: tuple[Codes, Codes], counting: BoughtTogether, run: Run
) -> _Window:
    n = len(catalogue.document)
    known = History.of(counting.kept(read_baskets(dataset.before(cut), n)), run)
    pairs = _candidates(known, similar, counting.min_customers, run)
    unsold = known.margins.baskets == 0
    evidence = catalogue.evidence(pairs, known, counting.min_customers)
    del known  # its millions of pairs are not needed beside those of the window after
    after = History.of(read_baskets(dataset, n, cut.isoformat()), run)
    sold = after.margins.baskets > 0
    launched = (unsold[pairs.a] | unsold[pairs.b]) & sold[pairs.a] & sold[pairs.b]
    return _Window(pairs, evidence, after.together(pairs).baskets > 0, launched)


def read_baskets(dataset: Dataset, n_products: int, since: str = BEGINNING) -> BasketMatrix:
    """Every basket known to `dataset` from the instant `since` on."""
    return BasketMatrix.from_frames(dataset.stream(Baskets, "baskets", {"since": since}), n_products)


def _candidates(known: History, similar: tuple[Codes, Codes], min_customers: int, run: Run) -> Pairs:
    """Pairs worth a question: those with an edge, those whose texts are alike, and pairs drawn at random.

    The random ones join a product drawn in proportion to what it sold with one drawn evenly: from all that had sold, and as
    many from all that had not. Which pairs are asked about depends on nothing that happened after the cut.
    """
    random = np.random.default_rng(run.seed)
    sold = known.margins.baskets.astype(float)
    chosen = [known.edges(min_customers), similar]
    for pool in (np.flatnonzero(sold > 0), np.flatnonzero(sold == 0)):
        if len(pool) and sold.any():
            popular = random.choice(len(sold), MOST_PAIRS, p=sold / sold.sum())
            chosen.append((popular.astype(np.int32), random.choice(pool, MOST_PAIRS).astype(np.int32)))
    picked = []
    for a, b in chosen:
        rows = np.arange(len(a)) if len(a) <= MOST_PAIRS else random.choice(len(a), MOST_PAIRS, replace=False)
        picked.append((a[rows], b[rows]))
    a, b = (np.concatenate([each[side] for each in picked]) for side in (0, 1))
    return Pairs.of(a, b, known.baskets.n_products)


def _slices(window: _Window) -> dict[str, Flags]:
    """Parts of the hold-out that are told apart by what was known before it; `launched` alone looks at what sold after."""
    evidence = window.evidence
    cold = (evidence.sold == 0) | (evidence.other_sold == 0)
    edge = evidence.together.baskets > 0
    everything = np.ones(len(cold), dtype=np.bool_)
    return {"all": everything, "edge": edge, "no_edge": ~edge & ~cold, "cold_product": cold, "launched": window.launched}


def _metrics(probability: dict[str, Floats], window: _Window, resamples: int, run: Run) -> list[dict[str, Any]]:
    """Every model on every slice, then what the fused model gains over each baseline (positive is better)."""
    rows = []
    for name, chosen in _slices(window).items():
        n = int(chosen.sum())
        if n == 0:
            continue
        world = Outcomes(window.happened[chosen], np.stack([window.pairs.a, window.pairs.b], axis=1)[chosen].astype(np.int64))
        share = Interval(float(np.mean(window.happened[chosen])), float("nan"), float("nan"))
        rows.append(_row("happened", "observed", name, share, n))
        measured = {model: world.measure(values[chosen], resamples, run.seed) for model, values in probability.items()}
        for model, found in measured.items():
            rows += [_row(metric, model, name, interval, n) for metric, interval in found.intervals().items()]
        for baseline in BASELINES:
            gains = measured["fused"].gain_over(measured[baseline])
            rows += [_row(f"{metric}_gain", f"fused over {baseline}", name, gain, n) for metric, gain in gains.items()]
    return rows


def _row(metric: str, model: str, part: str, found: Interval, n: int) -> dict[str, Any]:
    figures = {"value": found.value, "low": found.low, "high": found.high}
    return {"metric": metric, "model": model, "slice": part, "n": n} | {
        name: value if np.isfinite(value) else None for name, value in figures.items()
    }
