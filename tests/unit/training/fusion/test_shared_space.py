"""The learned space: torch and numpy are one function, losses by hand, and partners found by products known by text alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

torch = pytest.importorskip("torch")

from basketry.core.errors import RequestError  # noqa: E402
from basketry.core.protocols import Run  # noqa: E402
from basketry.training.fusion.modality import Modality, unit  # noqa: E402
from basketry.training.fusion.shared_space import FusedSpace, SharedSpace  # noqa: E402
from basketry.training.fusion.text_objective import BehaviourObjective  # noqa: E402
from basketry.training.fusion.towers import PartnerObjective, Towers  # noqa: E402

RUN = Run(threads=1)


def modality(seed, n=30, dim=6, missing=0.3):
    random = np.random.default_rng(seed)
    known = random.random(n) >= missing
    vectors = unit(random.normal(size=(n, dim)))
    vectors[~known] = np.nan
    return Modality(vectors, known, random.integers(0, 50, n).astype(np.float32))


def network(seed, gates):
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    module = Towers({name: random.normal(size=(5, dim)) for name, dim in (("behaviour", 5), ("text", 6))}, gates=gates)
    if module.gate is not None:
        torch.nn.init.normal_(module.gate.out.weight)
    return module.eval()


@given(st.integers(0, 10**6), st.booleans())
def test_numpy_serves_what_torch_learned(seed, gates):
    modalities = {"behaviour": modality(seed, dim=5), "text": modality(seed + 1)}
    module = network(seed, gates)
    signals = np.stack([each.signals for each in modalities.values()], axis=1)
    with torch.no_grad():
        wanted = module({name: torch.from_numpy(each.shown) for name, each in modalities.items()}, torch.from_numpy(signals))
    model = FusedSpace.from_state(FusedSpace(module.arrays()).state())
    fused = model.fuse(dict(reversed(modalities.items())))  # the order they are given in means nothing
    assert fused == pytest.approx(wanted.numpy(), abs=1e-5)
    norms = np.linalg.norm(fused, axis=1)
    anything = modalities["behaviour"].known | modalities["text"].known
    assert norms == pytest.approx(anything.astype(float), abs=1e-5)
    # A product known by its text alone is its text's place, gate or no gate.
    alone = model.fuse({"text": modalities["text"]})
    weight = module.arrays()["map.text"]
    assert alone == pytest.approx(unit(modalities["text"].shown @ weight.T), abs=1e-5)


def test_the_loss_of_partners_by_hand():
    # Three products on the axes and a fourth with the first; no drop. The partners of 0 are 1 (weight 3) and 3 (weight 1).
    vectors = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=np.float32)
    behaviour = Modality(vectors, np.ones(4, bool))
    partners = np.zeros((4, 4))
    partners[0, 1], partners[0, 3] = 3, 1
    table = csr_array(partners + partners.T)
    module = Towers({"behaviour": np.eye(3, dtype=np.float32)}, gates=False)
    objective = PartnerObjective({"behaviour": behaviour}, table, temperature=0.5, drop=0.0, align=0.0)
    got = objective(module, {"row": torch.tensor([0])}).detach()
    # Candidates are 1 and 3, the ones with partners but for 0 itself: cosines 0 and 1, over 0.5.
    log_sum = np.log(np.exp(0) + np.exp(2))
    assert float(got) == pytest.approx(-(3 / 4 * (0 - log_sum) + 1 / 4 * (2 - log_sum)), rel=1e-5)
    # The text objective is the same of a network that gives these vectors.
    text = BehaviourObjective(vectors, table, temperature=0.5, token_dropout=0.0)
    batch = {"ids": torch.zeros(1, 1, dtype=torch.int64), "mask": torch.ones(1, 1, dtype=torch.bool), "row": torch.tensor([0])}
    assert float(text(lambda ids, mask: torch.from_numpy(vectors[:1]), batch)) == pytest.approx(float(got), rel=1e-5)


def test_alignment_by_hand():
    # Two products, each with a text and a behaviour that point the same way: the right one has cosine 1, the other 0.
    same = Modality(np.eye(2, dtype=np.float32), np.ones(2, bool))
    table = csr_array(np.array([[0, 1], [1, 0]], dtype=float))
    module = Towers({"behaviour": np.eye(2, dtype=np.float32), "text": np.eye(2, dtype=np.float32)}, gates=False)
    modalities = {"behaviour": same, "text": same}
    losses = [
        float(
            PartnerObjective(modalities, table, temperature=1.0, drop=0.0, align=align)(
                module, {"row": torch.arange(2)}
            ).detach()
        )
        for align in (0.0, 2.0)
    ]
    assert losses[0] == pytest.approx(0)  # the only candidate is the partner
    assert losses[1] == pytest.approx(2 * -np.log(np.e / (np.e + 1)), rel=1e-5)


def planted(n=300, groups=20, seed=0):
    """Behaviour is the group; text tells it through a rotation, under noise louder than it."""
    random = np.random.default_rng(seed)
    group = np.arange(n) % groups
    behaviour = unit(unit(random.normal(size=(groups, 12)))[group] + 0.1 * random.normal(size=(n, 12)))
    told = unit(random.normal(size=(groups, 12)))[group]
    text = unit(np.concatenate([told, unit(random.normal(size=(n, 4))) * 3], axis=1))
    same = (group[:, None] == group) & ~np.eye(n, dtype=bool)
    return group, Modality(behaviour, np.arange(n) < 200), Modality(text, np.ones(n, bool)), same


@pytest.mark.parametrize("variant", [{}, {"gates": True}, {"align": 0.5}])
def test_products_known_by_text_alone_land_among_their_kin(variant):
    group, behaviour, text, same = planted()
    partners = csr_array(np.where(behaviour.known[:, None] & behaviour.known, same, 0).astype(float))
    estimator = SharedSpace(epochs=3, batch_size=64, learning_rate=1e-2, **variant)
    draws = torch.get_rng_state()
    model, again = (estimator.fit({"text": text, "behaviour": behaviour}, partners, RUN) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), draws), "the caller's draws are the caller's"
    assert all(np.array_equal(model.arrays[name], again.arrays[name]) for name in model.arrays)
    fused = model.fuse({"text": text, "behaviour": behaviour})
    cold, warm = np.flatnonzero(~behaviour.known), np.flatnonzero(behaviour.known)
    found = group[warm[(fused[cold] @ fused[warm].T).argmax(axis=1)]] == group[cold]
    plain = group[warm[(text.vectors[cold] @ text.vectors[warm].T).argmax(axis=1)]] == group[cold]
    assert found.mean() > 0.95 > 0.6 > plain.mean()


def test_refusals():
    _, _, text, same = planted()
    with pytest.raises(RequestError, match="give one called behaviour"):
        SharedSpace().fit({"text": text}, csr_array(same.astype(float)), RUN)
    with pytest.raises(RequestError, match="drop"):
        SharedSpace(drop=1.0)
    with pytest.raises(RequestError, match="none of text is given"):
        FusedSpace({"map.text": np.eye(2, dtype=np.float32)}).fuse({"image": text})
