"""The report page: what it chooses, what it says, what it survives."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import random
import re
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.app import charts
from basketry.app.graph_picture import TALL, WIDE, Canvas, choose, draw, strongest_pairs
from basketry.app.placing import LETTER, text_width, wrapped
from basketry.app.report_page import ReportData, render
from basketry.app.report_words import WORDS
from basketry.core.tables import Associations, Metrics

SHELVES = {
    "Produce": "bananas,baby carrots,romaine hearts,avocado,yellow onions,fresh cilantro,limes,seedless grapes,strawberries",
    "Grocery": "spaghetti,marinara sauce,tortilla chips,medium salsa,peanut butter,grape jelly,black beans,rice,pancakes,syrup",
    "Dairy": "whole milk,large eggs,shredded cheddar,sour cream,greek yogurt,salted butter,cream cheese,half and half",
    "Bakery": "white bread,everything bagels,hot dog buns,flour tortillas,blueberry muffins,croissants",
    "Meat": "ground beef,chicken breast,pork sausage,bacon,beef frankfurters,turkey slices",
    "Frozen": "vanilla ice cream,pepperoni pizza,french fries,mixed vegetables,waffles",
    "Household": "paper towels,dish liquid,laundry detergent,bath tissue,trash bags",
    "Pets": "dry dog food,cat litter,canned cat food",
}
BRANDS = ("Private label", "Sunny Farm", "Old Mill", "Harvest")
HOSTILE = "<script>alert(1)</script>\"'&{{ 7*7 }}"


def grocer(seed: int = 1, products: int = 200, edges: int = 2000) -> ReportData:
    """A made-up supermarket: related pairs are strong, brands of one thing are substitutes, the rest shares trips."""
    dice = random.Random(seed)
    kinds_of_goods = [(shelf, name) for shelf, names in SHELVES.items() for name in names.split(",")]
    goods = [(shelf, name, brand) for brand in BRANDS for shelf, name in kinds_of_goods][:products]
    catalogue = pl.DataFrame(
        {
            "product_id": [str(800_000 + 37 * i) for i in range(len(goods))],
            "title": [f"{brand} {name}" for _, name, brand in goods],
            "department": [shelf for shelf, _, _ in goods],
            "category": [name for _, name, _ in goods],
            "customers": [int(30 + 2000 * dice.random() ** 4) for _ in goods],
        },
        schema={
            "product_id": pl.String,
            "title": pl.String,
            "department": pl.String,
            "category": pl.String,
            "customers": pl.Int64,
        },
    )
    rows = []
    seen = set()
    while len(rows) < edges and len(seen) < len(goods) * (len(goods) - 1) // 2:
        a, b = sorted((int(len(goods) * dice.random() ** 2), dice.randrange(len(goods))))
        if a == b or (a, b) in seen:
            continue
        seen.add((a, b))
        rows += pair_rows(dice, goods, catalogue["product_id"].to_list(), a, b)
    return ReportData(
        shop="Corner & Sons <Grocers>",
        currency="USD",
        release_id="2017-12-31-a1b2c3",
        as_of=dt.date(2017, 12, 31),
        created=dt.datetime(2026, 11, 23, 4, 5, tzinfo=dt.UTC),
        baskets=155_848,
        customers=2_469,
        ingest=INGEST,
        rules=RULES,
        products=catalogue,
        associations=associations(rows),
        metrics=METRICS,
        clusters=CLUSTERS,
        sentence=sentence,
        model="fused",
    )


def pair_rows(dice, goods, ids, a, b):
    same_thing, same_shelf = goods[a][1] == goods[b][1], goods[a][0] == goods[b][0]
    similarity = min(0.99, max(-0.1, dice.gauss(0.82 if same_thing else 0.45 if same_shelf else 0.22, 0.11)))
    pulled = (a * 31 + b * 17) % 7 == 0 and not same_thing
    adjusted = 2 ** dice.gauss(1.6 if pulled else -0.7 if same_thing else 0.35, 0.7)
    lift = adjusted * 2 ** abs(dice.gauss(1.3, 0.5))
    if same_thing and adjusted < 1:
        verdict = "substitute"
    elif pulled and adjusted > 1.6:
        verdict = "complement"
    else:
        verdict = "co_trip" if adjusted < 1.5 else "unknown"
    strength = min(0.95, max(0.01, dice.gauss(0.5 if verdict == "complement" else 0.12, 0.14)))
    customers = int(20 + 400 * dice.random() ** 3)
    edge = {
        "kind": "bought_together",
        "baskets": customers * 3,
        "customers": customers,
        "support": 0.002,
        "lift": lift,
        "adjusted_lift": adjusted,
        "adjusted_low": adjusted * 0.8,
        "adjusted_high": adjusted * 1.25,
        "confidence": dice.random() * 0.4,
        "similarity": similarity,
        "strength": strength,
        "verdict": verdict,
    }
    rows = [{**edge, "product_id": ids[a], "other_id": ids[b]}, {**edge, "product_id": ids[b], "other_id": ids[a]}]
    if dice.random() < 0.2:
        rows.append({**rows[0], "kind": "bought_next", "strength": strength * 0.9})
    if similarity > 0.6:
        rows.append({**rows[0], "kind": "similar", "confidence": None})
    return rows


def associations(rows) -> pl.DataFrame:
    return Associations.validate(pl.DataFrame(rows, schema=Associations.create_empty().schema), cast=True)


def sentence(row, title, other_title, language):
    if language == "zh":
        return f"买 {row['product_id']} 的购物篮里，{row['other_id']} 出现的次数是随机的 {row['adjusted_lift'] or 0:.2f} 倍。"
    lift = f"{row['adjusted_lift'] or 0:.2f} times as often as the sizes of their baskets would bring"
    return f"{row['customers'] or 'Some'} customers bought {row['product_id']} with {row['other_id']}, {lift}."


INGEST = pl.DataFrame(
    {
        "table": ["products", "order_lines", "promotions"],
        "rows_in": [92_331, 1_469_307, 20_940_529],
        "kept": [92_331, 1_433_741, 20_927_744],
        "quarantined": [0, 35_566, 12_785],
        "repaired": [20, 14_697, 0],
        "money_in": [None, 4_593_232.0, None],
        "money_kept": [None, 4_555_111.5, None],
        "money_netted": [None, 0.0, None],
        "money_quarantined": [None, 38_120.5, None],
    }
)
RULES = pl.DataFrame(
    {
        "table": ["order_lines", "order_lines", "order_lines", "promotions", "order_lines"],
        "rule": ["units_in_thousandths", "units_not_positive", "orphan", "duplicate", "amount_not_positive"],
        "verb": ["repair", "quarantine", "quarantine", "quarantine", "quarantine"],
        "rows": [14_697, 8_869, 4_836, 12_785, 11_226],
        "money": [412_001.2, 0.0, 12_112.0, None, 0.0],
        "example": [
            '{"units": 9.514}',
            '{"units": 0, "product_id": "1082185"}',
            None,
            '{"store": "286"}',
            '{"amount": "0.00"}',
        ],
    }
)
METRICS = Metrics.validate(
    pl.DataFrame(
        [
            (metric, model, part, value, value - spread, value + spread, n)
            for metric, part, spread, n, models in (
                (
                    "recall_at_10",
                    "all",
                    0.009,
                    2400,
                    (("fused", 0.214), ("behaviour", 0.201), ("meaning", 0.094), ("popularity", 0.152)),
                ),
                (
                    "recall_at_10",
                    "cold",
                    0.02,
                    310,
                    (("fused", 0.117), ("behaviour", 0.0), ("meaning", 0.121), ("popularity", 0.03)),
                ),
                (
                    "log_loss",
                    "all",
                    0.004,
                    52_000,
                    (("fused", 0.231), ("behaviour", 0.255), ("meaning", 0.42), ("popularity", 0.38)),
                ),
                (
                    "ndcg_at_10",
                    "rare",
                    0.006,
                    900,
                    (("fused", 0.08), ("behaviour", 0.07), ("meaning", 0.06), ("popularity", 0.12)),
                ),
            )
            for model, value in models
        ],
        schema=Metrics.create_empty().schema,
        orient="row",
    )
)
CLUSTERS = pl.DataFrame(
    [
        (method, number, 210 - 17 * number, words)
        for method in ("kmeans", "hierarchical")
        for number, words in enumerate(
            (
                "yogurt, greek, strawberry, light",
                "shampoo, conditioner, hair",
                "cat, dog, food, litter",
                "cereal, oats, kids",
                "bagels, buns, bread",
                "detergent, liquid, laundry",
                "pizza, frozen, pepperoni",
                "candles, gift, cards",
                "beef, ground, angus",
                "soup, broth, cans",
            )
        )
    ],
    schema={"method": pl.String, "cluster": pl.Int32, "size": pl.Int64, "words": pl.String},
    orient="row",
)


@pytest.fixture(scope="module")
def data() -> ReportData:
    return grocer()


@pytest.fixture(scope="module")
def page(data) -> str:
    return render(data)


class Reader(HTMLParser):
    """Tags with attributes, and the text outside style and script."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, dict[str, str | None], str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.raw.append((self.open[-1], self.tags[-1][1], data))
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def told(html: str) -> list[dict]:
    """The graphs as the script reads them."""
    return [json.loads(text) for tag, attrs, text in Reader(html).raw if attrs.get("type") == "application/json"]


def edge(a: str, b: str, verdict: str = "complement", kind: str = "bought_together", **more) -> dict:
    return {"product_id": a, "other_id": b, "kind": kind, "verdict": verdict, **more}


def catalogue(*ids: str, title: str | None = None) -> pl.DataFrame:
    columns = {
        "product_id": pl.String,
        "title": pl.String,
        "department": pl.String,
        "category": pl.String,
        "customers": pl.Int64,
    }
    return pl.DataFrame([(name, title, None, None, None) for name in ids], schema=columns, orient="row")


def pairs_of(rows: list[dict], products: pl.DataFrame | None = None) -> pl.DataFrame:
    return strongest_pairs(associations(rows), catalogue() if products is None else products)


def test_same_data_gives_the_same_page(data, page):
    assert render(data) == page
    shuffled = replace(data, associations=data.associations.sample(fraction=1, shuffle=True, seed=3))
    assert told(render(shuffled)) == told(page)


def test_nothing_points_outside_the_file(page):
    reader = Reader(page)
    for tag, attrs in reader.tags:
        assert tag not in ("iframe", "img", "object", "embed", "base", "form")
        assert "style" not in attrs and not [name for name in attrs if name.startswith("on")]
        for name in ("href", "src", "srcset", "action", "xlink:href"):
            assert attrs.get(name, "#").startswith(("#", "data:,"))
    assert not re.findall(r"https?:|url\((?!#)|@import", page)


def test_policy_allows_exactly_the_inline_style_and_script(page):
    reader = Reader(page)
    policy = next(attrs["content"] for _, attrs in reader.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    allowed = set(re.findall(r"'(sha256-[^']+)'", policy))
    inline = {
        "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for _, attrs, text in reader.raw
        if attrs.get("type") != "application/json"
    }
    assert allowed == inline and len(inline) == 2
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy


def test_hostile_text_stays_text(data):
    hostile = replace(
        data,
        shop=HOSTILE,
        release_id=HOSTILE,
        products=data.products.with_columns(title=pl.lit(HOSTILE), department=pl.lit(HOSTILE)),
        rules=data.rules.with_columns(example=pl.lit(HOSTILE), rule=pl.lit(HOSTILE), verb=pl.lit(HOSTILE)),
        clusters=data.clusters.with_columns(words=pl.lit(HOSTILE)),
        metrics=data.metrics.with_columns(metric=pl.lit(HOSTILE), model=pl.format("{}{}", pl.lit(HOSTILE), "model")),
        sentence=lambda *_: HOSTILE,
    )
    html = render(hostile)
    before = [tag for tag, _ in Reader(render(data)).tags if tag == "script"]
    assert [tag for tag, _ in Reader(html).tags if tag == "script"] == before
    assert "<script>alert" not in html and "{{ 7*7 }}" in html
    assert {node["name"] for graph in told(html) for node in graph["nodes"]} == {
        f"{HOSTILE} #{node['id']}" for graph in told(html) for node in graph["nodes"]
    }


def test_every_word_stands_in_both_languages(page):
    for key, (english, chinese) in WORDS.items():
        assert set(re.findall(r"\{(\w+)\}", english)) == set(re.findall(r"\{(\w+)\}", chinese)), key
        assert re.search(r"[\u4e00-\u9fff]", chinese) and not re.search(r"[\u4e00-\u9fff]", english), key
    assert page.count('class="en"') == page.count('class="zh"') > 100


def test_key_figures_are_the_data(data, page):
    text = Reader(page).text
    for figure in (data.products.height, 1_433_741, data.baskets, data.customers, data.associations.height):
        assert f"{figure:,}" in text
    pairs = strongest_pairs(data.associations, data.products)
    for verdict, number in pairs["verdict"].cast(str).value_counts().iter_rows():
        assert f"{number:,} {WORDS['verdict.' + verdict][0]}" in text


def test_one_row_a_pair_and_it_is_the_strongest(data):
    pairs = strongest_pairs(data.associations, data.products)
    unordered = {frozenset(ends) for ends in data.associations.select("product_id", "other_id").iter_rows()}
    assert pairs.height == len(unordered) == pairs.select("low", "high").unique().height
    assert pairs["weight"].is_sorted(descending=True)
    best = {}
    for row in data.associations.iter_rows(named=True):
        ends = frozenset((row["product_id"], row["other_id"]))
        best[ends] = max(best.get(ends, 0.0), row["strength"])
    assert {frozenset((low, high)): weight for low, high, weight in pairs.select("low", "high", "weight").iter_rows()} == best


def test_hubs_are_the_products_whose_complements_add_up_to_most():
    star = [edge("hub", f"leaf{i}", strength=0.5) for i in range(5)]
    other = [edge("small", f"twig{i}", strength=0.6) for i in range(2)]
    noise = [edge("loud", f"trip{i}", "co_trip", strength=0.99) for i in range(9)]
    hubs, drawn, rows = choose(pairs_of(star + other + noise), hubs=2, reach=3)
    assert hubs == ["hub", "small"]
    assert drawn == ["hub", "leaf0", "leaf1", "leaf2", "small", "twig0", "twig1"]
    assert set(rows["verdict"]) == {"complement"} and rows.height == 5


def test_a_second_hub_brings_new_products():
    first = [edge("hub", f"leaf{i}", strength=0.9) for i in range(4)]
    echo = [edge("echo", f"leaf{i}", strength=0.8) for i in range(4)]
    fresh = [edge("fresh", f"twig{i}", strength=0.3) for i in range(3)]
    hubs, _, _ = choose(pairs_of(first + echo + fresh), hubs=2, reach=4)
    assert hubs == ["hub", "fresh"]


def test_pairs_across_categories_make_the_hubs():
    flavours = [edge("cherry", f"flavour{i}", strength=0.9) for i in range(4)]
    meal = [edge("pasta", "sauce", strength=0.4)]
    shelf = catalogue("cherry", *(f"flavour{i}" for i in range(4))).with_columns(category=pl.lit("yogurt"))
    assert choose(pairs_of(flavours + meal, shelf), hubs=1, reach=3)[0] == ["sauce"]
    assert choose(pairs_of(flavours, shelf), hubs=1, reach=3)[0] == ["cherry"]


def test_a_hub_brings_its_most_similar_substitute():
    own = [edge("hub", f"leaf{i}", strength=0.9) for i in range(3)]
    rivals = [edge("hub", f"rival{i}", "substitute", strength=0.1 * i, similarity=1 - 0.1 * i) for i in range(1, 4)]
    _, drawn, rows = choose(pairs_of(own + rivals), hubs=1, reach=2)
    assert drawn == ["hub", "leaf0", "leaf1", "rival1"] and "substitute" in rows["verdict"].to_list()


def test_without_complements_other_verdicts_stand_in():
    _, drawn, rows = choose(pairs_of([edge("a", "b", "unknown", strength=None)]), hubs=3, reach=3)
    assert sorted(drawn) == ["a", "b"] and rows.height == 1


NARROW = Canvas("narrow", 240, 200, 6, 8, 150)


@pytest.mark.parametrize("canvas", [WIDE, TALL, NARROW], ids=lambda canvas: canvas.name)
def test_no_label_covers_another_and_all_stay_inside(data, canvas):
    picture = draw(strongest_pairs(data.associations, data.products), data.products, sentence, canvas)
    nodes, canvas = picture.nodes, picture.canvas
    assert len(nodes) > 12
    boxes = [node.box for node in nodes]
    for i, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0 and top >= 0 and right <= canvas.width and bottom <= canvas.height
        for other in boxes[i + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


def test_lines_of_the_picture_are_edges_of_the_table_with_their_sentences(data):
    picture = draw(strongest_pairs(data.associations, data.products), data.products, sentence, WIDE)
    strengths = {
        (a, b): row for a, b, row in ((r["product_id"], r["other_id"], r) for r in data.associations.iter_rows(named=True))
    }
    assert picture.edges
    for line in picture.edges:
        ends = (picture.nodes[line.a].product_id, picture.nodes[line.b].product_id)
        row = strengths.get(ends) or strengths[ends[::-1]]
        assert line.verdict == row["verdict"] and 1 <= line.width <= 6
        assert ends[0] in line.en and ends[1] in line.en and "customers bought" in line.en and "随机" in line.zh


@given(st.text(max_size=120))
@settings(deadline=None)
def test_labels_fit_whatever_the_title(title):
    lines = wrapped(title, 110)
    assert len(lines) <= 2
    assert all(text_width(line) <= 110 + 2 * LETTER for line in lines)
    if len(title.split()) == 1 and text_width(title.strip()) < 100:
        assert lines == (title.strip(),)


def test_table_shows_no_product_too_often(page):
    rows = re.findall(r'<tr data-verdict="(\w+)">.*?class="pair"><b>(.*?)</b>.*?<b>(.*?)</b>', page, re.S)
    assert {verdict for verdict, _, _ in rows} == {"complement", "substitute", "co_trip"}
    for verdict in ("complement", "substitute", "co_trip"):
        ends = [end for found, *pair in rows if found == verdict for end in pair]
        assert max(ends.count(end) for end in ends) <= 3


def test_lift_medians_and_shares_are_those_of_the_pairs_counted():
    lifts = [(2.0, 0.5), (4.0, 1.1), (8.0, 1.3)]
    rows = [edge("a", f"b{i}", lift=raw, adjusted_lift=adjusted) for i, (raw, adjusted) in enumerate(lifts)]
    back = [{**row, "product_id": row["other_id"], "other_id": "a"} for row in rows]
    similar = [{**row, "kind": "similar", "lift": None, "adjusted_lift": None} for row in rows]
    chart = charts.lift_chart(associations(rows + back + similar))
    assert (chart.pairs, chart.raw.median, chart.raw.above_one) == (3, 4.0, 1.0)
    assert chart.adjusted.median == 1.1 and chart.adjusted.above_one == pytest.approx(2 / 3)
    assert chart.mostly_size
    assert chart.one < chart.adjusted.at < chart.raw.at


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=60))
@settings(deadline=None, max_examples=60)
def test_every_lift_falls_in_a_bin(values):
    series = pl.Series(values)
    scale = charts.LogScale(0.9, 1.1, 0, 480)
    assert sum(charts._binned(series, scale)) == pytest.approx(1.0)


def test_scatter_shares_its_dots_between_verdicts():
    rows = [
        edge(f"a{i:05}", f"b{i:05}", "unknown" if i % 50 else "substitute", similarity=0.5, adjusted_lift=2.0)
        for i in range(5000)
    ]
    chart = charts.scatter(associations(rows))
    shown = [dot.verdict for dot in chart.dots]
    assert chart.pairs == 5000 and shown.count("substitute") == 100 and 300 <= shown.count("unknown") <= 321


def test_a_baseline_that_wins_is_named(page):
    text = Reader(page).text
    assert (
        "recall at 10 on new products: “words alone” does better (0.121 against 0.117), though the intervals overlap." in text
    )
    assert "ndcg at 10 on rare: the baseline “popularity” does better (0.120 against 0.080)." in text
    assert "log loss on" not in text, "lower is better, and there the release's model has the lowest"


def test_figures_that_compare_nothing_with_the_release_model_are_left_out(data):
    alone = (
        METRICS.filter(pl.col("model") == "popularity").with_columns(metric=pl.lit("silhouette"), slice=pl.lit("texts")).head(1)
    )
    text = Reader(render(replace(data, metrics=pl.concat([METRICS, alone])))).text
    assert "silhouette" not in text and "recall at 10" in text
    assert "silhouette" in Reader(render(replace(data, metrics=alone))).text


def test_pairs_never_counted_and_not_judged_are_no_part_of_the_headline(data):
    alike = associations(
        [edge("1", "2", "unknown", kind="similar"), edge("2", "3", baskets=4), edge("3", "4", "unknown", baskets=3)]
    )
    text = Reader(render(replace(data, associations=alike))).text
    assert "2 pairs of products judged. 1 truly go together" in text


def test_no_claim_of_winning_without_the_release_model(data):
    text = Reader(render(replace(data, model="not measured"))).text
    assert WORDS["metrics.wins"][0] not in text and WORDS["metrics.honest"][0] not in text


def test_rules_are_told_in_words_and_new_ones_by_their_name(data):
    rules = data.rules.with_columns(rule=pl.Series(["orphan", "missing_ts", "outlier", "duplicate", "brand_new"]))
    text = Reader(render(replace(data, rules=rules.with_columns(verb=pl.lit("flag"))))).text
    for words in ("product not in the catalogue", "商品不在目录中", "missing ts", "brand new", "marked, kept"):
        assert words in text


def test_rows_that_do_not_add_up_are_said(data, page):
    assert WORDS["ingest.unbalanced"][0] not in Reader(page).text
    lost = data.ingest.with_columns(kept=pl.col("kept") - 1)
    assert WORDS["ingest.unbalanced"][0] in Reader(render(replace(data, ingest=lost))).text


def test_an_empty_release_still_makes_a_page(data):
    bare = replace(
        data,
        baskets=None,
        customers=None,
        products=data.products.clear(),
        associations=data.associations.clear(),
        ingest=data.ingest.clear(),
        rules=data.rules.clear(),
        metrics=data.metrics.clear(),
        clusters=data.clusters.clear(),
    )
    text = Reader(render(bare)).text
    for nothing in ("lead.empty", "graph.empty", "lift.empty", "scatter.empty", "metrics.empty", "clusters.empty"):
        assert WORDS[nothing][0] in text
    assert "None" not in text and "nan" not in text


def test_a_release_with_rules_shows_them_under_the_titles_of_the_catalogue(data, page):
    assert WORDS["mined.empty"][0] in Reader(page).text
    ids = data.products["product_id"].to_list()
    rules = pl.DataFrame(
        {
            "antecedent": [[ids[0], ids[1]], [ids[2]]],
            "consequent": [[ids[3]], ["not in the catalogue"]],
            "baskets": [19, 30],
            "support": [0.0019, 0.003],
            "confidence": [19 / 21, 0.25],
            "lift": [11.2353, 2.0],
        }
    )
    text = Reader(render(replace(data, association_rules=rules))).text
    titles = data.products["title"].to_list()
    assert f"Of the 21 baskets with “{titles[0]}” and “{titles[1]}”, 19 (90.5%) also hold “{titles[3]}”: 11.2 times" in text
    assert "also hold “not in the catalogue”" in text and WORDS["mined.empty"][0] not in text
    assert WORDS["mined.empty"][0] in Reader(render(replace(data, association_rules=rules.clear()))).text


def test_three_products_and_nulls_all_round(data):
    few = replace(
        data,
        products=catalogue("1", "2", "3"),
        associations=associations([edge("1", "2", "unknown"), edge("2", "3", "substitute", strength=0.2), edge("3", "4")]),
        rules=RULES.with_columns(money=pl.lit(None), example=pl.lit(None)),
        metrics=METRICS.with_columns(low=pl.lit(None, pl.Float64), high=pl.lit(float("nan")), value=pl.lit(None, pl.Float64)),
        clusters=CLUSTERS.with_columns(words=pl.lit(None, pl.String)),
    )
    html = render(few)
    assert {node["name"] for node in told(html)[0]["nodes"]} == {"3", "4"}
    assert not re.search(r"\b(None|nan)\b", Reader(html).text)


@pytest.mark.slow
def test_half_a_million_edges_take_seconds_and_the_page_stays_small(data):
    dice = random.Random(5)
    number = 500_000
    many = pl.DataFrame(
        {
            "product_id": [f"p{i // 25:05}" for i in range(number)],
            "other_id": [f"q{i % 25:02}-{i // 75}" for i in range(number)],
            "verdict": [("complement", "substitute", "co_trip", "unknown")[i % 4] for i in range(number)],
            "strength": [dice.random() for _ in range(number)],
            "lift": [2 ** dice.gauss(1, 1) for _ in range(number)],
            "adjusted_lift": [2 ** dice.gauss(0.3, 1) for _ in range(number)],
            "similarity": [dice.random() for _ in range(number)],
        }
    ).with_columns(kind=pl.lit("bought_together"))
    empty = Associations.create_empty()
    whole = pl.concat([empty, many.cast({k: v for k, v in empty.schema.items() if k in many.columns})], how="diagonal")
    html = render(replace(data, associations=whole, products=catalogue(*whole["product_id"].unique().sort())))
    assert len(html.encode()) < 1_000_000
    assert len(told(html)[0]["nodes"]) > 40
