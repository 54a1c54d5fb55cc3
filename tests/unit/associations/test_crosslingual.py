"""A query in Chinese finds products described in English and the other way round, on real catalogues."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest

from basketry.core.protocols import Encoder, Run
from basketry.encoders import load_encoder

pytestmark = [pytest.mark.data, pytest.mark.slow]


@pytest.fixture(scope="module")
def bench(pytestconfig: pytest.Config) -> ModuleType:
    """The benchmark that measures the same on all texts: its queries, and its measure."""
    spec = importlib.util.spec_from_file_location("crosslingual", pytestconfig.rootpath / "benchmarks/quality/crosslingual.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("universal", Run())


def test_chinese_queries_find_english_products(bench: ModuleType, encoder: Encoder, complete_journey: Path) -> None:
    kinds = pl.read_parquet(complete_journey / "products.parquet").select(
        pl.concat_str("product_category", "product_type", separator=" ").alias("text")
    )
    texts = kinds["text"].drop_nulls().unique().sort().to_list()
    assert len(texts) == 3_793
    (at_ten,) = bench.measure(encoder, texts, bench.TO_ENGLISH, ks=(10,))
    assert at_ten.rate >= 0.8 > 0.2 > at_ten.chance
    assert not {"牛奶", "面包", "奶酪", "洗发水", "狗粮"} & set(at_ten.missed)


def test_english_queries_find_chinese_products(bench: ModuleType, encoder: Encoder, datasets: Path) -> None:
    texts = bench.chinese_texts(datasets / "zh_mall_catalog")
    assert len(texts) == 239
    at_five, at_ten = bench.measure(encoder, texts, bench.TO_CHINESE, ks=(5, 10))
    assert at_five.rate >= 0.85 > 0.2 > at_five.chance
    assert at_ten.rate >= at_five.rate
