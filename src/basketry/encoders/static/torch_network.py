"""Static token vectors as a torch module, so that adaptation can train them as it trains any encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from basketry.core.protocols import Arrays
    from basketry.encoders.state import EncoderState


class StaticNetwork(nn.Module):
    """forward(ids int64 [n, t], mask bool [n, t]) -> float32 [n, dim], unit norm: rows added up where the mask is true."""

    def __init__(self, state: EncoderState) -> None:
        super().__init__()
        vectors = np.asarray(state.arrays["vectors"], dtype=np.float32)
        if "vectors.scale" in state.arrays:
            vectors = vectors * np.asarray(state.arrays["vectors.scale"], dtype=np.float32)[:, None]
        self.vectors = nn.Parameter(torch.from_numpy(vectors.copy()))
        self.register_buffer("unknown", torch.from_numpy(np.array(state.arrays["unknown"], dtype=np.float32)))
        project = state.arrays.get("project.weight")
        self.project = None if project is None else nn.Parameter(torch.from_numpy(np.array(project, dtype=np.float32)))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The vectors of the texts."""
        sums = (functional.embedding(ids, self.vectors) * mask.to(self.vectors.dtype)[:, :, None]).sum(1)
        sums = torch.where(mask.any(1)[:, None], sums, self.unknown)  # type: ignore[arg-type]
        if self.project is not None:
            sums = functional.linear(sums, self.project)
        return functional.normalize(sums, dim=-1)

    def arrays(self) -> Arrays:
        """The arrays of the family `static`, float32."""
        found = {"vectors": self.vectors.detach().cpu().numpy().copy(), "unknown": np.asarray(self.unknown).copy()}
        if self.project is not None:
            found["project.weight"] = self.project.detach().cpu().numpy().copy()
        return found
