"""Integrated gradients of a history encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from basketry.encoders.history.network import network_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Arrays, Vectors
    from basketry.encoders.history.layout import Ids


def integrated_gradients(arrays: Arrays, ids: Ids, products: Vectors, steps: int) -> npt.NDArray[np.float64]:
    """float64 [events, k]: e_i . the mean over t in (0, 1) of d score(j) / d e_i at t e, by the midpoints of `steps` pieces.

    `ids` int64 [events] of one history as `Layout.window` gives it; `products` float32 [k, dim] are the rows scored.
    """
    network = network_of(arrays)
    codes = torch.from_numpy(ids)
    with torch.no_grad():
        rows = network.embed(codes)
    shares = (torch.arange(steps) + 0.5) / steps
    line = (shares[:, None, None] * rows).flatten(0, 1).requires_grad_()
    mask = torch.ones(steps, len(ids), dtype=torch.bool)
    vectors = network.read(line, codes.expand(steps, -1), mask).view(steps, len(ids), -1)[:, -1]
    scores = (vectors @ torch.from_numpy(products).T).sum(0)
    found = [torch.autograd.grad(one, line, retain_graph=True)[0].view(steps, *rows.shape).mean(0) for one in scores]
    return np.stack([(rows * one).sum(-1).double().numpy() for one in found], axis=1)
