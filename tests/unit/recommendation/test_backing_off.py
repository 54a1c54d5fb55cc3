"""Counting that backs off, by hand; and an exam that finds out who knows a world."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

pytest.importorskip("torch")

from basketry.core.errors import RequestError
from basketry.recommendation.backing_off import BackedOff, BackingOff, log_loss
from basketry.recommendation.neural_rules_exam import asked_later
from basketry.training.baskets import Antecedents

BASKETS = csr_array(np.array([[1, 1, 0], [1, 1, 1], [1, 0, 1], [0, 1, 0]], dtype=np.float32))


def test_pairs_are_shrunk_to_their_products_and_those_to_all_baskets():
    """P(2) = 1/2. Alone 2, pair 3: P(2 given 0) = (2 + 1) / (3 + 2), given 1 (1 + 1) / (3 + 2); two hold both."""
    found = BackedOff(BASKETS, alone=2, pair=3, plain=4).confidence(np.array([[0, 1], [0, -1], [1, -1]]))
    assert found[1, 2] == pytest.approx(3 / 5) and found[2, 2] == pytest.approx(2 / 5)
    assert found[0, 2] == pytest.approx((1 + 3 * (3 / 5 + 2 / 5) / 2) / (2 + 3))
    plain = BackedOff(BASKETS, alone=2, pair=3, plain=4).plainly(np.array([[0, 1]]))
    assert plain[0, 2] == pytest.approx((1 + 4 * 0.5) / (2 + 4))
    assert log_loss(np.array([0.5, 0.0]), np.array([True, True])) == pytest.approx([np.log(2), -np.log(1e-6)])


def groups(n: int, seed: int) -> csr_array:
    """Each basket is of one of 5 groups of 4 products: its own by .6, others by .02."""
    rng = np.random.default_rng(seed)
    own = np.arange(20) // 4 == rng.integers(5, size=n)[:, None]
    return csr_array((rng.random(own.shape) < np.where(own, 0.6, 0.02)).astype(np.float32))


def test_who_knows_the_world_has_less_loss_and_finds_more():
    earlier, later = groups(1_500, 0), groups(500, 1)
    counting = BackingOff(asked=200).fit(earlier)
    share = np.asarray(earlier.mean(axis=0)).ravel()
    drawn = Antecedents.drawn(later, 2, 300, seed=2)
    ways = {"counting": counting.confidence, "share": lambda asked: np.broadcast_to(share, (len(asked), 20))}
    told = asked_later(ways, earlier, later, drawn)
    everything = np.ones(len(drawn), dtype=bool)
    assert told.gap(told.loss, "counting", "share", everything).high < 0
    assert told.gap(told.found, "counting", "share", everything).low > 0
    assert told.gap(told.loss, "share", "share", everything).value == 0
    for row, pair in enumerate(drawn.antecedent[:20]):
        assert told.held[row] == (earlier.toarray()[:, pair[pair >= 0]] > 0).all(axis=1).sum()


def test_too_few_baskets_are_refused():
    with pytest.raises(RequestError):
        BackingOff().fit(BASKETS[:1])
