"""Catalogues with a known answer: texts of one group share letters from the first half of the alphabet; the rest is noise."""

from __future__ import annotations

from itertools import combinations

import numpy as np


def letters(groups: int, texts: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts and the group of each: three letters of a to m name the group, three of n to z mean nothing."""
    random = np.random.default_rng(seed)
    names = ["".join(each) for each in combinations("abcdefghijklm", 3)]
    chosen = [names[number] for number in random.permutation(len(names))[:groups]]
    found, labels = [], []
    for name in chosen:
        for _ in range(texts):
            signs = [*name, *random.choice(list("nopqrstuvwxyz"), 3, replace=False)]
            found.append(" ".join(signs[place] for place in random.permutation(6)))
            labels.append(name)
    return found, labels
