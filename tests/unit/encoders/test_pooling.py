from __future__ import annotations

import pytest

from basketry.encoders.pooling import pooling_modes


@pytest.mark.parametrize(
    ("config", "modes"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, {"cls"}),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, {"mean", "max"}),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, {"mean_sqrt_len"}),
        ({"pooling_mode": "mean", "embedding_dimension": 8}, {"mean"}),
        ({"pooling_mode": ["cls", "max"]}, {"cls", "max"}),
        ({}, set()),
    ],
)
def test_both_ways_of_writing_are_read(config, modes):
    assert pooling_modes(config) == modes


@pytest.mark.parametrize("mode", ["mean", "cls", "max"])
def test_what_the_library_writes_today_is_read(mode):
    modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    assert pooling_modes(modules.Pooling(8, pooling_mode=mode).get_config_dict()) == {mode}
