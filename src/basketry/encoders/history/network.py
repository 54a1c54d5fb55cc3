"""A history encoder as a torch module, for training: one table of products, one body, arrays out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn

from basketry.encoders.history.belief import Belief
from basketry.encoders.history.convolution import Convolution
from basketry.encoders.history.graph import Graph, Propagation
from basketry.encoders.history.layout import Layout
from basketry.encoders.history.perceptron import Perceptron
from basketry.encoders.history.recurrent import Recurrent
from basketry.encoders.history.transformer import Transformer

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_array

    from basketry.core.protocols import Arrays, Vectors

_BODIES: Final[dict[str, type[nn.Module]]] = {
    "transformer": Transformer,
    "gru": Recurrent,
    "cnn": Convolution,
    "mlp": Perceptron,
    "lightgcn": Graph,
    "dbn": Belief,
}


class HistoryNetwork(nn.Module):
    """score(j) = body(history) . e_j + bias_j, with e_j = table_j + features_j project; the same e_j are what the body reads.

    `known` bool [n_products]: products with events. The table's row of any other stays 0, so its features alone speak for it.
    `features` float32 [n_products, f] are fixed; `held` sparse 0/1 [customers, products] is the graph that LightGCN spreads
    over. Draws its first weights from torch's random state.
    """

    def __init__(
        self,
        layout: Layout,
        known: npt.NDArray[np.bool_],
        dropout: float = 0.0,
        features: Vectors | None = None,
        held: csr_array | None = None,
    ) -> None:
        super().__init__()
        self.layout: Final = layout
        self.known: Final = known
        self.n_products: Final = len(known)
        table = torch.randn(len(known) + 1, layout.dim) * (0.1 if layout.body == "lightgcn" else 0.02)
        table[:-1][torch.from_numpy(~known)] = 0  # the last row stands for a hidden product
        self.table = nn.Parameter(table)
        self.bias = nn.Parameter(torch.zeros(len(known)), requires_grad=layout.body == "dbn")
        self.project: nn.Parameter | None = None
        self.features: Tensor | None
        fixed = None if features is None else torch.from_numpy(np.array(features, dtype=np.float32))
        self.register_buffer("features", fixed, persistent=False)
        if fixed is not None:
            self.project = nn.Parameter(torch.randn(fixed.shape[1], layout.dim) * 0.02)
        self.propagation = Propagation(held, layout.blocks) if layout.body == "lightgcn" and held is not None else None
        self.body = _BODIES[layout.body](layout, dropout)

    def embed(self, codes: Tensor) -> Tensor:
        """E of each code, [..., dim]; code n_products is a hidden product."""
        if self.propagation is not None:
            return torch.cat([self.products(), self.table[-1:]])[codes]
        rows = self.table[codes]
        if self.features is None or self.project is None:
            return rows
        real = (codes < self.n_products)[..., None]
        return rows + self.features[codes.clamp(max=self.n_products - 1)] @ self.project * real

    def products(self) -> Tensor:
        """E of every product, [n_products, dim]."""
        rows = self.table[:-1]
        if self.features is not None and self.project is not None:
            rows = rows + self.features @ self.project
        if self.propagation is not None:
            rows = self.propagation(rows)
        return rows

    def read(self, rows: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """The vector at each event, [events, dim], of e of each; `ids` int64 and `mask` bool [n, t], padded on the right."""
        vectors: Tensor = self.body(rows, mask, mask & (ids < self.n_products))
        return vectors

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The vector of each history, that at its last event: [n, dim]. A history without events is an error of its caller."""
        return self.read(self.embed(ids[mask]), ids, mask)[mask.sum(1).cumsum(0) - 1]

    def arrays(self) -> Arrays:
        """All that running it takes: see `layout.py`."""
        with torch.no_grad():
            found = {"products": self.products(), "bias": self.bias, "hidden": self.table[-1]}
            found |= {f"body.{name}": value for name, value in self.body.state_dict().items()}
            if self.project is not None:
                found["project"] = self.project
            copied: dict[str, npt.NDArray[np.generic]] = {name: value.numpy().copy() for name, value in found.items()}
        return {**copied, "known": self.known, "layout": self.layout.array()}


def network_of(arrays: Arrays) -> HistoryNetwork:
    """The network back from its arrays, in eval mode: features and graph are in its table already."""
    layout = Layout.of(arrays)
    network = HistoryNetwork(layout, np.ones(len(arrays["products"]), dtype=np.bool_))
    table = np.concatenate([arrays["products"], arrays["hidden"][None]]).astype(np.float32)
    weights = {"table": table, "bias": arrays["bias"]}
    weights |= {name: array for name, array in arrays.items() if name.startswith("body.")}
    network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
    return network.eval()
