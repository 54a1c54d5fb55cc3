import datetime as dt

import numpy as np
import polars as pl
import pytest

import worlds
from basketry.associations.behaviour import BoughtNext, BoughtTogether
from basketry.associations.graph import AssociationGraph
from basketry.associations.lookahead import Catalogue, Lookahead
from basketry.associations.semantic import Similar
from basketry.associations.strength import Strength
from basketry.associations.wording import figures, parse, sentence
from basketry.core.protocols import Run
from basketry.core.tables import Associations

WEEKS = 26
PRODUCTS = ["bun", "cheese", "milk1", "milk2", "new", "patty", *sorted(f"s{each}" for each in range(20)), "wine"]


def catalogue():
    """Every product its own direction, but the milks, which mean nearly the same, and the new product, which means wine."""
    ids = sorted(PRODUCTS)
    vectors = np.eye(len(ids), dtype=np.float32)
    vectors[ids.index("milk2")] = 0.9 * vectors[ids.index("milk1")] + np.sqrt(1 - 0.81) * vectors[ids.index("milk2")]
    vectors[ids.index("new")] = 0.8 * vectors[ids.index("wine")] + 0.6 * vectors[ids.index("new")]
    none = np.full(len(ids), -1, dtype=np.int32)
    return ids, Catalogue(vectors, np.arange(len(ids), dtype=np.int32), none, none, none)


def fitted(folder, lines, min_customers=20, horizon_days=42, as_of=None):
    ids, known = catalogue()
    frames = {"order_lines": worlds.order_lines(lines), "products": worlds.products({each: each for each in ids})}
    data = worlds.dataset(folder, frames, as_of or worlds.START + dt.timedelta(weeks=WEEKS))
    estimator = AssociationGraph(
        together=BoughtTogether(min_customers=min_customers),
        next=BoughtNext(min_customers=min_customers),
        similar=Similar(k=2, theta=0.5),
        lookahead=Lookahead(Strength(horizon_days=horizon_days), resamples=20),
    )
    graph = estimator.fit(data, pl.Series("product_id", ids), known, Run(threads=1))
    data.engine.close()
    return graph


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("world"), list(worlds.trips()))


def edge(graph, a, b, kind="bought_together"):
    row = graph.associations.filter((pl.col("product_id") == a) & (pl.col("other_id") == b) & (pl.col("kind") == kind))
    assert len(row) == 1, (a, b, kind)
    return row.row(0, named=True)


def test_planted_relations_get_their_verdicts(graph):
    assert edge(graph, "bun", "patty")["verdict"] == "complement"
    assert edge(graph, "milk1", "milk2", "similar")["verdict"] == "substitute"
    taste = edge(graph, "wine", "cheese")
    assert taste["verdict"] == "co_trip"
    assert taste["lift"] > 2 and taste["adjusted_low"] > 1, "taste beats popularity and basket size, and yet is no complement"
    assert taste["placebo_lift"] == pytest.approx(taste["adjusted_lift"], rel=0.15)


def test_products_that_only_share_big_baskets_are_no_complements(graph):
    staples = graph.associations.filter(
        (pl.col("kind") == "bought_together")
        & pl.col("product_id").str.starts_with("s")
        & pl.col("other_id").str.starts_with("s")
    )
    assert len(staples) == 20 * 19
    assert (staples["lift"] > 1.5).all(), "raw lift calls every pair associated"
    assert staples["adjusted_lift"].median() == pytest.approx(1.0, abs=0.05)
    assert (staples["verdict"] == "complement").mean() < 0.02


def test_undirected_edges_mirror_each_other(graph):
    one, two = edge(graph, "bun", "s1"), edge(graph, "s1", "bun")
    same = (
        "baskets",
        "customers",
        "support",
        "lift",
        "leverage",
        "jaccard",
        "adjusted_lift",
        "q",
        "strength",
        "verdict",
        "contrast",
    )
    for name in same:
        assert one[name] == (two[name] if name == "verdict" else pytest.approx(two[name], rel=1e-12)), name
    assert one["confidence"] == two["confidence_back"]
    assert one["conviction"] != two["conviction"]


def test_the_measures_of_an_edge_are_those_of_its_baskets(graph):
    baskets: dict[str, set[str]] = {}
    for order, _, product, _ in worlds.trips():
        baskets.setdefault(order, set()).add(product)
    n, both = len(baskets), sum({"wine", "cheese"} <= each for each in baskets.values())
    n_a, n_b = (sum(product in each for each in baskets.values()) for product in ("wine", "cheese"))
    found = edge(graph, "wine", "cheese")
    assert found["baskets"] == both
    assert found["support"] == pytest.approx(both / n, abs=1e-12)
    assert found["confidence"] == pytest.approx(both / n_a, abs=1e-12)
    assert found["lift"] == pytest.approx(both * n / (n_a * n_b), abs=1e-12)


def test_every_edge_has_a_sentence_that_reads_back(graph):
    for row in graph.associations.iter_rows(named=True):
        for language in ("en", "zh"):
            assert parse(sentence(row, "A", "B", language), language).figures == figures(row)


def test_strength_is_calibrated_on_weeks_it_never_saw(graph):
    def value(metric, model):
        rows = graph.metrics.filter((pl.col("metric") == metric) & (pl.col("model") == model) & (pl.col("slice") == "all"))
        return rows["value"].item()

    assert value("calibration_error", "fused") < 0.1
    assert value("log_loss", "fused") < value("log_loss", "meaning")
    assert graph.associations["strength"].is_between(0, 1).all()


def test_no_published_count_tells_of_few_customers(graph):
    counted = graph.associations.drop_nulls("customers")
    assert counted["customers"].min() >= 20
    hidden = fitted_rare = graph.associations.filter(pl.col("kind") == "similar")
    assert hidden["customers"].is_null().all() and fitted_rare["baskets"].is_null().all()


def test_a_placebo_of_few_customers_is_withheld_and_the_verdict_kept(tmp_path):
    lines = [line for line in worlds.trips(customers=150) if line[2] in ("bun", "patty", "s1", "s2", "milk1")]
    rare = fitted(tmp_path, lines, min_customers=20)
    found = edge(rare, "bun", "patty")
    open_book = fitted(tmp_path, lines, min_customers=1)
    assert edge(open_book, "bun", "patty")["placebo_lift"] is not None
    assert found["verdict"] == "complement"
    assert (found["placebo_lift"] is None) == (found["contrast"] is None)


def test_a_short_history_gives_edges_without_strength(tmp_path):
    lines = [line for line in worlds.trips(customers=150) if line[3] < 24 * 60]
    short = fitted(tmp_path, lines, as_of=worlds.START + dt.timedelta(days=60))
    assert short.strength is None and short.metrics.is_empty()
    assert len(short.associations) and short.associations["strength"].is_null().all()


def test_the_same_seed_gives_the_same_graph(tmp_path):
    lines = list(worlds.trips(customers=150))
    one, two = (fitted(tmp_path, lines) for _ in range(2))
    assert one.associations.equals(two.associations)
    assert one.metrics.equals(two.metrics)


def test_what_happened_later_changes_nothing_known_before(tmp_path):
    lines = list(worlds.trips(customers=150))
    cut = worlds.START + dt.timedelta(weeks=25)
    early = [line for line in lines if worlds.START + dt.timedelta(hours=line[3]) < cut]
    assert fitted(tmp_path, lines, as_of=cut).associations.equals(fitted(tmp_path, early, as_of=cut).associations)


def test_anonymous_baskets_have_no_placebo(tmp_path):
    lines = [(order, None, product, hours) for order, _, product, hours in worlds.trips(customers=150)]
    graph = fitted(tmp_path, lines)
    assert graph.associations["placebo_lift"].is_null().all()
    assert edge(graph, "bun", "patty")["verdict"] == "complement"
    assert not len(graph.associations.filter(pl.col("kind") == "bought_next"))
    assert graph.associations.schema == Associations.create_empty().schema
