"""What is written reads back as the same figures: PMML by its structure, JSON by its shape, CSV without formulas."""

import json
import xml.etree.ElementTree as ET
from decimal import Decimal

import polars as pl
import pytest

import basketry
from basketry.associations.mining.export import PMML, pmml, write_itemsets, write_rules, write_table
from basketry.associations.mining.rules import Rules
from basketry.core.errors import RequestError, StorageError
from basketry.core.protocols import Run

BASKETS = [["=tea", 'jam & "bun"'], ["=tea", 'jam & "bun"', "蛋糕"], ["=tea"], ["蛋糕"], ['jam & "bun"', "=tea"]]


@pytest.fixture(scope="module")
def mined():
    return basketry.mine(BASKETS, 1)


@pytest.fixture(scope="module")
def rules(mined):
    return Rules().fit(mined, Run())


def test_pmml_reads_back_as_the_same_rules(rules):
    root = ET.fromstring(pmml(rules))
    assert root.tag == f"{{{PMML}}}PMML" and root.get("version") == "4.4"
    assert [each.tag.removeprefix(f"{{{PMML}}}") for each in root] == ["Header", "DataDictionary", "AssociationModel"]
    model = root[2]
    kinds = [each.tag.removeprefix(f"{{{PMML}}}") for each in model]
    order = ["MiningSchema", "Item", "Itemset", "AssociationRule"]
    assert kinds == sorted(kinds, key=order.index) and set(kinds) == set(order)  # the schema fixes their order
    assert {each.get("name") for each in root[1]} == {each.get("name") for each in model[0]}
    found = {name: [each for each in model if each.tag == f"{{{PMML}}}{name}"] for name in order}
    assert model.get("functionName") == "associationRules"
    for name, count in (("numberOfItems", "Item"), ("numberOfItemsets", "Itemset"), ("numberOfRules", "AssociationRule")):
        assert int(model.get(name)) == len(found[count])
    assert int(model.get("numberOfTransactions")) == 5 and float(model.get("minimumSupport")) == 0.2
    for name in ("Item", "Itemset"):
        assert len({each.get("id") for each in found[name]}) == len(found[name])
    item = {each.get("id"): each.get("value") for each in found["Item"]}
    sets = {each.get("id"): frozenset(item[ref.get("itemRef")] for ref in each) for each in found["Itemset"]}
    for each in found["Itemset"]:
        assert int(each.get("numberOfItems")) == len(sets[each.get("id")])
        held = sum(sets[each.get("id")] <= set(basket) for basket in BASKETS)
        assert float(each.get("support")) == held / 5
    told = {}
    for each in found["AssociationRule"]:
        x, y = sets[each.get("antecedent")], sets[each.get("consequent")]
        told[x, y] = tuple(float(each.get(name)) for name in ("support", "confidence", "lift", "leverage"))
        n_xy, n_x, n_y = (sum(part <= set(basket) for basket in BASKETS) for part in (x | y, x, y))
        assert told[x, y] == pytest.approx((n_xy / 5, n_xy / n_x, n_xy * 5 / n_x / n_y, n_xy / 5 - n_x * n_y / 25))
        assert float(model.get("minimumConfidence")) <= told[x, y][1]
    wanted = {(frozenset(x), frozenset(y)) for x, y in rules.frame().select("antecedent", "consequent").rows()}
    assert told.keys() == wanted and len(found["AssociationRule"]) == len(rules)


def test_pmml_of_no_rules_is_a_model_without_rules(rules):
    model = ET.fromstring(pmml(rules.head(0)))[2]
    assert model.get("numberOfRules") == "0" and len(model) == 1


def test_a_name_that_xml_cannot_hold_is_refused():
    odd = Rules().fit(basketry.mine([["a\x00", "b"]], 1), Run())
    with pytest.raises(RequestError, match="XML has no way"):
        pmml(odd)


def test_json_keeps_its_shape(mined, rules, tmp_path):
    assert write_itemsets(mined, tmp_path / "a.json") == len(mined)
    told = json.loads((tmp_path / "a.json").read_bytes())
    assert list(told) == ["format", "version", "baskets", "min_baskets", "itemsets"]
    assert (told["format"], told["version"], told["baskets"], told["min_baskets"]) == ("basketry-itemsets", 1, 5, 1)
    assert pl.DataFrame(told["itemsets"], schema=mined.frame().schema).equals(mined.frame())
    assert write_rules(rules, tmp_path / "b.json", measures=("conviction",)) == len(rules)

    def refused(word):
        raise AssertionError(word)

    told = json.loads((tmp_path / "b.json").read_bytes(), parse_constant=refused)
    assert list(told["rules"][0]) == ["antecedent", "consequent", "baskets", "support", "confidence", "lift", "conviction"]
    sure = [row for row in told["rules"] if row["confidence"] == 1]
    assert sure and all(row["conviction"] is None for row in sure)


def test_csv_holds_no_formula_and_parquet_the_very_frame(mined, rules, tmp_path):
    write_itemsets(mined, tmp_path / "a.csv")
    cells = pl.read_csv(tmp_path / "a.csv")["itemset"].to_list()
    assert len(cells) == len(mined) and any(cell.startswith("'=tea") for cell in cells)
    assert not any(cell.startswith("=") for cell in cells)
    write_rules(rules, tmp_path / "b.csv")
    assert pl.read_csv(tmp_path / "b.csv")["lift"].to_list() == rules.measure("lift").tolist()
    write_rules(rules, tmp_path / "b.parquet", measures=("conviction",))
    assert pl.read_parquet(tmp_path / "b.parquet").equals(rules.frame(("conviction",)))


TABLE = pl.DataFrame(
    {
        "antecedent": [["=1+1", "tea"], ["milk"]],
        "note": ["-x", "plain"],
        "lift": [1.5, float("inf")],
        "utility": [Decimal("1.25"), None],
    }
)


def test_any_table_is_written_in_the_same_three_ways(tmp_path):
    assert write_table(TABLE, str(tmp_path / "out.csv"), "things") == str(tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines == ["antecedent,note,lift,utility", "'=1+1; tea,'-x,1.5,1.25", "milk,plain,inf,"]
    write_table(TABLE, tmp_path / "out.parquet", "things")
    assert pl.read_parquet(tmp_path / "out.parquet").equals(TABLE)
    write_table(TABLE, tmp_path / "out.json", "things", {"baskets": 3})
    told = json.loads((tmp_path / "out.json").read_text())
    assert (told["format"], told["baskets"]) == ("basketry-things", 3)
    assert told["things"] == [
        {"antecedent": ["=1+1", "tea"], "note": "-x", "lift": 1.5, "utility": 1.25},
        {"antecedent": ["milk"], "note": "plain", "lift": None, "utility": None},
    ]


def test_numbers_go_into_a_dat_file_as_the_field_writes_them(mined, tmp_path):
    numbered = basketry.mine([[3, 1], [3]], 1)
    table = numbered.frame().sort("baskets", "length", descending=True)
    assert write_itemsets(numbered, tmp_path / "a.dat", table=table.head(2)) == 2
    assert (tmp_path / "a.dat").read_text() == "3 (2)\n1 3 (1)\n"
    with pytest.raises(RequestError, match="whole numbers only"):
        write_itemsets(mined, tmp_path / "b.dat")
    assert not (tmp_path / "b.dat").exists()


def test_other_endings_and_folders_that_are_not_there_are_refused(mined, rules, tmp_path):
    for write, what in ((write_itemsets, mined), (write_rules, rules)):
        with pytest.raises(RequestError, match=r"cannot write to a\.xlsx"):
            write(what, tmp_path / "a.xlsx")
        with pytest.raises(StorageError):
            write(what, tmp_path / "nowhere" / "a.csv")
    assert list(tmp_path.iterdir()) == []
