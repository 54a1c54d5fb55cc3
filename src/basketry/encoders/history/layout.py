"""What a history encoder looks like, and its arrays: all that training gives and running takes, without torch.

The vector h of a history is compared with the row of each product: score(j) = h . products[j] + bias[j]. Arrays: `products`
float32 [n_products, dim], texts and pictures already in it; `bias` [n_products]; `known` bool, which products were learned of;
`hidden` [dim], the row read where a product is hidden; `project` [features, dim], what product features are worth, for products
that come later; `layout`, this file's `Layout` as JSON; and the body's own, `body.*`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.core.errors import EncoderError, RequestError

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.histories import Histories
    from basketry.core.protocols import Arrays

    Ids = npt.NDArray[np.int64]

BODIES: Final = ("transformer", "gru", "cnn", "mlp", "lightgcn", "dbn")
ORDERED: Final = ("transformer", "gru", "cnn")
MASKABLE: Final = ("transformer", "mlp", "dbn")


@dataclass(frozen=True)
class Layout:
    """Shape of a body: `dim` of its vectors, `length` of the history it reads, `blocks` deep, `heads` of attention.

    `masked`: it is told where a product is hidden and looks at both sides of it (BERT4Rec; auto-encoders); else the vector at
    an event comes of that event and those before it. `gated`: gated residuals and a gated feed-forward (LiGR). Raises
    RequestError for a shape that cannot be.
    """

    body: str = "transformer"
    dim: int = 64
    length: int = 50
    blocks: int = 2
    heads: int = 2
    masked: bool = False
    gated: bool = False

    def __post_init__(self) -> None:
        if self.body not in BODIES:
            raise RequestError(f"no body is called {self.body!r}", f"use one of {', '.join(BODIES)}")
        if min(self.dim, self.length, self.blocks, self.heads) < 1 or self.dim % self.heads:
            raise RequestError(f"{self} cannot be built", "all start at 1, and dim is a multiple of heads")
        if self.masked and self.body not in MASKABLE:
            raise RequestError(f"a {self.body} reads one way and cannot be masked", f"mask one of {', '.join(MASKABLE)}")
        if self.gated and self.body != "transformer":
            raise RequestError(f"a {self.body} has no gated blocks", "leave gated out, or take the transformer")

    def array(self) -> npt.NDArray[np.uint8]:
        """The layout as an array of bytes, so that it is stored beside the weights."""
        return np.frombuffer(json.dumps(asdict(self), sort_keys=True).encode(), dtype=np.uint8)

    @classmethod
    def of(cls, arrays: Arrays) -> Self:
        """The layout stored in `arrays`. Raises EncoderError where there is none."""
        try:
            return cls(**json.loads(np.asarray(arrays["layout"], dtype=np.uint8).tobytes()))
        except (KeyError, TypeError, ValueError) as error:
            raise EncoderError(
                f"these arrays are no history encoder: {error}", "train it again, or check the folder"
            ) from error

    def window(self, histories: Histories) -> tuple[Ids, Ids]:
        """The last `length` events of each history: ids int64 [n, longest], padded on the right with 0, and lengths int64 [n].

        Padding stands on the right, so nothing that is read before an event is no event: a history has the same vector
        whatever it is batched with. A masked layout reads a hidden product, code n_products, at the end.
        """
        extra = int(self.masked)
        kept = np.minimum(histories.lengths, self.length - extra)
        width = int(kept.max(initial=0)) + extra
        ids = np.zeros((len(histories), max(width, 1)), dtype=np.int64)
        place = np.arange(ids.shape[1])
        events = (histories.indptr[1:] - kept)[:, None] + place
        real = place < kept[:, None]
        ids[real] = histories.products[events[real]]
        if self.masked:
            ids[np.arange(len(ids)), kept] = histories.n_products
        return ids, kept + extra


def asked(antecedents: Ids, products: int) -> tuple[Ids, Ids]:
    """Sets of products int64 [n, most], -1 where fewer, as a masked layout reads them: a hidden one at the end; and lengths."""
    counts = (antecedents >= 0).sum(1)
    ids = np.zeros((len(antecedents), antecedents.shape[1] + 1), dtype=np.int64)
    ids[:, :-1] = np.maximum(antecedents, 0)
    ids[np.arange(len(ids)), counts] = products
    return ids, counts + 1
