"""Examples out of histories, the sampled loss, and machines whose gradients are worked out another way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from basketry.core.errors import RequestError  # noqa: E402
from basketry.core.histories import Histories  # noqa: E402
from basketry.core.protocols import Run  # noqa: E402
from basketry.encoders.history.layout import Layout  # noqa: E402
from basketry.encoders.history.network import HistoryNetwork  # noqa: E402
from basketry.training.divergence import _divergence, pretrain_machines  # noqa: E402
from basketry.training.histories import Stretches, held_out  # noqa: E402
from basketry.training.plan import TrainingPlan  # noqa: E402
from basketry.training.sequences import Lessons, SampledSoftmax  # noqa: E402

RUN = Run(seed=5, threads=1)


def visits(rows: list[list[list[int]]], products: int) -> Histories:
    """Customers, their visits, and what each held."""
    flat = Histories.from_rows([[code for visit in row for code in visit] for row in rows], products)
    days = np.array([number for row in rows for number, visit in enumerate(row) for _ in visit], dtype=np.int32)
    return Histories(flat.indptr, flat.products, days, days, products)


def rows_of(stretches: Stretches) -> list[tuple[list[int], list[int]]]:
    batch = stretches.batch(np.arange(len(stretches)))
    return [
        (ids[mask].tolist(), targets[mask].tolist())
        for ids, targets, mask in zip(batch["ids"], batch["targets"], batch["mask"], strict=True)
    ]


def test_an_event_predicts_the_visit_after_it_and_never_its_own() -> None:
    histories = visits([[[1, 2], [3], [4, 5, 6]], [[7]], [], [[8], [9]]], 10)
    assert rows_of(Stretches.of(histories, 10, masked=False)) == [([1, 2, 3], [3, 3, 4]), ([8], [9])]
    masked = rows_of(Stretches.of(histories, 10, masked=True))
    assert [ids for ids, _ in masked] == [[1, 2, 3, 4, 5, 6], [8, 9]]


def test_long_histories_are_cut_from_their_end() -> None:
    histories = Histories.from_rows([[0, 1, 2, 3, 4, 5]], 6)
    assert rows_of(Stretches.of(histories, 2, masked=False)) == [([3, 4], [4, 5]), ([1, 2], [2, 3]), ([0], [1])]


def test_who_is_held_out_keeps_all_but_the_last_visit() -> None:
    histories = visits([[[1], [2, 3]], [[4, 5]], [], [[6], [7], [8]]], 10)
    learned, judges = held_out(histories, 0.99, seed=0)
    assert judges is not None
    assert [learned.products[a:b].tolist() for a, b in zip(learned.indptr, learned.indptr[1:], strict=False)] == [
        [1],
        [4, 5],
        [],
        [6, 7],
    ]
    assert [sorted(judges.wanted[[row]].indices.tolist()) for row in range(2)] == [[2, 3], [8]]
    assert judges.before.products.tolist() == [1, 6, 7]
    assert held_out(histories, 0.0, seed=0) == (histories, None)


def test_the_sampled_loss_is_the_formula() -> None:
    """With the loss's own draws repeated: cross-entropy of the target against the drawn, a drawn target left out."""
    network = HistoryNetwork(Layout("mlp", dim=4, length=4, blocks=1), np.array([True] * 5 + [False])).eval()
    with torch.no_grad():
        network.table += torch.randn(network.table.shape, generator=torch.Generator().manual_seed(1))
    batch = {
        "ids": torch.tensor([[0, 1], [2, 0]]),
        "targets": torch.tensor([[1, 3], [4, -1]]),
        "mask": torch.tensor([[True, True], [True, False]]),
    }
    for corrected in (False, True):
        torch.manual_seed(3)
        found = SampledSoftmax(negatives=7, corrected=corrected)(network, batch).item()
        torch.manual_seed(3)
        drawn = torch.randint(5, (7,)).tolist()
        assert 5 not in drawn and set(drawn) & {1, 3, 4}
        vectors = network.read(network.embed(torch.tensor([0, 1, 2])), batch["ids"], batch["mask"]).detach().numpy()
        scores = vectors @ network.products().detach().numpy().T
        losses = []
        for row, target in zip(scores, [1, 3, 4], strict=True):
            wrong = sum(np.exp(row[j]) for j in drawn if j != target) * (4 / 7 if corrected else 1)
            losses.append(-np.log(np.exp(row[target]) / (np.exp(row[target]) + wrong)))
        assert found == pytest.approx(np.mean(losses), abs=1e-5)


def test_every_history_hides_something_and_only_itself() -> None:
    mask = torch.arange(6) < torch.tensor([2, 6, 3, 4])[:, None]
    torch.manual_seed(0)
    for _ in range(50):
        hidden = SampledSoftmax(hidden=0.5)._hide(mask)
        assert not (hidden & ~mask).any() and hidden.any(1).all()


def test_divergence_has_the_gradient_of_contrastive_divergence() -> None:
    """d loss / d W = -(h(v) v - h(v') v') with h the chance of a hidden unit: Hinton (2002), equation by equation."""
    torch.manual_seed(2)
    matrix, visible, hidden = (torch.randn(*size, requires_grad=True) for size in ((3, 5), (5,), (3,)))
    seen = (torch.rand(4, 5) < 0.5).float()
    torch.manual_seed(9)
    _divergence(seen, matrix, visible, hidden).backward()
    torch.manual_seed(9)
    with torch.no_grad():
        drawn = torch.bernoulli(torch.sigmoid(seen @ matrix.T + hidden))
        again = torch.bernoulli(torch.sigmoid(drawn @ matrix + visible))
        up, down = (torch.sigmoid(units @ matrix.T + hidden) for units in (seen, again))
        want = -(up.T @ seen - down.T @ again) / 4
    assert matrix.grad is not None and visible.grad is not None
    assert matrix.grad.numpy() == pytest.approx(want.numpy(), abs=1e-5)
    assert visible.grad.numpy() == pytest.approx(-(seen - again).mean(0).numpy(), abs=1e-5)


def test_machines_learn_what_goes_together() -> None:
    """Two groups of products, every history from one: seen one product, the machine dreams its group."""
    rng = np.random.default_rng(0)
    rows = [rng.permutation(4)[:3] + 4 * rng.integers(2) for _ in range(400)]
    histories = Histories.from_rows([row.tolist() for row in rows], 8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = HistoryNetwork(Layout("dbn", dim=8, length=5, blocks=2), np.ones(8, dtype=bool))
    before = network.body.matrices[0].detach().clone()
    pretrain_machines(network, histories, TrainingPlan(learning_rate=0.03, epochs=12, batch_size=50), RUN)
    assert not torch.equal(before, network.body.matrices[0])
    with torch.no_grad():
        up = network.body.first(network.products()[[0, 5]])
        dreamt = (up @ network.products().T + network.bias).numpy()
    assert dreamt[0, 1:4].min() > dreamt[0, 4:].max()
    assert dreamt[1, [4, 6, 7]].min() > dreamt[1, :4].max()


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    histories = Histories.from_rows([[(start + step) % 6 for step in range(4)] for start in range(6)] * 8, 6)
    lessons = Lessons(
        Layout("gru", dim=8, length=4, blocks=1), SampledSoftmax(8), TrainingPlan(epochs=2, batch_size=16, checkpoint_steps=2)
    )
    whole, history = lessons.learn(histories, RUN, folder=tmp_path / "run")
    again, same = lessons.learn(histories, RUN, folder=tmp_path / "run")
    assert all(np.array_equal(whole[name], again[name]) for name in whole) and history == same
    fresh, _ = lessons.learn(histories, RUN)
    assert all(np.array_equal(whole[name], fresh[name]) for name in whole)


def test_what_teaches_nothing_is_refused() -> None:
    with pytest.raises(RequestError):
        Lessons().learn(Histories.from_rows([[1], [2], []], 4), RUN)
    with pytest.raises(RequestError):
        Lessons().learn(Histories.from_rows([[1, 2]], 4), RUN, features=np.ones((3, 2), dtype=np.float32))
    with pytest.raises(RequestError):
        Lessons(dropout=1.0).learn(Histories.from_rows([[1, 2]], 4), RUN)
