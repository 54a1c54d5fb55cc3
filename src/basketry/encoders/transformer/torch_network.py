"""The transformer as a torch module, for training: it takes whatever shapes the arrays have and gives arrays back.

Names of parameters are names of arrays, so that `peft` and optimisers can be told of `attention.query` by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from basketry.encoders.transformer.layout import Shape, has, unscaled

if TYPE_CHECKING:
    from basketry.core.protocols import Arrays
    from basketry.encoders.state import EncoderState

_ACTIVATIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {"gelu": functional.gelu, "relu": functional.relu}


class TransformerNetwork(nn.Module):
    """Token ids in, unit vectors out; `hidden` gives what lies between."""

    def __init__(self, state: EncoderState, dropout: float = 0.0) -> None:
        super().__init__()
        shape = Shape.of(state)
        arrays = {name: torch.from_numpy(array.copy()) for name, array in unscaled(state.arrays).items()}
        self.pooling: Final = shape.pooling
        self.embeddings = _Embeddings(arrays, shape.norm_eps, dropout)
        depth = range(len(shape.heads))
        self.layers: Sequence[_Layer] = nn.ModuleList(_Layer(arrays, f"layers.{number}", shape, dropout) for number in depth)  # type: ignore[assignment]
        self.project = linear(arrays, "project") if shape.dim != shape.hidden or "project.weight" in arrays else None

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """float32 [n, dim], unit norm, of `ids` int64 [n, t] where `mask` [n, t] is true for a text's own tokens."""
        return self.pooled(self.hidden(ids, mask)[-1], mask)

    def hidden(self, ids: Tensor, mask: Tensor) -> list[Tensor]:
        """float32 [n, t, H] after the embeddings and after every layer."""
        mask = mask.bool()
        states = [self.embeddings(ids)]
        for layer in self.layers:
            states.append(layer(states[-1], mask))
        return states

    def attentions(self, ids: Tensor, mask: Tensor) -> list[Tensor]:
        """Who looks at whom: softmax probabilities float32 [n, heads, t, t] of every layer."""
        states = self.hidden(ids, mask)
        return [layer.attention.probabilities(before, mask.bool()) for layer, before in zip(self.layers, states, strict=False)]

    def pooled(self, last: Tensor, mask: Tensor) -> Tensor:
        """The unit vector of each text from its tokens' last states."""
        if self.pooling == "first":
            vector = last[:, 0]
        else:
            counted = mask.to(last.dtype)[:, :, None]
            vector = (last * counted).sum(1) / counted.sum(1).clamp(min=1)
        if self.project is not None:
            vector = self.project(vector)
        return functional.normalize(vector, dim=-1)

    def arrays(self) -> Arrays:
        """All parameters as float32 arrays under the names of `layout`."""
        return {name: np.ascontiguousarray(value.detach().cpu().float().numpy()) for name, value in self.state_dict().items()}


class Factored(nn.Module):
    """A matrix as the product of two: x -> left (right x) + bias."""

    def __init__(self, left: Tensor, right: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.left, self.right = nn.Parameter(left), nn.Parameter(right)
        self.bias = None if bias is None else nn.Parameter(bias)

    def forward(self, rows: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        return functional.linear(functional.linear(rows, self.right), self.left, self.bias)


def linear(arrays: dict[str, Tensor], name: str) -> nn.Module:
    """The layer called `name`, whole or in two factors."""
    bias = arrays.get(f"{name}.bias")
    if f"{name}.left" in arrays:
        return Factored(arrays[f"{name}.left"], arrays[f"{name}.right"], bias)
    weight = arrays[f"{name}.weight"]
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    layer.weight = nn.Parameter(weight)
    if bias is not None:
        layer.bias = nn.Parameter(bias)
    return layer


class _Norm(nn.Module):
    def __init__(self, arrays: dict[str, Tensor], name: str, eps: float) -> None:
        super().__init__()
        self.gain, self.shift = nn.Parameter(arrays[f"{name}.gain"]), nn.Parameter(arrays[f"{name}.shift"])
        self._eps = eps

    def forward(self, rows: Tensor) -> Tensor:
        normal: Tensor = functional.layer_norm(rows, self.gain.shape, self.gain, self.shift, self._eps)
        return normal


class _Embeddings(nn.Module):
    def __init__(self, arrays: dict[str, Tensor], eps: float, dropout: float) -> None:
        super().__init__()
        self.word, self.position = nn.Parameter(arrays["embeddings.word"]), nn.Parameter(arrays["embeddings.position"])
        self.norm = _Norm(arrays, "embeddings.norm", eps)
        self._dropout = nn.Dropout(dropout)

    def forward(self, ids: Tensor) -> Tensor:
        whole: Tensor = self._dropout(self.norm(functional.embedding(ids, self.word) + self.position[: ids.shape[1]]))
        return whole


class _Attention(nn.Module):
    def __init__(self, arrays: dict[str, Tensor], name: str, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.query, self.key, self.value, self.output = (
            linear(arrays, f"{name}.{part}") for part in ("query", "key", "value", "output")
        )
        self.norm = _Norm(arrays, f"{name}.norm", shape.norm_eps)
        self._head_dim = shape.head_dim
        self._dropout = nn.Dropout(dropout)

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (self._heads(part(rows)) for part in (self.query, self.key, self.value))
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
        joined = seen.transpose(1, 2).flatten(2)
        whole: Tensor = self.norm(rows + self._dropout(self.output(joined)))
        return whole

    def probabilities(self, rows: Tensor, mask: Tensor) -> Tensor:
        query, key = self._heads(self.query(rows)), self._heads(self.key(rows))
        scores = (query @ key.transpose(-1, -2)) / self._head_dim**0.5
        looks: Tensor = scores.masked_fill(~mask[:, None, None, :], float("-inf")).softmax(-1)
        return looks

    def _heads(self, rows: Tensor) -> Tensor:
        return rows.reshape(*rows.shape[:-1], -1, self._head_dim).transpose(1, 2)


class _Feed(nn.Module):
    def __init__(self, arrays: dict[str, Tensor], name: str, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.inner, self.outer = linear(arrays, f"{name}.inner"), linear(arrays, f"{name}.outer")
        self.norm = _Norm(arrays, f"{name}.norm", shape.norm_eps)
        self._activation = _ACTIVATIONS[shape.activation]
        self._dropout = nn.Dropout(dropout)

    def forward(self, rows: Tensor) -> Tensor:
        inner: Tensor = self._activation(self.inner(rows))
        whole: Tensor = self.norm(rows + self._dropout(self.outer(inner)))
        return whole


class Adapter(nn.Module):
    """A bottleneck with a way round it: h -> h + up(gelu(down(h)))."""

    def __init__(self, down: nn.Module, up: nn.Module) -> None:
        super().__init__()
        self.down, self.up = down, up

    def forward(self, rows: Tensor) -> Tensor:
        """[..., H] -> [..., H]."""
        whole: Tensor = rows + self.up(functional.gelu(self.down(rows)))
        return whole


class _Layer(nn.Module):
    def __init__(self, arrays: dict[str, Tensor], name: str, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.attention = _Attention(arrays, f"{name}.attention", shape, dropout)
        self.feed = _Feed(arrays, f"{name}.feed", shape, dropout)
        self.adapter: Adapter | None = None
        if has(arrays, f"{name}.adapter.down"):
            self.adapter = Adapter(linear(arrays, f"{name}.adapter.down"), linear(arrays, f"{name}.adapter.up"))

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        whole: Tensor = self.feed(self.attention(rows, mask))
        return whole if self.adapter is None else self.adapter(whole)
