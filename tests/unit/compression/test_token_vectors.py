"""Static vectors: the fit is the closed form's, the laws hold, and no text is nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

import transformer_worlds
from basketry.compression.projecting import Align, Dims
from basketry.compression.recipe import Recipe
from basketry.compression.step import Materials
from basketry.compression.token_vectors import Static, fitted, token_counts
from basketry.core.errors import EncoderError, RequestError
from basketry.core.protocols import Run
from basketry.encoders.models import dim_of, encoder_of, load_state, network_of, tokeniser_of
from basketry.encoders.ngram.sentence_pieces import SentencePieces
from basketry.encoders.state import EncoderState
from basketry.encoders.static.encoder import StaticEncoder
from basketry.testing.encoders import DOCUMENTS, check_encoder

pytest.importorskip("tokenizers", reason="needs the extra onnx")


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 3))
def test_the_fit_is_the_ridge_towards_the_prior(seed, reg):
    draw = np.random.default_rng(seed)
    counts = draw.poisson(0.7, (30, 8)).astype(np.float32)
    counts[:, 0] += 1
    aim, prior = (draw.normal(size=shape).astype(np.float32) for shape in ((30, 3), (8, 3)))
    mean = counts / np.sqrt(counts.sum(1, keepdims=True))
    given_ = mean @ prior
    start = prior * ((given_ * aim).sum() / (given_**2).sum())
    exact = start + np.linalg.solve(mean.T @ mean + reg * np.eye(8), mean.T @ (aim - mean @ start))
    assert fitted(csr_array(counts), aim, prior, reg) == pytest.approx(exact, abs=2e-3)


def test_counts_by_hand():
    assert token_counts([[1, 1, 2], [], [0]], 4).toarray().tolist() == [[0, 2, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]]


@pytest.fixture(scope="module")
def teacher():
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    return transformer_worlds.transformer()


@pytest.mark.parametrize("recipe", ["static", "static+int8", "static+float16", "static+dims:12"])
def test_the_laws_hold(teacher, recipe):
    made = Recipe.parse(recipe).apply(teacher, Materials(DOCUMENTS, (teacher,), Run(threads=1)))
    encoder = encoder_of(made, Run())
    check_encoder(encoder)
    assert dim_of(made) == encoder.dim
    if recipe == "static":
        cosine = (encoder.encode(DOCUMENTS) * encoder_of(teacher, Run()).encode(DOCUMENTS)).sum(1)
        assert cosine.mean() > 0.8


def test_sums_by_hand():
    state = EncoderState(
        "static",
        {"vectors": np.array([[0, 0], [3, 0], [0, 4], [0, 0]], np.int8), "vectors.scale": np.array([1, 1, 0.5, 1], np.float32),
         "unknown": np.array([0.6, 0.8], np.float32)},
        {"max_tokens": 3},
        {"tokenizer.json": word_level({"?": 0, "a": 1, "b": 2, "nil": 3})},
    )  # fmt: skip
    vectors = encoder_of(state, Run()).encode(["a", "b", "a b", "nil", "zzz", "nil nil nil a"])
    root = 13**-0.5
    assert vectors == pytest.approx(np.array([[1, 0], [0, 1], [3 * root, 2 * root], [0.6, 0.8], [0.6, 0.8], [0.6, 0.8]]))


def word_level(words):
    tokenizers = pytest.importorskip("tokenizers")
    reader = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="?"))
    reader.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    return reader.to_str().encode()


def test_the_torch_twin_gives_the_same_vectors(teacher):
    torch = pytest.importorskip("torch", reason="needs the extra train")
    made = Recipe.parse("static+dims:8").apply(teacher, Materials(DOCUMENTS, (teacher,), Run(threads=1)))
    network = network_of(made)
    from basketry.encoders.batches import padded

    ids, mask = padded(tokeniser_of(made)(DOCUMENTS))
    ours = network(torch.from_numpy(ids), torch.from_numpy(mask).bool()).detach().numpy()
    assert np.abs(ours - encoder_of(made, Run()).encode(DOCUMENTS)).max() < 1e-6
    assert {name: array.tolist() for name, array in network.arrays().items()} == {
        name: array.tolist() for name, array in made.arrays.items()
    }


def test_two_teachers_are_laid_side_by_side(teacher):
    other = transformer_worlds.transformer(seed=5, dim=7)
    made = Static().apply(teacher, Materials(DOCUMENTS, (teacher, other), Run(threads=1)))
    assert dim_of(made) == 32 + 7


def test_alignment_undoes_a_rotation(teacher):
    draw = np.random.default_rng(1)
    turn = np.linalg.qr(draw.normal(size=(32, 32)))[0].astype(np.float32)
    texts = [f"{one} {two}" for one in DOCUMENTS for two in DOCUMENTS]
    turned = EncoderState("transformer", {**teacher.arrays, "project.weight": turn}, teacher.settings, teacher.files)
    materials = Materials(texts, (teacher,), Run(threads=1))
    before = materials.likeness(turned)
    after = materials.likeness(Align(reg=1e-6).apply(turned, materials))
    assert before < 0.5 < 0.999 < after


def test_main_directions_keep_the_most(teacher):
    materials = Materials(DOCUMENTS, (teacher,), Run(threads=1))
    vectors = encoder_of(teacher, Run()).encode(sorted(set(DOCUMENTS)))
    made = Dims(5).apply(teacher, materials)
    shorter = encoder_of(made, Run()).encode(sorted(set(DOCUMENTS)))
    _, directions = np.linalg.eigh(vectors.T.astype(np.float64) @ vectors)
    kept = vectors @ directions[:, -5:]
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    assert np.abs(shorter @ shorter.T - kept @ kept.T).max() < 1e-4
    with pytest.raises(RequestError, match="cannot be shortened"):
        Dims(5).apply(made, materials)


def test_pieces_are_cut_alike_by_both_readers():
    state = load_state("universal")
    pieces = SentencePieces.parse(state.files["sp.model"])
    assert pieces.reordered(range(len(pieces.pieces))) == state.files["sp.model"]
    import tokenizers

    reader = tokenizers.Tokenizer.from_buffer(pieces.tokenizer_json())
    texts = [*DOCUMENTS, "  two  spaces ", "½ L ＡＢＣ"]
    assert [[1, *reader.encode(text).ids, 2] for text in texts] == tokeniser_of(state)(texts)
    with pytest.raises(EncoderError, match="cannot be read"):
        SentencePieces.parse(state.files["sp.model"][:-3])


def test_a_state_that_lacks_an_array_is_refused(teacher):
    state = EncoderState("static", {"vectors": np.zeros((3, 2), np.float32)}, {"max_tokens": 3}, teacher.files)
    with pytest.raises(EncoderError, match="lacks vectors"):
        StaticEncoder.from_state(state, Run())
