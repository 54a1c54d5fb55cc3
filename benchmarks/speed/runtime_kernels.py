"""How fast ONNX Runtime multiplies by rounded matrices here, and what its fused normalisation costs: the reasons of ADR 0025.

    python benchmarks/speed/runtime_kernels.py [ROUNDS]

One thread, user + system CPU time, the median of interleaved rounds of ten calls each. Sizes are those of MiniLM's widest
matrix for 32 short texts. Writes docs/reference/speed-runtime-kernels.md.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from basketry.encoders.transformer.numbers import blocks_of, packed_blocks, rounded_rows, steps_of

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "speed-runtime-kernels.md"
ROWS, INTO, OUT = 640, 384, 1536
CALLS = 10
MICROSOFT = "com.microsoft"
ADDED = {"MatMulNBits", "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "SkipLayerNormalization"}  # by ONNX Runtime
Call = Callable[[np.ndarray], np.ndarray]
Node = tuple[str, list[str], dict[str, Any]]


def session(nodes: list[Node], constants: dict[str, Any]) -> Call:
    """A graph from `x` to the output of its last node, as drawn: nothing is fused."""
    drawn = [
        helper.make_node(kind, inputs, [f"n{place}"], domain=MICROSOFT if kind in ADDED else "", **attributes)
        for place, (kind, inputs, attributes) in enumerate(nodes)
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", INTO])
    y = helper.make_tensor_value_info(f"n{len(nodes) - 1}", TensorProto.FLOAT, None)
    stored = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    domains = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
    model = helper.make_model(helper.make_graph(drawn, "kernel", [x], [y], stored), opset_imports=domains, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    made = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda rows: made.run(None, {"x": rows})[0]


def products(x: np.ndarray, matrix: np.ndarray) -> dict[str, tuple[Call, str]]:
    """Every kernel of a product, and whether a row's result depends on the other rows."""
    numbers, scale = rounded_rows(matrix)
    packed, halves = packed_blocks(matrix, 128)
    step, zero = steps_of(np.array([x.min(), x.max()], dtype=np.float32))

    def by_rows(arrays: dict[str, np.ndarray], bits: int) -> Call:
        _, blocks, scales, block = blocks_of(arrays, "w.weight")
        sizes = {"K": INTO, "N": OUT, "bits": bits, "block_size": block, "accuracy_level": 4}
        return session([("MatMulNBits", ["x", "w", "s"], sizes)], {"w": blocks, "s": scales})

    def fixed(kind: type, zero_point: int, width: np.float32) -> Call:
        nodes: list[Node] = [
            ("QuantizeLinear", ["x", "step", "zero"], {}),
            ("MatMulIntegerToFloat", ["n0", "w", "step", "s", "zero"], {}),
        ]
        return session(nodes, {"w": numbers.T.copy(), "s": scale, "step": width, "zero": np.array(zero_point, dtype=kind)})

    return {
        "float32, `MatMul`": (session([("MatMul", ["x", "w"], {})], {"w": matrix.T.copy()}), "no"),
        "8 bits, rows rounded as they come, `MatMulNBits`": (by_rows({"w.weight": numbers, "w.scale": scale}, 8), "no"),
        "4 bits, rows rounded as they come, `MatMulNBits`": (by_rows({"w.packed": packed, "w.scale": halves}, 4), "no"),
        "u8 x s8, the batch's range, `DynamicQuantizeMatMul`": (
            session([("DynamicQuantizeMatMul", ["x", "w", "s"], {})], {"w": numbers.T.copy(), "s": scale}),
            "yes",
        ),
        "u8 x s8, a fixed range, `MatMulIntegerToFloat`": (fixed(np.uint8, int(zero), step), "no"),
        "s8 x s8, a fixed range, `MatMulIntegerToFloat`": (fixed(np.int8, 0, np.float32(np.abs(x).max() / 127)), "no"),
    }


def norms(rng: np.random.Generator) -> dict[str, Call]:
    """Adding and normalising in one node, and in two."""
    constants = {
        "y": rng.normal(size=(ROWS, INTO)).astype(np.float32),
        "g": np.ones(INTO, np.float32),
        "b": np.zeros(INTO, np.float32),
    }
    two: list[Node] = [("Add", ["x", "y"], {}), ("LayerNormalization", ["n0", "g", "b"], {"axis": -1})]
    return {
        "`SkipLayerNormalization`": session([("SkipLayerNormalization", ["x", "y", "g", "b"], {})], constants),
        "`Add`, then `LayerNormalization`": session(two, constants),
    }


def timed(calls: dict[str, Call], x: np.ndarray, rounds: int) -> dict[str, float]:
    """CPU microseconds of a call."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            begun = time.process_time()
            for _ in range(CALLS):
                call(x)
            spent[name].append((time.process_time() - begun) / CALLS)
    return {name: statistics.median(each) * 1e6 for name, each in spent.items()}


def main() -> None:
    """Measure, print and write the page."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, INTO)).astype(np.float32)
    matrix = (rng.normal(size=(OUT, INTO)) / INTO**0.5).astype(np.float32)
    ways = products(x, matrix)
    spent = timed({name: call for name, (call, _) in ways.items()}, x, rounds)
    unit = next(iter(spent.values()))
    exact = x @ matrix.T
    lines = [
        "# Speed: kernels of the runtime",
        "",
        "`python benchmarks/speed/runtime_kernels.py` wrote this page: one thread, CPU time, ONNX Runtime "
        f"{onnxruntime.__version__}.",
        f"A product of {ROWS} x {INTO} by {INTO} x {OUT} random numbers; what became of it:",
        "[the choice](../decisions/0025-whole-numbers-with-fixed-ranges.md).",
        "",
        "| Kernel | CPU us | times float32 | relative error | a row depends on the others |",
        "|---|---:|---:|---:|---|",
    ]
    for name, (call, depends) in ways.items():
        error = np.linalg.norm(call(x) - exact) / np.linalg.norm(exact)
        lines.append(f"| {name} | {spent[name]:.0f} | {unit / spent[name]:.1f} | {error:.4f} | {depends} |")
    lines += [
        "",
        f"Adding {ROWS} x {INTO} numbers to as many, and normalising each row:",
        "",
        "| Nodes | CPU us |",
        "|---|---:|",
    ]
    lines += [f"| {name} | {spent:.0f} |" for name, spent in timed(norms(rng), x, rounds).items()]
    PAGE.write_text("\n".join([*lines, ""]), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
