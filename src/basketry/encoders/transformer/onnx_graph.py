"""An ONNX graph built from the arrays themselves: no tracing, no torch, and whatever shapes pruning has left.

Two flavours: `standard` uses operators of the ONNX standard alone (opset 20), for any runtime and for export; `fused` uses the
transformer operators that ONNX Runtime adds (domain com.microsoft), which compute the same in fewer passes over memory.

Inputs `input_ids` and `attention_mask`, int64 [batch, tokens]; output `sentence_embedding`, float32 [batch, dim], unit norm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from basketry.core.errors import EncoderError
from basketry.encoders.transformer.layout import ATTENTION, Shape, dense, has, plain
from basketry.encoders.transformer.numbers import blocks_of, steps_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from onnx import NodeProto, TensorProto

    from basketry.encoders.state import EncoderState

Flavour = Literal["standard", "fused"]
OUTPUT: Final = "sentence_embedding"
_MICROSOFT: Final = "com.microsoft"
_OPSET: Final = 20
_IR: Final = 10
_FAR: Final = np.float32(-1e9)  # added to the scores of what is no token
_LARGEST: Final = 2**31 - 1  # bytes of a graph in one piece


def onnx_bytes(state: EncoderState, flavour: Flavour = "standard", watched: dict[str, str] | None = None) -> bytes:
    """The model as the bytes of an .onnx file. Raises EncoderError if `onnx` is not installed or the model is past 2 GB.

    `watched`, where given, is filled with the name of every matrix and of the output that holds its input: for calibration.
    """
    try:
        from onnx import ModelProto, TensorProto, helper
    except ImportError as error:
        raise EncoderError("building an ONNX graph needs package onnx", "pip install 'basketry[onnx]'") from error
    if sum(array.size * 4 for array in state.arrays.values()) > _LARGEST:
        raise EncoderError("the model is past the 2 GB that one ONNX file holds", "quantise it, or run it as sentence:FOLDER")
    graph = _Graph(state, flavour, watched)
    graph.build()
    numbers = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in graph.inputs]
    vectors = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", graph.shape.dim])
    seen = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in dict.fromkeys((watched or {}).values())]
    whole = helper.make_graph(graph.nodes, "encoder", numbers, [vectors, *seen], graph.constants)
    domains = [helper.make_opsetid("", _OPSET)] + ([helper.make_opsetid(_MICROSOFT, 1)] if flavour == "fused" else [])
    model: ModelProto = helper.make_model(whole, opset_imports=domains, ir_version=_IR, producer_name="basketry")
    return bytes(model.SerializeToString())


class _Graph:
    """Nodes and constants as they come; every method that adds a node gives the name of its output."""

    inputs: Final = ("input_ids", "attention_mask")

    def __init__(self, state: EncoderState, flavour: Flavour, watched: dict[str, str] | None = None) -> None:
        self.shape = Shape.of(state)
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._arrays = state.arrays
        self._fused = flavour == "fused"
        self._known: dict[str, str] = {}
        self.watched = watched  # name of a matrix -> name of its input

    def build(self) -> None:
        """The whole network."""
        mask = self._mask()
        rows = self._embeddings()
        for layer in range(len(self.shape.heads)):
            rows = self._layer(layer, rows, mask)
        self._pool(rows)

    def node(self, kind: str, inputs: list[str], *, output: str = "", domain: str = "", **attributes: Any) -> str:
        """Add a node of one output."""
        from onnx import helper

        name = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], domain=domain, **attributes))
        return name

    def constant(self, name: str, array: npt.NDArray[np.generic]) -> str:
        """Add a constant; a name already added is given back as it is."""
        from onnx import numpy_helper

        if name not in self._known:
            self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
            self._known[name] = name
        return name

    def once(self, kind: str, inputs: list[str]) -> str:
        """A node that is added the first time only, however many read its output."""
        key = f"{kind}({', '.join(inputs)})"
        if key not in self._known:
            self._known[key] = self.node(kind, inputs)
        return self._known[key]

    def whole(self, name: str, numbers: list[int]) -> str:
        """A constant of whole numbers."""
        return self.constant(name, np.array(numbers, dtype=np.int64))

    def _mask(self) -> str:
        """What the scores are told of padding: a key mask [batch, tokens] (fused), or what is added to scores."""
        if self._fused:
            return self.node("Cast", ["attention_mask"], to=6)  # int32
        counted = self.node("Cast", ["attention_mask"], to=1)
        away = self.node("Sub", [self.constant("one", np.array([1], dtype=np.float32)), counted])
        far = self.node("Mul", [away, self.constant("far", np.array([_FAR]))])
        return self.node("Unsqueeze", [far, self.whole("axes12", [1, 2])])

    def _embeddings(self) -> str:
        words = self._gather("embeddings.word")
        length = self.node("Shape", ["input_ids"], start=1, end=2)
        position = self.constant("embeddings.position", plain(self._arrays, "embeddings.position"))
        places = self.node("Slice", [position, self.whole("zero", [0]), length, self.whole("zero", [0])])
        return self._norm(self.node("Add", [words, places]), "embeddings.norm")

    def _gather(self, name: str) -> str:
        """Rows of a table; one of whole numbers stays so, and only the rows read are scaled."""
        table = self._arrays[name]
        if table.dtype == np.int8:
            rows = self.node("Cast", [self.node("Gather", [self.constant(name, table), "input_ids"])], to=1)
            scale = self.constant(f"{name}.scale", np.asarray(self._arrays[f"{name}.scale"], dtype=np.float32)[:, None])
            return self.node("Mul", [rows, self.node("Gather", [scale, "input_ids"])])
        rows = self.node("Gather", [self.constant(name, table), "input_ids"])
        return rows if table.dtype == np.float32 else self.node("Cast", [rows], to=1)

    def _norm(self, rows: str, name: str) -> str:
        gain, shift = (self.constant(f"{name}.{part}", plain(self._arrays, f"{name}.{part}")) for part in ("gain", "shift"))
        return self.node("LayerNormalization", [rows, gain, shift], axis=-1, epsilon=self.shape.norm_eps)

    def _added(self, rows: str, more: str, name: str) -> str:
        """Layer normalisation of a sum. In two nodes: the runtime's fused one takes some six times as long on a CPU."""
        return self._norm(self.node("Add", [rows, more]), name)

    def _layer(self, layer: int, rows: str, mask: str) -> str:
        name = f"layers.{layer}"
        attention = self._attention(layer, rows, mask)
        rows = self._added(rows, self._linear(attention, f"{name}.attention.output"), f"{name}.attention.norm")
        kind = "Gelu" if self.shape.activation == "gelu" else "Relu"
        inner = self.node(kind, [self._linear(rows, f"{name}.feed.inner")])
        rows = self._added(rows, self._linear(inner, f"{name}.feed.outer"), f"{name}.feed.norm")
        if not has(self._arrays, f"{name}.adapter.down"):
            return rows
        narrow = self.node("Gelu", [self._linear(rows, f"{name}.adapter.down")])
        return self.node("Add", [rows, self._linear(narrow, f"{name}.adapter.up")])

    def _attention(self, layer: int, rows: str, mask: str) -> str:
        heads, size = self.shape.heads[layer], self.shape.head_dim
        parts = [self._linear(rows, f"layers.{layer}.attention.{part}") for part in ATTENTION]
        if self._fused:
            inputs = [*parts, "", mask]
            return self.node("MultiHeadAttention", inputs, domain=_MICROSOFT, num_heads=heads)
        split = self.whole(f"heads{heads}", [0, 0, heads, size])
        query, key, value = (self.node("Reshape", [part, split]) for part in parts)
        query, value = (self.node("Transpose", [part], perm=[0, 2, 1, 3]) for part in (query, value))
        scores = self.node("MatMul", [query, self.node("Transpose", [key], perm=[0, 2, 3, 1])])
        scaled = self.node("Mul", [scores, self.constant("root", np.array([size**-0.5], dtype=np.float32))])
        looks = self.node("Softmax", [self.node("Add", [scaled, mask])], axis=-1)
        seen = self.node("Transpose", [self.node("MatMul", [looks, value])], perm=[0, 2, 1, 3])
        return self.node("Reshape", [seen, self.whole(f"joined{heads}", [0, 0, heads * size])])

    def _linear(self, rows: str, name: str) -> str:
        """Rows times the transposed matrix, plus its bias: through both factors where it has two."""
        if f"{name}.left" in self._arrays:
            return self._product(self._product(rows, f"{name}.right"), f"{name}.left", f"{name}.bias")
        return self._product(rows, f"{name}.weight", f"{name}.bias")

    def _product(self, rows: str, name: str, bias: str = "") -> str:
        added = self.constant(bias, plain(self._arrays, bias)) if bias in self._arrays else ""
        if self.watched is not None:
            self.watched[name] = rows
        span = self._arrays.get(f"{name.removesuffix('.weight')}.range")
        if span is not None and len(span):
            return self._whole_product(rows, name, added)
        if span is not None and self._fused:
            product = self._row_product(rows, name)
        else:
            product = self.node("MatMul", [rows, self.constant(f"{name}.T", plain(self._arrays, name).T)])
        return self.node("Add", [product, added]) if added else product

    def _whole_product(self, rows: str, name: str, added: str) -> str:
        """A product of whole numbers, the input rounded between two fixed ends."""
        base = name.removesuffix(".weight")
        step, zero = steps_of(self._arrays[f"{base}.range"])
        key = f"steps.{float(step)}.{int(zero)}"
        fixed = [self.constant(key, np.array(step)), self.constant(f"{key}.zero", np.array(zero))]
        rounded = self.once("QuantizeLinear", [rows, *fixed])
        numbers = self.constant(f"{name}.T", self._arrays[name].T)
        scale = self.constant(f"{base}.scale", np.asarray(self._arrays[f"{base}.scale"], dtype=np.float32))
        if self._fused:
            return self.node(
                "MatMulIntegerToFloat", [rounded, numbers, fixed[0], scale, fixed[1], "", added], domain=_MICROSOFT
            )
        product = self.node(
            "MatMul",
            [self.once("DequantizeLinear", [rounded, *fixed]), self.node("DequantizeLinear", [numbers, scale], axis=1)],
        )
        return self.node("Add", [product, added]) if added else product

    def _row_product(self, rows: str, name: str) -> str:
        """A product of whole numbers, each row of the input rounded by blocks of its own."""
        bits, numbers, scale, block = blocks_of(self._arrays, name)
        constants = [self.constant(f"{name}.blocks", numbers), self.constant(f"{name}.scales", scale)]
        stored = self._arrays[f"{name.removesuffix('.weight')}.packed" if bits == 4 else name]
        out, into = len(stored), stored.shape[1] * (2 if bits == 4 else 1)
        sizes = {"K": into, "N": out, "bits": bits, "block_size": block, "accuracy_level": 4}
        return self.node("MatMulNBits", [rows, *constants], domain=_MICROSOFT, **sizes)

    def _pool(self, rows: str) -> None:
        """The output: pooled, projected, of unit norm."""
        if self.shape.pooling == "first":
            vector = self.node("Gather", [rows, self.constant("first", np.array(0, dtype=np.int64))], axis=1)
        else:
            counted = self.node("Cast", ["attention_mask"], to=1)
            row = self.node("Unsqueeze", [counted, self.whole("axis1", [1])])
            vector = self.node("Squeeze", [self.node("MatMul", [row, rows]), self.whole("axis1", [1])])
        if has(self._arrays, "project"):
            matrix = self.constant("project.T", dense(self._arrays, "project").T)
            vector = self.node("MatMul", [vector, matrix])
        self.node("LpNormalization", [vector], output=OUTPUT, axis=-1, p=2)
