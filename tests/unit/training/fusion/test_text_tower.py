"""A text network learns where texts belong in the space of behaviour, and stays an encoder like any other."""

import numpy as np
import pytest
from scipy.sparse import csr_array

import adaptation_worlds
import transformer_worlds

pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.encoders.models import encoder_of
from basketry.testing.encoders import check_encoder
from basketry.training.adaptation.linear import with_projection
from basketry.training.fusion.foretelling import Foretelling
from basketry.training.fusion.modality import Modality, unit
from basketry.training.fusion.text_tower import TextTower

RUN = Run(threads=1)


def world():
    """Sixty groups of eight texts; behaviour tells the group, and of every fourth text nothing is known but the text."""
    texts, labels = adaptation_worlds.letters(60, 8)
    group = np.unique(labels, return_inverse=True)[1]
    random = np.random.default_rng(0)
    behaviour = unit(unit(random.normal(size=(60, 24)))[group] + 0.1 * random.normal(size=(len(texts), 24)))
    known = np.arange(len(texts)) % 4 > 0
    same = (group[:, None] == group) & ~np.eye(len(texts), dtype=bool) & known[:, None] & known
    return texts, group, Modality(behaviour, known), csr_array(same.astype(float))


def found(state, texts, group, known):
    vectors = encoder_of(state, RUN).encode(texts)
    cold, warm = np.flatnonzero(~known), np.flatnonzero(known)
    return float((group[warm[(vectors[cold] @ vectors[warm].T).argmax(axis=1)]] == group[cold]).mean())


def test_cold_texts_find_their_group():
    texts, group, behaviour, partners = world()
    base = transformer_worlds.transformer()
    known = Modality(encoder_of(base, RUN).encode(texts), np.ones(len(texts), bool))
    ridge = with_projection(base, Foretelling().fit(known, behaviour).weight)
    tower = TextTower(learning_rate=1e-2, epochs=12, members=2).fit(base, texts, behaviour, partners, RUN)
    shares = [found(state, texts, group, behaviour.known) for state in (base, ridge, tower)]
    assert max(shares[:2]) < 0.1 < 0.2 < shares[2]  # one in sixty by chance
    assert encoder_of(tower, RUN).dim == 24
    check_encoder(encoder_of(tower, RUN))


def test_a_seed_says_all():
    texts, _, behaviour, partners = world()
    base = transformer_worlds.transformer()
    one, two, other = (
        TextTower(epochs=1).fit(base, texts, behaviour, partners, Run(seed=seed, threads=1)).digest for seed in (0, 0, 1)
    )
    assert one == two != other


def test_texts_that_say_nothing_are_left_out_and_none_at_all_is_refused():
    texts, _, behaviour, partners = world()
    base = transformer_worlds.transformer()
    blank = [text if place % 3 else "" for place, text in enumerate(texts)]
    TextTower(epochs=1, members=1).fit(base, blank, behaviour, partners, RUN)
    with pytest.raises(RequestError, match="no product has text"):
        TextTower(epochs=1).fit(base, [""] * len(texts), behaviour, partners, RUN)
    with pytest.raises(RequestError, match="cannot be"):
        TextTower(temperature=0.0)
