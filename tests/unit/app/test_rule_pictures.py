"""Rules shown: which are chosen, where each is drawn, and what the page says of them."""

from __future__ import annotations

import base64
import hashlib
import math
import random
import re
from html.parser import HTMLParser
from itertools import combinations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from basketry.app import rule_lines, rule_matrix, rule_network
from basketry.app.report_words import WORDS
from basketry.app.rule_choice import RULES_A_CONSEQUENT, RULES_A_SET, certain_lift, chosen, drawn, levels
from basketry.app.rule_section import section
from basketry.app.rules_page import rules_page
from basketry.associations.wording.rules import parse_contributions, parse_rule, rule_figures
from basketry.core.errors import RequestError

HOSTILE = "<script>alert(1)</script>\"'&{{ 7*7 }}”"
BASKETS = 1000


def rule(x: str, y: str, both: int = 20, of: int = 40, n_y: int = 100, **more) -> dict:
    """A rule of products that are single letters, from its counts."""
    return {
        "antecedent": list(x),
        "consequent": list(y),
        "baskets": both,
        "antecedent_baskets": of,
        "support": both / BASKETS,
        "confidence": both / of,
        "lift": both * BASKETS / (of * n_y),
        **more,
    }


def frame(*rules: dict) -> pl.DataFrame:
    return pl.DataFrame(list(rules))


def many(seed: int = 1, number: int = 400) -> pl.DataFrame:
    """Rules over twenty letters, of one to four products to one, with every column that a page can use."""
    dice = random.Random(seed)
    seen, rows = set(), []
    while len(rows) < number:
        x = "".join(sorted(dice.sample("abcdefghijklmnopqrst", dice.randint(1, 4))))
        y = dice.choice("abcdefgh")
        if y in x or (x, y) in seen:
            continue
        seen.add((x, y))
        of = dice.randint(10, 90)
        both = dice.randint(max(2, of // 4), of)
        parts = [dice.random() for _ in x]
        whole = math.log(both * BASKETS / (of * 100))
        contribution = [part * whole / sum(parts) for part in parts]
        rows.append(rule(x, y, both, of, q=dice.random() ** 4, p=dice.random() ** 5, contribution=contribution))
    return frame(*rows)


def shown(rules: pl.DataFrame, titles: dict[str, str] | None = None):
    return drawn(chosen(rules), titles or {})


class Page(HTMLParser):
    """Tags with attributes, and the text of each element of a class."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[tuple[tuple[str, ...], str]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br"):
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        self.text.append((tuple(f"{tag}.{attrs.get('class') or ''}" for tag, attrs in self.open), data))

    def said(self, language: str) -> list[str]:
        """Sentences of the table."""
        return [text for where, text in self.text if "p.reason" in where and where[-1] == f"span.{language}"]


def test_the_certain_lift_by_hand():
    """Wilson for 20 of 40: (0.5 + z2/80 - z sqrt(0.25/40 + z2/6400)) / (1 + z2/40) = 0.35200; over P(Y) = 0.1 it is 3.5200."""
    assert certain_lift(frame(rule("a", "y"))).to_list() == pytest.approx([3.5200], abs=1e-4)


def test_rules_that_few_customers_make_are_less_certain():
    """Ten customers behind 20 baskets halve the trials: Wilson for 10 of 20 is 0.29930."""
    rules = frame(rule("a", "y", customers=20), rule("a", "z", customers=10), rule("b", "z", customers=None))
    assert certain_lift(rules).to_list() == pytest.approx([3.5200, 2.9930, 3.5200], abs=1e-4)
    bare = rules.drop("antecedent_baskets", "customers")
    assert certain_lift(bare).to_list() == pytest.approx([3.5200] * 3, abs=1e-4)


def test_a_certain_lift_stands_before_a_higher_one():
    rules = frame(rule("a", "y", 3, 4), rule("b", "y", 300, 500), rule("c", "y", 2, 2, q=0.2), rule("d", "y", 200, 400, q=0.01))
    best = chosen(rules)
    assert best["antecedent"].to_list() == [["b"], ["d"], ["a"], ["c"]]
    assert best["certain"].to_list()[:3] == sorted(best["certain"].to_list()[:3], reverse=True)
    assert rules["lift"].arg_max() == 2


def test_no_consequent_and_no_set_of_products_fills_the_page():
    crowd = [rule("abcdefghijklmnopq"[i], "y", 90 - i, 100) for i in range(17)]
    rest = [rule("abcdefghijklmnopq"[i], "z", 30, 100) for i in range(4)]
    best = chosen(frame(*crowd, *rest), most=14)
    assert best["consequent"].to_list().count(["y"]) == RULES_A_CONSEQUENT
    assert chosen(frame(*crowd), most=14).height == 14
    ways = [
        rule(x, "abcd".translate({ord(c): None for c in x}), 50, 60)
        for n in (1, 2, 3)
        for x in map("".join, combinations("abcd", n))
    ]
    assert chosen(frame(*ways, rule("y", "z"))).height == RULES_A_SET + 1


def test_rules_between_products_of_one_kind_come_last():
    rules = frame(rule("a", "b", 90, 100), rule("a", "y", 30, 100), rule("ab", "y", 20, 100), rule("x", "y", 80, 90, q=0.2))
    kinds = {"a": "tea", "b": "tea", "y": "cup"}
    assert chosen(rules, kinds=kinds)["antecedent"].to_list() == [["a"], ["a", "b"], ["a"], ["x"]]
    assert chosen(rules, kinds=kinds)["consequent"].to_list() == [["y"], ["y"], ["b"], ["y"]]
    assert chosen(rules)["consequent"].to_list()[0] == ["b"]
    nothing = {"a": None, "b": None}
    assert chosen(rules, kinds=nothing).equals(chosen(rules))


def test_half_of_the_rules_ask_for_several_products_where_there_are_so_many():
    singles = [rule("abcdefgh"[i], "stuvwxyz"[i], 90 - i, 100) for i in range(8)]
    several = [rule("ab", "stuvwxyz"[i], 20 - i, 100) for i in range(8)]
    best = chosen(frame(*singles, *several), most=8)
    assert best["antecedent"].list.len().to_list() == [1] * 4 + [2] * 4
    assert best["baskets"].to_list() == [90, 89, 88, 87, 20, 19, 18, 17]
    few = chosen(frame(*singles, *several[:2]), most=8)
    assert few["antecedent"].list.len().to_list() == [1] * 6 + [2] * 2


@given(st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=15)
def test_the_order_of_the_rules_changes_nothing(dice):
    rules = many(number=150)
    order = list(range(rules.height))
    dice.shuffle(order)
    assert chosen(rules[order], most=40).equals(chosen(rules, most=40))


def test_what_has_no_finite_lift_is_left_out():
    rules = frame(
        rule("a", "y"), rule("b", "y", 0, 40), rule("c", "y") | {"lift": math.inf}, rule("d", "y") | {"lift": math.nan}
    )
    assert chosen(rules)["antecedent"].to_list() == [["a"]]


def test_classes_of_lift_hold_as_many_each():
    assert levels([]) == ()
    assert levels([2.0, 2.0]) == (2.0, 2.0)
    bounds = levels([1 + i / 100 for i in range(500)])
    assert bounds == (1.0, 2.0, 3.0, 4.0, 5.0, 5.99)
    found = shown(many())
    assert {each.level for each in found} == set(range(len(levels([each.lift for each in found])) - 1))
    assert sorted(found, key=lambda each: each.lift) == sorted(found, key=lambda each: (each.level, each.lift))


def test_namesakes_carry_their_ids_and_capitals_are_set_small():
    (one,) = shown(frame(rule("ab", "c")), {"a": "TEA, GREEN", "b": "Cup", "c": "Cup"})
    assert (one.names, one.other_names) == (("Tea, green", "Cup #b"), ("Cup #c",))
    assert one.reasons[0][0].startswith("Of the 40 baskets with “Tea, green” and “Cup #b”, 20 (50%) also hold “Cup #c”")


def test_the_matrix_lays_blocks_along_the_diagonal():
    """Two kitchens that share nothing: however their rules come mixed, each keeps to a corner of its own."""
    kitchens = [rule(x, y, 20 + i, 40) for i, (x, y) in enumerate([("a", "p"), ("s", "v"), ("b", "q"), ("t", "w")])]
    kitchens += [rule("a", "q"), rule("s", "w"), rule("b", "p"), rule("t", "v")]
    drawn_rules = shown(frame(*kitchens))
    found = rule_matrix.matrix(drawn_rules, rule_matrix.WIDE)
    assert found is not None and found.rules == 8
    side = {column.name: column.at for column in found.columns}
    first, second = sorted((sorted((side["p"], side["q"])), sorted((side["v"], side["w"]))))
    assert first[1] < second[0]
    for cell in found.cells:
        assert (cell.x <= first[1]) == (cell.y <= sorted(row.at for row in found.rows)[1])


def test_antecedents_that_do_alike_are_one_group():
    same = [rule(x, "y", 20, 40) for x in "abc"]
    found = rule_matrix.matrix(shown(frame(*same, rule("d", "z"))), rule_matrix.WIDE)
    assert found is not None
    assert sorted((row.name, len(row.rules)) for row in found.rows) == [("a / b +1", 3), ("d", 1)]
    assert sorted(len(cell.rules) for cell in found.cells) == [1, 3]
    big = shown(many())
    crowded = rule_matrix.matrix(big, rule_matrix.TALL)
    assert crowded is not None
    assert len(crowded.rows) <= rule_matrix.TALL.groups and len(crowded.columns) == rule_matrix.TALL.columns
    assert sorted(n for cell in crowded.cells for n in cell.rules) == sorted(
        n for n, each in enumerate(big) if each.other_names[0] in {column.name for column in crowded.columns}
    )


@pytest.mark.parametrize("size", [rule_network.WIDE, rule_network.TALL], ids=lambda size: size.name)
def test_no_label_of_the_network_covers_another_and_all_stay_inside(size):
    found = rule_network.network(shown(many(), {letter: f"{letter} product with a long name" for letter in "abcdefghij"}), size)
    assert found is not None and 3 < len(found.products) <= size.products and 3 < len(found.rules) <= size.rules
    boxes = [(p.x + b[0], p.y + b[1], p.x + b[2], p.y + b[3]) for p in found.products for b in [p.box]]
    boxes += [(d.x - d.radius, d.y - d.radius, d.x + d.radius, d.y + d.radius) for d in found.rules]
    for i, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 0 and top >= 0 and right <= size.width and bottom <= found.height
        for other in boxes[i + 1 :]:
            assert right <= other[0] + 0.11 or other[2] <= left + 0.11 or bottom <= other[1] + 0.11 or other[3] <= top + 0.11


def test_arrows_run_from_the_rule_to_what_it_promises():
    found = rule_network.network(shown(frame(rule("ab", "c"))), rule_network.WIDE)
    assert found is not None
    assert sorted(arrow.onward for arrow in found.arrows) == [False, False, True]
    (onward,) = (arrow for arrow in found.arrows if arrow.onward)
    (target,) = (product for product in found.products if product.name == "c")
    x, y = map(float, re.findall(r"L(\S+) (\S+?)(?:L|M|$)", onward.path)[0])
    assert math.hypot(target.x - x, target.y - y) == pytest.approx(rule_network.PRODUCT_RADIUS + 2, abs=0.2)


def crossings(found: rule_lines.Lines) -> int:
    ends = [(line.stops[-2][1], line.stops[-1][1]) for line in found.lines]
    return sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for a, b in combinations(ends, 2))


def test_lines_that_need_not_cross_do_not():
    ladder = [rule(x, y, 20 + i, 40) for i, (x, y) in enumerate(zip("abcdefgh", "zyxwvuts", strict=True))]
    found = rule_lines.parallel(shown(frame(*ladder)), rule_lines.WIDE)
    assert found is not None and len(found.lines) == 8 and crossings(found) == 0


def test_a_line_meets_each_of_its_products_and_ends_at_the_consequent():
    drawn_rules = shown(many())
    found = rule_lines.parallel(drawn_rules, rule_lines.WIDE)
    assert found is not None
    left = {end.name: end.y for end in found.products}
    right = {end.name: end.y for end in found.consequents}
    assert len(left) <= rule_lines.WIDE.products and len(right) <= rule_lines.WIDE.consequents
    for line in found.lines:
        told = drawn_rules[line.rules[0]]
        assert [y for _, y in line.stops] == [*sorted(left[name] for name in told.names), right[told.other_names[0]]]
        assert [x for x, _ in line.stops] == list(found.axes[-len(line.stops) :])
    assert len({round(b - a, 3) for a, b in zip(sorted(left.values()), sorted(left.values())[1:], strict=False)}) <= 2


def test_rules_with_one_place_in_the_scatter_are_one_dot():
    found = section(frame(rule("a", "y"), rule("b", "z", n_y=50), rule("c", "y", 10, 40)), {})
    assert found is not None
    dots = found.scatters[0].dots
    assert [len(dot.rules) for dot in dots] == [1, 2]
    assert dots[1].name == "b → z; a → y"
    assert dots[1].level == max(each.level for each in found.rules)


@pytest.fixture(scope="module")
def rules() -> pl.DataFrame:
    return many()


@pytest.fixture(scope="module")
def page(rules) -> str:
    return rules_page(rules)


def test_every_sentence_on_the_page_reads_back_as_the_frame(rules, page):
    known = {(tuple(row["antecedent"]), tuple(row["consequent"])): row for row in rules.iter_rows(named=True)}
    said = {language: Page(page).said(language) for language in ("en", "zh")}
    assert len(said["en"]) == len(said["zh"]) > 100
    lifts = 0
    for language, sentences in said.items():
        for text in sentences:
            try:
                read = parse_rule(text, language)
            except RequestError:
                assert parse_contributions(text, language)
                continue
            lifts += 1
            assert read.figures == rule_figures(known[read.antecedent, read.consequent])
    assert lifts == 2 * chosen(rules).height


def test_every_mark_has_a_name_and_leads_to_rows(page):
    tags = Page(page).tags
    rows = {attrs["id"] for tag, attrs in tags if tag == "tr" and "id" in attrs}
    marks = [attrs for _, attrs in tags if (attrs.get("class") or "").startswith("mark ")]
    assert len(marks) > 200
    for attrs in marks:
        assert attrs["aria-label"] and attrs["role"] == "button"
        assert {f"rule-{number}" for number in attrs["data-rules"].split()} <= rows
    pictures = [attrs for tag, attrs in tags if tag == "svg" and (attrs.get("class") or "").startswith("plot ")]
    assert len(pictures) == 8 and all(attrs["aria-label"] and attrs["role"] == "group" for attrs in pictures)
    assert sum(attrs["tabindex"] == "0" for attrs in marks) == 8


def test_nothing_points_outside_and_the_policy_allows_the_inline_parts(page):
    for tag, attrs in Page(page).tags:
        assert tag not in ("iframe", "img", "object", "embed", "base", "form")
        assert "style" not in attrs and not [name for name in attrs if name.startswith("on")]
        assert (attrs.get("href") or "#").startswith(("#", "data:,"))
    assert not re.findall(r"https?:|url\((?!#)|@import", page)
    parts = re.findall(r"<(style|script)>(.*?)</\1>", page, re.DOTALL)
    digests = ["sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for _, text in parts]
    assert len(parts) == 2 and all(digest in page for digest in digests)


def test_hostile_titles_stay_text(rules):
    html = rules_page(rules, {letter: f"{HOSTILE}{letter}" for letter in "abcdefghijklmnopqrst"}, "zh")
    assert "<script>alert" not in html and "{{ 7*7 }}" in html
    assert html.count("<script") == 1
    for text in Page(html).said("en")[::20]:
        if text.startswith("Of the "):
            assert all(title.startswith(HOSTILE) for title in parse_rule(text, "en").antecedent)


def test_the_page_begins_in_the_language_asked_for(rules):
    assert 'data-lang="zh"' in rules_page(rules, language="zh") and "什么带来什么" in rules_page(rules, language="zh")
    with pytest.raises(RequestError, match="'fr'"):
        rules_page(rules, language="fr")
    with pytest.raises(RequestError, match="no column 'lift'"):
        rules_page(rules.drop("lift"))


def test_a_page_without_rules_says_so(rules):
    html = rules_page(rules.clear())
    assert WORDS["mined.empty"][0] in html and '<svg class="plot' not in html
    assert not re.search(r"\b(None|nan)\b", html)


@settings(deadline=None, max_examples=20)
@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from("abcdefgh"), min_size=1, max_size=5),
            st.sets(st.sampled_from("stuvwxyz"), min_size=1, max_size=3),
            st.integers(1, 30),
            st.integers(0, 30),
            st.integers(1, BASKETS),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_whatever_the_rules_the_page_is_drawn(worlds):
    rows = [rule("".join(sorted(x)), "".join(sorted(y)), both, both + more, n_y) for x, y, both, more, n_y in worlds]
    html = rules_page(frame(*rows))
    assert not re.search(r"[\"\s:](?:None|nan|inf)[\"\s;]", html)
    assert html == rules_page(frame(*rows))


def test_integers_may_name_products():
    rules = pl.DataFrame([rule("ab", "c") | {"antecedent": [1, 2], "consequent": [3]}])
    assert "“1” and “2”" in rules_page(rules)


def test_a_hundred_thousand_rules_make_a_small_page():
    few = many(number=1000)
    lots = pl.concat([few.with_columns(support=few["support"] * (1 + i / 1000)) for i in range(100)])
    assert len(rules_page(lots).encode()) < 700_000
