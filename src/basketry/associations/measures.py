"""The measures of interest of a pair, from four counts.

Definitions as collected by Hahsler, A probabilistic comparison of commonly used interest measures for association rules (2015).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

MEASURES: Final = (
    "support",
    "confidence",
    "confidence_back",
    "lift",
    "leverage",
    "conviction",
    "zhang",
    "cosine",
    "jaccard",
    "kulczynski",
    "imbalance",
    "joint_ratio",
)


def measures(n_ab: Counts, n_a: Counts, n_b: Counts, n: int) -> dict[str, Floats]:
    """Every measure of `MEASURES` for pairs with `n_ab` of `n` baskets holding both, `n_a` the one and `n_b` the other.

    With P(.) a share of the n baskets:
    support P(AB); confidence P(AB)/P(A); confidence_back P(AB)/P(B); lift P(AB)/(P(A)P(B)); leverage P(AB) - P(A)P(B);
    conviction P(A)P(not B)/P(A not B), infinite where B always follows A (even where every basket holds B);
    zhang leverage / max(P(AB)P(not A), P(A)(P(B) - P(AB))), 0 where both are 0; cosine P(AB)/sqrt(P(A)P(B));
    jaccard P(AB)/P(A or B); kulczynski (confidence + confidence_back)/2; imbalance |P(A) - P(B)|/P(A or B);
    joint_ratio P(AB)/(P(A) + P(B)).
    Differences are taken between whole numbers, so each measure is right to a few units in the last place up to n = 2**31.
    Arrays are aligned; the order of A and B matters to confidence, confidence_back, conviction and zhang.
    Raises ValueError unless 0 <= n_ab <= min(n_a, n_b), 1 <= n_a, n_b and n_a + n_b - n_ab <= n.
    """
    ab, a, b = (np.asarray(counts, dtype=np.int64) for counts in (n_ab, n_a, n_b))
    either = a + b - ab
    if ((ab < 0) | (ab > np.minimum(a, b)) | (np.minimum(a, b) < 1) | (either > n)).any():
        raise ValueError("0 <= n_ab <= min(n_a, n_b), 1 <= n_a, n_b and n_a + n_b - n_ab <= n must hold for every pair")
    surplus = ab * n - a * b
    a_alone = a - ab
    confidence, confidence_back = ab / a, ab / b
    with np.errstate(divide="ignore", invalid="ignore"):
        conviction = np.where(a_alone == 0, np.inf, (a / a_alone) * ((n - b) / n))
        furthest = np.maximum(ab * (n - a), a * (b - ab))
        zhang = np.where(furthest == 0, 0.0, surplus / furthest)
    return {
        "support": ab / n,
        "confidence": confidence,
        "confidence_back": confidence_back,
        "lift": confidence * (n / b),
        "leverage": surplus / n / n,
        "conviction": conviction,
        "zhang": zhang,
        "cosine": ab / np.sqrt(a.astype(np.float64) * b),
        "jaccard": ab / either,
        "kulczynski": (confidence + confidence_back) / 2,
        "imbalance": np.abs(a - b) / either,
        "joint_ratio": ab / (a + b),
    }
