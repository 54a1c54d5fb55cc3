"""Rules from a pandas frame of itemsets: every split of each into antecedent and consequent, measured and sifted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import RequestError
from basketry.frequent_patterns.measured import METRICS, Measured, with_nulls
from basketry.frequent_patterns.splits import Itemsets
from basketry.kernels.trees import Int64s

if TYPE_CHECKING:
    import pandas as pd

_TIE: Final = 1e-12  # two different shares of fewer than a million rows are further apart
_NEAR: Final = 1e-6


def association_rules(
    df: pd.DataFrame,
    num_itemsets: int | None = 1,
    df_orig: pd.DataFrame | None = None,
    null_values: bool = False,
    metric: str = "confidence",
    min_threshold: float = 0.8,
    support_only: bool = False,
    return_metrics: Sequence[str] = METRICS,
) -> pd.DataFrame:
    """Split the itemsets of `df` (support, itemsets) into antecedent and consequent, where `metric` reaches the threshold.

    Give `num_itemsets`, the number of baskets: supports are turned back into counts, and every measure is a quotient of whole
    numbers, so that a confidence of just .8 reaches .8. Without it, or where supports are no multiples of 1 / num_itemsets,
    they are taken as they are, and what falls short of the threshold by less than 1e-12 of it reaches it. METRICS lists the
    measures; `support_only` gives supports alone, for frames that lack itemsets. With `null_values`, `df_orig` is the frame
    that the itemsets came from. Raises DataError for a frame without rows or without these columns, and NotFound where the
    support of an antecedent or consequent is missing. Time and memory go with the splits: 2^length - 2 an itemset.
    """
    import pandas as pd

    metric = "support" if support_only else metric
    unknown = [name for name in (metric, *return_metrics) if name not in METRICS]
    if unknown:
        raise RequestError(f"no metric is called {unknown[0]!r}", f"choose from {', '.join(METRICS)}")
    if null_values and (df_orig is None or not num_itemsets or num_itemsets == 1):
        raise RequestError("with null values, supports alone do not tell of rules", "give df_orig and num_itemsets")
    itemsets = Itemsets.of(df)
    measured = _measuring(itemsets, num_itemsets or 1, df_orig if null_values and not support_only else None)
    found = [np.empty((3, 0), dtype=np.int64)]
    for split in itemsets.splits(partial=support_only):
        score = itemsets.support[split[0]] if support_only else measured(split).measure(metric)
        found.append(split[:, score >= min_threshold - _TIE * abs(min_threshold)])
    rules = np.concatenate(found, axis=1)
    rules = rules[:, np.argsort(rules[0], kind="stable")]
    columns = ["antecedents", "consequents", *return_metrics]
    if not rules.shape[1]:
        return pd.DataFrame(columns=columns)
    sides = {name: pd.Series(itemsets.sets(side), dtype=object) for name, side in zip(columns, rules[1:], strict=False)}
    if support_only:
        absent = np.full(rules.shape[1], np.nan)
        figures = dict.fromkeys(return_metrics, absent) | {"support": itemsets.support[rules[0]]}
        return pd.DataFrame(sides | figures)
    kept = measured(rules)
    return pd.DataFrame(sides | {name: kept.measure(name) for name in return_metrics})


def _measuring(itemsets: Itemsets, n: int, df_orig: pd.DataFrame | None) -> Callable[[Int64s], Measured]:
    """What measures rules, given as rows [3, m] of whole, antecedent and consequent."""
    if df_orig is not None:
        return with_nulls(itemsets, df_orig, n)
    counts = itemsets.support * n
    whole = np.rint(counts)
    if n > 1 and (np.abs(counts - whole) < _NEAR).all():
        exact = whole.astype(np.int64)
        return lambda rules: Measured(exact[rules[0]], exact[rules[1]], exact[rules[2]], n)
    shares = itemsets.support
    return lambda rules: Measured(shares[rules[0]], shares[rules[1]], shares[rules[2]], 1)
