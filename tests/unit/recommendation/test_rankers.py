"""Every ranker of the room can be a part of another, and is read back as it was."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np

import basketry.recommendation
from basketry.core.protocols import Run
from basketry.recommendation.item_neighbours import ItemNeighbours
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.rankers import nested, parts_of, rankers
from basketry.testing.rankers import asked, shop

VERBS = ("n_products", "scores", "rank", "explain", "state", "from_state")


def test_every_ranker_is_named():
    found = set()
    for module in pkgutil.walk_packages(basketry.recommendation.__path__, "basketry.recommendation."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, type) and value.__module__ == module.name and all(hasattr(value, verb) for verb in VERBS):
                found.add(value)
    found = {each for each in found if not getattr(each, "_is_protocol", False)}
    assert found <= set(rankers().values())
    assert len(found) >= 8


def test_parts_come_back_in_their_order():
    parts = [estimator.fit(shop(), Run()) for estimator in (ItemNeighbours(), Popularity(), ItemNeighbours(neighbours=1))]
    back = parts_of(nested(parts))
    for one, two in zip(parts, back, strict=True):
        assert type(one) is type(two)
        assert np.array_equal(one.scores(asked(shop())), two.scores(asked(shop())))
