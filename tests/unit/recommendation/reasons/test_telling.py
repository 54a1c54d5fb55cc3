"""Every fact of a reason stands in the evidence and in the history; nothing else is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.core.errors import RequestError
from basketry.core.histories import Candidates, Histories, Queries
from basketry.core.protocols import Run
from basketry.recommendation.popularity import Popular
from basketry.recommendation.reasons.attribution import Attribution
from basketry.recommendation.reasons.telling import Telling
from basketry.recommendation.wording import parse, say
from reason_worlds import Conjunctive, additive, asked_after

MATRIX = np.zeros((5, 5))
MATRIX[0, 3], MATRIX[1, 3], MATRIX[2, 3], MATRIX[2, 4] = 3, 2, 0.5, 1
TITLES = ["milk", "bread", "tea", "butter", "jam"]


def dated(rows: list[list[tuple[int, int]]], n_products: int, day: int) -> Queries:
    """Queries of (product, day) events, each day one visit."""
    indptr = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    flat = [event for row in rows for event in row]
    products, days = (np.array([event[i] for event in flat], dtype=np.int32) for i in (0, 1))
    return Queries(Histories(indptr, products, days, days, n_products), np.full(len(rows), day, dtype=np.int32))


def test_a_reason_by_hand():
    queries = dated([[(0, 20570), (1, 20571), (0, 20576), (2, 20576)]], 5, 20580)  # 20576 is 3 May 2026
    model = additive(MATRIX)
    rankings = model.rank(queries, 1, Candidates())
    ((told,),) = Telling(most=2).reasons(model, queries, rankings, TITLES, Run())
    assert [say(each, "en") for each in told] == [
        "“butter” is here because you bought “milk” twice (last on 3 May 2026) and “bread” once (last on 28 April 2026): "
        "94.1% of what speaks for it.",
        "Without “milk” and “bread”, “butter” would not be among your first 1.",
    ]


def test_little_things_are_not_named_and_days_of_no_calendar_not_told():
    queries = asked_after([[0, 2]], 5)
    model = additive(MATRIX)
    rankings = model.rank(queries, 2, Candidates())
    ((butter, jam),) = Telling(least=0.2, dated=False, without=False).reasons(model, queries, rankings, TITLES, Run())
    assert say(butter[0], "en") == "“butter” is here because you bought “milk” once: 85.7% of what speaks for it."
    assert say(jam[0], "zh") == "推荐“jam”，因为您买过“tea”1次，占推荐依据的100%。"


def test_what_the_history_did_not_bring_has_no_reason():
    queries = asked_after([[0, 2], []], 5)
    popular = Popular(np.arange(1, 6, dtype=np.float32))
    told = Telling().reasons(popular, queries, popular.rank(queries, 3, Candidates()), TITLES, Run())
    assert told == [[(), (), ()], [(), (), ()]]


def test_namesakes_are_told_apart():
    queries = asked_after([[0, 1]], 5)
    model = additive(MATRIX)
    rankings = model.rank(queries, 1, Candidates())
    ((told,),) = Telling().reasons(model, queries, rankings, ["milk", "milk", "x", "butter", "y"], Run())
    assert [part.title for part in told[0].parts] == ["milk #0", "milk #1"]
    assert told[0].title == "butter"


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), exact=st.booleans(), language=st.sampled_from(("en", "zh")))
def test_every_fact_stands_in_the_evidence(seed, exact, language):
    random = np.random.default_rng(seed)
    matrix = random.integers(0, 4, (12, 12)).astype(float)
    model = additive(matrix, decay=0.9) if exact else Conjunctive(matrix, power=2)
    rows = [[(int(random.integers(12)), 20000 + 3 * step) for step in range(int(random.integers(0, 7)))] for _ in range(3)]
    queries = dated(rows, 12, 20030)
    rankings = model.rank(queries, 3, Candidates())
    titles = [f"product {code}" for code in range(12)]
    attribution = Attribution("explain" if exact else "shapley")
    evidence = attribution.evidence(model, queries, rankings, Run())
    told = Telling().reasons(model, queries, rankings, titles, Run(), attribution)
    for row, places in enumerate(told):
        for rank, statements in enumerate(places):
            product = int(rankings.products[row, rank])
            brought = {code: 0.0 for code, _ in rows[row]}
            for (code, _), value in zip(rows[row], evidence.of(row, rank, len(rows[row])), strict=True):
                brought[code] += value
            for statement in statements:
                heard = parse(say(statement, language), language)
                assert heard.title == titles[product]
                if heard.claim == "without":
                    gone = [int(title.removeprefix("product ")) for title in heard.others]
                    left = dated([[event for event in rows[row] if event[0] not in gone]], 12, 20030)
                    allowed = np.ones(12, dtype=bool)
                    allowed[list(brought)] = False
                    assert product not in model.rank(left, heard.figures["first"], Candidates(allowed, repeats=True)).products
                    continue
                named = [int(part.title.removeprefix("product ")) for part in heard.parts]
                assert min(brought[code] for code in named) > 0
                others = [value for code, value in brought.items() if code not in named]
                if len(named) < 3:
                    assert all(value < max(brought.values()) for value in others)
                else:
                    assert min(brought[code] for code in named) >= max(others, default=0) - 1e-9
                for code, part in zip(named, heard.parts, strict=True):
                    days = [day for each, day in rows[row] if each == code]
                    assert part.figures == {"times": len(days), "last": max(days)}
                assert ("share" in heard.figures) == exact
                if exact:
                    positive = sum(value for value in brought.values() if value > 0)
                    share = sum(brought[code] for code in named) / positive
                    assert heard.figures["share"] == pytest.approx(share, abs=1e-3)


def test_nonsense_is_refused():
    with pytest.raises(RequestError, match="tells nothing"):
        Telling(most=0)
