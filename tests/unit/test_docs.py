"""Pages and code keep step: errors, operations and contracts each have their page, and every link leads somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from basketry.app.operations import OPERATIONS
from basketry.core.errors import BasketryError
from basketry.core.tables import ANSWERS, DERIVED, INPUTS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    """docs/generate.py, which is a script and lies outside the package."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def errors(kind: type[BasketryError] = BasketryError) -> list[type[BasketryError]]:
    ours = [below for below in kind.__subclasses__() if below.__module__.startswith("basketry.")]
    return [each for below in ours for each in (below, *errors(below))]


def prose(page: Path) -> str:
    return FENCED.sub("", page.read_text())


def anchor(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {anchor(line.lstrip("#")) for line in prose(page).splitlines() if line.startswith("#")}


def test_every_error_code_has_a_page_and_every_page_a_code():
    assert {page.stem for page in (DOCS / "errors").glob("*.md")} == {kind.code for kind in errors()}


@pytest.mark.parametrize("kind", errors(), ids=lambda kind: kind.code)
def test_the_page_of_an_error_names_its_class_and_status(kind):
    page = (DOCS / "errors" / f"{kind.code}.md").read_text()
    assert page.startswith(f"# {kind.code}\n")
    assert f"`{kind.__name__}`" in page
    assert f"exit status {kind.exit_status}" in page


def test_generated_pages_are_fresh(generate):
    assert generate.stale() == []


def test_a_stale_page_is_noticed(generate, tmp_path, monkeypatch):
    for name, page in generate.PAGES.items():
        (tmp_path / name).write_text(generate.text(page))
    monkeypatch.setattr(generate, "FOLDER", tmp_path)
    assert generate.main(["--check"]) == 0
    (tmp_path / "tables.md").write_text("old")
    (tmp_path / "rules.md").unlink()
    assert generate.stale() == ["tables.md", "rules.md"]
    assert generate.main(["--check"]) == 1


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_has_a_section(operation):
    assert operation.name in anchors(DOCS / "reference" / "commands.md")


def test_every_contract_has_a_section():
    assert {*INPUTS, *DERIVED, *ANSWERS} <= anchors(DOCS / "reference" / "tables.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page):
    for target in LINK.findall(prose(page)):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, part = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name} links to {target}"
        assert not part or part in anchors(found), f"{page.name} links to {target}, but there is no such heading"


def test_every_page_is_reached_from_the_index():
    reached, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            left += [
                (page.parent / link.partition("#")[0]).resolve() for link in LINK.findall(prose(page)) if "://" not in link
            ]
    assert set(PAGES) - reached == set()


def test_decisions_are_numbered_without_gaps():
    numbers = sorted(int(page.stem[:4]) for page in (DOCS / "decisions").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def measured(page: Path, shop: str) -> dict[tuple[str, str, str], float]:
    """(slice, measure, model) to value, as the benchmark wrote them."""
    found, part = {}, ""
    section = page.read_text().partition(f"## {shop}\n")[2].partition("\n## ")[0]
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.strip().split("\n\n")[0].splitlines()]
    for cells in table[2:]:
        row = dict(zip(table[0], cells, strict=True))
        part = row["slice"] or part
        for model in ("past_rate", "behaviour", "meaning", "fused"):
            found[part, row["measure"], model] = float(row[model].split()[0])
    return found


def test_figures_of_strength_are_those_the_benchmark_measured():
    known = measured(DOCS / "reference" / "quality-holdout.md", "Complete Journey")
    models = {"past rate": "past_rate", "meaning alone": "meaning", "behaviour alone": "behaviour", "**fused**": "fused"}
    seen, measure = set(), ""
    for line in (DOCS / "explanation" / "strength.md").read_text().splitlines():
        name, *cells = [cell.strip() for cell in line.split("|")[1:-1]] or [""]
        measure = {"AUC": "auc", "Log loss (less is better)": "log_loss"}.get(name, measure)
        for part, cell in zip(("all", "edge", "no_edge", "cold_product"), cells if name in models else (), strict=False):
            said = float(cell.strip("*"))
            assert said == pytest.approx(known[part, measure, models[name]], rel=0.003, abs=0.001), (
                f"{measure} of {name} on {part}"
            )
            seen.add((measure, models[name]))
    assert len(seen) == 8


@pytest.mark.parametrize("page", ["README.md", "docs/explanation/strength.md"])
def test_figures_in_prose_stand_on_the_benchmarks_page(page):
    known = set(re.findall(r"-?\d+\.\d+", (DOCS / "reference" / "quality-holdout.md").read_text()))
    said = re.findall(r"(-?)(?<!\d)(\.\d{3,4})\b", prose(ROOT / page))
    assert len(said) > 10
    assert {f"{sign}0{figure}" for sign, figure in said} - known == set()
