"""Compare rules: two periods of the shop, or two files of baskets; what emerged, vanished, grew stronger or weaker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    import polars as pl

    from basketry.app.shop import Shop
    from basketry.associations.mining.comparison import ComparedRules
    from basketry.associations.mining.transactions import Transactions
    from basketry.core.protocols import Run

SHOWN: Final = (
    "antecedent",
    "consequent",
    "status",
    "baskets_first",
    "baskets_second",
    "confidence_first",
    "confidence_second",
    "growth",
    "q_support",
    "q_confidence",
)
CHINESE: Final = {
    "emerging": "新出现",
    "vanishing": "消失",
    "stronger": "变强",
    "weaker": "变弱",
    "unchanged": "不变",
    "unclear": "不明确",
}


@dataclass(frozen=True)
class CompareRulesRequest:
    """What to compare with what, and which rules to show."""

    first: str = field(
        default="", metadata={"local": True, "help": "File of baskets; default: the shop's own baskets.", "argument": True}
    )
    second: str = field(
        default="", metadata={"local": True, "help": "File to compare it with; default: two periods of one.", "argument": True}
    )
    before: str = field(
        default="", metadata={"help": "First period, as 2017-06-01/2017-08-31, both days in it; default: the first half."}
    )
    after: str = field(default="", metadata={"help": "Second period, likewise; default: the second half of the known time."})
    min_support: str = field(
        default="20", metadata={"help": "Least baskets of a period with all items: a count as 20, or a share as 0.01."}
    )
    min_confidence: float = field(default=0.2, metadata={"help": "Least share of the baskets with X that also hold Y."})
    max_antecedent: int = field(default=2, metadata={"help": "Most items of X in X => Y; 0: any number."})
    alpha: float = field(default=0.05, metadata={"help": "False discovery rate among the changes told."})
    margin: float = field(default=0.05, metadata={"help": "Difference of confidence too small to matter."})
    status: str = field(
        default="", metadata={"help": "Only these, as emerging,vanishing; default: all but unchanged and unclear."}
    )
    k: int = field(default=10, metadata={"help": "How many rules to show, surest change first."})
    placebo: int = field(default=5, metadata={"help": "Random splits to compare as well, where no change is true; 0: none."})
    language: str = field(default="en", metadata={"help": "Language of the sentences: en or zh."})
    out: str = field(
        default="", metadata={"local": True, "help": "File to write all compared rules to: .csv, .parquet or .json."}
    )
    min_customers: int = field(
        default=20, metadata={"help": "Privacy floor of the shop's own baskets: distinct customers behind every count."}
    )


@dataclass(frozen=True)
class CompareRulesResult:
    """What was compared, how many rules have each status, the surest changes, and what a comparison without change finds."""

    first: str
    second: str
    baskets_first: int
    baskets_second: int
    sought: int
    compared: int
    statuses: pl.DataFrame
    rules: pl.DataFrame
    placebo: pl.DataFrame
    wrote: str | None
    notes: tuple[str, ...]


def compare_rules(shop: Shop, request: CompareRulesRequest) -> CompareRulesResult:
    """Compare the rules of two periods, or of two files: which emerge, vanish, grow stronger or weaker."""
    import polars as pl

    from basketry.app.associations import LANGUAGES, checked
    from basketry.app.mine import read_support
    from basketry.associations.mining.comparison import CHANGES, DEALS, STATUSES, Comparison
    from basketry.associations.mining.export import write_table
    from basketry.associations.mining.rules import Rules
    from basketry.core.protocols import Run

    language = checked(request.language, tuple(LANGUAGES), "language")
    asked = [checked(each.strip(), STATUSES, "status") for each in request.status.split(",") if each.strip()]
    _check(request)
    comparison = Comparison(read_support(request.min_support), request.min_confidence, request.alpha, request.margin)
    search = Rules(max_antecedent=request.max_antecedent, max_consequent=1)
    run = Run()
    one, two = _sides(shop, request)
    found = comparison.fit(one.baskets, two.baskets, search, run)
    frame, notes = _allowed(found, None if request.first else (one.baskets, two.baskets), request.min_customers, run)
    chosen = frame.filter(pl.col("status").cast(pl.String).is_in(asked or CHANGES))
    shown = chosen.head(max(request.k, 0)).select(SHOWN)
    titles = {} if request.first else _titles(shop)
    told = [_sentence(row, titles, language) for row in shown.iter_rows(named=True)]
    deals = DEALS if request.placebo else DEALS[:1]
    placebos = pl.concat([found.placebo(run, request.placebo, deal) for deal in deals]).unique(maintain_order=True)
    placebo = placebos.select("metric", "model", "value", "low", "high")
    return CompareRulesResult(
        first=one.name,
        second=two.name,
        baskets_first=len(one.baskets),
        baskets_second=len(two.baskets),
        sought=len(found.sides[0]),
        compared=len(found),
        statuses=frame.group_by("status").agg(rules=pl.len()).sort("status"),
        rules=shown.with_columns(pl.Series("sentence", told, dtype=pl.String)),
        placebo=placebo,
        wrote=write_table(frame, request.out, "compared-rules") if request.out else None,
        notes=(*notes, *_warnings(placebo, request.alpha)),
    )


@dataclass(frozen=True)
class _Side:
    """One of the two, and what it is called."""

    name: str
    baskets: Transactions


def _check(request: CompareRulesRequest) -> None:
    """Refuse what can be refused before anything is read."""
    from basketry.associations.mining.export import checked_path
    from basketry.core.errors import RequestError

    for name, least in (("min_customers", 1), ("placebo", 0)):
        if getattr(request, name) < least:
            raise RequestError(f"{name} is {getattr(request, name)}", f"give a whole number from {least} up")
    if request.out:
        checked_path(request.out)
    if bool(request.before) != bool(request.after):
        raise RequestError("one period alone cannot be compared", "give both --before and --after, or neither")
    if request.second and request.before:
        raise RequestError("two files and two periods are too much", "compare two files, or two periods of one")


def _sides(shop: Shop, request: CompareRulesRequest) -> tuple[_Side, _Side]:
    """Two files, or two periods of what `first` names; halves of the known time where none are given."""
    import datetime as dt

    import numpy as np

    from basketry.app.transactions import load_transactions
    from basketry.core.errors import RequestError

    whole = load_transactions(shop, request.first)
    if request.second:
        return _Side(request.first, whole), _Side(request.second, load_transactions(shop, request.second))
    days = whole.baskets.days
    if len(days) == 0 or days.min() == days.max():
        raise RequestError("these baskets are all of one day, or of days unknown", "name a second file to compare with")
    epoch = dt.date(1970, 1, 1)
    start, end = (epoch + dt.timedelta(days=int(day)) for day in (days.min(), days.max()))
    middle = start + (end - start) // 2
    periods = ((start, middle), (middle + dt.timedelta(days=1), end))
    if request.before:
        periods = (_period(request.before), _period(request.after))
    if max(first for first, _ in periods) <= min(last for _, last in periods):
        raise RequestError(f"{request.before} and {request.after} overlap", "let no day stand in both periods")
    sides = []
    for first, last in periods:
        chosen = (days >= np.int32((first - epoch).days)) & (days <= np.int32((last - epoch).days))
        if not chosen.any():
            raise RequestError(f"no basket lies in {first}/{last}", f"the known days are {start}/{end}")
        sides.append(_Side(f"{first}/{last}", whole.select(chosen)))
    return sides[0], sides[1]


def _period(text: str) -> tuple[dt.date, dt.date]:
    """`2017-06-01/2017-08-31` as its two days. Raises RequestError for what is none."""
    import datetime as dt

    from basketry.core.errors import RequestError

    try:
        first, last = (dt.date.fromisoformat(part.strip()) for part in text.split("/"))
    except ValueError:
        raise RequestError(f"{text!r} is not a period", "write two days, as 2017-06-01/2017-08-31") from None
    if first > last:
        raise RequestError(f"the period {text} ends before it begins", "write the earlier day first")
    return first, last


def _allowed(
    found: ComparedRules, own: tuple[Transactions, Transactions] | None, min_customers: int, run: Run
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The compared rules, without those whose counts tell of a small group where they are the shop's own."""
    import polars as pl

    from basketry.associations.mining.comparison_floor import within_floors

    if own is None or min_customers == 1:
        return found.frame(), ()
    allowed = within_floors(found, (own[0].baskets, own[1].baskets), min_customers, run)
    frame = found.frame(pl.Series(allowed))
    withheld = int((~allowed).sum())
    few = f"their counts tell of fewer than {min_customers} customers in one of the two"
    return frame, (f"{withheld} rules are withheld: {few}",) if withheld else ()


def _warnings(placebo: pl.DataFrame, alpha: float) -> tuple[str, ...]:
    """What the placebo warns of."""
    told = {(row["metric"], row["model"]): row["value"] for row in placebo.iter_rows(named=True)}
    share = told.get(("told", "placebo of customers"), 0.0)
    if share <= 1.5 * alpha:
        return ()
    return (
        f"between random parts of the customers {share:.0%} of confidences differ at p <= {alpha:g}: some of the changes are "
        "no more than who came",
    )


def _titles(shop: Shop) -> dict[str, str]:
    """What the shop calls its products."""
    from basketry.core.tables import Products

    with shop.dataset() as dataset:
        return dict(dataset.table(Products).select("product_id", "title").iter_rows())


def _sentence(row: Mapping[str, Any], titles: Mapping[str, str], language: str) -> str:
    """Confidence at first and then, and what that makes of the rule."""
    link = {"en": " and ", "zh": "和"}[language]
    x, y = (link.join(str(titles.get(each, each)) for each in row[side]) for side in ("antecedent", "consequent"))
    shares = [None if row[name] is None else f"{row[name]:.0%}" for name in ("confidence_first", "confidence_second")]
    if language == "zh":
        told = [f"{when}{share or '无'}" for when, share in zip(("先前", "后来"), shares, strict=True)]
        return f"含有{x}的购物篮中，同时含有{y}的{told[0]}，{told[1]}：{CHINESE[row['status']]}。"
    first, then = shares
    if first is None:
        return f"No basket held {x} at first; then {then} of those with it held {y}: {row['status']}."
    if then is None:
        return f"Of baskets with {x}, {first} held {y} at first; then no basket held it: {row['status']}."
    return f"Of baskets with {x}, {first} held {y} at first, {then} then: {row['status']}."
