"""The network learns what goes together, on groups it never saw; known partners are never pushed apart."""

import numpy as np
import pytest

import adaptation_worlds
import transformer_worlds
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.training.adaptation.drawing import alike_clusters, drawn_pairs, log_frequency
from basketry.training.adaptation.pairs import Pairs, split

torch = pytest.importorskip("torch")

from basketry.encoders.models import encoder_of, load_state  # noqa: E402
from basketry.training.adaptation.contrastive import ContrastiveAdapter  # noqa: E402
from basketry.training.adaptation.judging import STEERED_BY, judge  # noqa: E402
from basketry.training.objectives import Contrastive  # noqa: E402

RUN = Run(threads=1)


def graph(n=60, edges=200, seed=0):
    rows = np.random.default_rng(seed).integers(0, n, (edges, 2))
    weights = np.random.default_rng(seed).integers(1, 9, edges).astype(float)
    return Pairs.of_pairs([f"p{a}" for a, _ in rows], [f"p{b}" for _, b in rows], weights)


def test_every_text_with_a_partner_is_drawn_and_only_with_a_partner():
    pairs = graph()
    rows = drawn_pairs(pairs, np.random.default_rng(1))
    table = pairs.partners().toarray()
    assert (table[rows[:, 0], rows[:, 1]] > 0).all()
    assert set(rows.ravel().tolist()) == set(np.flatnonzero(table.any(axis=1)).tolist())
    assert len(set(rows[:, 0].tolist())) == len(rows)


def test_partners_are_drawn_by_weight():
    pairs = Pairs.of_pairs(["a", "a"], ["b", "c"], [3.0, 1.0])
    a, b = pairs.texts.index("a"), pairs.texts.index("b")
    drawn = [drawn_pairs(pairs, np.random.default_rng(seed)) for seed in range(400)]
    first = [row[1] == b for rows in drawn for row in rows if row[0] == a]
    assert np.mean(first) == pytest.approx(0.75, abs=0.12)


def test_the_frequency_of_a_text_by_hand():
    # b is the partner of a and c, always; a and c are each half of b's draws.
    pairs = Pairs.of_pairs(["a", "c"], ["b", "b"], [1.0, 1.0])
    got = {text: float(np.exp(value)) for text, value in zip(pairs.texts, log_frequency(pairs), strict=True)}
    assert got == pytest.approx({"a": 1.5 / 6, "b": 3 / 6, "c": 1.5 / 6})


def test_a_cluster_holds_like_anchors_and_no_known_partners():
    # Forty circles of six that all go with each other and lie close together: nearest are always known partners.
    texts = [f"p{each}" for each in range(240)]
    inside = [(a, b) for a in range(240) for b in range(a + 1, 240) if a // 6 == b // 6]
    pairs = Pairs.of_pairs([texts[a] for a, _ in inside], [texts[b] for _, b in inside], np.ones(len(inside)))
    random = np.random.default_rng(2)
    circle = np.array([int(text[1:]) // 6 for text in pairs.texts])
    vectors = random.normal(size=(40, 4))[circle] + random.normal(0, 0.01, (240, 4))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    rows = drawn_pairs(pairs, random)
    clusters = alike_clusters(rows, vectors, pairs.keys, pairs.partners(), 4, random)
    assert clusters.shape[1:] == (4, 2)
    assert {tuple(row) for row in rows.tolist()} == {tuple(row) for row in clusters.reshape(-1, 2).tolist()}
    known = pairs.partners().toarray() > 0
    clean = [not (known[np.ix_(each[:, 0], each[:, 1])] & ~np.eye(4, dtype=bool)).any() for each in clusters]
    assert np.mean(clean) > 0.8  # the last clusters are filled with what found no company
    cosine = vectors @ vectors.T
    within = np.mean([cosine[np.ix_(each[:, 0], each[:, 0])][np.triu_indices(4, 1)].mean() for each in clusters])
    assert within > cosine[np.ix_(rows[:, 0], rows[:, 0])].mean() + 0.3


def test_known_partners_in_a_batch_are_no_negatives():
    class Rows(torch.nn.Module):
        def forward(self, ids, mask):
            return torch.nn.functional.normalize(table[ids[:, 0]], dim=1)

    table = torch.from_numpy(np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32))
    mask = torch.ones(4, 1, dtype=torch.bool)
    batch = {"ids": torch.arange(4)[:, None], "mask": mask, "positive.ids": torch.arange(4, 8)[:, None], "positive.mask": mask}
    known = torch.zeros(4, 4, dtype=torch.bool)
    known[0, 2] = known[1, 1] = True
    loss = Contrastive(temperature=0.5)(Rows(), {**batch, "known": known})
    unit = torch.nn.functional.normalize(table, dim=1)
    scores = unit[:4] @ unit[4:].T / 0.5
    scores[0, 2] = -torch.inf  # and the pair's own partner, which is known too, stays
    wanted = (
        torch.nn.functional.cross_entropy(scores, torch.arange(4))
        + torch.nn.functional.cross_entropy(scores.T, torch.arange(4))
    ) / 2
    assert float(loss) == pytest.approx(float(wanted), rel=1e-6)
    assert float(Contrastive(temperature=0.5)(Rows(), batch)) > float(wanted)


@pytest.fixture(scope="module")
def parts():
    texts, labels = adaptation_worlds.letters(280, 4)
    return split(Pairs.of_groups(texts, labels, RUN), RUN)


@pytest.mark.parametrize("peft", ["none", "lora"])
def test_it_finds_the_groups_it_never_saw(parts, peft):
    pytest.importorskip("onnxruntime")
    if peft == "lora":
        pytest.importorskip("peft")
    state = transformer_worlds.transformer()
    adapter = ContrastiveAdapter(learning_rate=5e-3, epochs=3, batch_size=64, alike=4, peft=peft)
    adapted, history = adapter.fit(state, parts.learn, parts.valid, RUN)
    before, after = (judge(parts.test, encoder_of(each, RUN).encode(parts.test.texts)) for each in (state, adapted))
    assert after.gain_over(before, STEERED_BY).low > 0.1
    assert history.kept > 0 and set(adapted.arrays) == set(state.arrays)


def test_a_seed_says_all_and_a_killed_run_goes_on(parts, tmp_path):
    pytest.importorskip("onnxruntime")
    state = transformer_worlds.transformer()
    adapter = ContrastiveAdapter(learning_rate=5e-3, epochs=1, batch_size=64, alike=4)
    one, _ = adapter.fit(state, parts.learn, parts.valid, RUN)
    two, _ = adapter.fit(state, parts.learn, parts.valid, RUN, folder=tmp_path)
    again, _ = adapter.fit(state, parts.learn, parts.valid, RUN, folder=tmp_path)  # finished: read back, not run again
    assert one.digest == two.digest == again.digest
    other, _ = adapter.fit(state, parts.learn, parts.valid, Run(seed=1, threads=1))
    assert other.digest != one.digest


def test_training_that_does_not_help_changes_nothing(parts):
    pytest.importorskip("onnxruntime")
    state = transformer_worlds.transformer()
    ruinous = ContrastiveAdapter(learning_rate=10.0, epochs=1, batch_size=64, alike=4, patience=1)
    adapted, history = ruinous.fit(state, parts.learn, parts.valid, RUN)
    assert history.kept == 0 and adapted.digest == state.digest


def test_the_default_network_is_trained_with_embeddings_of_its_own_for_the_tokens_it_met():
    texts, labels = adaptation_worlds.letters(280, 3)
    parts = split(Pairs.of_groups([text.replace(" ", " item ") for text in texts], labels, RUN), RUN)
    small = parts.learn.without(np.arange(len(parts.learn.texts)) >= 120)
    state = load_state("universal")
    adapted, history = ContrastiveAdapter(epochs=1, batch_size=32).fit(state, small, parts.valid, RUN)
    assert history.kept > 0 and "learned.vectors" in adapted.arrays
    best = max(value for _, value in history.validations)
    served = judge(parts.valid, encoder_of(adapted, RUN).encode(parts.valid.texts), 0).values[STEERED_BY][0]
    assert served == pytest.approx(best, abs=0.005)  # numpy serves what torch trained
    assert best > history.validations[0][1]


def test_what_cannot_be_is_refused():
    wrongs = ({"alike": 0}, {"alike": 200}, {"debias": 2.0}, {"epochs": -1}, {"peft": "foo"}, {"temperature": 0.0}, {"rank": 0})
    for wrong in wrongs:
        with pytest.raises(RequestError):
            ContrastiveAdapter(**wrong)
