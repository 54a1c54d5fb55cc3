"""A history encoder as an ONNX graph, built from the arrays themselves: no tracing, no torch.

Inputs `ids` int64 [batch, events], padded on the right, and `lengths` int64 [batch], each at least 1; output `history` float32
[batch, dim], to be multiplied with the rows of `products`. Operators of the ONNX standard alone, opset 20.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from basketry.core.errors import EncoderError
from basketry.encoders.history.layout import Layout

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import NodeProto, TensorProto

    from basketry.core.protocols import Arrays

OUTPUT: Final = "history"
_OPSET: Final = 20
_IR: Final = 10
_FAR: Final = -1e9  # added to the scores of what is not looked at
_LARGEST: Final = 2**31 - 1  # bytes of a graph in one piece


def onnx_bytes(arrays: Arrays) -> bytes:
    """The encoder as the bytes of an .onnx file. Raises EncoderError if `onnx` is not installed or the encoder is past 2 GB."""
    try:
        from onnx import TensorProto, helper
    except ImportError as error:
        raise EncoderError("building an ONNX graph needs package onnx", "pip install 'basketry[onnx]'") from error
    if sum(array.nbytes for array in arrays.values()) > _LARGEST:
        raise EncoderError("the encoder is past the 2 GB that one ONNX file holds", "train it with a smaller dim")
    graph = _Graph(arrays)
    graph.build()
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "events"])
    lengths = helper.make_tensor_value_info("lengths", TensorProto.INT64, ["batch"])
    vectors = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", graph.layout.dim])
    whole = helper.make_graph(graph.nodes, "history", [ids, lengths], [vectors], graph.constants)
    domains = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(whole, opset_imports=domains, ir_version=_IR, producer_name="basketry")
    return bytes(model.SerializeToString())


class _Graph:
    """Nodes and constants as they come; every method that adds a node gives the name of its output."""

    def __init__(self, arrays: Arrays) -> None:
        self.layout = Layout.of(arrays)
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.arrays = arrays
        self._known: set[str] = set()

    def build(self) -> None:
        """The whole network."""
        table = np.concatenate([self.arrays["products"], self.arrays["hidden"][None]])
        rows = self.node("Gather", [self.constant("table", table), "ids"])
        body: dict[str, Callable[[str], str]] = {
            "transformer": self._transformer,
            "gru": self._gru,
            "cnn": self._cnn,
            "mlp": self._mlp,
            "lightgcn": lambda rows: self.node("Mul", [self._bag(rows), self.weight("scale")]),
            "dbn": self._dbn,
        }
        self.node("Identity", [body[self.layout.body](rows)], output=OUTPUT)

    def node(self, kind: str, inputs: list[str], *, output: str = "", outputs: int = 1, **attributes: Any) -> str:
        """Add a node; its first output is what counts."""
        from onnx import helper

        name = output or f"n{len(self.nodes)}"
        names = [name, *(f"{name}.{number}" for number in range(1, outputs))]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return name

    def constant(self, name: str, array: npt.NDArray[np.generic]) -> str:
        """Add a constant, once."""
        from onnx import numpy_helper

        if name not in self._known:
            self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
            self._known.add(name)
        return name

    def number(self, value: float) -> str:
        """A constant float32 scalar."""
        return self.constant(f"number.{value}", np.array(value, dtype=np.float32))

    def whole(self, *values: int) -> str:
        """A constant of whole numbers, int64 [k]."""
        return self.constant(f"whole.{'.'.join(map(str, values))}", np.array(values, dtype=np.int64))

    def weight(self, name: str) -> str:
        """An array of the body."""
        return self.constant(name, self.arrays[f"body.{name}"])

    def linear(self, rows: str, name: str) -> str:
        """Rows W^T + b."""
        product = self.node("MatMul", [rows, self.constant(f"{name}.T", self.arrays[f"body.{name}.weight"].T)])
        return self.node("Add", [product, self.weight(f"{name}.bias")])

    def norm(self, rows: str, name: str) -> str:
        """Layer normalisation."""
        inputs = [rows, self.weight(f"{name}.weight"), self.weight(f"{name}.bias")]
        return self.node("LayerNormalization", inputs, axis=-1, epsilon=1e-5)

    def scaled(self, rows: str) -> str:
        """Rows sqrt(dim)."""
        return self.node("Mul", [rows, self.number(self.layout.dim**0.5)])

    def _width(self) -> str:
        """How many events the padded batch holds, int64 [1]."""
        return self.node("Shape", ["ids"], start=1, end=2)

    def _behind(self) -> str:
        """How many events each place lies before the last one, int64 [batch, events]; below 0 on padding."""
        none = self.constant("scalar.0", np.array(0, dtype=np.int64))
        one = self.constant("scalar.1", np.array(1, dtype=np.int64))
        width = self.node("Squeeze", [self._width(), self.whole(0)])
        last = self.node("Unsqueeze", [self.node("Sub", ["lengths", one]), self.whole(1)])
        return self.node("Sub", [last, self.node("Range", [none, width, one])])

    def _last(self, rows: str) -> str:
        """The row of each history's last event, [batch, dim] of [batch, events, dim]."""
        at = self.node("Equal", [self._behind(), self.whole(0)])
        pick = self.node("Unsqueeze", [self.node("Cast", [at], to=1), self.whole(1)])
        return self.node("Squeeze", [self.node("MatMul", [pick, rows]), self.whole(1)])

    def _counted(self) -> str:
        """1 for every event that counts for the last one, float32 [batch, events]: hidden ones do not, where any are."""
        least = self.whole(1 if self.layout.masked else 0)
        return self.node("Cast", [self.node("GreaterOrEqual", [self._behind(), least])], to=1)

    def _summed(self, weight: str, rows: str) -> str:
        row = self.node("Unsqueeze", [weight, self.whole(1)])
        return self.node("Squeeze", [self.node("MatMul", [row, rows]), self.whole(1)])

    def _bag(self, rows: str) -> str:
        weight = self._counted()
        if not self.layout.masked:
            fading = float(np.exp(self.arrays["body.bag.fading"]))
            behind = self.node("Max", [self.node("Cast", [self._behind()], to=1), self.number(0)])
            weight = self.node("Mul", [weight, self.node("Exp", [self.node("Mul", [behind, self.number(-fading)])])])
        total = self.node("Max", [self.node("ReduceSum", [weight, self.whole(1)]), self.number(1e-6)])
        return self.node("Div", [self._summed(weight, rows), self.node("Sqrt", [total])])

    def _mlp(self, rows: str) -> str:
        rows = self._bag(self.scaled(rows))
        for block in range(self.layout.blocks):
            inner = self.node("Gelu", [self.linear(rows, f"inner.{block}")])
            rows = self.node("Add", [rows, self.linear(inner, f"outer.{block}")])
        return self.norm(rows, "norm")

    def _dbn(self, rows: str) -> str:
        depth = range(self.layout.blocks - 1)
        layer = self.node("Sigmoid", [self.node("Add", [self._summed(self._counted(), rows), self.weight("up.0")])])
        steps = [(self.arrays[f"body.matrices.{i}"].T, f"matrices.{i}.T", f"up.{i + 1}") for i in depth]
        steps += [(self.arrays[f"body.matrices.{i}"], f"matrices.{i}", f"down.{i}") for i in reversed(depth)]
        for matrix, name, bias in steps:
            product = self.node("MatMul", [layer, self.constant(name, matrix)])
            layer = self.node("Sigmoid", [self.node("Add", [product, self.weight(bias)])])
        return layer

    def _gru(self, rows: str) -> str:
        line = self.node("Transpose", [self.scaled(rows)], perm=[1, 0, 2])
        lengths = self.node("Cast", ["lengths"], to=6)
        for block in range(self.layout.blocks):
            parts = {}
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                # torch orders the gates reset, update, new; ONNX update, reset, new.
                reset, update, new = np.split(self.arrays[f"body.units.{name}_l{block}"], 3)
                parts[name] = np.concatenate([update, reset, new])
            biases = np.concatenate([parts["bias_ih"], parts["bias_hh"]])
            inputs = [
                self.constant(f"units.{block}.{name}", part[None])
                for name, part in (("in", parts["weight_ih"]), ("back", parts["weight_hh"]), ("bias", biases))
            ]
            states = self.node("GRU", [line, *inputs, lengths], outputs=2, hidden_size=self.layout.dim, linear_before_reset=1)
            line = self.node("Squeeze", [states, self.whole(1)])
        return self.norm(self._last(self.node("Transpose", [line], perm=[1, 0, 2])), "norm")

    def _cnn(self, rows: str) -> str:
        rows = self.scaled(rows)
        for block in range(self.layout.blocks):
            line = self.node("Transpose", [self.norm(rows, f"norms.{block}")], perm=[0, 2, 1])
            inputs = [line, self.weight(f"looks.{block}.weight"), self.weight(f"looks.{block}.bias")]
            before = (self.arrays[f"body.looks.{block}.weight"].shape[-1] - 1) * 2**block
            seen = self.node("Gelu", [self.node("Conv", inputs, dilations=[2**block], pads=[before, 0])])
            rows = self.node("Add", [rows, self.node("Transpose", [seen], perm=[0, 2, 1])])
        return self.norm(self._last(rows), "norm")

    def _transformer(self, rows: str) -> str:
        places = self.node("Slice", [self.weight("position"), self.whole(0), self._width(), self.whole(0)])
        rows = self.node("Add", [self.scaled(rows), places])
        away = self._away()
        for block in range(self.layout.blocks):
            rows = self._block(rows, f"blocks.{block}", away)
        return self.norm(self._last(rows), "norm")

    def _away(self) -> str:
        """What is added to the scores: far below 0 where an event is not looked at."""
        if self.layout.masked:
            padding = self.node("Cast", [self.node("Less", [self._behind(), self.whole(0)])], to=1)
            return self.node("Unsqueeze", [self.node("Mul", [padding, self.number(_FAR)]), self.whole(1, 2)])
        later = self.constant("later", np.triu(np.full((self.layout.length,) * 2, _FAR, dtype=np.float32), 1))
        width = self._width()
        ends = self.node("Concat", [width, width], axis=0)
        return self.node("Slice", [later, self.whole(0, 0), ends, self.whole(0, 1)])

    def _block(self, rows: str, name: str, away: str) -> str:
        near = self.norm(rows, f"{name}.attend_norm")
        change = self.linear(self._attention(near, name, away), f"{name}.attended")
        rows = self.node("Add", [rows, self._gated(change, near, f"{name}.attend_gate")])
        near = self.norm(rows, f"{name}.feed_norm")
        inner = self.linear(near, f"{name}.inner")
        if self.layout.gated:
            one = self.node("Split", [inner], outputs=2, axis=-1, num_outputs=2)
            inner = self.node("Mul", [self.node("Mul", [one, self.node("Sigmoid", [one])]), f"{one}.1"])
        else:
            inner = self.node("Gelu", [inner])
        change = self.linear(inner, f"{name}.outer")
        return self.node("Add", [rows, self._gated(change, near, f"{name}.feed_gate")])

    def _gated(self, change: str, near: str, gate: str) -> str:
        if not self.layout.gated:
            return change
        return self.node("Mul", [change, self.node("Sigmoid", [self.linear(near, gate)])])

    def _attention(self, rows: str, name: str, away: str) -> str:
        heads, size = self.layout.heads, self.layout.dim // self.layout.heads
        split = self.node("Reshape", [self.linear(rows, f"{name}.attend"), self.whole(0, 0, 3, heads, size)])
        parts = [
            self.node("Gather", [split, self.constant(f"scalar.{part}", np.array(part, dtype=np.int64))], axis=2)
            for part in range(3)
        ]
        query, value = (self.node("Transpose", [parts[part]], perm=[0, 2, 1, 3]) for part in (0, 2))
        scores = self.node("MatMul", [query, self.node("Transpose", [parts[1]], perm=[0, 2, 3, 1])])
        scores = self.node("Add", [self.node("Mul", [scores, self.number(size**-0.5)]), away])
        seen = self.node("MatMul", [self.node("Softmax", [scores], axis=-1), value])
        return self.node("Reshape", [self.node("Transpose", [seen], perm=[0, 2, 1, 3]), self.whole(0, 0, heads * size)])
