"""History encoders: the ONNX graph says what torch says, padding and batch change nothing, and nothing looks ahead."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from scipy.sparse import csr_array  # noqa: E402

from basketry.core.errors import EncoderError, RequestError  # noqa: E402
from basketry.core.histories import Histories  # noqa: E402
from basketry.encoders.history.graph import Propagation  # noqa: E402
from basketry.encoders.history.layout import BODIES, MASKABLE, ORDERED, Layout  # noqa: E402
from basketry.encoders.history.network import HistoryNetwork, network_of  # noqa: E402
from basketry.encoders.history.runtime import open_reader  # noqa: E402

PRODUCTS = 9
HISTORIES = Histories.from_rows([[1, 2, 3], [4], [0, 1, 2, 3, 4, 5, 5, 8], [7, 7]], PRODUCTS)
LAYOUTS = [
    Layout(body, dim=8, length=6, blocks=2, masked=masked, gated=gated)
    for body, masked, gated in itertools.product(BODIES, (False, True), (False, True))
    if (body in MASKABLE or not masked) and (body == "transformer" or not gated)
]
NAMES = [f"{one.body}{'-masked' * one.masked}{'-gated' * one.gated}" for one in LAYOUTS]


def network(layout: Layout, dropout: float = 0.0) -> HistoryNetwork:
    """Weights large enough that every part of the body matters."""
    held = csr_array((np.ones(PRODUCTS), (np.arange(PRODUCTS) % 4, np.arange(PRODUCTS))), shape=(4, PRODUCTS))
    with torch.random.fork_rng():
        torch.manual_seed(4)
        made = HistoryNetwork(layout, np.ones(PRODUCTS, dtype=bool), dropout, held=held)
        with torch.no_grad():
            for weight in made.parameters():
                weight.add_(0.3 * torch.randn_like(weight))
    return made.eval()


def read(made: HistoryNetwork, histories: Histories) -> np.ndarray:
    ids, lengths = made.layout.window(histories)
    with torch.no_grad():
        return made(torch.from_numpy(ids), torch.from_numpy(np.arange(ids.shape[1]) < lengths[:, None])).numpy()


@pytest.mark.parametrize("layout", LAYOUTS, ids=NAMES)
def test_the_graph_says_what_the_network_says(layout: Layout) -> None:
    made = network(layout)
    arrays = made.arrays()
    want = read(made, HISTORIES)
    assert np.ptp(want, axis=0).min() > 1e-3  # histories differ in every direction, so the comparison means something
    assert open_reader(arrays)(*layout.window(HISTORIES)) == pytest.approx(want, abs=1e-5)
    assert read(network_of(arrays), HISTORIES) == pytest.approx(want, abs=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS, ids=NAMES)
def test_a_history_is_read_alike_alone_and_beside_longer_ones(layout: Layout) -> None:
    """The law that padding is never read, and that what came before the last `length` events is not either."""
    reader = open_reader(network(layout).arrays())
    together = reader(*layout.window(HISTORIES))
    alone = [reader(*layout.window(HISTORIES.select(np.array([row])))) for row in range(len(HISTORIES))]
    assert np.concatenate(alone) == pytest.approx(together, abs=1e-5)
    short = layout.length - int(layout.masked)
    last = Histories.from_rows([[0, 1, 2, 3, 4, 5, 5, 8][-short:]], PRODUCTS)
    assert reader(*layout.window(last)) == pytest.approx(together[2:3], abs=1e-5)


@pytest.mark.parametrize("body", BODIES)
def test_the_vector_at_an_event_is_that_of_the_history_up_to_it(body: str) -> None:
    made = network(Layout(body, dim=8, length=6, blocks=2))
    row = [3, 1, 4, 1, 5]
    codes = torch.tensor([row])
    with torch.no_grad():
        inside = made.read(made.embed(codes[0]), codes, torch.ones(1, 5, dtype=torch.bool)).numpy()
    prefixes = Histories.from_rows([row[: end + 1] for end in range(5)], PRODUCTS)
    assert inside == pytest.approx(read(made, prefixes), abs=1e-5)


@pytest.mark.parametrize("body", BODIES)
def test_order_counts_where_it_should(body: str) -> None:
    made = network(Layout(body, dim=8, length=6, blocks=2))
    there, back = read(made, Histories.from_rows([[1, 2, 3], [2, 1, 3]], PRODUCTS))
    assert np.allclose(there, back, atol=1e-6) == (body == "dbn")  # even a bag fades; a belief network's does not
    assert {"transformer", "gru", "cnn"} == set(ORDERED)


def test_a_masked_bag_has_no_order_and_leaves_the_hidden_out() -> None:
    for body in ("mlp", "dbn"):
        made = network(Layout(body, dim=8, length=6, masked=True))
        there, back, less = read(made, Histories.from_rows([[1, 2, 3], [3, 2, 1], [1, 2]], PRODUCTS))
        assert there == pytest.approx(back, abs=1e-6) and not np.allclose(there, less, atol=1e-3)
        with torch.no_grad():
            made.table[-1] += 5  # the row of a hidden product
        assert read(made, Histories.from_rows([[1, 2, 3]], PRODUCTS))[0] == pytest.approx(there, abs=1e-6)


def test_propagation_by_hand() -> None:
    """Customer 0 holds products 0 and 1, customer 1 product 1: A = [[1/sqrt2, 1/2], [0, 1/sqrt2]].

    A^T A = [[1/2, 1/(2 sqrt2)], [1/(2 sqrt2), 3/4]]; the mean of E and A^T A E at E = (1, 0) is (3/4, 1/(4 sqrt2)).
    """
    held = csr_array(np.array([[1.0, 1.0], [0.0, 1.0]]))
    table = torch.tensor([[1.0], [0.0]], requires_grad=True)
    spread = Propagation(held, blocks=1)(table)
    assert spread.detach().numpy().ravel() == pytest.approx([0.75, 1 / (4 * 2**0.5)])
    spread[1].sum().backward()
    assert table.grad is not None and table.grad.numpy().ravel() == pytest.approx([1 / (4 * 2**0.5), 0.875])


def test_features_speak_for_a_product_without_events() -> None:
    known = np.array([True, True, False])
    features = np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32)
    made = HistoryNetwork(Layout(dim=4), known, features=features)
    products = made.products().detach().numpy()
    assert products[2] == pytest.approx(made.project.detach().numpy()[0])  # type: ignore[union-attr]
    assert made.embed(torch.tensor([2, 3])).detach().numpy() == pytest.approx(
        np.stack([products[2], made.table[3].detach().numpy()])
    )


def test_what_cannot_be_built_is_refused() -> None:
    for wrong in ({"body": "svm"}, {"dim": 9}, {"body": "gru", "masked": True}, {"body": "cnn", "gated": True}):
        with pytest.raises(RequestError):
            Layout(**wrong)  # type: ignore[arg-type]
    with pytest.raises(EncoderError):
        Layout.of({"products": np.zeros((2, 2))})
    assert Layout.of({"layout": Layout(dim=8).array()}) == Layout(dim=8)
