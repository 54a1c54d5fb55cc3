"""Checkpoints of one question are never taken for those of another."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import adaptation_worlds
import transformer_worlds
from basketry.app.adapt import adapt
from basketry.app.adapt_checkpoints import checkpoint_folder, forget_checkpoints
from basketry.app.adapt_request import AdaptRequest
from basketry.app.shop import Shop
from basketry.encoders.state import EncoderState, write_state

CHANGES = {
    "epochs": 3,
    "temperature": 0.2,
    "method": "masked",
    "base": "minilm",
    "pairs": "bought_next",
    "debias": 0.5,
    "peft": "lora",
    "seed": 1,
    "batch_size": 8,
    "learning_rate": 1e-3,
    "min_customers": 5,
    "source": "pairs.csv",
    "as_of": "2017-01-01T00:00:00Z",
}


def state(value: float = 1.0) -> EncoderState:
    return EncoderState("static", {"unknown": np.array([value])}, {}, {}, ())


def test_whatever_changes_the_result_changes_the_folder(tmp_path: Path) -> None:
    shop, asked, rows = Shop(tmp_path), AdaptRequest(name="ours"), np.array([[0, 1]])
    folders = [checkpoint_folder(shop, asked, state(), ["a", "b"], rows)]
    for field, value in CHANGES.items():
        folders.append(checkpoint_folder(shop, dataclasses.replace(asked, **{field: value}), state(), ["a", "b"], rows))
    folders.append(checkpoint_folder(shop, asked, state(2.0), ["a", "b"], rows))
    folders.append(checkpoint_folder(shop, asked, state(), ["ab", ""], rows))
    folders.append(checkpoint_folder(shop, asked, state(), ["a", "b"], rows[:, ::-1]))
    assert len(set(folders)) == len(folders)
    same = dataclasses.replace(asked, keep=True, track="tensorboard")
    assert checkpoint_folder(shop, same, state(), ["a", "b"], rows) == folders[0]


def test_a_finished_adaptation_leaves_none(tmp_path: Path) -> None:
    shop, asked = Shop(tmp_path), AdaptRequest(name="ours")
    folder = checkpoint_folder(shop, asked, state(), ["a"])
    folder.mkdir(parents=True)
    forget_checkpoints(shop, asked)
    assert not folder.parent.exists()


def test_asked_again_with_other_options_it_trains_again(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra train")
    shop, table = Shop(tmp_path), tmp_path / "alike.csv"
    shop.models.publish("tiny", lambda folder: write_state(folder, transformer_worlds.transformer()))
    texts, labels = adaptation_worlds.letters(280, 4)
    pl.DataFrame({"text": texts, "label": labels}).write_csv(table)
    settings = {"epochs": 2, "batch_size": 64, "learning_rate": 5e-3}
    flat = AdaptRequest(source=str(table), name="own", base="model:tiny", temperature=1e9, **settings)
    assert adapt(shop, flat).model == "none"  # so hot a softmax teaches nothing, and nothing is published
    assert adapt(shop, dataclasses.replace(flat, temperature=0.05)).model == "model:own"
