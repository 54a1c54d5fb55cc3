"""iALS beside answers known by hand, beside its own gradient, and beside dense solutions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from basketry.core.errors import DataError, RequestError
from basketry.core.histories import Candidates, Histories, Queries
from basketry.core.protocols import Run
from basketry.recommendation.ials import Ials
from basketry.recommendation.recency import Recency


def asked(histories):
    return Queries(histories, np.full(len(histories), int(histories.days.max(initial=0)) + 1, dtype=np.int32))


def held(histories):
    x = np.zeros((len(histories), histories.n_products))
    x[histories.rows, histories.products] = 1
    return x


def some(seed=0, customers=30, products=11):
    draw = np.random.default_rng(seed)
    rows = [draw.choice(products, draw.integers(1, 7), replace=False).tolist() for _ in range(customers)]
    return Histories.from_rows(rows, products)


def test_one_customer_and_one_product_by_hand():
    # (1 - s)^2 + a s^2 + 2 reg s has its minimum at s = (1 - reg) / (1 + a) = .9 / 1.5
    histories = Histories.from_rows([[0]], 1)
    model = Ials(dim=1, reg=0.1, unobserved=0.5, exponent=0.0, epochs=60).fit(histories, Run())
    ranked = model.rank(asked(histories), 1, Candidates(repeats=True))
    assert ranked.products.tolist() == [[0]]
    assert ranked.scores[0, 0] == pytest.approx(0.6, abs=1e-5)


def test_the_penalty_grows_with_what_is_held():
    # two customers of the one product: p_u = reg (1 + a), p_i = reg (2 + 2 a); with x = x_1 = x_2 the objective is
    # 2 (1 - x y)^2 + 2 a (x y)^2 + 2 p_u x^2 + p_i y^2, so s = x y = (1 - (p_u p_i / 2) ^ .5) / (1 + a), and p_u = p_i / 2
    histories = Histories.from_rows([[0], [0]], 1)
    model = Ials(dim=1, reg=0.1, unobserved=0.5, exponent=1.0, epochs=60).fit(histories, Run())
    assert model.scores(asked(histories)) == pytest.approx(np.full((2, 1), (1 - 0.15) / 1.5), abs=1e-5)


def test_a_world_of_two_kinds_of_customers():
    # a block of c customers by p products is c p ((1 - t)^2 + a t^2) + 2 reg (c p)^.5 t: t = (1 - reg / (c p)^.5) / (1 + a)
    rows = [[0, 1, 2]] * 4 + [[3, 4]] * 6
    histories = Histories.from_rows(rows, 6)
    model = Ials(dim=2, reg=0.3, unobserved=0.2, exponent=0.0, epochs=100).fit(histories, Run(seed=3))
    wanted = np.zeros((10, 6))
    wanted[:4, :3] = wanted[4:, 3:5] = (1 - 0.3 / 12**0.5) / 1.2
    assert np.allclose(model.scores(asked(histories)), wanted, atol=1e-4)
    newcomer = Histories.from_rows([[0, 2], [4], []], 6)
    ranked = model.rank(asked(newcomer), 1, Candidates())
    assert ranked.products.tolist() == [[1], [3], [-1]]


@pytest.mark.parametrize("exponent", [0.0, 0.6, 1.0])
def test_the_gradient_is_zero_where_it_ends(exponent):
    histories = some()
    reg, unobserved = 0.05, 0.2
    model = Ials(dim=4, reg=reg, unobserved=unobserved, exponent=exponent, epochs=800).fit(histories, Run())
    x, y, b = model.customers(asked(histories)), model.vectors.astype(np.float64), held(histories)[:, model.kept]
    n, m = b.shape
    p_customer = reg * (b.sum(axis=1) + unobserved * m) ** exponent
    p_product = reg * (b.sum(axis=0) + unobserved * n) ** exponent
    slope = unobserved * (x @ y.T) - b * (1 - x @ y.T)
    assert np.abs(slope @ y + p_customer[:, None] * x).max() < 1e-5
    assert np.abs(slope.T @ x + p_product[:, None] * y).max() < 1e-3
    assert np.abs(y).max() > 0.3  # zero would have no slope either


def test_more_epochs_never_fit_worse():
    histories = some(1)
    b, reg, unobserved = held(histories), 0.05, 0.2

    def loss(epochs):
        model = Ials(dim=3, reg=reg, unobserved=unobserved, exponent=0.0, epochs=epochs).fit(histories, Run())
        x = model.customers(asked(histories))
        s = x @ model.vectors.T
        return (b * (1 - s) ** 2).sum() + unobserved * (s**2).sum() + reg * ((x**2).sum() + (model.vectors**2).sum())

    losses = [loss(epochs) for epochs in (1, 2, 4, 8, 16)]
    assert all(later <= earlier + 1e-5 for earlier, later in itertools.pairwise(losses))
    assert losses[-1] < losses[0] - 0.1


def test_it_is_the_minimum_of_hu_koren_and_volinsky_on_another_scale():
    # confidence c = 1 + 1 / a of what was bought and 1 of the rest, lambda = reg (1 + a) / a: scores are 1 + a times as large
    histories = some(2)
    b, a, reg = held(histories), 0.25, 0.02
    model = Ials(dim=3, reg=reg, unobserved=a, exponent=0.0, epochs=300).fit(histories, Run())
    c, ridge = 1 + b / a, reg * (1 + a) / a * np.eye(3)
    y = np.random.default_rng(0).normal(size=(b.shape[1], 3))
    for _ in range(300):
        x = np.stack([np.linalg.solve((y.T * c[u]) @ y + ridge, y.T @ (c[u] * b[u])) for u in range(len(b))])
        y = np.stack([np.linalg.solve((x.T * c[:, i]) @ x + ridge, x.T @ (c[:, i] * b[:, i])) for i in range(b.shape[1])])
    x = np.stack([np.linalg.solve((y.T * c[u]) @ y + ridge, y.T @ (c[u] * b[u])) for u in range(len(b))])
    assert np.allclose(model.scores(asked(histories)) * (1 + a), x @ y.T, atol=2e-3)


def test_folding_in_and_explaining_are_a_dense_solution():
    histories = Histories(
        np.array([0, 4, 5, 6]),
        *(np.array(x, dtype=np.int32) for x in ([0, 1, 0, 2, 1, 3], [0, 0, 2, 5, 1, 9], [0, 0, 1, 2, 0, 0])),
        5,
    )
    model = Ials(dim=3, reg=0.1, unobserved=0.3, recency=Recency(decay=0.5)).fit(histories, Run())
    queries = asked(histories)
    y = model.vectors.astype(np.float64)
    weights = np.array([0.25, 0.25, 0.5, 1])
    of = y[[0, 1, 0, 2]]  # product 0 twice: it weighs the sum
    a = (of.T * weights) @ of + 0.3 * y.T @ y + 0.1 * (2 + 0.3 * 4) * np.eye(3)
    assert np.allclose(model.customers(queries)[0], np.linalg.solve(a, of.T @ weights), atol=1e-6)
    ranked = model.rank(queries, 3, Candidates(repeats=True))
    evidence = model.explain(queries, ranked)
    for rank in range(3):
        each = weights * (of @ np.linalg.solve(a, y[ranked.products[0, rank]]))
        assert np.allclose(evidence.of(0, rank, 4), each, atol=1e-6)
        assert evidence.of(0, rank, 4).sum() == pytest.approx(ranked.scores[0, rank], abs=1e-6)
    assert (evidence.rest == 0).all()


def test_products_nobody_bought_are_never_ranked_and_say_nothing():
    histories = Histories.from_rows([[0, 1], [1, 2], [0, 2]], 5)
    model = Ials(dim=2, reg=0.1).fit(histories, Run())
    queries = asked(Histories.from_rows([[4], [4, 0]], 5))
    ranked = model.rank(queries, 4, Candidates(repeats=True))
    assert ranked.products[0].tolist() == [-1] * 4
    assert sorted(ranked.products[1].tolist()) == [-1, 0, 1, 2]
    evidence = model.explain(queries, ranked)
    assert evidence.of(1, 0, 2)[0] == 0
    assert evidence.of(1, 0, 2)[1] == pytest.approx(ranked.scores[1, 0], abs=1e-6)


def test_seeds_draw_other_vectors_and_one_seed_the_same():
    one, two, other = (Ials(dim=3, epochs=1).fit(some(), Run(seed=seed)).vectors for seed in (0, 0, 1))
    assert np.array_equal(one, two)
    assert not np.allclose(one, other)


@pytest.mark.parametrize(
    "broken",
    [
        {"dim": 0},
        {"epochs": 0},
        {"reg": 0.0},
        {"reg": float("inf")},
        {"unobserved": 0.0},
        {"exponent": -0.1},
        {"exponent": 1.1},
    ],
)
def test_hyperparameters_out_of_range_are_refused(broken):
    with pytest.raises(RequestError):
        Ials(**broken).fit(some(), Run())


def test_nothing_to_learn_from_is_told():
    with pytest.raises(DataError, match="no products"):
        Ials().fit(Histories.from_rows([[], []], 3), Run())
