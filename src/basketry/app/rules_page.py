"""Rules as one self-contained page of their own: a frame in, HTML out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Literal

from basketry.app import html_page
from basketry.app.rule_section import section

if TYPE_CHECKING:
    import polars as pl
    from jinja2 import Environment


def rules_page(
    rules: pl.DataFrame,
    titles: Mapping[str, str] | None = None,
    language: Literal["en", "zh"] = "en",
    kinds: Mapping[str, str | None] | None = None,
) -> str:
    """The page as one HTML document that needs no network: four pictures and a table, in `language` until a button is pressed.

    `rules` has one row a rule: `antecedent` and `consequent` (lists of products), `baskets`, `support`, `confidence`, `lift`,
    as `MinedRules.frame()` gives them; of `antecedent_baskets`, `customers`, `p`, `q`, `contribution` and the intervals what
    there is. `titles` and `kinds` (categories) are by product; one without a title goes by its name. At most a hundred are
    shown (`rule_choice.chosen`); without any, the page says so. Raises RequestError for another language or a missing column.
    """
    from basketry.core.errors import RequestError

    if language not in ("en", "zh"):
        raise RequestError(f"no page in the language {language!r}", "choose en or zh")
    needed = ("antecedent", "consequent", "baskets", "support", "confidence", "lift")
    if missing := [name for name in needed if name not in rules.columns]:
        raise RequestError(f"the rules have no column {missing[0]!r}", f"give a frame with {', '.join(needed)}")
    style, script = html_page.source("report.css", "rules.css"), html_page.source("page.js", "rules.js")
    return (
        _environment()
        .get_template("rules.html")
        .render(
            style=style,
            script=script,
            policy=html_page.policy(style, script),
            language=language,
            mined=section(rules, titles or {}, kinds),
        )
    )


@cache
def _environment() -> Environment:
    return html_page.environment()
