"""The report page in a real browser, from a file: it asks the network for nothing and answers to hand and keyboard."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from basketry.app.report_page import ReportData, render
from basketry.app.rules_page import rules_page
from basketry.core.tables import Associations, Metrics, Rules

sync_api = pytest.importorskip("playwright.sync_api", reason="absent here: playwright (pip install 'basketry[dev]')")

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TITLES = {
    "p1": "Spaghetti",
    "p2": "Marinara sauce",
    "p3": "Parmesan, grated",
    "p4": "Rigatoni",
    "p5": "Paper towels with an uncommonly long name on the shelf",
    "p6": HOSTILE,
    "p7": "Tortilla chips",
    "p8": "Medium salsa",
}
PAIRS = (
    ("p1", "p2", "complement", 0.81),
    ("p1", "p3", "complement", 0.62),
    ("p1", "p4", "substitute", 0.10),
    ("p1", "p6", "complement", 0.40),
    ("p2", "p5", "co_trip", 0.22),
    ("p7", "p8", "complement", 0.77),
    ("p2", "p8", "unknown", 0.05),
)

RULES = (
    (("p1", "p2"), ("p3",), 30, 40),
    (("p1",), ("p3",), 36, 90),
    (("p2", "p3"), ("p1",), 30, 36),
    (("p7",), ("p8",), 50, 80),
    (("p5", "p7"), ("p8",), 12, 14),
    (("p6",), ("p4",), 9, 30),
)


def rules() -> pl.DataFrame:
    """Rules of the contract, over a thousand baskets of which a hundred hold any consequent."""
    rows = [
        {
            "antecedent": list(x),
            "consequent": list(y),
            "baskets": both,
            "antecedent_baskets": of,
            "consequent_baskets": 100,
            "support": both / 1000,
            "confidence": both / of,
            "lift": both * 10 / of,
            "leverage": both / 1000 - of / 10_000,
            "conviction": 0.9 / (1 - both / of),
            "q": 1e-9,
            "contribution": [math.log(both * 10 / of) / len(x)] * len(x),
        }
        for x, y, both, of in RULES
    ]
    return Rules.validate(pl.DataFrame(rows, schema=Rules.create_empty().schema))


def sentence(row, one: str, other: str, language: str) -> str:
    return f"“{one}”与“{other}”：{row['verdict']}" if language == "zh" else f"“{one}” with “{other}”: {row['verdict']}."


def shop() -> ReportData:
    edges = [
        {
            "product_id": a,
            "other_id": b,
            "kind": "bought_together",
            "verdict": verdict,
            "strength": strength,
            "lift": 4 * strength + 1,
            "adjusted_lift": 2 * strength + 0.2,
            "similarity": 0.3,
            "customers": 40,
            "confidence": 0.2,
        }
        for a, b, verdict, strength in PAIRS
    ]
    edges += [{**row, "product_id": row["other_id"], "other_id": row["product_id"], "confidence": 0.1} for row in edges]
    metrics = [
        ("average_precision", model, "all", value, value - 0.01, value + 0.01, 90)
        for model, value in (("fused", 0.4), ("behaviour", 0.45))
    ]
    return ReportData(
        shop=HOSTILE,
        currency="EUR",
        release_id="r1",
        as_of=dt.date(2026, 1, 31),
        created=dt.datetime(2026, 2, 1, tzinfo=dt.UTC),
        baskets=100,
        customers=50,
        ingest=pl.DataFrame(
            {"table": ["order_lines"], "rows_in": [10], "kept": [9], "quarantined": [1], "repaired": [0]}
        ).with_columns(money_in=100.0, money_kept=97.0, money_netted=1.0, money_quarantined=2.0),
        rules=pl.DataFrame(
            {
                "table": ["order_lines"],
                "rule": ["orphan"],
                "verb": ["quarantine"],
                "rows": [1],
                "money": [2.0],
                "example": [HOSTILE * 9],
            }
        ),
        products=pl.DataFrame(
            {
                "product_id": [*TITLES],
                "title": [*TITLES.values()],
                "department": ["Grocery"] * 4 + [None, HOSTILE, "Snacks", "Snacks"],
                "category": [None] * 8,
                "customers": [50, 40, 30, 20, 10, None, 25, 15],
            },
            schema_overrides={"category": pl.String},
        ),
        associations=Associations.validate(pl.DataFrame(edges, schema=Associations.create_empty().schema)),
        metrics=Metrics.validate(pl.DataFrame(metrics, schema=Metrics.create_empty().schema, orient="row")),
        clusters=pl.DataFrame({"method": ["kmeans"], "cluster": [0], "size": [8], "words": [f"pasta, {HOSTILE}"]}),
        sentence=sentence,
        association_rules=rules(),
    )


@dataclass
class Visit:
    """A page under test, with all it complained of and all it asked for."""

    page: object
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[object]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(shop()), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def open_page(browser, address):
    visits: list[Visit] = []

    def visit(width: int = 1400, **settings) -> Visit:
        page = browser.new_page(viewport={"width": width, "height": 900}, reduced_motion="reduce", **settings)
        found = Visit(page)
        page.on("console", lambda message: found.complaints.append(message.text))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (found.complaints.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: found.requests.append(request.url))
        page.goto(address)
        visits.append(found)
        return found

    yield visit
    for found in visits:
        outside = [url for url in found.requests if url != address and not url.startswith("data:")]
        found.page.close()
        assert (found.complaints, outside) == ([], [])


def node(page, title: str):
    return page.locator("svg.graph:visible").get_by_role("button", name=title, exact=True)


def reasons(page) -> list[str]:
    return [text for text in page.locator("#reasons li span:visible").all_inner_texts() if text]


def test_pointing_at_a_product_tells_its_neighbourhood(open_page):
    page = open_page().page
    node(page, "Spaghetti").hover()
    assert page.locator("#reasons h3").inner_text() == "Spaghetti"
    assert reasons(page)[0] == "“Spaghetti” with “Marinara sauce”: complement."
    assert len(reasons(page)) == 4
    lit = page.locator("svg.graph:visible .node.lit").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert sorted(lit) == sorted(["Spaghetti", "Marinara sauce", "Parmesan, grated", "Rigatoni", HOSTILE])
    page.mouse.move(0, 0)
    assert page.locator("#hubs").is_visible() and not page.locator("svg.graph.dim").count()


def test_a_click_keeps_and_escape_lets_go(open_page):
    page = open_page().page
    node(page, "Medium salsa").click()
    page.mouse.move(0, 0)
    assert page.locator("#reasons h3").inner_text() == "Medium salsa"
    page.keyboard.press("Escape")
    assert page.locator("#hubs").is_visible()


def test_pointing_at_a_line_tells_its_sentence(open_page):
    page = open_page().page
    spot = page.locator("svg.graph.wide .edge.substitute path.reach").evaluate(
        """path => {
            const middle = path.getPointAtLength(path.getTotalLength() / 2).matrixTransform(path.getScreenCTM());
            return [middle.x, middle.y];
        }"""
    )
    page.mouse.move(*spot)
    assert reasons(page) == ["“Spaghetti” with “Rigatoni”: substitute."]


def test_arrow_keys_walk_and_enter_keeps(open_page):
    page = open_page().page
    page.locator("#search").focus()
    page.keyboard.press("Tab")
    focused = "document.activeElement.getAttribute('aria-label')"
    seen = {page.evaluate(focused)}
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp") * 3:
        page.keyboard.press(key)
        here = page.evaluate(focused)
        assert page.locator("#reasons h3").inner_text() == here
        seen.add(here)
    assert len(seen) > 2 and seen <= set(TITLES.values())
    page.keyboard.press("Enter")
    kept = page.evaluate(focused)
    page.keyboard.press("Tab")
    assert page.locator("#reasons h3").inner_text() == kept


def test_the_whole_page_changes_language(open_page):
    page = open_page().page
    assert page.locator("h1").inner_text() == "What goes with what"
    node(page, "Tortilla chips").click()
    page.locator("#language").click()
    assert page.locator("h1").inner_text() == "什么与什么相配"
    assert reasons(page) == ["“Tortilla chips”与“Medium salsa”：complement"]
    assert page.locator("#search").get_attribute("placeholder") == "名称或编号"
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    assert page.locator(".en:visible").count() == 0
    page.locator("#language").click()
    assert page.locator("h1").inner_text() == "What goes with what" and page.locator(".zh:visible").count() == 0


def test_a_chinese_browser_is_greeted_in_chinese(open_page):
    assert open_page(locale="zh-CN").page.locator("h1").inner_text() == "什么与什么相配"


def test_search_marks_a_product_and_filters_the_list(open_page):
    page = open_page().page
    page.locator("#search").fill("SALSA")
    found = page.locator("svg.graph:visible .node.found").evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")
    assert found == ["Medium salsa"]
    assert page.locator("#associations tbody tr:visible").count() == 1
    assert page.locator("#found").inner_text().strip() == "in the picture: 1, in the list: 1"
    page.keyboard.press("Enter")
    assert page.locator("#reasons h3").inner_text() == "Medium salsa"
    page.locator("#search").fill("no such thing")
    assert page.locator("#none").is_visible() and page.locator(".node.found").count() == 0
    page.locator("#search").fill("")
    assert page.locator("#associations tbody tr:visible").count() == 6


def test_the_list_filters_by_verdict(open_page):
    page = open_page().page
    page.get_by_role("button", name="substitute", exact=True).click()
    assert page.locator("#associations tbody tr:visible .chip").all_inner_texts() == ["substitute"]


def test_hostile_titles_are_shown_as_they_are_written(open_page):
    page = open_page().page
    node(page, HOSTILE).click()
    assert page.locator("#reasons h3").inner_text() == HOSTILE
    assert page.locator(".shop").inner_text() == HOSTILE
    assert page.locator("img").count() == 0
    page.locator("#search").fill("<script>")
    assert page.locator("svg.graph:visible .node.found").count() == 1


@pytest.mark.parametrize("width", [320, 390, 768, 1400])
def test_no_page_scrolls_sideways(open_page, width):
    page = open_page(width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("svg.graph:visible").count() == 1


@pytest.mark.parametrize("width", [390, 1400])
def test_labels_do_not_overlap_as_drawn(open_page, width):
    page = open_page(width).page
    boxes = page.locator("svg.graph:visible .node").evaluate_all(
        """nodes => nodes.map(node => {
            const boxes = [...node.querySelectorAll("text")].map(text => text.getBBox());
            const at = node.transform.baseVal.consolidate().matrix;
            return boxes.map(box => [at.e + box.x, at.f + box.y, at.e + box.x + box.width, at.f + box.y + box.height]);
        })"""
    )
    for number, labels in enumerate(boxes):
        for one in labels:
            for other in (box for labels in boxes[number + 1 :] for box in labels):
                across = min(one[2], other[2]) - max(one[0], other[0])
                down = min(one[3], other[3]) - max(one[1], other[1])
                assert across < 3 or down < 3


def test_dark_and_light(open_page):
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(250, 247, 241)", "rgb(22, 24, 26)"
    page = open_page(color_scheme="dark").page
    assert page.evaluate(ground) == dark
    page.locator("#theme").click()
    assert page.evaluate(ground) == light
    page = open_page(color_scheme="light").page
    assert page.evaluate(ground) == light
    page.locator("#theme").click()
    assert page.evaluate(ground) == dark


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(open_page, scheme):
    """WCAG AA: at least 4.5 to 1 for every text colour on the ground it stands on."""
    page = open_page(color_scheme=scheme).page
    low = page.evaluate(
        """() => {
            const rgb = (colour) => colour.match(/[\\d.]+/g).map(Number);
            const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
                .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
                .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
            const ground = (element) => {
                const own = rgb(getComputedStyle(element).backgroundColor);
                return own.length === 3 || own[3] === 1 ? own : ground(element.parentElement);
            };
            const found = [];
            for (const element of document.querySelectorAll("body *")) {
                const words = [...element.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
                if (!words || !element.getClientRects().length) continue;
                const style = getComputedStyle(element);
                const ink = light(rgb(element instanceof SVGElement ? style.fill : style.color));
                const paper = light(ground(element));
                const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
                if (ratio < 4.5) found.push(`${element.outerHTML.slice(0, 80)}: ${ratio.toFixed(2)}`);
            }
            return [...new Set(found)];
        }"""
    )
    assert low == []


def test_prints(open_page):
    page = open_page(color_scheme="dark").page
    page.emulate_media(media="print")
    assert page.locator(".controls").is_hidden() and page.locator("#search").is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def mark(page, picture: str, name: str):
    return page.locator(f"svg.plot.{picture}:visible").get_by_role("button", name=name, exact=True)


def told(page) -> list[str]:
    return [text for text in page.locator("#told li .reason span:visible").all_inner_texts() if text]


def lit(page, picture: str) -> list[str]:
    found = page.locator(f"svg.plot.{picture}:visible .mark.lit")
    return found.evaluate_all("all => all.map(e => e.getAttribute('aria-label'))")


SALSA = "Of the 80 baskets with “Tortilla chips”, 50 (62.5%) also hold “Medium salsa”: 6.25 times as often as in all baskets"


def test_pointing_at_a_product_tells_its_rules_in_every_picture(open_page):
    page = open_page().page
    mark(page, "network", "Medium salsa").locator("circle").hover()
    assert page.locator("#told h3").inner_text() == "Medium salsa"
    assert any(text.startswith(SALSA) for text in told(page))
    assert "Tortilla chips → Medium salsa" in lit(page, "scatter")
    assert not any("Parmesan" in name for name in lit(page, "parallel"))
    page.mouse.move(0, 0)
    assert page.locator("#told .hint").is_visible() and not page.locator(".plots.dim").count()


def test_a_rule_tells_what_each_product_brings(open_page):
    page = open_page().page
    mark(page, "scatter", "Spaghetti, Marinara sauce → Parmesan, grated").click()
    page.mouse.move(0, 0)
    assert told(page)[-1] == "Of that lift, “Spaghetti” explains 50% (factor 2.74) and “Marinara sauce” 50% (factor 2.74)."
    page.locator("#language").click()
    assert told(page)[-1] == "这一提升中，“Spaghetti”占50%（因子2.74），“Marinara sauce”占50%（因子2.74）。"
    page.keyboard.press("Escape")
    assert page.locator("#told .hint").is_visible()


@pytest.mark.parametrize("picture", ["matrix", "network", "parallel", "scatter"])
def test_arrow_keys_walk_through_each_picture_of_rules(open_page, picture):
    page = open_page().page
    page.locator(f"svg.plot.{picture}:visible [tabindex='0']").focus()
    focused = "document.activeElement.getAttribute('aria-label')"
    seen = set()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp") * 3:
        page.keyboard.press(key)
        here = page.evaluate(focused)
        assert page.locator("#told h3").inner_text() == here
        seen.add(here)
    assert len(seen) > 2
    page.keyboard.press("Enter")
    kept = page.evaluate(focused)
    page.keyboard.press("Tab")
    page.mouse.move(0, 0)
    assert page.locator("#told h3").inner_text() in (kept, page.evaluate(focused))
    assert page.locator(f"svg.plot.{picture}:visible [tabindex='0']").count() == 1


@pytest.mark.parametrize("width", [390, 1400])
def test_names_in_the_pictures_of_rules_do_not_overlap_as_drawn(open_page, width):
    page = open_page(width).page
    for picture in ("network", "parallel"):
        boxes = page.locator(f"svg.plot.{picture}:visible .mark").evaluate_all(
            """marks => marks.map(mark => [...mark.querySelectorAll("text")].map(text => text.getBoundingClientRect())
                .map(box => [box.left, box.top, box.right, box.bottom]))"""
        )
        for number, labels in enumerate(boxes):
            for one in labels:
                for other in (box for labels in boxes[number + 1 :] for box in labels):
                    across, down = (min(one[i + 2], other[i + 2]) - max(one[i], other[i]) for i in (0, 1))
                    assert across < 3 or down < 3, picture


@pytest.mark.parametrize("width", [390, 1400])
def test_names_in_the_pictures_of_rules_stay_inside(open_page, width):
    page = open_page(width).page
    outside = page.locator("svg.plot:visible text").evaluate_all(
        """texts => texts.filter(text => {
            const [box, room] = [text.getBoundingClientRect(), text.ownerSVGElement.getBoundingClientRect()];
            return box.width && (box.left < room.left - 1 || box.right > room.right + 1 || box.top < room.top - 1);
        }).map(text => text.textContent)"""
    )
    assert outside == []


@pytest.mark.parametrize("width", [390, 1400])
def test_the_panel_never_hides_what_was_chosen_without_a_way_back(open_page, width):
    page = open_page(width).page
    mark(page, "network", "Tortilla chips").locator("circle").click()
    assert page.locator("#told .chosen").is_visible()
    page.locator("#told .back").click()
    assert page.locator("#told .chosen").is_hidden() and not page.locator(".plots.dim").count()


def test_a_page_of_rules_alone(browser, tmp_path):
    path = tmp_path / "rules.html"
    path.write_text(rules_page(rules(), TITLES, "zh"), encoding="utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 800})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(path.as_uri())
    assert page.locator("h1").inner_text() == "购物篮规则" and page.locator(".en:visible").count() == 0
    page.locator("#language").click()
    mark(page, "scatter", "Tortilla chips → Medium salsa").click()
    assert told(page)[0].startswith(SALSA)
    assert page.locator("table.rules tbody tr").count() == len(RULES)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390 and complaints == []
    page.close()
