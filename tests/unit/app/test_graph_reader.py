"""A release opened for questions: what it holds, and what older ones do without."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest

from basketry.app.graph_reader import GraphReader
from basketry.core.errors import ReleaseDamaged
from basketry.core.tables import Rules
from basketry.store.manifest import Manifest
from basketry.store.releases import Release, ReleaseStore

AT = dt.datetime(2025, 1, 31, tzinfo=dt.UTC)
RULE = {
    "antecedent": ["1", "2"],
    "consequent": ["3"],
    "baskets": 19,
    "antecedent_baskets": 21,
    "consequent_baskets": 792,
    "support": 19 / 9835,
    "confidence": 19 / 21,
    "lift": 11.2353,
    "leverage": 0.00176,
    "conviction": 9.66,
    "contribution": [1.5, 0.919],
}


def rules(*rows: dict) -> dy.DataFrame[Rules]:
    return Rules.validate(pl.DataFrame(list(rows), schema=Rules.create_empty().schema))


def released(folder: Path, frame: pl.DataFrame | None) -> Release:
    releases = ReleaseStore(folder)
    with releases.stage() as staging:
        if frame is not None:
            frame.write_parquet(staging / "rules.parquet")
        pl.DataFrame({"product_id": ["1"]}).write_parquet(staging / "products.parquet")
        return releases.publish(staging, Manifest("20250101T000000Z-00000001", "digest", AT, AT, "0.1.0", {}, {}, (), {}))


def test_rules_come_back_as_they_were_written(tmp_path):
    frame = rules(RULE, RULE | {"consequent": ["4"], "contribution": None})
    read = GraphReader(released(tmp_path, frame)).rules
    assert read is not None and Rules.validate(read).equals(frame)


def test_a_release_without_rules_has_none(tmp_path):
    assert GraphReader(released(tmp_path, None)).rules is None


def test_damaged_rules_are_refused(tmp_path):
    release = released(tmp_path, rules(RULE))
    path = release.folder / "rules.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ReleaseDamaged, match=r"rules\.parquet"):
        _ = GraphReader(release).rules


def test_one_rule_twice_breaks_the_contract():
    with pytest.raises(dy.exc.ValidationError):
        rules(RULE, RULE)
    with pytest.raises(dy.exc.ValidationError):
        rules(RULE | {"antecedent": []})
