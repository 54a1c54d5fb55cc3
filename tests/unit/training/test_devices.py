"""A batch goes where its network is. The meta device, which holds no numbers, stands for one that is not the CPU."""

import pytest

torch = pytest.importorskip("torch")

from basketry.training.devices import beside, device_of  # noqa: E402


def test_a_batch_follows_its_network():
    class Buffered(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("table", torch.zeros(2, device="meta"))

    batch = {"ids": torch.zeros(3, dtype=torch.int64), "mask": torch.ones(3, dtype=torch.bool)}
    for module in (torch.nn.Linear(2, 2, device="meta"), Buffered()):
        assert device_of(module).type == "meta"
        assert {column.device.type for column in beside(module, batch).values()} == {"meta"}
    for module in (torch.nn.Linear(2, 2), torch.nn.Identity()):
        assert {column.device.type for column in beside(module, batch).values()} == {"cpu"}
