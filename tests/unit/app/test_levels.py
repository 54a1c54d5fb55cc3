"""Mining commands on several levels: a shop's own catalogue, and a file of items and their parents."""

import polars as pl
import pytest

from basketry.app.ingest import Frame, IngestRequest, ingest
from basketry.app.mine import MineRequest, mine
from basketry.app.notebook import Notebook
from basketry.app.rules import RulesRequest, rules
from basketry.core.errors import DataError, NotFound, RequestError, SourceFormat, SourceMissing

PRODUCTS = {  # title, department, category
    "m1": ("Whole milk", "Dairy", "Milk"),
    "m2": ("Skimmed milk", "Dairy", "Milk"),
    "c1": ("Cheddar", "Dairy", None),
    "t1": ("Tea", "Pantry", "Hot drinks"),
}
BOUGHT = [["m1", "t1"]] * 30 + [["m2", "t1"]] * 25 + [["m1"]] * 20 + [["c1"]] * 40 + [["m1", "m2"]] * 20


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Every basket is of another customer."""
    folder = tmp_path_factory.mktemp("corner")
    (folder / "shop.toml").write_text('name = "x"\ncurrency = "EUR"\ntimezone = "UTC"\n', encoding="utf-8")
    products = pl.DataFrame([(key, *about) for key, about in PRODUCTS.items()], orient="row").rename(
        {"column_0": "product_id", "column_1": "title", "column_2": "department", "column_3": "category"}
    )
    rows = [(f"o{i}", f"c{i}", product, "2024-01-02 10:00:00", "1", "2") for i, row in enumerate(BOUGHT) for product in row]
    lines = pl.DataFrame(rows, schema=["order_id", "customer_id", "product_id", "ts", "units", "amount"], orient="row")
    opened = Notebook(folder)
    ingest(opened, IngestRequest((Frame("products", products), Frame("order_lines", lines))))
    return opened


def told(table):
    return {frozenset(itemset): baskets for itemset, baskets in table.select("itemset", "baskets").rows()}


def sets(**counted):
    """`milk_tea=5` for the set of the two; letters stand for the names."""
    names = {"M": "category: Milk", "H": "category: Hot drinks"}
    return {frozenset(names.get(each, each) for each in key.split("_")): count for key, count in counted.items()}


def test_products_and_categories_of_the_catalogue(shop):
    found = mine(shop, MineRequest(min_support="20", levels="product,category", min_customers=0))
    pairs = {"M_t1": 55, "m1_t1": 30, "m2_t1": 25, "M_H": 55, "m1_H": 30, "m2_H": 25, "m1_m2": 20}
    assert told(found.itemsets) == sets(M=95, m1=70, m2=45, c1=40, H=55, t1=55, **pairs)
    titles = dict(zip(map(tuple, found.itemsets["itemset"]), found.itemsets["titles"].to_list(), strict=True))
    assert titles["t1", "category: Milk"] == ["Tea", "category: Milk"]
    assert told(shop.mine(20, levels=("category",))) == sets(M=95, H=55, M_H=55)
    alone = mine(shop, MineRequest(min_support="20", min_customers=0))
    assert told(alone.itemsets) == sets(m1=70, m2=45, c1=40, t1=55, m1_t1=30, m2_t1=25, m1_m2=20)


def test_a_difference_to_a_category_is_held_back(shop):
    """95 buy milk and 70 whole milk: 25 are enough of them at a floor of 20, not at one of 26."""
    asked = {"min_support": "20", "levels": "category,product", "k": 99}
    for floor, shown in ((20, True), (25, True), (26, False)):
        found = mine(shop, MineRequest(**asked, min_customers=floor))
        assert (sets(m1=70).items() <= told(found.itemsets).items()) == shown
        assert sets(M=95).items() <= told(found.itemsets).items()
        assert found.found == len(found.itemsets) and found.found + found.withheld == 13
    alone, beside = found.notes  # {m1, m2} of 20 customers, {m2, t1} and {m2, category: Hot drinks} of 25; then {m1} and more
    assert alone == "left out: 3 itemsets of fewer than 26 customers"
    assert beside.startswith(f"left out: {found.withheld - 3} itemsets whose counts tell of fewer than 26 customers beside")


def test_rules_speak_of_categories_by_name(shop):
    request = RulesRequest(min_support="20", levels="category,product", min_confidence=0.5, k=50)
    found = rules(shop, request)
    said = dict(
        zip(
            ((*x, "=>", *y) for x, y in found.rules.select("antecedent", "consequent").rows()),
            found.rules["sentence"],
            strict=True,
        )
    )
    assert "Of the 95 baskets with “category: Milk”, 55" in said["category: Milk", "=>", "t1"]
    assert "“Skimmed milk”" in said["m2", "=>", "t1"] and found.baskets == len(BOUGHT)
    assert not any({"category: Milk", "m1"} <= set(rule) for rule in said)
    strict = rules(shop, RulesRequest(min_support="20", levels="category,product", min_confidence=0.5, k=50, min_customers=26))
    kept = {*strict.rules["antecedent"].explode(), *strict.rules["consequent"].explode()}
    assert kept == {"category: Milk", "category: Hot drinks", "t1"} and any("are withheld" in each for each in strict.notes)
    unusual = rules(shop, RulesRequest(min_support="20", levels="category,product", min_confidence=0.5, k=50, surprise=1.1))
    assert 0 < unusual.kept < found.kept
    assert not any(
        "t1" in [*x, *y] for x, y in unusual.rules.select("antecedent", "consequent").rows()
    )  # the whole of its category


def test_what_categories_lead_to_expect_is_left_out_on_demand(shop):
    asked = {"min_support": "20", "levels": "category,product", "k": 99, "min_customers": 0}
    everything, few = (mine(shop, MineRequest(**asked, surprise=factor)) for factor in (0.0, 1.1))
    assert set(told(few.itemsets)) < set(told(everything.itemsets)) and few.withheld == 0
    assert few.notes == (f"left out: {everything.found - few.found} itemsets that their categories lead to expect",)


@pytest.fixture
def files(tmp_path):
    baskets = tmp_path / "baskets.csv"
    baskets.write_text("ale,crisps\nlager,crisps\nale\nlager,nuts,bread\n", encoding="utf-8")
    tree = tmp_path / "tree.csv"
    tree.write_text("parent,item\nbeer,ale\nbeer,lager\nsnacks,crisps\nsnacks,nuts\n,bread\n", encoding="utf-8")
    return str(baskets), str(tree)


def test_a_file_of_items_and_their_parents(files):
    baskets, tree = files
    found = mine(Notebook("nowhere"), MineRequest(baskets, min_support="3", taxonomy=tree))
    assert told(found.itemsets) == sets(beer=4, snacks=3, beer_snacks=3)
    only = mine(Notebook("nowhere"), MineRequest(baskets, min_support="2", taxonomy=tree, must_contain="beer,crisps"))
    assert told(only.itemsets) == sets(beer_crisps=2)
    said = rules(Notebook("nowhere"), RulesRequest(baskets, min_support="3", taxonomy=tree, min_confidence=0.8))
    assert [(x, y, c) for x, y, c in said.rules.select("antecedent", "consequent", "confidence").rows()] == [
        (["snacks"], ["beer"], 1.0)
    ]


def test_numbers_in_a_file_meet_their_parents(tmp_path):
    (tmp_path / "a.dat").write_text("1 2\n2 3\n")
    (tmp_path / "tree.csv").write_text("item,parent\n1,fruit\n3,fruit\n2,\n")
    request = MineRequest(str(tmp_path / "a.dat"), min_support="2", taxonomy=str(tmp_path / "tree.csv"), must_contain="2")
    assert told(mine(Notebook("nowhere"), request).itemsets) == {frozenset({"2"}): 2, frozenset({"2", "fruit"}): 2}
    (tmp_path / "tree.csv").write_text("item,parent\n1,90\n3,90\n2,\n")
    numbered = MineRequest(str(tmp_path / "a.dat"), min_support="2", taxonomy=str(tmp_path / "tree.csv"))
    assert told(mine(Notebook("nowhere"), numbered).itemsets) == {frozenset({2}): 2, frozenset({90}): 2, frozenset({2, 90}): 2}


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (
            "item,parent\nale,beer\nlager,beer\ncrisps,\nnuts,\n",
            DataError,
            "1 of 5 items are not in the taxonomy, such as 'bread'",
        ),
        ("item,parent\nale,beer\nbeer,ale\n", DataError, "'ale' < 'beer' < 'ale'"),
        ("item,group\nale,beer\n", DataError, "no column 'parent'"),
        ("item,parent\nale,beer,more\n", SourceFormat, "bad.csv is no CSV file"),
    ],
)
def test_a_taxonomy_that_cannot_be_used(files, tmp_path, text, error, words):
    (tmp_path / "bad.csv").write_text(text, encoding="utf-8")
    with pytest.raises(error, match=words):
        mine(Notebook("nowhere"), MineRequest(files[0], taxonomy=str(tmp_path / "bad.csv")))


def test_requests_that_contradict_themselves(shop, files):
    baskets, tree = files
    for request, words in (
        ({"source": baskets, "levels": "category"}, "levels are those of the shop's catalogue"),
        ({"taxonomy": tree}, "a taxonomy file goes with a file of baskets"),
        ({"levels": "aisle"}, "no level is called 'aisle'"),
        ({"levels": ","}, "no level is named"),
        ({"surprise": 1.1}, "needs categories to compare with"),
        ({"levels": "category", "surprise": -1.0}, "surprise is -1.0"),
    ):
        for ask, kind in ((mine, MineRequest), (rules, RulesRequest)):
            with pytest.raises(RequestError, match=words):
                ask(shop, kind(**request))
    with pytest.raises(RequestError, match="do not go with kind 'closed'"):
        mine(shop, MineRequest(levels="category,product", kind="closed"))
    for asked in ({"levels": "category"}, {"taxonomy": tree}, {"surprise": 1.1}):
        with pytest.raises(RequestError, match=f"{next(iter(asked))} does not go with by utility"):
            mine(shop, MineRequest(by="utility", **asked))
    with pytest.raises(NotFound, match="no item is called 'category: Bread'"):
        mine(shop, MineRequest(levels="category,product", must_contain="category: Bread"))
    with pytest.raises(SourceMissing):
        mine(shop, MineRequest(baskets, taxonomy="no-such.csv"))
