"""A training run on disk, to go on with after a kill: arrays and JSON, nothing that can run.

```
FOLDER/checkpoint.json               the step reached, the history so far, the name and sha256 of the arrays; sealed
FOLDER/step-00000120.safetensors     weights, best weights yet, the optimiser's moments
```

The arrays are written first and the card last, each durably and by rename: whenever the process is killed, the folder holds the
last whole checkpoint. No random state is stored, because none is carried: the loop draws every random number from
(seed, step, micro-batch, process).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from basketry.core.errors import RequestError, StorageError
from basketry.store import durable
from basketry.store.arrays import read_arrays, write_arrays
from basketry.store.sealed import MALFORMED, seal, unseal

if TYPE_CHECKING:
    from torch import Tensor, nn

CARD: Final = "checkpoint.json"
_FORMAT: Final = 1


@dataclass(frozen=True)
class Checkpoint:
    """A run after `step` steps: tensors by name, and `body`, the plain JSON that goes with them."""

    step: int
    tensors: Mapping[str, Tensor]
    body: Mapping[str, Any]


class CheckpointFolder:
    """The checkpoints of one run, told apart from any other run's by `identity`."""

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder = folder
        self._identity = identity

    def write(self, checkpoint: Checkpoint) -> None:
        """Put `checkpoint` in the place of the one before. Raises StorageError, leaving the one before."""
        durable.make_folder(self._folder)
        file = self._folder / f"step-{checkpoint.step:08d}.safetensors"
        write_arrays(file, {name: tensor.numpy() for name, tensor in checkpoint.tensors.items()})
        card: dict[str, Any] = {
            "format": _FORMAT,
            "identity": self._identity,
            "step": checkpoint.step,
            "file": file.name,
            "sha256": durable.fingerprint(file)[0],
            "body": dict(checkpoint.body),
        }
        durable.write_file(self._folder / CARD, seal(card))
        for other in self._folder.glob("step-*.safetensors"):
            if other != file:
                other.unlink(missing_ok=True)

    def read(self) -> Checkpoint | None:
        """The last whole checkpoint, or None if there is none.

        Raises RequestError if it is another run's, StorageError if it is damaged.
        """
        path = self._folder / CARD
        if not path.exists():
            return None
        with durable.guarded(path, "read"):
            data = path.read_bytes()
        try:
            card = unseal(data)
            if card["format"] != _FORMAT or card["identity"] != self._identity:
                raise RequestError(
                    f"{self._folder} holds a checkpoint of another training run",
                    "Go on with the same model, examples, plan and seed as before, or name another folder.",
                )
            file = self._folder / Path(card["file"]).name
            with durable.guarded(file, "read"):
                found = durable.fingerprint(file)[0]
            if found != card["sha256"]:
                raise ValueError(f"{file.name} differs from its sha256")
            tensors = {name: torch.from_numpy(np.array(array)) for name, array in read_arrays(file).items()}
            return Checkpoint(card["step"], tensors, card["body"])
        except RequestError:
            raise
        except MALFORMED as error:
            raise StorageError(
                f"the checkpoint in {self._folder} is damaged: {error}", "Delete the folder: start anew."
            ) from error


def digest(module: nn.Module, circumstances: Iterable[object]) -> str:
    """sha256 over a module's parameters, which of them are trained, its buffers, and what else makes a run the same run."""
    found = hashlib.sha256(repr(tuple(circumstances)).encode())
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        found.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0{tensor.requires_grad}\n".encode())
        for part in _dense(tensor.detach().cpu()):
            found.update(part.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def _dense(tensor: Tensor) -> tuple[Tensor, ...]:
    """What a tensor holds, as dense ones: a sparse matrix (LightGCN's graph) is three."""
    if tensor.layout is torch.sparse_csr:
        return tensor.crow_indices(), tensor.col_indices(), tensor.values()
    return (tensor,)
