"""The arrays of a transformer encoder: their names, their shapes, and what the shapes say.

```
embeddings.word            [V, H]   row t for token t
embeddings.position        [P, H]   row 0 for the first token; the one token type of a text is folded in
embeddings.norm.{gain,shift}  [H]
layers.I.attention.{query,key,value}.{weight,bias}   [heads * head_dim, H], [heads * head_dim]
layers.I.attention.output.{weight,bias}              [H, heads * head_dim], [H]
layers.I.attention.norm.{gain,shift}                 [H]
layers.I.feed.inner.{weight,bias}                    [F, H], [F]
layers.I.feed.outer.{weight,bias}                    [H, F], [H]
layers.I.feed.norm.{gain,shift}                      [H]
layers.I.adapter.{down,up}.{weight,bias}             [r, H], [r]; [H, r], [H], optional: h + up gelu(down h) after the layer
project.weight                                       [dim, H], optional: applied to the pooled vector
```

Heads and F may differ from layer to layer, as pruning leaves them; they are read off the shapes. Instead of `X.weight` a matrix
may be the product of two, `X.left` [out, r] and `X.right` [r, in]. Any of these, and `embeddings.word`, may be whole numbers
(int8) with a float32 `NAME.scale`, one per row: row o stands for scale[o] * row o; or float16. (The NAME of `X.weight` is X.)

A matrix may also be of 4 bits: `X.packed` uint8 [out, in / 2] in place of `X.weight`, two numbers from 0 to 15 in a byte, the
earlier one in its low half, with `X.scale` [out, in / block]: a number q of block b stands for scale[o, b] * (q - 8).

`NAME.range` float32 [2], beside whole numbers, says that they are multiplied as such: the input of NAME is rounded to 256 steps
from the first to the second, what lies outside is clipped, and the product is exact. An empty `NAME.range` [0] means that each
row of the input is rounded by its own largest value, block by block. Either way a text's vector does not depend on its
neighbours. Without a range the numbers are only a smaller way to store the matrix.

Settings: `head_dim`; `pooling`, mean (of all tokens) or first; `max_tokens` read of a text; `norm_eps` of layer normalisation;
`activation`, gelu or relu.

Source of the network: Devlin et al., BERT (2019); Wang et al., MiniLM (2020).
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.core.errors import EncoderError

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Arrays
    from basketry.encoders.state import EncoderState

    Floats = npt.NDArray[np.float32]

ACTIVATIONS: Final = ("gelu", "relu")
POOLINGS: Final = ("mean", "first")
ATTENTION: Final = ("query", "key", "value")


@dataclass(frozen=True)
class Shape:
    """What the arrays and settings of one encoder say: sizes by layer, and how a text is read."""

    vocabulary: int
    positions: int
    hidden: int
    heads: tuple[int, ...]
    head_dim: int
    feed: tuple[int, ...]
    dim: int
    max_tokens: int
    pooling: str
    activation: str
    norm_eps: float

    @classmethod
    def of(cls, state: EncoderState) -> Self:
        """Read the shape off a state. Raises EncoderError, naming the array or setting, where they contradict each other."""
        if state.family != "transformer":
            raise EncoderError(f"a state of family {state.family} is no transformer", "load a transformer")
        arrays, settings = state.arrays, state.settings
        try:
            vocabulary, hidden = arrays["embeddings.word"].shape
            head_dim = int(settings["head_dim"])  # type: ignore[arg-type]
            depth = len({name.split(".")[1] for name in arrays if name.startswith("layers.")})
            widths = [_out(arrays, f"layers.{layer}.attention.query") for layer in range(depth)]
            feed = tuple(_out(arrays, f"layers.{layer}.feed.inner") for layer in range(depth))
            found = cls(
                vocabulary=vocabulary,
                positions=len(arrays["embeddings.position"]),
                hidden=hidden,
                heads=tuple(width // head_dim for width in widths),
                head_dim=head_dim,
                feed=feed,
                dim=_out(arrays, "project") if has(arrays, "project") else hidden,
                max_tokens=int(settings["max_tokens"]),  # type: ignore[arg-type]
                pooling=str(settings["pooling"]),
                activation=str(settings["activation"]),
                norm_eps=float(settings["norm_eps"]),  # type: ignore[arg-type]
            )
        except (KeyError, ValueError, TypeError, ArithmeticError, StopIteration) as error:
            raise EncoderError(f"the transformer's state is incomplete: {error!r}", "take it from its source again") from error
        found._check(widths)
        return found

    def _check(self, widths: list[int]) -> None:
        wrong = [width for width in widths if width % self.head_dim]
        if wrong:
            raise EncoderError(f"an attention of width {wrong[0]} holds no whole heads of {self.head_dim}", "prune whole heads")
        if self.pooling not in POOLINGS or self.activation not in ACTIVATIONS:
            asked = f"pooling {self.pooling!r}, activation {self.activation!r}"
            raise EncoderError(f"{asked} are not known", f"pooling is one of {POOLINGS}, activation of {ACTIVATIONS}")
        if self.max_tokens > self.positions:
            raise EncoderError(f"{self.max_tokens} tokens are read, {self.positions} have a position", "lower max_tokens")


def has(arrays: Container[str], name: str) -> bool:
    """Whether there is a matrix called `name`, in one piece or two."""
    return any(f"{name}.{part}" in arrays for part in ("weight", "packed", "left"))


def plain(arrays: Arrays, name: str) -> Floats:
    """One array as float32, its scale multiplied in where it has one."""
    if name.endswith(".weight") and name not in arrays:
        return unpacked(arrays, name.removesuffix(".weight"))
    array = np.asarray(arrays[name], dtype=np.float32)
    scale = arrays.get(f"{name.removesuffix('.weight')}.scale")
    if scale is not None:
        array = array * np.asarray(scale, dtype=np.float32)[:, None]
    return array


def unpacked(arrays: Arrays, name: str) -> Floats:
    """The 4-bit matrix called `name` as float32 [out, in]."""
    packed = np.asarray(arrays[f"{name}.packed"], dtype=np.uint8)
    scale = np.asarray(arrays[f"{name}.scale"], dtype=np.float32)
    numbers = np.stack([packed & 15, packed >> 4], axis=-1).astype(np.float32) - 8
    whole: Floats = (numbers.reshape(*scale.shape, -1) * scale[:, :, None]).reshape(len(packed), -1)
    return whole


def matrices(arrays: Arrays) -> tuple[str, ...]:
    """Every matrix a row of numbers is multiplied by: `X.weight`, `X.left` or `X.right`, sorted; 4 bits count as weight."""
    named = (name.replace(".packed", ".weight") for name in arrays if name.endswith((".weight", ".packed", ".left", ".right")))
    return tuple(sorted(named))


def dense(arrays: Arrays, name: str) -> Floats:
    """The matrix called `name` as float32 [out, in], its two factors multiplied out."""
    if f"{name}.left" in arrays:
        product: Floats = plain(arrays, f"{name}.left") @ plain(arrays, f"{name}.right")
        return product
    return plain(arrays, f"{name}.weight")


def unscaled(arrays: Arrays) -> dict[str, Floats]:
    """All arrays as float32, scales multiplied in and gone, ranges gone; factors stay factors."""
    names = (name.replace(".packed", ".weight") for name in arrays if not name.endswith((".scale", ".range")))
    return {name: plain(arrays, name) for name in names}


def _out(arrays: Arrays, name: str) -> int:
    return len(next(arrays[f"{name}.{part}"] for part in ("left", "packed", "weight") if f"{name}.{part}" in arrays))
