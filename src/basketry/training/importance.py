"""How much a text's vector would change without a unit, to first order: what structured pruning by `taylor` asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch import Tensor, nn

from basketry.encoders.models import network_of, tokeniser_of
from basketry.training.examples import Texts

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Run
    from basketry.encoders.state import EncoderState

_TEXTS: Final = 32  # in a batch
_DRAWS: Final = 2  # random directions a batch


def slopes(state: EncoderState, texts: Sequence[str], run: Run) -> dict[str, npt.NDArray[np.float64]]:
    """float64 [in] for `layers.I.attention.output` and `layers.I.feed.outer` of a transformer: a figure for each input column.

    With v(text) the unit vector, r a random direction with E[r r'] = 1 and x_c a column's values at the text's tokens, it is
    E (sum over tokens of x_c . d(r . v) / d x_c)^2 = E |J_c x_c|^2: the squared first-order change of the vector if the column
    were 0. A loss against the vector itself would not do, its gradient being 0 there. Some 30 short texts a CPU second for
    MiniLM. Source: Molchanov et al., Importance Estimation for Neural Network Pruning (2019).
    """
    network = network_of(state).eval()
    torch.set_num_threads(run.threads)
    inputs: dict[str, Tensor] = {}
    wanted = [name for name, _ in network.named_modules() if name.endswith(("attention.output", "feed.outer"))]
    hooks = [network.get_submodule(name).register_forward_pre_hook(_keep(inputs, name)) for name in wanted]
    tokens = sorted(tokeniser_of(state)(texts), key=len)
    examples, sums = Texts(tokens), {name: np.zeros(1) for name in wanted}
    generator = torch.Generator().manual_seed(run.seed)
    for start in range(0, len(tokens), _TEXTS):
        batch = examples.batch(np.arange(start, min(start + _TEXTS, len(tokens))))
        vectors = network(batch["ids"], batch["mask"])
        for draw in range(_DRAWS):
            direction = torch.randn(vectors.shape, generator=generator)
            gradients = torch.autograd.grad((vectors * direction).sum(), list(inputs.values()), retain_graph=draw + 1 < _DRAWS)
            for (name, rows), gradient in zip(inputs.items(), gradients, strict=True):
                change = (rows.detach() * gradient).sum(1)  # over the tokens of a text; padding has no gradient
                sums[name] = sums[name] + (change**2).sum(0).double().numpy() / (_DRAWS * len(tokens))
    for hook in hooks:
        hook.remove()
    return sums


def _keep(inputs: dict[str, Tensor], name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def hook(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        inputs[name] = given[0]

    return hook
