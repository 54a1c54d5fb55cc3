"""What is published for an exam: a blend of rankers, or the simple rule among them that the blend is not shown to beat.

A blend that learned its weights from some purchases looks good on these. So customers are cut into two halves: the weights that
each half teaches are asked for the lists of the other, and no figure of the blend is of a purchase that it learned from. The
parts were fitted before all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import DataError
from basketry.evaluation.bootstrap import Draws, Interval
from basketry.evaluation.retrieval import Questions
from basketry.recommendation.blending import blended
from basketry.recommendation.voices import Voicing
from basketry.recommendation.weights import teaching, weigh

if TYPE_CHECKING:
    from basketry.core.histories import Bools, Floats, Int64s
    from basketry.core.protocols import Ranker, Run
    from basketry.recommendation.protocols import Split

METRIC: Final = "ndcg@10"
_K: Final = 10


@dataclass(frozen=True)
class Rivalry:
    """The best simple `rule`, how much better the blend is than it (paired, 95%), and the weights of the `blend` by part.

    The blend is published where the gain's interval lies above 0: it has to earn its place, as it costs more to explain and to
    serve. The gain is NaN, and so the rule is published, where half of the customers teach no weights.
    """

    rule: str
    gain: Interval
    blend: Mapping[str, float]

    @property
    def is_blend(self) -> bool:
        """Whether the blend is what is published."""
        return self.gain.low > 0

    @property
    def weights(self) -> dict[str, float]:
        """Those of what is published: the blend's, or 1 for the rule."""
        return dict(self.blend) if self.is_blend else {name: float(name == self.rule) for name in self.blend}

    @property
    def reason(self) -> str:
        """What is published and why, in a sentence."""
        if np.isnan(self.gain.low):
            return f"{self.rule} alone is published: too few purchases to weigh a blend by"
        told = f"{METRIC} {self.gain.value:+.4f} ({self.gain.low:+.4f} to {self.gain.high:+.4f}) in the weeks before the exam"
        if self.is_blend:
            return f"the blend is published: it beats the best simple rule, {self.rule}, by {told}"
        return f"{self.rule} alone is published: the blend is not shown to beat this simple rule, {told}"


def rivalry(parts: Mapping[str, Ranker], split: Split, run: Run, resamples: int = 500) -> Rivalry:
    """Weigh the parts by what was bought in `split`, which is after all they know, and try the blend against each of them.

    Intervals are resampled by customer. Raises DataError where no part proposes anything relevant.
    """
    voicing, fitted = Voicing(repeats=split.repeats), tuple(parts.values())
    asked, pool = teaching(fitted, split, voicing, seed=run.seed)
    relevant = pool.relevant(split.relevant[asked])
    whole = dict(zip(parts, weigh(pool, relevant).weights, strict=True))
    simple = {name: _figures(part, split) for name, part in parts.items()}
    rule = max(simple, key=lambda name: float(np.nanmean(simple[name])))
    half = _halves(split, run.seed)
    figures, teaches = np.full(len(split.queries), np.nan), half[asked][pool.queries]
    for side in (0, 1):
        try:
            taught = weigh(pool, relevant & (teaches != side)).weights
        except DataError:  # a half without anything that was proposed and bought
            continue
        figures[half == side] = _figures(blended(fitted, taught, voicing), _asked(split, half == side))
    unknown = (np.isnan(figures) & ~np.isnan(simple[rule])).any()
    gain = Interval(*[float("nan")] * 3) if unknown else _gain(figures, simple[rule], split, run, resamples)
    return Rivalry(rule, gain, whole)


def _halves(split: Split, seed: int) -> Int64s:
    """0 or 1 for each query, alike for all of a customer."""
    names, customer = np.unique(split.customers, return_inverse=True)
    half: Int64s = np.random.default_rng(seed).permutation(len(names))[customer] % 2
    return half


def _asked(split: Split, kept: Bools) -> Split:
    """The split with some of its questions."""
    rows = np.flatnonzero(kept)
    return replace(split, queries=split.queries.select(rows), relevant=split.relevant[rows], customers=split.customers[rows])


def _figures(ranker: Ranker, split: Split) -> Floats:
    ranked = [ranker.rank(split.queries.select(rows), _K, split.candidates).products for rows in split.parts()]
    products = np.concatenate([np.empty((0, _K), dtype=np.int64), *ranked])
    return Questions(split.relevant, split.customers).per_query(products.astype(np.int64), (_K,))[METRIC]


def _gain(ours: Floats, theirs: Floats, split: Split, run: Run, resamples: int) -> Interval:
    draws = Draws.of(split.customers, resamples, run.seed)
    return draws.means({METRIC: ours - theirs}).interval(METRIC)
