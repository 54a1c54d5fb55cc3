"""How much of a leave-one-out figure is the order in which a file happens to hold one day's events.

Three public data sets that know the day, read as the files of the literature are: every event is a step of its own, a product
counts once a customer, events of one day stand in the file's order. `shuffled` deals each day's events anew.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from basketry.core.histories import Histories
from basketry.recommendation.protocols import shuffled_ties

Row = tuple[str, str, int]  # customer, product, day since 1970-01-01
EPOCH = date(1970, 1, 1).toordinal()


def read_days(datasets: Path) -> dict[str, Histories]:
    """Of each data set the histories in the file's order."""
    reviews = datasets / "amazon_reviews_small" / "derived"
    return {
        "Amazon Gift Cards": steps_of(_reviews(reviews / "Gift_Cards_5.noname.jsonl.gz")),
        "Amazon All Beauty": steps_of(_reviews(reviews / "All_Beauty_5.noname.jsonl.gz")),
        "UCI Online Retail": steps_of(_invoices(datasets / "uci_online_retail" / "online_retail.csv.gz")),
    }


def steps_of(rows: Iterable[Row]) -> Histories:
    """Histories by day, equal days in the order given, of each product a customer's first event; every event is a visit."""
    known: dict[tuple[str, str], int] = {}
    customers: dict[str, int] = {}
    products: dict[str, int] = {}
    for customer, product, day in sorted(rows, key=lambda row: row[2]):  # stable
        known.setdefault((customer, product), day)
    for customer, product in known:
        customers.setdefault(customer, len(customers))
        products.setdefault(product, len(products))
    who = np.array([customers[customer] for customer, _ in known], dtype=np.int64)
    what = np.array([products[product] for _, product in known], dtype=np.int32)
    when = np.array(list(known.values()), dtype=np.int32)
    order = np.argsort(who, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(who, minlength=len(customers)))]).astype(np.int64)
    return _stepwise(Histories(indptr, what[order], when[order], when[order], len(products)))


def shuffled(histories: Histories, seed: int) -> Histories:
    """The same events, those of one day in an order that is just as true, each again a step of its own."""
    return _stepwise(shuffled_ties(histories, seed))


def tied(histories: Histories) -> float:
    """The share of customers with two events and more whose last two are of one day."""
    ends = histories.indptr[1:][histories.lengths > 1]
    return float(np.mean(histories.days[ends - 1] == histories.days[ends - 2]))


def _stepwise(histories: Histories) -> Histories:
    step = np.arange(len(histories.products)) - np.repeat(histories.indptr[:-1], histories.lengths)
    return replace(histories, visits=step.astype(np.int32))


def _reviews(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            each = json.loads(line)
            yield each["reviewerID"], each["asin"], int(each["unixReviewTime"]) // 86_400


def _invoices(path: Path) -> Iterator[Row]:
    """Lines of known customers that are no return, of stock codes that begin with a figure (others: postage and such)."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for each in csv.DictReader(file):
            if each["CustomerID"] and int(each["Quantity"]) > 0 and each["StockCode"][:1].isdigit():
                day = date.fromisoformat(each["InvoiceDate"][:10]).toordinal() - EPOCH
                yield each["CustomerID"], each["StockCode"], day
