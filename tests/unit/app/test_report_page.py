"""The report page: what it chooses, what it says, what it survives."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import random
import re
import time
from dataclasses import replace
from html.parser import HTMLParser

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.app import charts, graph_picture
from basketry.app.graph_picture import TALL, WIDE, choose, draw, strongest_pairs, text_width, wrapped
from basketry.app.report_page import ReportData, render
from basketry.app.report_words import WORDS
from basketry.core.tables import Associations, Metrics

SHELVES = {
    "Produce": "bananas,baby carrots,romaine hearts,avocado,roma tomatoes,yellow onions,fresh cilantro,limes,seedless grapes,strawberries",
    "Grocery": "spaghetti,marinara sauce,tortilla chips,medium salsa,peanut butter,grape jelly,black beans,long grain rice,pancake mix,maple syrup",
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
        "kind": "bought_together", "baskets": customers * 3, "customers": customers, "support": 0.002, "lift": lift,
        "adjusted_lift": adjusted, "adjusted_low": adjusted * 0.8, "adjusted_high": adjusted * 1.25, "confidence": dice.random() * 0.4,
        "similarity": similarity, "strength": strength, "verdict": verdict,
    }  # fmt: skip
    rows = [{**edge, "product_id": ids[a], "other_id": ids[b]}, {**edge, "product_id": ids[b], "other_id": ids[a]}]
    if dice.random() < 0.2:
        rows.append({**rows[0], "kind": "bought_next", "strength": strength * 0.9})
    if similarity > 0.6:
        rows.append({**rows[0], "kind": "similar", "confidence": None})
    return rows


def associations(rows) -> pl.DataFrame:
    return Associations.validate(pl.DataFrame(rows, schema=Associations.create_empty().schema), cast=True)


def sentence(row, language):
    if language == "zh":
        return f"买 {row['product_id']} 的购物篮里，{row['other_id']} 出现的次数是随机的 {row['adjusted_lift'] or 0:.2f} 倍。"
    return (
        f"{row['customers']} customers bought {row['product_id']} with {row['other_id']}, {row['adjusted_lift'] or 0:.2f} times as "
        "often as the sizes of their baskets would bring."
    )


INGEST = pl.DataFrame(
    {
        "table": ["products", "order_lines", "promotions"],
        "rows_in": [92_331, 1_469_307, 20_940_529],
        "kept": [92_331, 1_433_741, 20_927_744],
        "quarantined": [0, 35_566, 12_785],
        "repaired": [20, 14_697, 0],
        "money_in": [None, 4_593_232.0, None],
        "money_kept": [None, 4_555_111.5, None],
        "money_quarantined": [None, 38_120.5, None],
    }
)
RULES = pl.DataFrame(
    {
        "table": ["order_lines", "order_lines", "order_lines", "promotions", "order_lines"],
        "rule": ["fuel_in_thousandths", "units_not_positive", "orphan_product", "duplicate_key", "amount_not_positive"],
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
            ("yogurt, greek, strawberry, light", "shampoo, conditioner, hair", "cat, dog, food, litter", "cereal, oats, kids", "bagels, buns, bread",
             "detergent, liquid, laundry", "pizza, frozen, pepperoni", "candles, gift, cards", "beef, ground, angus", "soup, broth, cans")
        )
    ],
    schema={"method": pl.String, "cluster": pl.Int32, "size": pl.Int64, "words": pl.String},
    orient="row",
)  # fmt: skip
