import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import adaptation_worlds
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.training.adaptation.pairs import Pairs, split

weighted = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 5)), min_size=1, max_size=40)


def test_groups_by_hand():
    pairs = Pairs.of_groups(["red", "blue", "rot", "bleu", "red", "azul"], ["r", "b", "r", "b", "r", "b"], Run())
    named = {tuple(sorted(pairs.texts[each] for each in row)) for row in pairs.rows}
    assert named == {("red", "rot"), ("bleu", "blue"), ("azul", "blue"), ("azul", "bleu")}
    assert len(pairs.rows) == 4
    assert len({pairs.keys[pairs.texts.index(text)] for text in ("blue", "bleu", "azul")}) == 1


def test_a_text_of_two_groups_counts_to_the_first_and_a_large_group_is_drawn_from():
    pairs = Pairs.of_groups(["x", "x", "y"], [1, 2, 2], Run())
    assert len(pairs.rows) == 0
    many = Pairs.of_groups([f"t{each}" for each in range(100)], ["one"] * 100, Run())
    assert len({frozenset(row) for row in many.rows.tolist()}) == 100 * 8
    assert set(many.rows.ravel().tolist()) == set(range(100))


@given(weighted)
def test_pairs_count_once_whichever_way_round(rows):
    names = [f"t{each}" for each in range(10)]
    pairs = Pairs.of_pairs([names[a] for a, _, _ in rows], [names[b] for _, b, _ in rows], [float(w) for *_, w in rows])
    wanted: dict[frozenset[str], float] = {}
    for a, b, weight in rows:
        if a != b:
            key = frozenset((names[a], names[b]))
            wanted[key] = wanted.get(key, 0) + weight
    got = {frozenset(pairs.texts[each] for each in row): weight for row, weight in zip(pairs.rows, pairs.weights, strict=True)}
    assert got == pytest.approx(wanted)
    table = pairs.partners().toarray()
    assert np.array_equal(table, table.T)
    assert table.sum() == pytest.approx(2 * sum(wanted.values()))


def test_no_text_that_is_asked_about_was_learned_from_and_groups_stay_whole():
    texts, labels = adaptation_worlds.letters(250, 3)
    pairs = Pairs.of_groups(texts, labels, Run())
    parts = split(pairs, Run(seed=3))
    group = dict(zip(texts, labels, strict=True))
    learned = {group[text] for text in parts.learn.texts}
    asked = [{group[held.texts[each]] for each in held.queries} for held in (parts.valid, parts.test)]
    assert not learned & asked[0] and not learned & asked[1] and not asked[0] & asked[1]
    for held in (parts.valid, parts.test):
        for row, query in enumerate(held.queries):
            told = {
                held.texts[each] for each in held.relevant.indices[held.relevant.indptr[row] : held.relevant.indptr[row + 1]]
            }
            assert told == {text for text in held.texts if group[text] == group[held.texts[query]]} - {held.texts[query]}


def test_a_cold_product_is_asked_for_partners_that_were_learned_from():
    random = np.random.default_rng(0)
    rows = random.integers(0, 500, (3000, 2))
    rows = rows[rows[:, 0] != rows[:, 1]]
    pairs = Pairs.of_pairs([f"p{a}" for a in rows[:, 0]], [f"p{b}" for b in rows[:, 1]], np.ones(len(rows)))
    parts = split(pairs, Run())
    seen = set(parts.learn.texts)
    queries = {parts.test.texts[each] for each in parts.test.queries}
    assert not queries & seen
    assert len(set(parts.test.texts) & seen) > 100
    assert not {parts.valid.texts[each] for each in parts.valid.queries} & {
        parts.test.texts[each] for each in parts.test.queries
    }
    known = {frozenset(pairs.texts[each] for each in row) for row in pairs.rows}
    for row, query in enumerate(parts.valid.queries):
        for each in parts.valid.relevant.indices[parts.valid.relevant.indptr[row] : parts.valid.relevant.indptr[row + 1]]:
            assert frozenset((parts.valid.texts[query], parts.valid.texts[each])) in known
            assert parts.valid.texts[each] not in queries


def test_too_little_is_refused_with_the_number():
    texts, labels = adaptation_worlds.letters(20, 3)
    with pytest.raises(RequestError, match=r"only \d+ .*50 are needed"):
        split(Pairs.of_groups(texts, labels, Run()), Run())
    with pytest.raises(RequestError, match="only 0 pairs to learn from"):
        split(Pairs.of_pairs([], [], []), Run())


def test_a_weight_that_is_none_is_refused():
    with pytest.raises(RequestError, match="positive"):
        Pairs.of_pairs(["a"], ["b"], [float("nan")])
