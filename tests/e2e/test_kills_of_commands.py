"""`basketry ingest` and `basketry build` killed at durable system calls lose nothing acknowledged and show nothing half-done.

A shop that has ingested and published once gets a new catalogue and more order lines. The command is traced once; then it is
run again from the same start, killed as it enters one of the calls that change the shop, and run a third time to its end. Only
calls of the main thread are aimed at, since those of worker threads come in any order, and no plain writes, which they share. A
kill that strikes elsewhere counts for nothing, but must do no harm either. `test_kills.py` does the same, at every call, to the
store alone.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

import worlds
from basketry.app.releases import VerifyRequest, verify
from basketry.app.shop import Shop
from basketry.cli.main import app
from basketry.core.errors import BasketryError

MAIN = "from basketry.cli.main import main; main()"
IN_PLACE = """
from basketry.store import durable
def write_file(path, data):
    for part in (data[:100], data):
        path.write_bytes(part)
        durable.sync(path)
durable.write_file = write_file
"""
INGEST = ("ingest", "--quiet")
BUILD = ("build", "--quiet", "--min-customers", "1", "--horizon-days", "1")
CALLS = "open,openat,creat,mkdir,mkdirat,fsync,fdatasync,rename,renameat,renameat2,link,linkat,symlink,unlink,unlinkat,rmdir"
LINE = re.compile(r"^(\d+) +(\w+)\((.*)")
MOST, LEAST = 18, 15  # kills a command: aimed, and struck within the shop

PRODUCTS = {
    "bun": "Hamburger buns",
    "patty": "Beef patties, frozen",
    "milk1": "Fresh whole milk 1 l",
    "milk2": "Fresh whole milk 1 l organic",
    "wine": "Red wine",
    "cheese": "Mature cheese",
}
SHOP = """
name = "Corner"
currency = "EUR"
timezone = "Europe/Berlin"

[[source]]
table = "products"
path = "products.csv"
[source.columns]
product_id = "id"
title = "name"

[[source]]
table = "order_lines"
path = "lines*.csv"
timezone = "UTC"
[source.columns]
order_id = "order"
customer_id = "customer"
product_id = "product"
ts = "time"
units = "n"
amount = "paid"
"""


@dataclass(frozen=True)
class Call:
    """One system call of the main thread: the `count`-th of its `name`."""

    name: str
    count: int
    text: str

    def changes(self, shop: Path) -> bool:
        opens = self.name in ("open", "openat")
        return f"{shop}/" in self.text.replace(f"{shop}>", f"{shop}/") and (not opens or "O_CREAT" in self.text)


@dataclass(frozen=True)
class Seen:
    """What a reader sees of a shop, every checksum proved."""

    digest: str
    accounts: tuple[tuple[str, int, int, int], ...]
    published: tuple[str, ...]
    serves: str


def see(folder: Path) -> Seen:
    shop = Shop.open(folder)
    verify(shop, VerifyRequest())
    snapshot, current = shop.tables.snapshot(), shop.releases.current()
    assert current.fell_back_from is None, f"{current.fell_back_from} is damaged"
    accounts = tuple((one["table"], one["rows"], one["kept"], one["quarantined"]) for one in snapshot.sources)
    for table in ("products", "order_lines"):
        kept = sum(account[2] for account in accounts if account[0] == table)
        assert kept == sum(len(pl.read_parquet(path)) for path in snapshot.parts(table)), f"{table} is not what was kept"
    return Seen(snapshot.digest, accounts, shop.releases.published(), current.id)


def associations(folder: Path, release: str) -> pl.DataFrame:
    return pl.read_parquet(Shop.open(folder).releases.open(release).path("associations.parquet"))


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def write_lines(path: Path, lines: Iterable[worlds.Line], unheard_of: int) -> None:
    rows = [
        (order, customer, product, worlds.START + dt.timedelta(hours=hours), 1, "1.5")
        for order, customer, product, hours in lines
    ]
    rows += [(f"x{each}", "c1", "unheard-of", worlds.START, 1, "2.5") for each in range(unheard_of)]
    texts = [(*row[:3], f"{row[3]:%Y-%m-%d %H:%M:%S}", *row[4:]) for row in rows]
    write_csv(path, [("order", "customer", "product", "time", "n", "paid"), *texts])


def call(folder: Path, command: Sequence[str]) -> None:
    """The command in this process, where its imports are warm; an error of any kind is raised."""
    app([*command, "--shop", str(folder)], standalone_mode=False)


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """For each command, the shop it is killed in: with tables and a release that were acknowledged, and work to do."""
    shop = tmp_path_factory.mktemp("corner") / "shop"
    shop.mkdir()
    (shop / "shop.toml").write_text(SHOP, encoding="utf-8")
    lines = [line for line in worlds.trips(customers=24) if line[2] in PRODUCTS][:300]
    write_csv(shop / "products.csv", [("id", "name"), *PRODUCTS.items()])
    write_lines(shop / "lines1.csv", lines[:200], unheard_of=1)
    call(shop, INGEST)
    call(shop, BUILD)
    write_csv(shop / "products.csv", [("id", "name"), *PRODUCTS.items(), ("tofu", "Tofu")])
    write_lines(shop / "lines2.csv", lines[200:], unheard_of=2)
    ingested = shop.with_name("ingested")
    shutil.copytree(shop, ingested)
    call(ingested, INGEST)
    return {"ingest": shop, "build": ingested}


def run(strace: str, folder: Path, command: Sequence[str], kill: Call | None = None, prelude: str = "") -> int:
    """The command in a process of its own, traced, and killed as it enters the call `kill`: its status."""
    inject = [] if kill is None else ["-e", f"inject={kill.name}:signal=KILL:when={kill.count}"]
    tracing = [strace, "-f", "-qq", "-y", "-s", "0", "-o", str(folder.with_suffix(".trace")), "-e", f"trace={CALLS}", *inject]
    python = [sys.executable, "-B", "-c", prelude + MAIN, *command, "--shop", str(folder)]
    return subprocess.run([*tracing, *python], capture_output=True, check=False).returncode


def calls_of(folder: Path) -> list[Call]:
    seen: Counter[str] = Counter()
    calls, main = [], None
    for line in folder.with_suffix(".trace").read_text(encoding="utf-8").splitlines():
        matched = LINE.match(line)
        if matched is None:
            continue
        thread, name, text = matched.groups()
        main = main or thread
        if thread == main:
            seen[name] += 1
            calls.append(Call(name, seen[name], text))
    return calls


def points(calls: list[Call], shop: Path, most: int) -> list[Call]:
    """Every rename, what flushes around those that readers look at, and others spread evenly: `most` at most."""
    durable = [one for one in calls if one.changes(shop)]
    renames = [at for at, one in enumerate(durable) if one.name.startswith("rename")]
    seen = [at for at in renames if "/.staging-" not in durable[at].text.rpartition('"/')[2]]
    chosen = {*renames, *(at + step for at in seen for step in (-1, 1))} & set(range(len(durable)))
    others = [at for at in range(len(durable)) if at not in chosen]
    wanted = min(max(most - len(chosen), 0), len(others))
    chosen |= {others[each * len(others) // wanted] for each in range(wanted)}
    return [durable[at] for at in sorted(chosen)]


def survive(
    strace: str, tmp: Path, start: Path, command: Sequence[str], prelude: str = "", only: str = ""
) -> tuple[int, list[str]]:
    """Kill the command again and again: how many kills struck within the shop, and what went wrong.

    With a `prelude`, which spoils the command, at the calls that touch `only`, and no further than the first thing that goes
    wrong.
    """
    shop = tmp / "shop"
    shutil.copytree(start, shop)
    before = see(shop)
    assert run(strace, shop, command, prelude=prelude) == 0
    after = see(shop)
    best = associations(shop, after.serves)
    struck, wrong = 0, []
    for kill in points([one for one in calls_of(shop) if only in one.text], shop, MOST):
        where = f"{kill.name}({kill.text.replace(str(shop), '')}"
        shutil.rmtree(shop)
        shutil.copytree(start, shop)
        died = run(strace, shop, command, kill, prelude) == -9
        last = calls_of(shop)[-1]
        struck += died and last.name == kill.name and last.changes(shop)
        try:
            wrong += [f"killed at {where}: {problem}" for problem in problems(shop, command, (before, after), best)]
        except (BasketryError, AssertionError) as error:
            wrong.append(f"killed at {where}: {error}")
        if wrong and prelude:
            break
    return struck, wrong


def problems(shop: Path, command: Sequence[str], known: tuple[Seen, Seen], best: pl.DataFrame) -> list[str]:
    """What is wrong with a shop after a kill, and with what the next run makes of it."""
    before, after = known
    tables = [(one.digest, one.accounts) for one in known]
    killed = see(shop)
    wrong = []
    if (killed.digest, killed.accounts) not in tables:
        wrong.append(f"tables of no commit: {killed}")
    old, due = len(before.published), len(after.published) - len(before.published)
    extra = len(killed.published) - old
    if killed.published[:old] != before.published or extra not in (0, due):
        wrong.append(f"published {killed.published} after {before.published}")
    if killed.serves != killed.published[-1]:
        wrong.append(f"{killed.serves} serves, {killed.published[-1]} was published")
    call(shop, command)
    ended = see(shop)
    if (ended.digest, ended.accounts) != tables[1]:
        wrong.append(f"the next run ends with {ended}, not {after}")
    new = ended.published[old:]
    if len(new) != extra + due:
        wrong.append(f"the next run ends with releases {ended.published}")
    wrong += [f"release {each} says something else" for each in new if not associations(shop, each).equals(best)]
    left = [path.name for path in shop.rglob(".*") if path.suffix != ".lock" and "vectors" not in path.parts]
    return [*wrong, *(f"the next run leaves {name}" for name in left)]


@pytest.mark.slow
@pytest.mark.parametrize("command", [INGEST, BUILD], ids=["ingest", "build"])
def test_killed_at_durable_calls(strace: str, tmp_path: Path, starts: dict[str, Path], command: tuple[str, ...]) -> None:
    struck, wrong = survive(strace, tmp_path, starts[command[0]], command)
    assert wrong == []
    assert struck >= LEAST


@pytest.mark.slow
def test_the_check_sees_a_broken_ingest(strace: str, tmp_path: Path, starts: dict[str, Path]) -> None:
    _, wrong = survive(strace, tmp_path, starts["ingest"], INGEST, IN_PLACE, only="/snapshot.json")
    assert "snapshot.json cannot be believed" in "\n".join(wrong)
