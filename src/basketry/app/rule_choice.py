"""Which of many rules to show: those whose lift is most certain, with variety; and each of them in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from basketry.app.graph_picture import readable

if TYPE_CHECKING:
    import polars as pl

MOST: Final = 100
RULES_A_CONSEQUENT: Final = 12
RULES_A_SET: Final = 2
ONE_PRODUCT: Final = 0.5
CANDIDATES: Final = 20_000
Z: Final = 1.959964  # of a 95% interval
ALPHA: Final = 0.05
LEVELS: Final = 5


@dataclass(frozen=True)
class DrawnRule:
    """A rule as it is shown: product ids and names on either side, its figures, `level` of lift (0 to 4), and its sentences.

    `certain` is the lower end of the lift's 95% interval. `reasons` are the sentence and, where known, that on contributions,
    each in English and Chinese.
    """

    antecedent: tuple[str, ...]
    consequent: tuple[str, ...]
    names: tuple[str, ...]
    other_names: tuple[str, ...]
    baskets: int
    support: float
    confidence: float
    lift: float
    certain: float
    q: float | None
    level: int
    reasons: tuple[tuple[str, str], ...]

    @property
    def products(self) -> tuple[str, ...]:
        """Every product of the rule."""
        return (*self.antecedent, *self.consequent)

    @property
    def name(self) -> str:
        """The rule in one line."""
        return f"{', '.join(self.names)} → {', '.join(self.other_names)}"


def certain_lift(rules: pl.DataFrame) -> pl.Series:
    """The lower end of the 95% interval of each lift: that of the confidence (Wilson 1927) over P(Y).

    The interval takes n baskets with the antecedent as n independent trials; where `customers` is known, n is divided by the
    baskets per customer. Columns `baskets`, `confidence`, `lift`, and if given `antecedent_baskets`, `customers`.
    """
    import polars as pl

    p, baskets = pl.col("confidence"), pl.col("baskets").cast(pl.Float64)
    whole = pl.col("antecedent_baskets").cast(pl.Float64) if "antecedent_baskets" in rules.columns else baskets / p
    clumped = (pl.col("customers") / baskets).fill_null(1.0) if "customers" in rules.columns else pl.lit(1.0)
    n = whole * clumped
    half = Z * (p * (1 - p) / n + Z**2 / (4 * n**2)).sqrt()
    low = (p + Z**2 / (2 * n) - half) / (1 + Z**2 / n)
    return rules.select(certain=(low * pl.col("lift") / p).clip(0)).to_series()


def chosen(rules: pl.DataFrame, most: int = MOST, kinds: Mapping[str, str | None] | None = None) -> pl.DataFrame:
    """The rules to show, best first, with `certain` besides; the same rules in another order give the same.

    Rules whose q is above 0.05 stand behind all others; before them, where `kinds` tells the kind of a product, those that
    promise a product of a kind they ask for, which mostly are its other flavours; then the order is by `certain_lift`, then by
    baskets. No consequent is taken more than RULES_A_CONSEQUENT times unless that leaves room, nor more than the share
    ONE_PRODUCT of rules that ask for one product, nor ever the same set of products (which way round soever) more than
    RULES_A_SET times. Rules without a finite, positive lift are never taken. Of the CANDIDATES best.
    """
    import polars as pl

    sides = [pl.col(side).cast(pl.List(pl.String)) for side in ("antecedent", "consequent")]
    known = rules.with_columns(sides).filter(
        pl.col("lift").is_finite() & (pl.col("lift") > 0), pl.col("confidence") > 0, pl.col("baskets") > 0
    )
    doubtful = (pl.col("q") > ALPHA).fill_null(value=False) if "q" in known.columns else pl.lit(value=False)
    ranked = (
        known.with_columns(certain_lift(known), _alike(known, kinds or {}), doubtful.alias("doubtful"))
        .sort(
            "doubtful",
            "alike",
            "certain",
            "baskets",
            pl.col("antecedent").list.join("\0"),
            pl.col("consequent").list.join("\0"),
            descending=[False, False, True, True, False, False],
        )
        .drop("doubtful", "alike")
        .head(CANDIDATES)
    )
    pairs = zip(ranked["antecedent"].to_list(), ranked["consequent"].to_list(), strict=True)
    return ranked[sorted(_varied([(tuple(x), tuple(y)) for x, y in pairs], most))]


def _varied(rules: Sequence[tuple[tuple[str, ...], tuple[str, ...]]], most: int) -> list[int]:
    """Places of at most `most` rules, the best first; what is too much of the same waits until there is room."""
    sets: Counter[frozenset[str]] = Counter()
    ends: Counter[tuple[str, ...]] = Counter()
    waiting = []
    for place, (x, y) in enumerate(rules):
        sets[frozenset(x + y)] += 1
        if sets[frozenset(x + y)] <= RULES_A_SET:
            waiting.append(place)
    taken: list[int] = []
    for singles, an_end in ((int(ONE_PRODUCT * most), RULES_A_CONSEQUENT), (most, RULES_A_CONSEQUENT), (most, most)):
        left, alone = [], 0
        for place in waiting:
            x, y = rules[place]
            if len(taken) < most and ends[y] < an_end and (len(x) > 1 or alone < singles):
                taken.append(place)
                ends[y] += 1
                alone += len(x) == 1
            else:
                left.append(place)
        waiting = left
    return taken


def _alike(rules: pl.DataFrame, kinds: Mapping[str, str | None]) -> pl.Series:
    """Whether a rule promises a product of the kind of one that it asks for."""
    import polars as pl

    def of(products: list[str]) -> set[str]:
        return {kind for product in products if (kind := kinds.get(product))}

    sides = zip(rules["antecedent"].to_list(), rules["consequent"].to_list(), strict=True)
    return pl.Series("alike", [not of(x).isdisjoint(of(y)) for x, y in sides], dtype=pl.Boolean)


def drawn(rules: pl.DataFrame, titles: Mapping[str, str]) -> tuple[DrawnRule, ...]:
    """The chosen rules in words and colours; a product without a title goes by its id, and namesakes carry theirs."""
    from basketry.associations.wording.rules import contribution_parts, contribution_sentence, rule_sentence

    names = _names([*rules["antecedent"], *rules["consequent"]], titles)
    classes = levels(rules["lift"].to_list())
    found = []
    for row in rules.iter_rows(named=True):
        x, y = ([names[each] for each in row[side]] for side in ("antecedent", "consequent"))
        reasons = [(rule_sentence(row, x, y, "en"), rule_sentence(row, x, y, "zh"))]
        if row.get("contribution") is not None and len(x) > 1:
            parts = contribution_parts(x, row["contribution"])
            reasons.append((contribution_sentence(parts, "en"), contribution_sentence(parts, "zh")))
        found.append(
            DrawnRule(
                tuple(row["antecedent"]),
                tuple(row["consequent"]),
                tuple(x),
                tuple(y),
                row["baskets"],
                row["support"],
                row["confidence"],
                row["lift"],
                row["certain"],
                row.get("q"),
                sum(row["lift"] >= edge for edge in classes[1:-1]),
                tuple(reasons),
            )
        )
    return tuple(found)


def levels(lifts: Sequence[float]) -> tuple[float, ...]:
    """Bounds of the classes of lift, least and most at the ends: as many rules in each as can be, inner ones to two digits."""
    if not lifts:
        return ()
    ordered = sorted(lifts)
    inner = {float(f"{ordered[len(ordered) * step // LEVELS]:.2g}") for step in range(1, LEVELS)}
    return (ordered[0], *sorted(step for step in inner if ordered[0] < step < ordered[-1]), ordered[-1])


def _names(sides: Iterable[Iterable[str]], titles: Mapping[str, str]) -> dict[str, str]:
    """What to call each product so that no two are called the same."""
    products = sorted({product for side in sides for product in side})
    plain = {product: readable(titles.get(product) or product) for product in products}
    shared = Counter(plain.values())
    return {product: f"{title} #{product}" if shared[title] > 1 else title for product, title in plain.items()}
