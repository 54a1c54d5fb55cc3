"""The words of the house: every table, its columns, their types, units, meaning, nullability and key.

A contract is a dataframely schema; a frame that satisfies one is a `DataFrame[Contract]`, proved on construction by
`Contract.validate`. Column names are fixed: a shop's own names are mapped once, at ingest. Money is decimal, in the shop's one
currency; instants are UTC; days are the shop's own local days. `NULL` is allowed only where a column says nullable.
"""

from __future__ import annotations

from typing import Any, Final

import dataframely as dy

MONEY_SCALE: Final = 4  # ten-thousandths of the currency: fuel is priced in tenths of a cent
UNITS_SCALE: Final = 3  # thousandths of a unit: grams of a kilogram

KINDS: Final = ("bought_together", "bought_next", "similar")
ACTIONS: Final = ("impression", "click", "purchase", "dismissal")
VERDICTS: Final = ("complement", "substitute", "co_trip", "unknown")


def _unit(unit: str) -> dict[str, Any]:
    return {"unit": unit}


def _money(description: str, *, nullable: bool = False) -> dy.Decimal:
    return dy.Decimal(18, MONEY_SCALE, nullable=nullable, description=description, metadata=_unit("currency"))


def _text(description: str, *, nullable: bool = True) -> dy.String:
    return dy.String(nullable=nullable, description=description)


def _share(description: str, *, nullable: bool = True) -> dy.Float64:
    return dy.Float64(nullable=nullable, min=0.0, max=1.0, description=description, metadata=_unit("share"))


def _number(description: str, unit: str, *, nullable: bool = True) -> dy.Float64:
    return dy.Float64(nullable=nullable, allow_inf=True, description=description, metadata=_unit(unit))


class _Lineage(dy.Schema):
    source = dy.String(primary_key=True, description="sha256 of the source the row came from, first 16 hex digits")
    row = dy.Int64(
        primary_key=True, min=1, description="position in that source, the first data row is 1", metadata=_unit("row")
    )


class Products(dy.Schema):
    """The catalogue: one row a product."""

    product_id = dy.String(primary_key=True, min_length=1, description="the shop's own id")
    title = _text("what a shopper would call it", nullable=False)
    description = _text("free text about it")
    brand = _text("brand, or kind of brand")
    department = _text("top level of the shop's category tree")
    category = _text("middle level")
    subcategory = _text("lowest level")
    size = _text("pack or garment size as printed")


class OrderLines(_Lineage):
    """What was bought: one row a line of an order. Negative units (returns) are netted at ingest or set aside."""

    order_id = dy.String(min_length=1, description="one basket, one payment")
    customer_id = _text("pseudonym: HMAC-SHA-256 of the shop's id; null for an anonymous basket")
    product_id = dy.String(min_length=1, description="key of Products")
    ts = dy.Datetime(time_zone="UTC", time_unit="us", description="instant of the order", metadata=_unit("UTC"))
    day = dy.Date(description="the shop's local day of `ts`", metadata=_unit("local day"))
    store_id = _text("shop or channel the order was placed in")
    units = dy.Decimal(18, UNITS_SCALE, min_exclusive=0, description="how many or how much", metadata=_unit("units"))
    amount = _money("what the line was sold for, after loyalty discounts, before coupons")
    loyalty_discount = _money("taken off by loyalty pricing, as a positive amount")
    coupon_discount = _money("taken off by a manufacturer's coupon, as a positive amount")
    coupon_match_discount = _money("added by the shop to a coupon, as a positive amount")


class Promotions(_Lineage):
    """Where a product was promoted: a row a product, store and week. Absence means none, in the stores listed only."""

    product_id = dy.String(min_length=1, description="key of Products")
    store_id = dy.String(min_length=1, description="store that ran it")
    first_day = dy.Date(description="first local day of the week it ran", metadata=_unit("local day"))
    display = _text("code of the in-store display; null for none")
    mailer = _text("code of the mailer placement; null for none")


class Prices(_Lineage):
    """What a product costs from an instant on, until its next row: a row a product and instant."""

    product_id = dy.String(min_length=1, description="key of Products")
    ts = dy.Datetime(time_zone="UTC", time_unit="us", description="instant from which it holds", metadata=_unit("UTC"))
    price = dy.Decimal(18, MONEY_SCALE, min_exclusive=0, description="what one unit sells for", metadata=_unit("currency"))
    cost = _money("what one unit costs the shop; null where it is not told", nullable=True)


class Stock(_Lineage):
    """What was there when it was counted: a row a product, store and instant. It holds until the next row of that store."""

    product_id = dy.String(min_length=1, description="key of Products")
    store_id = _text("shop, channel or warehouse; null where there is one only")
    ts = dy.Datetime(time_zone="UTC", time_unit="us", description="instant of the count", metadata=_unit("UTC"))
    units = dy.Decimal(18, UNITS_SCALE, description="how many there are; below 0 where more was sold", metadata=_unit("units"))


class Events(dy.Schema):
    """What was shown to whom, and what they did with it: one row a product of a list and an action. Told twice, it is one."""

    list_id = dy.String(primary_key=True, min_length=1, description="the list it was shown in, made anew for every answer")
    product_id = dy.String(primary_key=True, min_length=1, description="key of Products")
    action = dy.Enum(ACTIONS, primary_key=True, description="shown, clicked, bought or waved away")
    customer_id = _text("pseudonym: HMAC-SHA-256 of the shop's id; null for an anonymous visitor")
    ts = dy.Datetime(time_zone="UTC", time_unit="us", description="instant of the action", metadata=_unit("UTC"))
    day = dy.Date(description="the shop's local day of `ts`", metadata=_unit("local day"))
    place = dy.Int32(
        nullable=True, min=1, description="rank in the list, the first is 1; no impression is without", metadata=_unit("rank")
    )
    scene = _text("where it was shown: home, basket, e-mail, ...")
    model = _text("release and model that chose it, or the arm of an experiment")
    propensity = dy.Float64(
        nullable=True,
        min_exclusive=0.0,
        max=1.0,
        description="probability with which it was shown at that place; null where it was not logged",
        metadata=_unit("share"),
    )


class Quarantine(_Lineage):
    """Rows set aside: kept + quarantined = read, exactly, in rows and in money."""

    table = dy.String(primary_key=True, description="the table the row was meant for")
    rule = dy.String(description="the first rule it broke, in the order the rules are listed")
    rules = dy.List(dy.String(), description="every rule it broke")
    money = _money("amount of the line, where it could be read", nullable=True)
    record = dy.String(description="the row as it was read, as JSON, customer ids pseudonymised")


class Baskets(dy.Schema):
    """Distinct products of each order as dense codes, ordered by customer, then time, then order: what kernels take."""

    basket = dy.Int32(min=0, description="dense code of the order, in that order")
    product = dy.Int32(min=0, description="dense code of the product: position in the sorted product ids")
    customer = dy.Int32(min=0, description="dense code of the customer; an anonymous basket is a customer of its own")
    day = dy.Date(description="the shop's local day", metadata=_unit("local day"))


class BasketValues(Baskets):
    """The same with what was sold of each product: the lines of one order and product added up."""

    units = dy.Decimal(18, UNITS_SCALE, min_exclusive=0, description="how many or how much", metadata=_unit("units"))
    amount = _money("what they were sold for, after loyalty discounts, before coupons: the shop's revenue")


class Documents(dy.Schema):
    """What there is to read about each product, in the order of product codes; equal texts are encoded once."""

    product_id = dy.String(primary_key=True, description="key of Products")
    text = _text("title, description, brand and categories in lower case; null where the catalogue says nothing")


class UnitPrices(_Lineage):
    """What one unit cost, three ways, per order line."""

    product_id = dy.String(description="key of Products")
    day = dy.Date(description="the shop's local day", metadata=_unit("local day"))
    shelf = _money("(amount + loyalty_discount + coupon_match_discount) / units: the price on the shelf")
    loyalty = _money("(amount + coupon_match_discount) / units: the price with the loyalty card")
    paid = _money("(amount - coupon_discount) / units: what the customer paid")


class Coverage(dy.Schema):
    """How much the order lines hold: one row."""

    first_day = dy.Date(nullable=True, description="the earliest local day; null without lines", metadata=_unit("local day"))
    last_day = dy.Date(nullable=True, description="the latest", metadata=_unit("local day"))
    last_ts = dy.Datetime(
        nullable=True,
        time_zone="UTC",
        time_unit="us",
        description="the latest instant of an order, an event or a count of stock",
        metadata=_unit("UTC"),
    )
    lines = dy.Int64(min=0, description="order lines", metadata=_unit("rows"))
    orders = dy.Int64(min=0, description="distinct orders", metadata=_unit("baskets"))
    customers = dy.Int64(min=0, description="distinct known customers", metadata=_unit("customers"))
    products = dy.Int64(min=0, description="distinct products sold", metadata=_unit("products"))


class ProductFacts(dy.Schema):
    """What is known of each product at `as_of` besides the catalogue; null where nothing is."""

    product_id = dy.String(primary_key=True, description="key of Products")
    price = _money("the latest of Prices, else the mean shelf price on the last day it was sold", nullable=True)
    margin = _money("price less the latest cost that is known", nullable=True)
    stock = dy.Decimal(
        18, UNITS_SCALE, nullable=True, description="the latest count of every store, added up", metadata=_unit("units")
    )
    promoted = dy.Bool(description="whether a promotion runs on the day")


class Dismissals(dy.Schema):
    """What each customer waved away, and when last."""

    customer_id = dy.String(primary_key=True, description="pseudonym")
    product_id = dy.String(primary_key=True, description="key of Products")
    day = dy.Date(description="the shop's local day", metadata=_unit("local day"))


class Buyers(dy.Schema):
    """The customers behind the rows of histories, in their order."""

    customer = dy.Int32(primary_key=True, min=0, description="dense code of the customer", metadata=_unit("code"))
    customer_id = _text("pseudonym; null for an anonymous basket")


class Associations(dy.Schema):
    """The association graph: one row a directed edge (undirected kinds stand in both directions).

    A is `product_id`, B is `other_id`. P(.) is over baskets for `bought_together`, and over consecutive orders of one customer
    for `bought_next`, where A is in the earlier and B in the later. Behavioural columns are null on an edge never counted.
    """

    product_id = dy.String(primary_key=True, description="A")
    other_id = dy.String(primary_key=True, description="B")
    kind = dy.Enum(KINDS, primary_key=True, description="what the edge claims")
    baskets = dy.Int64(
        nullable=True, min=0, description="baskets (or consecutive pairs of orders) with both", metadata=_unit("baskets")
    )
    customers = dy.Int64(nullable=True, min=0, description="distinct customers behind them", metadata=_unit("customers"))
    support = _share("P(A and B)")
    confidence = _share("P(B | A)")
    confidence_back = _share("P(A | B)")
    lift = _number("P(A and B) / (P(A) P(B))", "ratio")
    leverage = _number("P(A and B) - P(A) P(B)", "share")
    conviction = _number("(1 - P(B)) / (1 - P(B | A)); infinite where B always follows A", "ratio")
    zhang = _number("leverage / max(P(A and B)(1 - P(A)), P(A)(P(B) - P(A and B)))", "in [-1, 1]")
    cosine = _share("P(A and B) / sqrt(P(A) P(B))")
    jaccard = _share("P(A and B) / P(A or B)")
    kulczynski = _share("mean of the two confidences")
    imbalance = _share("|P(A) - P(B)| / P(A or B)")
    joint_ratio = _share("P(A and B) / (P(A) + P(B))")
    adjusted_lift = _number("baskets / those expected from product popularity and the sizes of the baskets", "ratio")
    adjusted_low = _number("lower end of its 95% interval, over distinct customers", "ratio")
    adjusted_high = _number("upper end of its 95% interval", "ratio")
    p = _share("exact hypergeometric upper tail, counts deflated to distinct customers")
    q = _share("Benjamini-Hochberg over all pairs tested")
    placebo_lift = _number("the same ratio for A in one order and B in the same customer's next, both ways", "ratio")
    contrast = _number("adjusted_lift / placebo_lift: same trip against next trip", "ratio")
    contrast_low = _number("lower end of its exact 95% interval, over distinct customers", "ratio")
    contrast_high = _number("upper end", "ratio")
    stability = _share("smaller over larger of the adjusted lifts in two halves of time, in tenths; 0 where one has none")
    similarity = _number("of the two texts: cosine; on an edge `similar`, by the metric of the release", "in [-1, 1]")
    strength = _share("calibrated probability of being bought together in the next weeks")
    verdict = dy.Enum(VERDICTS, description="what the evidence allows to be said of the pair")


class Itemsets(dy.Schema):
    """Products that stand together in baskets: one row an itemset. The empty itemset is none."""

    itemset = dy.List(
        dy.String(min_length=1),
        primary_key=True,
        min_length=1,
        description="its products, each once, in the order of their ids",
    )
    length = dy.Int32(min=1, description="how many products", metadata=_unit("products"))
    baskets = dy.Int64(min=0, description="baskets that hold them all", metadata=_unit("baskets"))
    customers = dy.Int64(nullable=True, min=0, description="distinct customers behind them", metadata=_unit("customers"))
    support = _share("baskets / all baskets", nullable=False)


class Rules(dy.Schema):
    """Association rules: one row a rule X => Y, baskets with all of X against those that also hold all of Y.

    P(.) is over baskets. X and Y share no product, and neither is empty. Measures are over baskets; the test is exact.
    """

    antecedent = dy.List(
        dy.String(min_length=1), primary_key=True, min_length=1, description="X: product ids, each once, in their order"
    )
    consequent = dy.List(dy.String(min_length=1), primary_key=True, min_length=1, description="Y, likewise")
    baskets = dy.Int64(min=0, description="baskets with X and Y", metadata=_unit("baskets"))
    customers = dy.Int64(nullable=True, min=0, description="distinct customers behind them", metadata=_unit("customers"))
    antecedent_baskets = dy.Int64(min=1, description="baskets with X", metadata=_unit("baskets"))
    consequent_baskets = dy.Int64(min=1, description="baskets with Y", metadata=_unit("baskets"))
    support = _share("P(X and Y)", nullable=False)
    confidence = _share("P(Y | X)", nullable=False)
    lift = _number("P(X and Y) / (P(X) P(Y))", "ratio", nullable=False)
    leverage = _number("P(X and Y) - P(X) P(Y)", "share", nullable=False)
    conviction = _number("(1 - P(Y)) / (1 - P(Y | X)); infinite where Y always follows X", "ratio", nullable=False)
    p = _share("exact hypergeometric upper tail, counts deflated to distinct customers where they are known")
    q = _share("corrected for all rules that could have been found")
    improvement = _number("least of P(Y | X) - P(Y | S) over the proper subsets S of X, the empty one among them", "share")
    contribution = dy.List(
        dy.Float64(),
        nullable=True,
        description="what each product of X adds to log lift: its Shapley value; adds up to log lift",
    )


class Clusters(dy.Schema):
    """Groups of products whose texts mean alike."""

    product_id = dy.String(primary_key=True, description="key of Products")
    method = dy.Enum(("kmeans", "hierarchical"), primary_key=True, description="how the groups were found")
    cluster = dy.Int32(min=0, description="number of the group")
    words = dy.String(description="its most telling words, comma separated")


class Metrics(dy.Schema):
    """Measured quality: every figure beside its baseline, with an interval."""

    metric = dy.String(primary_key=True, description="name of the measure")
    model = dy.String(primary_key=True, description="what was measured")
    slice = dy.String(primary_key=True, description="on which part of the hold-out")
    value = dy.Float64(nullable=True, description="the estimate")
    low = dy.Float64(nullable=True, description="lower end of its 95% interval")
    high = dy.Float64(nullable=True, description="upper end")
    n = dy.Int64(min=0, description="how many cases it rests on")


INPUTS: Final[dict[str, type[dy.Schema]]] = {
    "products": Products,
    "order_lines": OrderLines,
    "promotions": Promotions,
    "prices": Prices,
    "stock": Stock,
    "events": Events,
}
DERIVED: Final[dict[str, type[dy.Schema]]] = {
    "quarantine": Quarantine,
    "baskets": Baskets,
    "basket_values": BasketValues,
    "documents": Documents,
    "unit_prices": UnitPrices,
    "coverage": Coverage,
    "product_facts": ProductFacts,
    "dismissals": Dismissals,
    "buyers": Buyers,
}
ANSWERS: Final[dict[str, type[dy.Schema]]] = {
    "associations": Associations,
    "itemsets": Itemsets,
    "rules": Rules,
    "clusters": Clusters,
    "metrics": Metrics,
}
