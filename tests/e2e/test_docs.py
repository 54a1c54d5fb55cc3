"""The pages are true: their commands run, and print what the pages say they print.

A fenced block says in its first line what is done with it: `sh run` and `python run` must succeed, `sh fails=N` must end with
exit status N, `toml file=PATH` is written to PATH, and `text out` is what the block before it printed: its lines stand there in
this order, an ellipsis standing for whatever differs from run to run, alone on a line also for other lines. Blocks of one page
run one after another in a folder of their own, beside the example shop as the tutorial leaves it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorials" / "your-own-data.md"
PAGES = sorted(
    page
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if page != TUTORIAL and re.search(r"^```(sh run|sh fails|python run|toml file)", page.read_text(), re.MULTILINE)
)
FENCE = re.compile(r"^```(\w+) (run|out|fails=\d+|file=\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RELEASE = re.compile(r"\b\d{8}T\d{6}Z-[0-9a-f]{8}\b")

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what to do with it, and its text."""

    language: str
    verb: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in FENCE.findall(page.read_text())]


def executed(block: Block, folder: Path) -> str:
    """What the block printed, errors among it; its exit status must be as it says."""
    program = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else [sys.executable, "-W", "error", "-c"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "160", "PYTHONUTF8": "1"}
    done = subprocess.run(
        [*program, block.text],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    wanted = 0 if block.verb == "run" else int(block.verb.removeprefix("fails="))
    assert done.returncode == wanted, f"{block.text}\n{done.stdout}"
    return done.stdout


def plain(text: str) -> list[str]:
    """Lines without what differs from run to run in spacing and names of releases."""
    return [" ".join(RELEASE.sub("RELEASE", line).split()) for line in text.splitlines()]


def compared(expected: str, printed: str) -> None:
    """Every expected line stands in what was printed, in order."""
    lines = iter(plain(printed))
    for wanted in plain(expected):
        if wanted in ("", "…"):
            continue
        pattern = re.compile(".*".join(map(re.escape, wanted.split("…"))))
        assert any(pattern.fullmatch(line) for line in lines), f"not printed here: {wanted!r}\n{printed}"


def follow(page: Path, folder: Path) -> None:
    """Do all that a page says, in `folder`."""
    printed = ""
    for block in blocks(page):
        if block.verb == "out":
            compared(block.text, printed)
        elif block.verb.startswith("file="):
            path = folder / block.verb.removeprefix("file=")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        else:
            printed = executed(block, folder)


@pytest.fixture(scope="module")
def corner(tmp_path_factory) -> Path:
    """The example shop, made by following the tutorial to the letter."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "docs").symlink_to(ROOT / "docs")
    follow(TUTORIAL, folder)
    return folder / "corner"


def test_the_tutorial_on_your_own_data_is_true(corner):
    assert (corner / "report.html").stat().st_size > 100_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_page_is_true(page, corner, tmp_path):
    for name in ("demo-shop", "myshop"):
        shutil.copytree(corner, tmp_path / name)
    follow(page, tmp_path)


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a\n…\nc", "a\nb\nc", True),
        ("took … s", "took 3 s", True),
        ("a  b", "a b", True),
        ("c\na", "a\nb\nc", False),
        ("a", "a lot", False),
        ("20250101T000000Z-00000000", "20261231T235959Z-ffffffff", True),
    ],
)
def test_comparing_tells_lines_that_are_not_there(expected, printed, same):
    if same:
        compared(expected, printed)
    else:
        with pytest.raises(AssertionError):
            compared(expected, printed)
