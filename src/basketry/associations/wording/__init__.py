"""Every edge and every verdict in a sentence, English or Chinese, that reads back as the table's figures.

`sentence` tells the evidence of one row of Associations, `verdict_sentence` what may be concluded and why; `parse` is the
exact inverse of both: for every row and any two titles

    parse(sentence(row, title, other_title, language), language).figures == figures(row)
    parse(verdict_sentence(row, title, other_title, language), language).figures == verdict_figures(row)

where the figures are the row's own columns under the rounding rule published in `core.figures`. Nulls are left out, never
guessed. A title is quoted with a reversible escape, so no title, whatever it holds, changes what a sentence is read as; and
`parse` refuses any text that the two functions would not have written, to the letter.

Stated, where known, by kind: for `bought_together` and `bought_next` `baskets, confidence, customers, adjusted_lift` (else
`lift`), `adjusted_low, adjusted_high, q, stability`, and `antecedents`, the baskets (orders) with A, which is baskets /
confidence where that is whole; for `similar` `similarity`. A verdict is of the pair: it states `similarity`, `strength` and, on
a `bought_together` edge, the counts and the `contrast` of trips it rests on; elsewhere these are of something else or absent,
and it says in words what the verdict means. The other columns are for tables. Rules are told in `wording.rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from basketry.associations.wording import chinese, english
from basketry.associations.wording.figures import COLUMNS, known_figures
from basketry.core.errors import RequestError
from basketry.core.figures import Language
from basketry.core.grammar import Grammar, spoken
from basketry.core.protocols import Scalar

Row = Mapping[str, Scalar]

_KINDS: Final = {"en": english.KINDS, "zh": chinese.KINDS}
_OF_THE_PAIR: Final = ("similarity", "strength")
_VERDICTS: Final = {"en": english.VERDICTS, "zh": chinese.VERDICTS}


@dataclass(frozen=True)
class Parsed:
    """What a sentence says: the `claim` (a kind or a verdict), the titles of A and B, and every figure it states, by column."""

    claim: str
    title: str
    other_title: str
    figures: dict[str, float]


def sentence(edge: Row, title: str, other_title: str, language: Language) -> str:
    """The evidence of one edge (a row of Associations by column name) in one sentence."""
    return _kind_grammar(edge, language).say((title,), (other_title,), known_figures(edge))


def verdict_sentence(edge: Row, title: str, other_title: str, language: Language) -> str:
    """The verdict of one edge, and what it rests on, in one sentence."""
    return _verdict_grammar(edge, language).say((title,), (other_title,), _of_the_pair(edge, known_figures(edge)))


def figures(edge: Row) -> dict[str, float]:
    """The figures that `sentence` states, in either language: columns of the row under the published rounding rule."""
    return _kind_grammar(edge, "en").stated(known_figures(edge))


def verdict_figures(edge: Row) -> dict[str, float]:
    """The figures that `verdict_sentence` states, in either language."""
    return _verdict_grammar(edge, "en").stated(_of_the_pair(edge, known_figures(edge)))


def parse(text: str, language: Language) -> Parsed:
    """Read back a sentence; RequestError for a text that `sentence` and `verdict_sentence` would not have written."""
    for claim, grammar in (*spoken(_KINDS, language).items(), *spoken(_VERDICTS, language).items()):
        if (heard := grammar.hear(text)) is not None:
            return Parsed(claim, heard.titles[0], heard.other_titles[0], heard.figures)
    raise RequestError(f"this is not a sentence about an edge: {text[:120]!r}", "give one that `sentence` wrote, unchanged")


def with_sentences(edges: pl.DataFrame, products: pl.DataFrame, language: Language) -> pl.DataFrame:
    """`edges` (Associations) with two more columns, `sentence` and `verdict_sentence`.

    Titles are `products.title` (Products); a product that is not there goes by its id, and
    namesakes carry theirs. Linear: about 100 us an edge.
    """
    titles: dict[str, str] = dict(products.select("product_id", "title").iter_rows())
    said: list[str] = []
    concluded: list[str] = []
    for edge in edges.select("product_id", "other_id", "kind", "verdict", *COLUMNS).iter_rows(named=True):
        known = known_figures(edge)
        one, other = edge["product_id"], edge["other_id"]
        a, b = (titles.get(one, one),), (titles.get(other, other),)
        if a == b:
            a, b = (f"{a[0]} #{one}",), (f"{b[0]} #{other}",)
        said.append(_kind_grammar(edge, language).say(a, b, known))
        concluded.append(_verdict_grammar(edge, language).say(a, b, _of_the_pair(edge, known)))
    return edges.with_columns(pl.Series("sentence", said, pl.String), pl.Series("verdict_sentence", concluded, pl.String))


def _kind_grammar(edge: Row, language: Language) -> Grammar:
    return spoken(_KINDS, language)[str(edge["kind"])]


def _verdict_grammar(edge: Row, language: Language) -> Grammar:
    return spoken(_VERDICTS, language)[str(edge["verdict"])]


def _of_the_pair(edge: Row, known: Mapping[str, float]) -> Mapping[str, float]:
    """What of a row tells of the pair itself: verdicts are judged on shared baskets, so other counts are no reason for one."""
    return known if edge["kind"] == "bought_together" else {name: known[name] for name in _OF_THE_PAIR if name in known}
