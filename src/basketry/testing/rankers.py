"""The laws every ranker obeys; a broken law is an AssertionError. Run them on a new one: `check_ranker(my_estimator)`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.histories import Candidates, Histories, Queries
from basketry.core.protocols import Ranker, Run
from basketry.recommendation.rankers import RankerEstimator

if TYPE_CHECKING:
    from basketry.core.histories import Evidence, Rankings

TOLERANCE: Final = 1e-6
N: Final = 12


def shop(seed: int = 0) -> Histories:
    """Sixty customers of 12 products: what they buy next is mostly the next product, some visits hold two, some repeat."""
    draw = np.random.default_rng(seed)
    products, days, visits, ends = [], [], [], [0]
    for _ in range(60):
        at = int(draw.integers(N - 1))
        day = int(draw.integers(5))
        for visit in range(int(draw.integers(1, 8))):
            basket = {at, int(draw.integers(N - 1))} if draw.random() < 0.3 else {at}
            for product in sorted(basket):
                products.append(product)
                days.append(day)
                visits.append(visit)
            at = (at + (1 if draw.random() < 0.8 else int(draw.integers(N)))) % (N - 1)  # product 11 is never bought
            day += int(draw.integers(1, 9))
        ends.append(len(products))
    return _histories(ends, products, days, visits)


def _histories(ends: Sequence[int], products: Sequence[int], days: Sequence[int], visits: Sequence[int]) -> Histories:
    """Histories that nobody can write into: a ranker that sorts its question in place is found out."""
    one, two, three = (np.array(each, dtype=np.int32) for each in (products, days, visits))
    for array in (one, two, three):
        array.flags.writeable = False
    return Histories(np.array(ends, dtype=np.int64), one, two, three, N)


def asked(histories: Histories) -> Queries:
    """Each customer on the day after the last event of all."""
    return Queries(histories, np.full(len(histories), int(histories.days.max(initial=0)) + 1, dtype=np.int32))


def nobody() -> Queries:
    """A customer without a history, and one whose only product was never bought by others."""
    return asked(_histories([0, 0, 1], [N - 1], [3], [0]))


def check_shape(ranker: Ranker) -> None:
    """Scores are finite float32 [n, n_products]; rankings int32 and float64 [n, k], best first, no product twice, -1 last."""
    queries = asked(shop())
    scores = ranker.scores(queries)
    assert ranker.n_products == N
    assert scores.dtype == np.float32, f"scores are {scores.dtype}, not float32"
    assert scores.shape == (len(queries), N), f"scores are of shape {scores.shape}, not [{len(queries)}, {N}]"
    assert np.isfinite(scores).all(), "a score is not finite"
    ranked = ranker.rank(queries, N + 3, Candidates(repeats=True))
    assert ranked.products.shape == ranked.scores.shape == (len(queries), N + 3)
    assert ranked.products.dtype == np.int32
    assert ranked.scores.dtype == np.float64
    assert (ranked.products < N).all(), "an unknown product is ranked"
    for products, found in zip(ranked.products, ranked.scores, strict=True):
        there = products >= 0
        assert not there[np.argmin(there) :].any() or there.all(), "there is a gap in a ranking"
        assert len(set(products[there].tolist())) == there.sum(), "a product is ranked twice"
        assert (np.diff(found[there]) <= 0).all(), "scores rise within a ranking"


def check_scores_rank(ranker: Ranker) -> None:
    """`rank` orders by `scores`: the score of each ranked product is its own, and nothing better is left out."""
    queries = asked(shop())
    scores = ranker.scores(queries).astype(np.float64)
    ranked = ranker.rank(queries, 4, Candidates(repeats=True))
    rows = np.arange(len(queries))[:, None]
    there = ranked.products >= 0
    own = np.where(there, scores[rows, ranked.products], 0)
    assert np.allclose(own, np.where(there, ranked.scores, 0), rtol=1e-5, atol=TOLERANCE), "a ranked score is not its own"
    scores[rows, ranked.products] = -np.inf
    full = there.all(axis=1)
    assert (scores[full].max(axis=1) <= ranked.scores[full, -1] + 1e-5).all(), "a better product is left out"


def check_prefix(ranker: Ranker) -> None:
    """rank(k) is a prefix of rank(k + 1)."""
    queries = asked(shop())
    for k in (1, 3, 5):
        longer = ranker.rank(queries, k + 1, Candidates())
        assert np.array_equal(ranker.rank(queries, k, Candidates()).products, longer.products[:, :k])


def check_alone(ranker: Ranker) -> None:
    """A query is answered alike alone and among others, whatever their order."""
    queries = asked(shop())
    together = ranker.rank(queries, 5, Candidates())
    for row in (0, 7, len(queries) - 1):
        alone = ranker.rank(queries.select(np.array([row])), 5, Candidates())
        assert np.array_equal(alone.products[0], together.products[row])
        assert np.allclose(alone.scores[0], together.scores[row], rtol=1e-5)
    turned = ranker.rank(queries.select(np.arange(len(queries))[::-1]), 5, Candidates())
    assert np.array_equal(turned.products[::-1], together.products)


def check_candidates(ranker: Ranker) -> None:
    """Neither what is not allowed nor, unless asked for, what the history holds is ever ranked; the first still helps."""
    queries = asked(shop())
    held = [set(queries.histories.products[a:b].tolist()) for a, b in _spans(queries)]
    for products, own in zip(_lists(ranker.rank(queries, N, Candidates())), held, strict=True):
        assert not own & set(products), "a product of the history is ranked"
    allowed = np.arange(N) % 2 == 0
    some = ranker.rank(queries, N, Candidates(allowed, repeats=True))
    assert all(product % 2 == 0 for products in _lists(some) for product in products), "a forbidden product is ranked"
    every = ranker.rank(queries, N, Candidates(repeats=True))
    wanted = [[product for product in products if product % 2 == 0] for products in _lists(every)]
    assert _lists(some) == wanted, "a forbidden product of the history no longer helps"
    draw = np.random.default_rng(1).random((len(queries), N)) < 0.5
    for row, products in enumerate(_lists(ranker.rank(queries, N, Candidates(draw, repeats=True)))):
        assert draw[row, products].all(), "a product forbidden to one query is ranked for it"


def check_unknown(ranker: Ranker) -> None:
    """A customer without a history is answered, if only by nothing; no queries at all are answered by none."""
    ranked = ranker.rank(nobody(), 3, Candidates())
    assert ranked.products.shape == (2, 3)
    nothing = asked(_histories([0], [], [], []))
    assert ranker.rank(nothing, 3, Candidates()).products.shape == (0, 3)
    assert ranker.scores(nothing).shape == (0, N)


def check_state(ranker: Ranker) -> None:
    """from_state(state()) answers alike, and state is plain arrays."""
    state = ranker.state()
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in state.values())
    back = type(ranker).from_state(state)
    one, two = (each.rank(asked(shop()), 5, Candidates()) for each in (ranker, back))
    assert np.array_equal(one.products, two.products)
    assert np.array_equal(one.scores, two.scores)


def check_evidence(ranker: Ranker) -> None:
    """Where evidence claims to be exact, events and rest add up to the score within 1e-6 of it."""
    for queries in (asked(shop()), nobody()):
        ranked = ranker.rank(queries, 4, Candidates(repeats=True))
        evidence = ranker.explain(queries, ranked)
        assert evidence.rest.shape == ranked.products.shape
        sums = _sums(evidence, queries, ranked)
        there = ranked.products >= 0
        if evidence.exact:
            assert np.allclose(sums[there], ranked.scores[there], rtol=TOLERANCE, atol=TOLERANCE), "evidence does not add up"
        assert (sums[~there] == 0).all(), "there is evidence for no product"


LAWS: Final[tuple[Callable[[Ranker], None], ...]] = (
    check_shape,
    check_scores_rank,
    check_prefix,
    check_alone,
    check_candidates,
    check_unknown,
    check_state,
    check_evidence,
)


def check_ranker(estimator: RankerEstimator) -> None:
    """All laws, and that the same seed learns the same."""
    ranker = estimator.fit(shop(), Run())
    again = estimator.fit(shop(), Run()).state()
    for name, array in ranker.state().items():
        assert np.array_equal(array, again[name]), f"the same seed gives another {name}"
    for law in LAWS:
        law(ranker)


def _spans(queries: Queries) -> list[tuple[int, int]]:
    indptr = queries.histories.indptr.tolist()
    return list(itertools.pairwise(indptr))


def _lists(ranked: Rankings) -> list[list[int]]:
    return [[product for product in row if product >= 0] for row in ranked.products.tolist()]


def _sums(evidence: Evidence, queries: Queries, ranked: Rankings) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    sums = np.zeros(ranked.products.shape)
    for query, length in enumerate(queries.histories.lengths.tolist()):
        for rank in range(ranked.products.shape[1]):
            sums[query, rank] = evidence.of(query, rank, length).sum() + evidence.rest[query, rank]
    return sums
