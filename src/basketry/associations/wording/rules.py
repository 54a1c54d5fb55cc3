"""Every rule in a sentence, English or Chinese, and what each of its products brings: both read back as their figures.

`parse_rule` is the exact inverse of `rule_sentence`, and `parse_contributions` of `contribution_sentence`: for every row, and
any titles on either side, as many as there are,

    parse_rule(rule_sentence(row, antecedent, consequent, language), language).figures == rule_figures(row)

under the rounding rule of `core.figures`. Nulls are left out, never guessed.

A rule makes one of three claims. `holds`: baskets with the antecedent also hold the consequent. `lacks`: they do not, or not
all of it (a negative rule; `baskets` are then those with the antecedent that lack it). `follows`: customers who bought the
antecedent later bought the consequent (a sequential rule, counted in `customers`). Stated, where known: `baskets` or
`customers`, of how many (`antecedent_baskets` or `antecedent_customers`; derived from the confidence where that gives it
exactly), `confidence` and `lift` with their intervals (`confidence_low`, `confidence_high`, `lift_low`, `lift_high`),
`customers`, and `p` and `q`, which decide the words about chance: unlikely from 0.05 down, by q wherever it is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from basketry.associations.mining.contributions import shares
from basketry.associations.wording import chinese, english
from basketry.associations.wording.figures import RULE_COLUMNS, known_rule_figures
from basketry.core.errors import RequestError
from basketry.core.figures import Language, rounded
from basketry.core.grammar import Grammar, Parts, spoken
from basketry.core.protocols import Scalar

if TYPE_CHECKING:
    import polars as pl

Claim = Literal["holds", "lacks", "follows"]
Row = Mapping[str, Scalar]

CLAIMS: Final[tuple[Claim, ...]] = ("holds", "lacks", "follows")
_RULES: Final = {"en": english.RULES, "zh": chinese.RULES}
_SHARES: Final = {"en": english.SHARES, "zh": chinese.SHARES}
_FACTORS: Final = {"en": english.FACTORS, "zh": chinese.FACTORS}


@dataclass(frozen=True)
class ParsedRule:
    """What a sentence says of a rule: its claim, the titles on either side in their order, and every figure, by column."""

    claim: Claim
    antecedent: tuple[str, ...]
    consequent: tuple[str, ...]
    figures: dict[str, float]


@dataclass(frozen=True)
class Contribution:
    """What one product brings to a lift: the `factor` it multiplies it by, and its `share` of the logarithm where stated."""

    title: str
    factor: float
    share: float | None = None


def rule_sentence(
    row: Row, antecedent: Sequence[str], consequent: Sequence[str], language: Language, claim: Claim = "holds"
) -> str:
    """The rule `row` (by column name) in one sentence; the titles stand in the order given.

    Raises RequestError for a side without a title, or an unknown language or claim.
    """
    for side, titles in (("antecedent", antecedent), ("consequent", consequent)):
        if not titles:
            raise RequestError(f"the {side} of the rule is empty", "give at least one title on either side")
    return _grammar(claim, language).say(antecedent, consequent, _known(row, claim))


def rule_figures(row: Row, claim: Claim = "holds") -> dict[str, float]:
    """The figures that `rule_sentence` states, in either language: columns of the row under the published rounding rule."""
    return _grammar(claim, "en").stated(_known(row, claim))


def parse_rule(text: str, language: Language) -> ParsedRule:
    """Read back a sentence; RequestError for a text that `rule_sentence` would not have written, to the letter."""
    for claim in CLAIMS:
        if (heard := _grammar(claim, language).hear(text)) is not None:
            return ParsedRule(claim, heard.titles, heard.other_titles, heard.figures)
    raise RequestError(f"this is not a sentence about a rule: {text[:120]!r}", "give one that `rule_sentence` wrote, unchanged")


def contribution_parts(titles: Sequence[str], values: Sequence[float]) -> tuple[Contribution, ...]:
    """Parts to tell of, from the `contribution` of each title to the log lift; the greatest first, equals in their order.

    Shares are known only where all pull one way: see `mining.contributions.shares`.
    """
    value = np.asarray(values, dtype=np.float64)
    share = shares(value, np.array([0, len(value)]))
    return tuple(
        Contribution(titles[i], float(np.exp(value[i])), None if np.isnan(share[i]) else float(share[i]))
        for i in np.argsort(-value, kind="stable").tolist()
    )


def contribution_sentence(parts: Sequence[Contribution], language: Language) -> str:
    """What each product of an antecedent brings to the lift, in one sentence; with shares if every part has one.

    Raises RequestError where there is nothing to tell of.
    """
    if not parts:
        raise RequestError("no contribution was given", "give at least one")
    stated = stated_contributions(parts)
    grammar = _parts(language, shares=stated[0].share is not None)
    return grammar.say([part.title for part in stated], [_stated(part) for part in stated])


def stated_contributions(parts: Sequence[Contribution]) -> tuple[Contribution, ...]:
    """The parts as the sentence states them: figures rounded, shares only if every part has one."""
    shared = all(part.share is not None for part in parts)
    return tuple(
        Contribution(
            part.title,
            rounded("factor", part.factor),
            rounded("share", part.share) if shared and part.share is not None else None,
        )
        for part in parts
    )


def parse_contributions(text: str, language: Language) -> tuple[Contribution, ...]:
    """Read back a sentence; RequestError for a text that `contribution_sentence` would not have written, to the letter."""
    for shared in (True, False):
        if (heard := _parts(language, shares=shared).hear(text)) is not None:
            titles, figures = heard
            return tuple(Contribution(title, **known) for title, known in zip(titles, figures, strict=True))
    raise RequestError(
        f"this is not a sentence about contributions: {text[:120]!r}", "give one that `contribution_sentence` wrote, unchanged"
    )


def with_rule_sentences(
    rules: pl.DataFrame, titles: Mapping[str, str], language: Language, claim: Claim = "holds"
) -> pl.DataFrame:
    """`rules` with one more column, `sentence`; `antecedent` and `consequent` are its list columns of products.

    A product that has no title goes by its own name, and namesakes within a rule carry theirs. Linear: about 20 us a rule.
    """
    import polars as pl

    stated = [name for name in RULE_COLUMNS if name in rules.columns]
    said = []
    for row in rules.select("antecedent", "consequent", *stated).iter_rows(named=True):
        antecedent, consequent = named(row.pop("antecedent"), row.pop("consequent"), titles)
        said.append(rule_sentence(row, antecedent, consequent, language, claim))
    return rules.with_columns(pl.Series("sentence", said, pl.String))


def named(
    antecedent: Sequence[object], consequent: Sequence[object], titles: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Both sides as titles that tell every product of the rule from every other: namesakes are followed by `#` and their id."""
    products = [str(each) for each in (*antecedent, *consequent)]
    plain = [titles.get(each, each) for each in products]
    told = [f"{title} #{each}" if plain.count(title) > 1 else title for title, each in zip(plain, products, strict=True)]
    return tuple(told[: len(antecedent)]), tuple(told[len(antecedent) :])


def _known(row: Row, claim: Claim) -> dict[str, float]:
    return known_rule_figures(row, "customers" if claim == "follows" else "baskets")


def _stated(part: Contribution) -> dict[str, float]:
    return {"factor": part.factor} | ({} if part.share is None else {"share": part.share})


def _grammar(claim: str, language: str) -> Grammar:
    rules = spoken(_RULES, language)
    if claim not in rules:
        raise RequestError(f"no rule claims {claim!r}", f"choose one of {', '.join(rules)}")
    return rules[claim]


def _parts(language: str, *, shares: bool) -> Parts:
    return spoken(_SHARES if shares else _FACTORS, language)
