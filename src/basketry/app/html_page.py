"""What every page of ours is made of: templates that escape, words in two languages, figures, a policy that lets nothing in.

A page asks the network for nothing: style and script stand inline, allowed by their sha256 in a content security policy that
forbids everything else.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from basketry.app.graph_picture import readable
from basketry.app.report_words import both, humanised

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def environment() -> Environment:
    """The template engine with all that templates may say; each caller has its own."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("basketry.app", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals.update(say=_say, draw_words=_draw_words, attribute=_attribute, both=both)
    found.filters.update(number=number, figure=figure, share=_share, humanised=humanised, readable=readable)
    return found


def source(*names: str) -> Markup:
    """Style sheets or scripts of ours, one after another, as they stand between their tags."""
    from importlib.resources import files

    from markupsafe import Markup

    folder = files("basketry.app") / "templates"
    return Markup("\n".join((folder / name).read_text(encoding="utf-8") for name in names))  # noqa: S704  # our own files


def policy(style: str, script: str) -> str:
    """The content security policy of a page with this style and script and nothing else."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _say(key: str, **figures: object) -> Markup:
    """The words of `key` in both languages; the style sheet shows one."""
    from markupsafe import Markup

    english, chinese = both(key)
    shown = Markup('<span class="en" lang="en">{}</span><span class="zh" lang="zh-Hans">{}</span>')
    return shown.format(english.format(**figures), chinese.format(**figures))


def _draw_words(key: str, **figures: object) -> Markup:
    """The same, inside an SVG text."""
    from markupsafe import Markup

    english, chinese = both(key)
    return Markup('<tspan class="en">{}</tspan><tspan class="zh">{}</tspan>').format(
        english.format(**figures), chinese.format(**figures)
    )


def _attribute(name: str, key: str) -> Markup:
    """An attribute in English that the script can turn into Chinese."""
    from markupsafe import Markup

    return Markup('{0}="{1}" data-say="{0}" data-say-en="{1}" data-say-zh="{2}"').format(name, *both(key))


def number(value: float | None) -> str:
    """Whole numbers with separators; money and such to the unit. A missing one is a dash."""
    return "–" if value is None else f"{value:,.0f}"


def figure(value: float | None) -> str:
    """About three significant digits, never in powers of ten."""
    if value is None:
        return "–"
    size = abs(value)
    places = next((places for least, places in ((100, 0), (10, 1), (1, 2), (0.01, 3)) if size >= least), 4)
    return f"{value:,.{places if value else 0}f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}%"
