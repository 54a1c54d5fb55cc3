"""How a ranker is examined: what it may learn from, what it is asked, and what the answer was.

A split is made of histories alone. Nothing a model sees, in training or in a question, happened after the question was asked;
`digest` is the sha256 of all of it, so that two figures are known to answer the same exam.

    leave one out     the last event (or visit) of each customer is the test, the one before it the validation
    global time       everything before a day is known; the question is what each known customer buys in the days from then on
    rolling time      several of those, one window after another

Leave one out compares with the literature and flatters: other customers' later events teach what this one did earlier.
A time split is what a shop meets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import RequestError
from basketry.core.histories import Candidates, Histories, Queries

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from basketry.core.histories import Bools, Int32s, Int64s

HELD: Final = {"test": 1, "validation": 2}
UNITS: Final = ("event", "visit")
_SCORES: Final = 16_000_000  # float32 numbers


@dataclass(frozen=True, eq=False)
class Split:
    """An exam: fit on `train`, ask `queries`; `relevant` bool [queries, n_products] holds the answers.

    `customers` int64 [queries] says which row of the histories asks, so that questions of one are resampled together.
    Unless `repeats`, what a history holds is not ranked again and is no answer either; a query left without an answer counts in
    no figure of accuracy.
    """

    name: str
    train: Histories
    queries: Queries
    relevant: csr_array
    customers: Int64s
    repeats: bool

    @property
    def candidates(self) -> Candidates:
        """Everything may be ranked, what was bought before only where `repeats`."""
        return Candidates(repeats=self.repeats)

    @cached_property
    def digest(self) -> str:
        """sha256, in hexadecimal, over the name and all arrays as little-endian numbers with their lengths."""
        hashed = hashlib.sha256(f"{self.name}\n{self.train.n_products}\n{self.repeats}\n".encode())
        asked = self.queries.histories
        for each in (self.train, asked):
            for array in (each.indptr, each.products, each.days, each.visits):
                _hash(hashed, array)
        for array in (self.queries.days, self.relevant.indptr, self.relevant.indices, self.customers):
            _hash(hashed, array)
        return hashed.hexdigest()

    def parts(self, most: int = 1_024) -> Iterator[Int64s]:
        """The queries in parts of at most `most`, and of so few that a part's dense scores take no more than 64 MB."""
        size = max(1, min(most, _SCORES // max(self.train.n_products, 1)))
        for at in range(0, len(self.queries), size):
            yield np.arange(at, min(at + size, len(self.queries)), dtype=np.int64)

    def only(self, products: Bools) -> csr_array:
        """`relevant`, of the products [n_products] alone: the answers of a slice."""
        return _where(self.relevant, products[self.relevant.indices])

    def asked_by(self, queries: Bools) -> csr_array:
        """`relevant`, of the queries [queries] alone; the others are left without an answer."""
        return _where(self.relevant, np.repeat(queries, np.diff(self.relevant.indptr)))

    def new_to_customer(self) -> csr_array:
        """`relevant` without what the customer's history holds."""
        return _without(self.relevant, self.queries.histories)

    def cold_products(self, few: int = 5) -> Bools:
        """Which products, bool [n_products], stand in fewer than `few` events of the training. With 1, those never sold."""
        return np.bincount(self.train.products, minlength=self.train.n_products) < few

    def cold_customers(self, few: int = 5) -> Bools:
        """Which queries, bool [queries], are asked with fewer than `few` events."""
        return self.queries.histories.lengths < few

    def unseen_customers(self) -> Bools:
        """Which queries, bool [queries], are of customers who are not in the training, only in the question."""
        unseen: Bools = self.train.lengths[self.customers] == 0
        return unseen

    def withhold(self, share: float, seed: int = 0) -> Split:
        """The same questions with a share of the customers taken out of the training: are new ones served as well?"""
        if not 0 < share < 1:
            raise RequestError(f"a share of {share:g} of the customers cannot be withheld", "give one between 0 and 1")
        out = np.random.default_rng(seed).random(len(self.train)) < share
        return replace(
            self, name=f"{self.name}, {share:.0%} of customers withheld", train=self.train.where(~out[self.train.rows])
        )


def leave_one_out(
    histories: Histories, held: str = "test", unit: str = "event", repeats: bool = False, learn_validation: bool = False
) -> Split:
    """Each customer's last event (`held` "test") or second last ("validation"), asked with everything before it.

    With `unit` "visit" it is the last visit, all of it. What stands before the validation is trained on in both cases, so one
    fitted model serves both, and the validation is in the test's questions; `learn_validation` trains the test on it as well.
    The day of the question is that of the answer. Customers with nothing before the answer are not asked. Where a visit holds
    several products, which event is last is no fact: see `shuffled_ties`. Raises RequestError for other words.
    """
    if held not in HELD or unit not in UNITS or (learn_validation and held == "validation"):
        raise RequestError(
            f"no split is called held={held!r}, unit={unit!r}, learn_validation={learn_validation}",
            "held is test or validation, unit is event or visit, and a validation is never learned from when it is asked",
        )
    back = _back(histories, unit)
    place = HELD[held]
    train = histories.where(back > (place if learn_validation else HELD["validation"]))
    customers = np.flatnonzero(np.bincount(histories.rows[back > place], minlength=len(histories))).astype(np.int64)
    answer = histories.where(back == place).select(customers)
    days = answer.days[answer.indptr[:-1]]
    asked = histories.where(back > place).select(customers)
    name = f"leave one {unit} out, {held}" + (" after learning the validation" if learn_validation else "")
    return _split(name, train, Queries(asked, days), answer, customers, repeats)


def time_split(histories: Histories, day: int, horizon: int, repeats: bool = True, newcomers: bool = False) -> Split:
    """What do customers known before `day` (since 1970-01-01) buy on the `horizon` days from it on?

    With `newcomers` those are asked as well who first came within the horizon: they have no history, and answers all the same.
    Raises RequestError for a horizon under one day or a day before which nothing happened.
    """
    if horizon < 1:
        raise RequestError(f"a horizon of {horizon} days holds nothing", "give one day or more")
    before = histories.days < day
    if not before.any():
        raise RequestError(f"nothing happened before day {day}", "give a day within the histories")
    within = ~before & (histories.days < day + horizon)
    train = histories.where(before)
    customers = np.flatnonzero(
        (train.lengths > 0) | (np.bincount(histories.rows[within], minlength=len(train)) > 0 if newcomers else False)
    ).astype(np.int64)
    asked = Queries(train.select(customers), np.full(len(customers), day, dtype=np.int32))
    answer = histories.where(within).select(customers)
    return _split(f"{horizon} days from day {day}", train, asked, answer, customers, repeats)


def rolling_splits(histories: Histories, horizon: int, folds: int, repeats: bool = True) -> tuple[Split, ...]:
    """`folds` time splits whose windows of `horizon` days follow one another up to the last known day, the earliest first."""
    if folds < 1:
        raise RequestError(f"{folds} folds", "give one or more")
    end = int(histories.days.max(initial=0)) + 1
    return tuple(time_split(histories, end - horizon * back, horizon, repeats) for back in range(folds, 0, -1))


def shuffled_ties(histories: Histories, seed: int, days: bool = True) -> Histories:
    """The same histories in an order that is just as true: events of one visit in random order, and visits of one day too.

    A day holds no hour, so the order of its visits is an artefact of the file; with `days` False it is believed. Visits are
    numbered anew from 0. A figure that changes much under another seed rests on such an order.
    """
    if not len(histories.products):
        return histories
    random = np.random.default_rng(seed)
    rows, visit = histories.rows, _visit_number(histories)
    key = random.random(int(visit[-1]) + 1)[visit] if days else visit
    order = np.lexsort((random.random(len(visit)), visit, key, histories.days, rows))
    moved = visit[order]
    number = np.cumsum(np.append(True, moved[1:] != moved[:-1])) - 1
    first = np.zeros(len(histories), dtype=np.int64)
    first[rows[::-1]] = number[::-1]
    return replace(
        histories,
        products=histories.products[order],
        days=histories.days[order],
        visits=(number - first[rows]).astype(np.int32),
    )


def _split(name: str, train: Histories, queries: Queries, answer: Histories, customers: Int64s, repeats: bool) -> Split:
    from scipy.sparse import csr_array

    relevant = csr_array(
        (np.ones(len(answer.products), dtype=np.bool_), answer.products, answer.indptr),
        shape=(len(answer), answer.n_products),
    )
    relevant.sum_duplicates()
    kept = relevant if repeats else _without(relevant, queries.histories)
    return Split(name, train, queries, kept, customers, repeats)


def _back(histories: Histories, unit: str) -> Int64s:
    """How many events, or visits, from its history's end each event stands: 1 for the last."""
    if unit == "event":
        return np.repeat(histories.indptr[1:], histories.lengths) - np.arange(len(histories.products))
    visit = _visit_number(histories)
    last = np.zeros(len(histories), dtype=np.int64)
    last[histories.rows] = visit
    back: Int64s = last[histories.rows] - visit + 1
    return back


def _visit_number(histories: Histories) -> Int64s:
    """The number of each event's visit among all visits, in the order of the events."""
    rows = histories.rows
    new = np.ones(len(rows), dtype=np.int64)
    new[1:] = (np.diff(histories.visits) != 0) | (np.diff(rows) != 0)
    number: Int64s = np.cumsum(new) - 1
    return number


def _without(relevant: csr_array, histories: Histories) -> csr_array:
    n = relevant.shape[1]
    rows = np.repeat(np.arange(relevant.shape[0], dtype=np.int64), np.diff(relevant.indptr))
    held = np.isin(rows * n + relevant.indices, histories.rows * n + histories.products)
    return _where(relevant, ~held)


def _where(relevant: csr_array, kept: Bools) -> csr_array:
    from scipy.sparse import csr_array

    ends = np.concatenate([[0], np.cumsum(kept)])[relevant.indptr]
    return csr_array((relevant.data[kept], relevant.indices[kept], ends), shape=relevant.shape)


def _hash(hashed: hashlib._Hash, array: Int64s | Int32s) -> None:
    hashed.update(f"{array.shape}\n".encode())
    hashed.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
