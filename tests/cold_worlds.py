"""Shops where what goes together is known, and texts that tell of it plainly, through a rotation under noise, or not at all."""

from __future__ import annotations

import numpy as np

from basketry.associations.baskets import BasketMatrix
from basketry.training.fusion.modality import Modality, unit
from rule_worlds import packed

GROUPS, SIZE = 30, 8  # products of a group are bought together, and with no other


def group_baskets(seed: int = 0, each: int = 120, days: int = 360) -> BasketMatrix:
    """Each basket holds 4 products of one group, its customer is new, its day is drawn."""
    random = np.random.default_rng(seed)
    rows = [
        sorted(group * SIZE + product for product in random.choice(SIZE, 4, replace=False))
        for group in range(GROUPS)
        for _ in range(each)
    ]
    return packed(rows, GROUPS * SIZE, days=random.integers(0, days, len(rows)))


def groups() -> np.ndarray:
    """The group of each product."""
    return np.repeat(np.arange(GROUPS), SIZE)


def rotated_texts(seed: int = 0, signal: int = 12, noise: int = 4, loudness: float = 3.0) -> Modality:
    """Unit vectors in which the group's own direction is drowned by a few loud ones without meaning, then all is turned."""
    random = np.random.default_rng(seed)
    told = unit(random.normal(size=(GROUPS, signal)))[groups()]
    loud = unit(random.normal(size=(len(told), noise))) * loudness
    turned = np.linalg.qr(random.normal(size=(signal + noise, signal + noise)))[0]
    return Modality(unit(np.concatenate([told, loud], axis=1) @ turned), np.ones(len(told), dtype=bool))


def useless_texts(seed: int = 0, dim: int = 16) -> Modality:
    """Unit vectors that know nothing."""
    vectors = np.random.default_rng(seed).normal(size=(GROUPS * SIZE, dim))
    return Modality(unit(vectors), np.ones(len(vectors), dtype=bool))
