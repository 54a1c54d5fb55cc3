"""One set of arrays, three runtimes and the library it came from: the same vectors from all."""

from dataclasses import replace

import numpy as np
import pytest

import transformer_worlds
from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.models import dim_of, encoder_of, export_state, load_state, network_of
from basketry.encoders.registry import load_encoder
from basketry.encoders.state import write_state
from basketry.encoders.transformer.layout import Shape, dense, unscaled
from basketry.encoders.transformer.runtimes import RUNTIMES
from basketry.testing.encoders import DOCUMENTS, check_encoder

pytest.importorskip("onnxruntime", reason="needs the extra onnx")
WORLDS = {
    "whole": {},
    "pruned": {"heads": (1, 3), "feed": (5, 64)},
    "factored": {"rank": 3},
    "projected": {"dim": 7},
    "first": {"pooling": "first"},
}


@pytest.mark.parametrize("world", WORLDS)
def test_every_runtime_gives_the_vectors_of_the_torch_network(world):
    torch = pytest.importorskip("torch", reason="needs the extra train")
    state = transformer_worlds.transformer(**WORLDS[world])
    expected = encoder_of(state, Run(), "torch").encode(DOCUMENTS)
    assert expected.shape == (len(DOCUMENTS), dim_of(state))
    for runtime in ("onnxruntime", "openvino"):
        if runtime == "openvino":
            pytest.importorskip("openvino", reason="needs the extra openvino")
        assert np.abs(encoder_of(state, Run(), runtime).encode(DOCUMENTS) - expected).max() < 2e-6, runtime
    network = network_of(state)
    again = replace(state, arrays=network.arrays())
    assert again.digest == state.digest, "what goes into the network comes out of it"
    ids, mask = torch.tensor([[2, 7, 8, 3]]), torch.ones(1, 4, dtype=torch.bool)
    looks = network.attentions(ids, mask)
    assert [each.shape[1] for each in looks] == list(Shape.of(state).heads)
    assert all(torch.allclose(each.sum(-1), torch.ones(())) for each in looks)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino", "torch"])
def test_the_laws_hold_in_every_runtime(runtime):
    pytest.importorskip({"torch": "torch", "openvino": "openvino"}.get(runtime, "onnxruntime"))
    check_encoder(encoder_of(transformer_worlds.transformer(), Run(), runtime))


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_a_model_saved_by_transformers_gives_the_vectors_transformers_computes(tmp_path, kind):
    torch = pytest.importorskip("torch", reason="needs the extra train")
    transformers = pytest.importorskip("transformers", reason="needs the extra train")
    configs = {"bert": transformers.BertConfig, "roberta": transformers.RobertaConfig}
    size = transformer_worlds.vocabulary_size()
    config = configs[kind](vocab_size=size, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48)
    torch.manual_seed(3)
    theirs = {"bert": transformers.BertModel, "roberta": transformers.RobertaModel}[kind](config).eval()
    with torch.no_grad():
        for value in theirs.parameters():  # norms and biases begin at 1 and 0, where a wrong name would not show
            value.add_(torch.randn_like(value) * 0.1)
    theirs.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(transformer_worlds.tokeniser())
    state = load_state(f"sentence:{tmp_path}")
    ids = torch.tensor([[2, 7, 8, 9, 3], [2, 11, 3, 1, 1]])
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    with torch.no_grad():
        last = theirs(ids, attention_mask=mask).last_hidden_state
        mean = (last * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        ours = network_of(state)(ids, mask)
    assert torch.allclose(ours, mean / mean.norm(dim=1, keepdim=True), atol=2e-6)


def test_a_pooling_is_read_as_the_library_writes_it_today(tmp_path):
    pytest.importorskip("torch", reason="needs the extra train")
    transformers = pytest.importorskip("transformers", reason="needs the extra train")
    modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    config = transformers.BertConfig(
        vocab_size=transformer_worlds.vocabulary_size(), hidden_size=8, num_hidden_layers=1, num_attention_heads=2
    )
    transformers.BertModel(config).save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(transformer_worlds.tokeniser())
    (tmp_path / "1_Pooling").mkdir()
    modules.Pooling(8, pooling_mode="cls").save(str(tmp_path / "1_Pooling"))
    assert load_state(f"sentence:{tmp_path}").settings["pooling"] == "first"
    modules.Pooling(8, pooling_mode="max").save(str(tmp_path / "1_Pooling"))
    with pytest.raises(EncoderError, match="pools by"):
        load_state(f"sentence:{tmp_path}")


def test_a_head_of_no_width_is_refused():
    state = transformer_worlds.transformer()
    with pytest.raises(EncoderError, match="incomplete"):
        encoder_of(replace(state, settings={**state.settings, "head_dim": 0}), Run())


def test_another_kind_of_model_is_refused(tmp_path):
    pytest.importorskip("torch", reason="needs the extra train")
    transformers = pytest.importorskip("transformers")
    config = transformers.DistilBertConfig(vocab_size=20, dim=8, n_layers=1, n_heads=2, hidden_dim=8)
    transformers.DistilBertModel(config).save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(transformer_worlds.tokeniser())
    with pytest.raises(EncoderError, match="is of type 'distilbert'"):
        load_state(f"sentence:{tmp_path}")


def test_whole_numbers_with_a_scale_stand_for_their_product():
    state = transformer_worlds.transformer()
    arrays = dict(state.arrays)
    for name in ("layers.0.feed.inner.weight", "embeddings.word"):
        scale = np.abs(arrays[name]).max(axis=1) / 127
        arrays[name] = np.round(arrays[name] / scale[:, None]).astype(np.int8)
        arrays[f"{name.removesuffix('.weight')}.scale"] = scale.astype(np.float32)
    small = replace(state, arrays=arrays)
    plain = replace(state, arrays=unscaled(arrays))
    assert small.bytes < plain.bytes and "embeddings.word.scale" not in plain.arrays
    by_small, by_plain = (encoder_of(each, Run()).encode(DOCUMENTS) for each in (small, plain))
    assert np.abs(by_small - by_plain).max() < 2e-6
    assert np.sum(by_plain * encoder_of(state, Run()).encode(DOCUMENTS), axis=1).min() > 0.999


def test_two_factors_are_one_matrix():
    state = transformer_worlds.transformer(rank=2)
    arrays = {name: array for name, array in state.arrays.items() if ".query." not in name or name.endswith("bias")}
    for layer in (0, 1):
        name = f"layers.{layer}.attention.query"
        arrays[f"{name}.weight"] = dense(state.arrays, name)
        left, right = state.arrays[f"{name}.left"], state.arrays[f"{name}.right"]
        assert np.allclose(arrays[f"{name}.weight"], left @ right)
    whole = replace(state, arrays=arrays)
    ours, theirs = (encoder_of(each, Run()).encode(DOCUMENTS) for each in (state, whole))
    assert np.abs(ours - theirs).max() < 2e-6


def test_what_is_written_and_exported_gives_the_same_vectors(tmp_path):
    state = transformer_worlds.transformer()
    expected = encoder_of(state, Run()).encode(DOCUMENTS)
    write_state(tmp_path / "state", state)
    assert np.array_equal(load_encoder(f"model:{tmp_path / 'state'}", Run()).encode(DOCUMENTS), expected)
    assert export_state(state, tmp_path / "onnx") == ("model.onnx", "sentence_bert_config.json", "tokenizer.json")
    assert np.abs(load_encoder(f"onnx:{tmp_path / 'onnx'}", Run()).encode(DOCUMENTS) - expected).max() < 2e-6


def test_threads_change_nothing():
    state = transformer_worlds.transformer()
    texts = [f"{DOCUMENTS[number % len(DOCUMENTS)]} {number}" for number in range(200)]
    one, three = (encoder_of(state, Run(threads=threads)).encode(texts) for threads in (1, 3))
    assert np.array_equal(one, three)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"settings": {"head_dim": 5}}, "no whole heads of 5"),
        ({"settings": {"pooling": "max"}}, "pooling 'max'"),
        ({"settings": {"max_tokens": 65}}, "65 tokens are read, 64 have a position"),
        ({"drop": "embeddings.word"}, "incomplete: KeyError"),
    ],
)
def test_a_state_that_contradicts_itself_is_refused(change, said):
    state = transformer_worlds.transformer()
    arrays = {name: array for name, array in state.arrays.items() if name != change.get("drop")}
    with pytest.raises(EncoderError, match=said):
        Shape.of(replace(state, arrays=arrays, settings={**state.settings, **change.get("settings", {})}))


def test_an_unknown_name_or_runtime_is_refused():
    with pytest.raises(EncoderError, match="no runtime is called 'abacus'"):
        encoder_of(transformer_worlds.transformer(), Run(), "abacus")
    for spec in ("minilm:folder", "model", "tinylm"):
        with pytest.raises(EncoderError, match="no state is called"):
            load_state(spec)


@pytest.mark.parametrize("runtime", ["onnxruntime", "torch"])
def test_what_a_runtime_refuses_is_an_error_of_ours(runtime):
    pytest.importorskip(runtime)
    state = transformer_worlds.transformer()
    ids = np.array([[Shape.of(state).vocabulary]])
    with pytest.raises(EncoderError, match="failed on 1 texts"):
        RUNTIMES[runtime](state, 1)(ids, np.ones_like(ids))
