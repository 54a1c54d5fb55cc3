import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.metrics import ndcg_score

from basketry.core.errors import RequestError
from basketry.evaluation.retrieval import Questions, same_group


def questions(rows, documents):
    table = np.zeros((len(rows), documents), dtype=bool)
    for row, relevant in enumerate(rows):
        table[row, relevant] = True
    return Questions(csr_array(table), np.arange(len(rows), dtype=np.int64))


def test_figures_by_hand():
    # The first query finds its two answers at ranks 2 and 3, the second finds neither of its own, the third has none to find.
    world = questions([[1, 4], [5], []], 6)
    ranked = np.array([[0, 1, 4], [0, 1, 2], [3, 4, 5]])
    got = {name: values[0] for name, values in world.measure(ranked, (1, 2, 3), resamples=0).values.items()}
    assert got["hit@1"] == 0
    assert got["hit@2"] == 1 / 2
    assert got["recall@2"] == 1 / 4  # one of two of the first query, none of one of the second
    assert got["recall@3"] == 1 / 2
    assert got["mrr@3"] == 1 / 4
    assert got["precision@2"] == 1 / 4
    assert got["precision@3"] == pytest.approx(2 / 3 / 2)
    assert got["map@1"] == 0
    assert got["map@2"] == pytest.approx(1 / 2 / 2 / 2)  # precision 1/2 at rank 2, over two relevant, over two queries
    assert got["map@3"] == pytest.approx((1 / 2 + 2 / 3) / 2 / 2)
    ideal = 1 + 1 / np.log2(3)
    assert got["ndcg@3"] == pytest.approx((1 / np.log2(3) + 1 / 2) / ideal / 2)


@given(st.integers(0, 10**6))
def test_ndcg_and_recall_equal_a_brute_force_twin(seed):
    random = np.random.default_rng(seed)
    relevant = random.random((5, 8)) < 0.4
    scores = random.permuted(np.tile(np.arange(8.0), (5, 1)), axis=1)
    ranked = np.argsort(-scores, axis=1)
    figures = Questions(csr_array(relevant), np.arange(5)).per_query(ranked, (3,))
    for row in range(5):
        if not relevant[row].any():
            assert np.isnan(figures["recall@3"][row])
            continue
        found = [relevant[row, each] for each in ranked[row, :3]]
        assert figures["recall@3"][row] == sum(found) / min(3, relevant[row].sum())
        assert figures["mrr@3"][row] == max([0, *(1 / (place + 1) for place in range(3) if found[place])])
        assert figures["ndcg@3"][row] == pytest.approx(ndcg_score(relevant[row : row + 1], scores[row : row + 1], k=3))


def test_a_short_ranking_and_absent_documents_find_nothing_more():
    world = questions([[0, 1]], 2)
    figures = world.per_query(np.array([[1, -1]]), (5,))
    assert figures["recall@5"][0] == 1 / 2
    assert figures["precision@5"][0] == 1 / 5
    assert figures["map@5"][0] == 1 / 2


def test_a_ranking_that_does_not_fit_is_refused():
    with pytest.raises(RequestError, match=r"shape \(1, \d+\)"):
        questions([[0], [1]], 2).measure(np.array([[0]]))
    with pytest.raises(RequestError):
        questions([[0]], 2).measure(np.array([[2]]))


def test_same_group_is_all_others_of_it():
    assert same_group(np.array([], dtype=np.int64)).shape == (0, 0)
    table = same_group(np.array([7, 3, 7, 9, 7])).toarray()
    assert table.tolist() == [
        [False, False, True, False, True],
        [False] * 5,
        [True, False, False, False, True],
        [False] * 5,
        [True, False, True, False, False],
    ]


def test_a_paired_gain_is_narrower_than_the_figures_apart_and_holds_the_truth():
    random = np.random.default_rng(0)
    relevant = csr_array((np.ones(2000, dtype=bool), (np.arange(2000), np.arange(2000) % 50)))
    good = random.random(2000) < 0.6
    better = good | (random.random(2000) < 0.25)  # 0.7 in expectation
    world = Questions(relevant, np.arange(2000, dtype=np.int64))
    right, wrong = np.arange(2000) % 50, (np.arange(2000) + 1) % 50
    one, two = (world.measure(np.where(hit, right, wrong)[:, None], (1,)) for hit in (good, better))
    gain = two.gain_over(one, "hit@1")
    assert gain.low < 0.1 < gain.high
    assert gain.high - gain.low < 0.8 * (one.interval("hit@1").high - one.interval("hit@1").low)
    ratio = two.ratio_to(one, "hit@1")
    assert ratio.low < 0.7 / 0.6 < ratio.high


def test_clusters_widen_the_interval():
    hit = np.random.default_rng(1).random(300) < 0.5
    relevant = csr_array((np.ones(1500, dtype=bool), (np.arange(1500), np.zeros(1500, dtype=int))), shape=(1500, 2))
    ranked = np.repeat(np.where(hit, 0, 1), 5)[:, None]
    naive = Questions(relevant, np.arange(1500)).measure(ranked, (1,)).interval("hit@1")
    honest = Questions(relevant, np.repeat(np.arange(300), 5)).measure(ranked, (1,)).interval("hit@1")
    assert (honest.high - honest.low) / (naive.high - naive.low) == pytest.approx(np.sqrt(5), rel=0.25)
