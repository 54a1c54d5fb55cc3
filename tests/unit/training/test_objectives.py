"""Losses against values worked by hand, and against a twin that loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from basketry.core.errors import RequestError  # noqa: E402
from basketry.training.examples import TextPairs, Texts  # noqa: E402
from basketry.training.objectives import Classification, Contrastive, class_weights, ranking_loss  # noqa: E402


class Lookup(torch.nn.Module):
    """The unit mean of a text's token vectors."""

    def __init__(self, vectors: np.ndarray) -> None:
        super().__init__()
        self.vectors = torch.nn.Parameter(torch.tensor(vectors, dtype=torch.float32))
        self.calls: list[int] = []

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        self.calls.append(len(ids))
        summed = (self.vectors[ids] * mask[:, :, None]).sum(1)
        return torch.nn.functional.normalize(summed, dim=-1)


AXES = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])


def test_class_weights_by_hand() -> None:
    labels = np.array([0, 0, 0, 1])  # n = 3, 1, 0
    assert class_weights(labels, 3, "none").tolist() == [1, 1, 0]
    # 1/3 and 1, scaled so that (3 w0 + w1) / 4 = 1: w0 = 2/3, w1 = 2.
    assert class_weights(labels, 3, "inverse") == pytest.approx([2 / 3, 2, 0])
    # beta 1/2: (1/2) / (7/8) = 4/7 and (1/2) / (1/2) = 1; 3 * 4/7 + 1 = 19/7; scaled by 28/19.
    assert class_weights(labels, 3, "effective", beta=0.5) == pytest.approx([16 / 19, 28 / 19, 0])
    with pytest.raises(RequestError, match="'sqrt'"):
        class_weights(labels, 3, "sqrt")


def test_a_weighted_smoothed_cross_entropy_by_hand() -> None:
    """Logits (ln 3, 0): p = (3/4, 1/4). Smoothing 0.2 makes targets (0.9, 0.1) for class 0 and (0.1, 0.9) for class 1."""
    objective = Classification(2, 2, np.array([0.5, 1.5], np.float32), smoothing=0.2, dropout=0.0)
    with torch.no_grad():
        objective.head.weight.copy_(torch.tensor([[math.log(3), 0.0], [0.0, 0.0]]))
    batch = Texts([[0], [0]], {"label": np.array([0, 1])}).batch(np.array([0, 1]))
    first = -(0.9 * math.log(0.75) + 0.1 * math.log(0.25))
    second = -(0.1 * math.log(0.75) + 0.9 * math.log(0.25))
    assert objective(Lookup(AXES), batch).item() == pytest.approx((0.5 * first + 1.5 * second) / 2)


def test_consistency_adds_the_divergence_and_nothing_where_nothing_drops_out() -> None:
    batch = Texts([[0], [2]], {"label": np.array([0, 1])}).batch(np.array([0, 1]))
    still, consistent = (Classification(2, 2, dropout=0.0, consistency=one) for one in (0.0, 5.0))
    assert consistent(Lookup(AXES), batch).item() == pytest.approx(still(Lookup(AXES), batch).item())
    torch.manual_seed(0)
    plain = Classification(2, 2, dropout=0.5)(Lookup(AXES), batch).item()
    torch.manual_seed(0)
    assert Classification(2, 2, dropout=0.5, consistency=5.0)(Lookup(AXES), batch).item() != pytest.approx(plain)


def pairs(*rows: tuple[int, int], **more: np.ndarray) -> dict[str, torch.Tensor]:
    return TextPairs([[0], [1], [2]], np.array(rows), **more).batch(np.arange(len(rows)))


def test_in_batch_negatives_by_hand() -> None:
    """Anchors e0, e1 with partners e2 = (.6, .8) and e1. Scores: (.6, 0), (.8, 1); temperature 1."""
    expected = (math.log(math.exp(0.6) + 1) - 0.6 + math.log(math.exp(0.8) + math.e) - 1) / 2
    assert Contrastive(1.0, symmetric=False)(Lookup(AXES), pairs((0, 2), (1, 1))).item() == pytest.approx(expected)
    # Partners looking for anchors: (.6, .8), (0, 1).
    back = (math.log(math.exp(0.6) + math.exp(0.8)) - 0.6 + math.log(1 + math.e) - 1) / 2
    assert Contrastive(1.0)(Lookup(AXES), pairs((0, 2), (1, 1))).item() == pytest.approx((expected + back) / 2)


def test_hard_negatives_are_candidates_of_every_anchor() -> None:
    """One pair (e0, e2) and the hard negative e1: scores .6 and 0. The way back has one candidate and no loss."""
    batch = pairs((0, 2), negatives=np.array([[1]]))
    assert Contrastive(1.0, symmetric=False)(Lookup(AXES), batch).item() == pytest.approx(math.log(math.exp(0.6) + 1) - 0.6)
    assert Contrastive(1.0)(Lookup(AXES), batch).item() == pytest.approx((math.log(math.exp(0.6) + 1) - 0.6) / 2)


def test_a_repeated_partner_is_no_negative() -> None:
    """Both anchors have partner e2; without keys each is the other's negative and the loss at least ln 2."""
    assert Contrastive(1.0, symmetric=False)(Lookup(AXES), pairs((0, 2), (1, 2))).item() == pytest.approx(math.log(2))
    keyed = pairs((0, 2), (1, 2), keys=np.array([10, 11, 12]))
    assert Contrastive(1.0, symmetric=False)(Lookup(AXES), keyed).item() == pytest.approx(0)
    # An anchor is no negative of itself: e1 is the partner in the second pair and the anchor in the first.
    keyed = pairs((1, 2), (0, 1), keys=np.array([10, 11, 12]))
    second = math.log(math.exp(0.6) + 1) - 0.0
    assert Contrastive(1.0, symmetric=False)(Lookup(AXES), keyed).item() == pytest.approx(second / 2)


def test_popular_partners_are_corrected_for() -> None:
    """Scores (.6, 0), (.8, 1), partners drawn with q = 3/4 and 1/4: exp(score) / q is what the softmax sees."""
    log_q = np.log(np.array([1, 0.25, 0.75], np.float32))
    batch = pairs((0, 2), (1, 1), log_q=log_q)
    first = math.exp(0.6) / 0.75 / (math.exp(0.6) / 0.75 + 1 / 0.25)
    second = math.e / 0.25 / (math.exp(0.8) / 0.75 + math.e / 0.25)
    expected = -(math.log(first) + math.log(second)) / 2
    assert Contrastive(1.0, symmetric=False)(Lookup(AXES), batch).item() == pytest.approx(expected, rel=1e-5)


def test_a_hard_negative_without_a_frequency_counts_as_average() -> None:
    log_q = np.log(np.array([1, 0.25, 0.75], np.float32))
    batch = pairs((0, 2), (1, 1), log_q=log_q, negatives=np.array([[0], [0]]))
    given_average = dict(batch) | {"negative.log_q": torch.full((2,), float(np.log(0.25 * 0.75) / 2))}
    without = {name: tensor for name, tensor in batch.items() if name != "negative.log_q"}
    loss = Contrastive(1.0)
    assert loss(Lookup(AXES), without).item() == pytest.approx(loss(Lookup(AXES), given_average).item(), rel=1e-5)


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 5), extra=st.integers(0, 3))
def test_the_ranking_loss_equals_its_looping_twin(seed: int, n: int, extra: int) -> None:
    rng = np.random.default_rng(seed)
    anchors, candidates = rng.normal(size=(n, 3)), rng.normal(size=(n + extra, 3))
    rows, log_q = rng.permutation(n + extra)[:n], rng.normal(size=n + extra)
    shut = rng.random((n, n + extra)) < 0.3
    shut[np.arange(n), rows] = False
    total = 0.0
    for i in range(n):
        weights = [
            0.0 if shut[i, j] else math.exp(float(anchors[i] @ candidates[j]) / 0.5 - log_q[j]) for j in range(n + extra)
        ]
        total -= math.log(weights[rows[i]] / sum(weights)) / n
    given_ = [torch.from_numpy(one) for one in (anchors, candidates, rows)]
    found = ranking_loss(*given_, temperature=0.5, shut=torch.from_numpy(shut), log_q=torch.from_numpy(log_q))
    assert found.item() == pytest.approx(total, rel=1e-9, abs=1e-9)


def test_chunks_give_the_same_loss_and_gradients_in_the_memory_of_one() -> None:
    rng = np.random.default_rng(0)
    tokens = [rng.integers(0, 20, size=4).tolist() for _ in range(14)]
    batch = TextPairs(tokens, np.arange(14).reshape(7, 2)).batch(np.arange(7))
    losses, gradients = [], []
    for chunk in (0, 3):
        module = Lookup(np.random.default_rng(1).normal(size=(20, 5)))
        loss = Contrastive(0.1, chunk=chunk)(module, batch)
        loss.backward()
        losses.append(loss.item())
        gradients.append(module.vectors.grad)
        assert max(module.calls) == (chunk or 7)
    assert losses[0] == pytest.approx(losses[1]) and torch.allclose(gradients[0], gradients[1], atol=1e-6)


def test_token_dropout_leaves_some_tokens_out_and_never_all() -> None:
    class Counting(Lookup):
        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            seen.append(mask.sum(1))
            return super().forward(ids, mask)

    seen: list[torch.Tensor] = []
    tokens = [[0] * 50, [1]] * 2
    batch = TextPairs(tokens, np.array([[0, 1], [2, 3]])).batch(np.arange(2))
    module = Counting(AXES)
    torch.manual_seed(0)
    Contrastive(0.1, token_dropout=0.4)(module, batch)
    assert 15 < seen[0].float().mean() < 45 and seen[1].tolist() == [1, 1]
    Contrastive(0.1, token_dropout=0.4)(module.eval(), batch)
    assert seen[2].tolist() == [50, 50]


@pytest.mark.parametrize("wrong", [{"temperature": 0.0}, {"chunk": -1}, {"token_dropout": 1.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(RequestError, match=next(iter(wrong))):
        Contrastive(**wrong)
