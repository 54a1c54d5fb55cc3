"""A shop in a notebook: the use cases of mining as methods, each giving a frame."""

import polars as pl
import pytest

from basketry.app.adapt_request import AdaptRequest
from basketry.app.compress import CompressRequest
from basketry.app.ingest import Frame, IngestRequest, ingest
from basketry.app.notebook import Notebook
from basketry.core.errors import RequestError


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Forty customers: tea with jam in January and a bun a week later; in March tea with a bun."""
    folder = tmp_path_factory.mktemp("corner")
    (folder / "shop.toml").write_text('name = "x"\ncurrency = "EUR"\ntimezone = "UTC"\n', encoding="utf-8")
    bought = []
    for customer in range(40):
        for day, basket in (("2024-01-05", "tj"), ("2024-01-12", "b"), ("2024-03-05", "tb"), ("2024-03-06", "j")):
            bought += [(f"{customer}-{day}", f"c{customer}", product, f"{day} 10:00:00") for product in basket]
    lines = pl.DataFrame(bought, schema=("order_id", "customer_id", "product_id", "ts"), orient="row")
    products = pl.DataFrame({"product_id": ["t", "j", "b"], "title": ["Tea", "Jam", "Bun"]})
    opened = Notebook.open(folder)
    costs = lines.with_columns(units=pl.lit("1"), amount=pl.lit("2"))
    ingest(opened, IngestRequest((Frame("products", products), Frame("order_lines", costs))))
    return opened


def test_rules(shop):
    found = shop.rules(20, 0.4, order="confidence", measures="conviction")
    told = {(*row[0], *row[1]): row[2:] for row in found.select("antecedent", "consequent", "baskets", "confidence").rows()}
    assert told == dict.fromkeys((tuple(pair) for pair in ("tj", "jt", "tb", "bt")), (40, 0.5))
    assert found["sentence"].str.contains("“Tea”").all() and "conviction" in found.columns
    assert len(shop.rules(20, 0.4, where="lift>=1.5")) == 0 and len(shop.rules(min_customers=41)) == 0
    with pytest.raises(RequestError, match="redundancy 'odd'"):
        shop.rules(redundancy="odd")


def test_sequences(shop):
    within_a_week = shop.sequences(0.9, window_days=7, max_length=2)
    assert within_a_week["sequence"].to_list() and set(within_a_week["sequences"]) == {40}
    assert "Jam → Bun" in within_a_week["sequence"].to_list() and "Jam → Jam" not in within_a_week["sequence"].to_list()
    assert "Jam → Jam" in shop.sequences(0.9)["sequence"].to_list()


def test_compare_rules(shop):
    found = shop.compare_rules("2024-01-01/2024-01-31", "2024-03-01/2024-03-31")
    status = {(*x, *y): each for x, y, each in found.select("antecedent", "consequent", "status").rows()}
    assert status["t", "b"] == "emerging" and status["t", "j"] == "vanishing"
    assert shop.compare_rules("2024-01-01/2024-01-31", "2024-03-01/2024-03-31", status="emerging")["status"].to_list() == [
        each for each in found["status"] if each == "emerging"
    ]
    assert found["growth"].dtype == pl.Float64


def test_encoders(shop, tmp_path):
    told = shop.encode(out=str(tmp_path / "v.parquet"))
    vectors = dict(pl.read_parquet(tmp_path / "v.parquet").select("id", "vector").iter_rows())
    assert told.documents == 3 and set(vectors) == {"t", "j", "b"} and len(vectors["t"]) == told.dim == 512
    assert shop.encoders()["encoder"].to_list()[:2] == ["universal", "minilm"]
    with pytest.raises(RequestError, match="no method is called 'magic'"):
        shop.adapt(AdaptRequest(method="magic"))
    with pytest.raises(RequestError, match="no step is called 'magic'"):
        shop.compress(CompressRequest(recipe="magic"))
