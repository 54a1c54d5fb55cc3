"""Rules: which products foretell which, of the shop's own baskets or of a file's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from basketry.app.levels import LEVELS_HELP, SURPRISE_HELP, TAXONOMY_HELP

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from basketry.app.shop import Shop
    from basketry.associations.mining.rules import MinedRules
    from basketry.associations.mining.taxonomy import Taxonomy
    from basketry.associations.mining.transactions import Transactions

Bound = tuple[str, str, float]
LESS_IS_BETTER: Final = ("p", "q", "ralambondrainy", "implication_index")
NO_REDUNDANCY: Final = "none"
PAGE: Final = ".html"


@dataclass(frozen=True)
class RulesRequest:
    """Which rules to find, which to keep, and how to show them."""

    source: str = field(
        default="",
        metadata={"local": True, "help": "File of baskets; default: the shop's own baskets as ingested.", "argument": True},
    )
    min_support: str = field(
        default="20", metadata={"help": "Least baskets with all items: a count as 20, or a share as 0.01."}
    )
    min_confidence: float = field(default=0.2, metadata={"help": "Least share of the baskets with X that also hold Y."})
    max_antecedent: int = field(default=0, metadata={"help": "Most items of X in X => Y; 0: any number."})
    max_consequent: int = field(default=1, metadata={"help": "Most items of Y in X => Y; 0: any number."})
    levels: str = field(default="", metadata={"help": LEVELS_HELP})
    taxonomy: str = field(default="", metadata={"local": True, "help": TAXONOMY_HELP})
    surprise: float = field(default=0.0, metadata={"help": SURPRISE_HELP})
    where: str = field(default="", metadata={"help": "Bounds on any measure, as lift>=1.2,baskets>=30,q<=0.05."})
    redundancy: str = field(
        default=NO_REDUNDANCY,
        metadata={"help": "Drop rules by: none, improvement (a more general rule is as good), closed, or statistical."},
    )
    order: str = field(default="lift", metadata={"help": "Best first by this measure, then by confidence."})
    k: int = field(default=10, metadata={"help": "How many rules to show."})
    measures: str = field(default="", metadata={"help": "More measures to show, as conviction,zhang,q."})
    language: str = field(default="en", metadata={"help": "Language of the sentences: en or zh."})
    out: str = field(
        default="",
        metadata={
            "local": True,
            "help": "File to write all kept rules to: .csv, .parquet, .json, .pmml, or .html, a page of the best.",
        },
    )
    min_customers: int = field(
        default=20, metadata={"help": "Privacy floor of the shop's own baskets: distinct customers behind every count."}
    )


@dataclass(frozen=True)
class RulesResult:
    """How many baskets, itemsets and rules there are, and the best rules, each with its sentence."""

    baskets: int
    itemsets: int
    tried: int
    kept: int
    rules: pl.DataFrame
    wrote: str | None
    notes: tuple[str, ...]


def rules(shop: Shop, request: RulesRequest) -> RulesResult:
    """Find association rules: products that foretell others in a basket; with any measure, filter and order."""
    from basketry.app.associations import LANGUAGES, checked
    from basketry.app.levels import leveled, refuse_surprise
    from basketry.app.mine import read_support
    from basketry.app.transactions import load_transactions
    from basketry.associations.mining.export import RULES, checked_path, write_rules
    from basketry.associations.mining.itemsets import Itemsets
    from basketry.associations.mining.redundancy import WAYS
    from basketry.associations.mining.rules import Rules, canonical
    from basketry.associations.wording.rules import with_rule_sentences
    from basketry.core.errors import RequestError
    from basketry.core.protocols import Run

    language = checked(request.language, tuple(LANGUAGES), "language")
    bounds, more = parsed_bounds(request.where), _listed(request.measures)
    for name in (*(name for name, _, _ in bounds), *more, request.order):
        canonical(name)
    checked(request.redundancy, (NO_REDUNDANCY, *WAYS), "redundancy")
    if request.out:
        checked_path(request.out, (*RULES, PAGE))
    if request.min_customers < 1:
        raise RequestError(f"min_customers is {request.min_customers}", "give a whole number from 1 up")
    refuse_surprise(request.surprise, request.levels, request.taxonomy)
    estimator = Rules(request.min_confidence, request.max_antecedent, request.max_consequent)
    support = read_support(request.min_support)
    plain = load_transactions(shop, request.source)
    transactions, facts, taxonomy = leveled(shop, request.source, plain, request.levels, request.taxonomy)
    run = Run()
    mined = Itemsets(support).fit(transactions, run, facts)
    found = estimator.fit(mined, run)
    own = None if request.source else transactions
    chosen, notes = _chosen(found, request, bounds, own, taxonomy)
    kept = found.take(chosen)
    shown = kept.head(request.k)
    frame = _frame(shown, more, found, chosen)
    told = with_rule_sentences(frame, _named(shop, "title") if own else {}, LANGUAGES[language])
    if request.out.lower().endswith(PAGE):
        _write_page(shop, request, kept, found.measure("q")[chosen], own)
    elif request.out:
        write_rules(
            kept, request.out, table=None if request.out.lower().endswith(".pmml") else _frame(kept, more, found, chosen)
        )
    return RulesResult(len(transactions), len(mined), found.tried, len(kept), told, request.out or None, notes)


def _write_page(
    shop: Shop, request: RulesRequest, kept: MinedRules, q: npt.NDArray[np.float64], own: Transactions | None
) -> None:
    """The best of the rules as one page, with the customers behind them where they are the shop's own."""
    from pathlib import Path

    from basketry.app.rules_page import rules_page
    from basketry.associations.mining.customers import customers_of
    from basketry.associations.mining.rule_table import rule_table
    from basketry.store import durable

    customers = customers_of(own, kept.itemsets.tree)[kept.whole] if own else None
    table = rule_table(kept, kept.measure("p"), q, customers)
    titles, kinds = (_named(shop, column) if own else {} for column in ("title", "category"))
    named = {product: title for product, title in titles.items() if title}
    page = rules_page(table, named, "zh" if request.language == "zh" else "en", kinds)
    durable.write_file(Path(request.out).expanduser(), page.encode())


def _chosen(
    found: MinedRules,
    request: RulesRequest,
    bounds: tuple[Bound, ...],
    own: Transactions | None,
    taxonomy: Taxonomy | None,
) -> tuple[npt.NDArray[np.integer], tuple[str, ...]]:
    """Rows of the rules to keep, best first. Every bound is judged among all rules found, so their order does not matter."""
    import numpy as np

    from basketry.associations.mining.floor import within_floor
    from basketry.associations.mining.redundancy import worth_keeping
    from basketry.associations.mining.rules import canonical
    from basketry.associations.mining.surprise import is_surprising

    rows = np.arange(len(found))
    for name, sign, bound in bounds:
        values = found.measure(name)[rows]
        rows = rows[values >= bound if sign == ">=" else values <= bound]
    notes = []
    if request.redundancy != NO_REDUNDANCY:
        rows = rows[worth_keeping(found.take(rows), request.redundancy)]
    if request.surprise and taxonomy is not None:
        rows = rows[is_surprising(found, taxonomy, request.surprise)[rows]]
    if own is not None and request.min_customers > 1:
        allowed = within_floor(found.take(rows), own.baskets, request.min_customers, taxonomy=taxonomy)
        if not allowed.all():
            few = f"their counts tell of fewer than {request.min_customers} customers"
            notes.append(f"{int((~allowed).sum())} rules are withheld: {few}")
        rows = rows[allowed]
    values = found.measure(request.order)[rows]
    ascending = canonical(request.order) in LESS_IS_BETTER
    ties = -found.measure("confidence")[rows]
    return rows[np.lexsort((ties, values if ascending else -values))], tuple(notes)


def _frame(shown: MinedRules, more: tuple[str, ...], found: MinedRules, chosen: npt.NDArray[np.integer]) -> pl.DataFrame:
    """The rules with their measures; q is that among all rules found, of which these are the first of those chosen."""
    import polars as pl

    frame = shown.frame(more)
    if "q" not in more:
        return frame
    return frame.with_columns(pl.Series("q", found.measure("q")[chosen[: len(shown)]]))


def _named(shop: Shop, column: str) -> dict[str, str]:
    """What the shop calls its products, or their kind."""
    from basketry.core.tables import Products

    with shop.dataset() as dataset:
        return dict(dataset.table(Products).select("product_id", column).iter_rows())


def parsed_bounds(text: str) -> tuple[Bound, ...]:
    """Bounds as `lift>=1.2,baskets<=30`: a measure, >= or <=, a number. Raises RequestError for what is none."""
    import re

    from basketry.core.errors import RequestError

    found = []
    for each in _listed(text):
        parts = re.fullmatch(r"(\w+)\s*(>=|<=)\s*([-+]?(?:inf|\d+\.?\d*(?:e[-+]?\d+)?|\.\d+))", each)
        if parts is None:
            raise RequestError(f"where says {each!r}", "write measure>=number or measure<=number, separated by commas")
        found.append((parts[1], parts[2], float(parts[3])))
    return tuple(found)


def _listed(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(each.strip() for each in text.split(",") if each.strip())
