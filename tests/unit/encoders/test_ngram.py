"""The n-gram network as data: torch and numpy give one function, before and after its weights have changed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.models import encoder_of, load_state, network_of, tokeniser_of
from basketry.encoders.ngram.network import PROJECT
from basketry.encoders.state import EncoderState, read_state, write_state
from basketry.encoders.universal import UniversalEncoder
from basketry.testing.encoders import DOCUMENTS, check_encoder

TEXTS = (*DOCUMENTS, "a", "Xiaomi Redmi Note 8 Pro 6/128GB (Garansi Resmi)", "家用 防尘 厨房帽 x2", "one " * 60)


@pytest.fixture(scope="module")
def universal() -> EncoderState:
    return load_state("universal")


def _by_torch(state: EncoderState) -> np.ndarray:
    torch = pytest.importorskip("torch")
    from basketry.encoders.batches import padded

    ids, mask = padded(tokeniser_of(state)(TEXTS))
    with torch.no_grad():
        return network_of(state)(torch.from_numpy(ids), torch.from_numpy(mask.astype(bool))).numpy()


def _shaken(state: EncoderState, dim: int) -> EncoderState:
    """The same network with every trainable weight a little different, and a projection to `dim`."""
    random = np.random.default_rng(0)
    fixed = {name for name in state.arrays if name.startswith("q") or name in ("lo", "scale", "bits", "eps")}
    arrays = {
        name: array if name in fixed else (array + random.normal(0, 0.01, array.shape)).astype(np.float32)
        for name, array in state.arrays.items()
    }
    arrays[PROJECT] = random.normal(size=(dim, 512)).astype(np.float32)
    tokens = sorted({token for ids in tokeniser_of(state)(TEXTS[::2]) for token in ids})
    arrays["learned.tokens"] = np.array(tokens, dtype=np.int32)
    arrays["learned.vectors"] = random.normal(0, 0.1, (len(tokens), 512)).astype(np.float32)
    return dataclasses.replace(state, arrays=arrays)


def test_the_state_of_the_default_encodes_as_the_default_does(universal: EncoderState) -> None:
    ours = encoder_of(universal, Run(threads=1))
    assert ours.dim == 512
    assert np.array_equal(ours.encode(TEXTS), UniversalEncoder.load(Run(threads=1)).encode(TEXTS))


def test_torch_and_numpy_are_one_function(universal: EncoderState) -> None:
    assert np.abs(_by_torch(universal) - encoder_of(universal, Run()).encode(TEXTS)).max() < 1e-5


def test_a_changed_network_with_a_projection_is_served_by_numpy_and_keeps_the_laws(
    universal: EncoderState, tmp_path: Path
) -> None:
    write_state(tmp_path / "model", _shaken(universal, 64))
    state = read_state(tmp_path / "model")
    encoder = encoder_of(state, Run(threads=1))
    assert encoder.dim == 64
    check_encoder(encoder)
    assert np.abs(_by_torch(state) - encoder.encode(TEXTS)).max() < 1e-5
    assert np.abs(encoder.encode(TEXTS)[:, :64] - UniversalEncoder.load(Run()).encode(TEXTS)[:, :64]).max() > 0.1


def test_the_module_gives_its_arrays_back(universal: EncoderState) -> None:
    pytest.importorskip("torch")
    shaken = _shaken(universal, 32)
    back = network_of(shaken).arrays()
    assert set(back) == set(shaken.arrays)
    for name, array in shaken.arrays.items():
        assert back[name].dtype == array.dtype
        assert np.allclose(back[name], array, rtol=1e-6, atol=0), name


def test_every_weight_but_the_embeddings_is_trained(universal: EncoderState) -> None:
    torch = pytest.importorskip("torch")
    from basketry.encoders.batches import padded

    module = network_of(_shaken(universal, 16))
    ids, mask = padded(tokeniser_of(universal)(TEXTS))
    module(torch.from_numpy(ids), torch.from_numpy(mask.astype(bool)))[:, 0].sum().backward()
    without = [name for name, weight in module.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0]
    assert without == []


def test_room_to_learn_of_tokens_changes_nothing_and_keeps_what_was_learned(universal: EncoderState) -> None:
    pytest.importorskip("torch")
    from basketry.encoders.ngram.torch_network import learning

    tokens = np.array(sorted({token for ids in tokeniser_of(universal)(TEXTS) for token in ids}))
    wider = dataclasses.replace(universal, arrays=learning(universal.arrays, tokens))
    assert np.array_equal(encoder_of(wider, Run()).encode(TEXTS), encoder_of(universal, Run()).encode(TEXTS))
    shaken = _shaken(universal, 16)
    more = dataclasses.replace(shaken, arrays=learning(shaken.arrays, np.array([0, 9, 20_000])))
    assert len(more.arrays["learned.tokens"]) > len(shaken.arrays["learned.tokens"])
    assert np.array_equal(encoder_of(more, Run()).encode(TEXTS), encoder_of(shaken, Run()).encode(TEXTS))


def test_a_text_is_cut_where_the_settings_say(universal: EncoderState) -> None:
    short = dataclasses.replace(universal, settings={"max_tokens": 4})
    whole = tokeniser_of(universal)(["a line of several words"])[0]
    assert tokeniser_of(short)(["a line of several words"])[0] == whole[:4]


def test_a_broken_tokeniser_or_a_missing_array_is_refused(universal: EncoderState) -> None:
    with pytest.raises(EncoderError, match="tokeniser cannot be read"):
        tokeniser_of(dataclasses.replace(universal, files={"sp.model": b"no such thing"}))
    without = {name: array for name, array in universal.arrays.items() if name != "cnn_W"}
    with pytest.raises(EncoderError, match="cnn_W"):
        encoder_of(dataclasses.replace(universal, arrays=without), Run())
