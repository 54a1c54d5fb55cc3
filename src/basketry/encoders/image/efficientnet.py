"""EfficientNet-Lite0, the small image network whose weights come with a package: its pickle is read once, here, never again.

The package holds a torch pickle, the one exception to the rule that no weights load by pickle: it is read by `convert` alone,
after its sha256 was compared with the pinned one, with `weights_only=True`, and becomes arrays and a graph:

```
FOLDER/model.safetensors   the folded arrays, convolution by convolution: NAME.weight [out, in / groups, k, k], NAME.bias [out]
FOLDER/model.onnx          the same as a graph, [n, 3, 224, 224] -> [n, 1280]
FOLDER/image.json          how to prepare an image
```

The graph is built from the arrays, not traced: the network is nothing but convolutions, a clip to 0..6 and sums, and batch
normalisation folds into its convolution (w' = w g / sqrt(v + e), b' = b - m g / sqrt(v + e)). Built so it needs no exporter,
and equal arrays give an equal file.

Source: Tan and Le, EfficientNet (2019); the Lite variants drop squeeze-and-excitation and put ReLU6 for swish.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from basketry.core.errors import EncoderError
from basketry.encoders.image.decoding import Cut
from basketry.encoders.image.preparation import OWN, Preparation
from basketry.encoders.weights import WEIGHTS, verified
from basketry.store import durable

if TYPE_CHECKING:
    import numpy.typing as npt

    Arrays = Mapping[str, npt.NDArray[np.float32]]

NAME: Final = "efficientnet-lite0"
SIDE: Final = 224
DIM: Final = 1_280
PREPARATION: Final = Preparation(Cut((256,), (SIDE, SIDE)), (127 / 255,) * 3, (128 / 255,) * 3)
_EPSILON: Final = 1e-3
_EXTRA: Final = "pip install 'basketry[efficientnet]'"


@dataclass(frozen=True)
class Convolution:
    """One convolution: where its arrays are, how it strides, and what follows it."""

    name: str
    normalisation: str
    kernel: int
    stride: int = 1
    depthwise: bool = False
    clipped: bool = True


@dataclass(frozen=True)
class Block:
    """Convolutions one after the other, their input added to their output where `skip`."""

    convolutions: tuple[Convolution, ...]
    skip: bool


def blocks() -> Iterator[Block]:
    """The network in the order of its computation."""
    yield Block((Convolution("_conv_stem", "_bn0", 3, 2),), skip=False)
    # Repeats, kernel and first stride of each stage, and how many times wider the inside of a block is.
    stages = ((1, 3, 1, 1), (2, 3, 2, 6), (2, 5, 2, 6), (3, 3, 2, 6), (3, 5, 1, 6), (4, 5, 2, 6), (1, 3, 1, 6))
    number = 0
    for repeats, kernel, first, widening in stages:
        for repeat in range(repeats):
            at = f"_blocks.{number}."
            inside = (
                Convolution(f"{at}_depthwise_conv", f"{at}_bn1", kernel, first if repeat == 0 else 1, depthwise=True),
                Convolution(f"{at}_project_conv", f"{at}_bn2", 1, clipped=False),
            )
            wider = (Convolution(f"{at}_expand_conv", f"{at}_bn0", 1),) if widening > 1 else ()
            yield Block((*wider, *inside), skip=repeat > 0)
            number += 1
    yield Block((Convolution("_conv_head", "_bn1", 1),), skip=False)


def convert(folder: Path) -> None:
    """Write EfficientNet-Lite0 into `folder`, from the installed package, offline; about 2 s. The card is written last.

    Raises EncoderError if the extra is missing or the package's file is not the pinned one, StorageError if the disk refuses.
    """
    try:
        import onnx  # noqa: F401  both are needed further down: say so before anything is read
        import torch
    except ImportError as error:
        raise EncoderError(f"converting efficientnet needs package {error.name}", _EXTRA) from error
    pinned = next(weights for weights in WEIGHTS if weights.name == NAME)
    file = pinned.locate()
    if file is None:
        raise EncoderError(f"package {pinned.package} is not installed", _EXTRA)
    # The one place that reads a pickle: proved to be the pinned bytes first, and even so nothing but tensors may be in it.
    tensors = torch.load(io.BytesIO(verified(file, pinned.sha256)), map_location="cpu", weights_only=True)
    write(folder, folded({name: tensor.numpy() for name, tensor in tensors.items() if tensor.dtype == torch.float32}))


def converted(folder: Path | None = None) -> Path:
    """A folder with the converted model: `folder`, else one in the user's cache, filled when first asked for.

    Two processes that fill it at once write the same bytes, each file by rename. Raises as `convert` does.
    """
    if folder is None:
        pinned = next(weights for weights in WEIGHTS if weights.name == NAME)
        folder = Path.home() / ".cache" / "basketry" / f"{NAME}-{pinned.sha256[:16]}"
    if not (folder / OWN).is_file():
        convert(folder)
    return folder


def folded(arrays: Arrays) -> dict[str, npt.NDArray[np.float32]]:
    """Each convolution with its normalisation folded in; the classifier of 1,000 classes is left behind."""
    found: dict[str, npt.NDArray[np.float32]] = {}
    for convolution in (one for block in blocks() for one in block.convolutions):
        norm = convolution.normalisation
        gain = arrays[f"{norm}.weight"].astype(np.float64) / np.sqrt(
            arrays[f"{norm}.running_var"].astype(np.float64) + _EPSILON
        )
        weight = arrays[f"{convolution.name}.weight"] * gain[:, None, None, None]
        name = convolution.name.removeprefix("_").replace("._", ".")
        found[f"{name}.weight"] = weight.astype(np.float32)
        found[f"{name}.bias"] = (arrays[f"{norm}.bias"] - arrays[f"{norm}.running_mean"] * gain).astype(np.float32)
    return found


def write(folder: Path, arrays: Arrays) -> None:
    """Put arrays, graph and card into `folder`, each durably and atomically."""
    from safetensors.numpy import save

    durable.make_folder(folder)
    durable.write_file(folder / "model.safetensors", save(dict(arrays)))
    network = graph(arrays)
    durable.write_file(folder / "model.onnx", network)
    card = PREPARATION.card() | {"sha256": hashlib.sha256(network).hexdigest()}
    durable.write_file(folder / OWN, json.dumps(card, indent=1).encode())


def graph(arrays: Arrays) -> bytes:
    """The network as an ONNX model: `pixels` float [n, 3, 224, 224] -> `embedding` float [n, 1280], mean of 7 x 7 places."""
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    current, side, made = "pixels", SIDE, 0

    def node(kind: str, inputs: list[str], **attributes: Any) -> str:
        nonlocal made
        made += 1
        nodes.append(helper.make_node(kind, inputs, [f"x{made}"], **attributes))
        return f"x{made}"

    for block in blocks():
        entered = current
        for convolution in block.convolutions:
            name = convolution.name.removeprefix("_").replace("._", ".")
            shape = {"kernel_shape": [convolution.kernel] * 2, "strides": [convolution.stride] * 2}
            groups = len(arrays[f"{name}.weight"]) if convolution.depthwise else 1
            pads = _pads(side, convolution.kernel, convolution.stride)
            current = node("Conv", [current, f"{name}.weight", f"{name}.bias"], group=groups, pads=pads, **shape)
            side = -(-side // convolution.stride)
            if convolution.clipped:
                current = node("Clip", [current, "zero", "six"])
        if block.skip:
            current = node("Add", [entered, current])
    pooled = node("GlobalAveragePool", [current])
    nodes.append(helper.make_node("Flatten", [pooled], ["embedding"], axis=1))
    constants = {**arrays, "zero": np.float32(0), "six": np.float32(6)}
    made_graph = helper.make_graph(
        nodes,
        NAME,
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", DIM])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(made_graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _pads(side: int, kernel: int, stride: int) -> list[int]:
    """TensorFlow's SAME: the output has ceil(side / stride) places, and an odd pixel of padding goes to the end."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    before, after = total // 2, total - total // 2
    return [before, before, after, after]
