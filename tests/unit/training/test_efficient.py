"""Few weights trained, the others untouched; what is folded back gives the same vectors without peft."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("onnxruntime")

from basketry.core.errors import RequestError  # noqa: E402
from basketry.core.protocols import Run  # noqa: E402
from basketry.encoders.models import encoder_of, network_of, tokeniser_of  # noqa: E402
from basketry.encoders.state import EncoderState  # noqa: E402
from basketry.testing.encoders import DOCUMENTS  # noqa: E402
from basketry.training.efficient import METHODS, make_efficient  # noqa: E402
from basketry.training.examples import TextPairs  # noqa: E402
from basketry.training.loop import train  # noqa: E402
from basketry.training.objectives import Contrastive  # noqa: E402
from basketry.training.plan import TrainingPlan  # noqa: E402
from training_worlds import weights_of  # noqa: E402
from transformer_worlds import WORDS, transformer  # noqa: E402

RUN = Run(seed=1, threads=1)
PLAN = TrainingPlan(learning_rate=0.02, epochs=10, batch_size=8, checkpoint_steps=4)
# Two layers of widths 32 and 16 for the heads, 32 and 24 within the feed-forward part, 32 hidden.
LORA = [(32, 32)] * 4 + [(32, 32)] * 2 + [(32, 16)] * 3 + [(16, 32)] + [(32, 24), (24, 32)]


def pairs(state: EncoderState) -> TextPairs:
    tokens = tokeniser_of(state)([" ".join(WORDS[first : first + 4]) for first in range(16)])
    return TextPairs(tokens, np.array([[one, (one + 5) % 16] for one in range(16)]))


def inputs(state: EncoderState) -> tuple[torch.Tensor, torch.Tensor]:
    batch = pairs(state).batch(np.arange(8))
    return batch["ids"], batch["mask"]


@pytest.mark.parametrize(
    ("method", "trainable"),
    [
        ("lora", sum(3 * (into + out) for into, out in LORA)),
        ("adalora", sum(4 * (into + out + 1) for into, out in LORA)),
        ("adapters", 2 * (3 * 32 + 3 + 32 * 3 + 32)),
    ],
)
def test_it_begins_where_the_module_was_and_trains_what_it_says(method: str, trainable: int) -> None:
    state = transformer()
    module = network_of(state)
    before = module(*inputs(state)).detach()
    efficient = make_efficient(module, method, rank=3)
    assert torch.allclose(module(*inputs(state)), before, atol=1e-6)
    assert efficient.trainable == trainable and efficient.total == sum(array.size for array in state.arrays.values())


@pytest.mark.parametrize("method", METHODS)
def test_training_moves_the_new_weights_alone_and_merging_changes_no_vector(method: str) -> None:
    state = transformer()
    module = network_of(state)
    efficient = make_efficient(module, method, rank=2)
    frozen = {name: one.detach().clone() for name, one in module.named_parameters() if not one.requires_grad}
    history = train(module, efficient.objective(Contrastive(0.1)), pairs(state), PLAN, RUN)
    assert history.losses[-1] < history.losses[0] - 0.2
    assert all(torch.equal(one, frozen[name]) for name, one in module.named_parameters() if name in frozen)

    with torch.no_grad():
        apart = module(*inputs(state))
        whole = efficient.merged()
        assert torch.allclose(whole(*inputs(state)), apart, atol=1e-5)
        served = EncoderState("transformer", whole.arrays(), state.settings, state.files)
        assert torch.allclose(network_of(served)(*inputs(state)), apart, atol=1e-5)
    assert set(served.arrays) - set(state.arrays) == {
        f"layers.{layer}.adapter.{part}.{kind}"
        for layer in range(2)
        for part in ("down", "up")
        for kind in ("weight", "bias")
        if method == "adapters"
    }


@pytest.mark.parametrize("runtime", ["onnxruntime", "torch"])
def test_every_runtime_reads_adapters(runtime: str) -> None:
    state = transformer()
    module = network_of(state)
    make_efficient(module, "adapters", rank=3)
    with torch.no_grad():
        for layer in module.layers:
            layer.adapter.up.weight.normal_(0, 0.5, generator=torch.Generator().manual_seed(0))
    adapted = EncoderState("transformer", module.arrays(), state.settings, state.files)
    texts = list(DOCUMENTS[:4])
    found, plain = (encoder_of(one, RUN, runtime).encode(texts) for one in (adapted, state))
    tokens = tokeniser_of(state)(texts)
    with torch.no_grad():
        expected = [module(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.bool))[0].numpy() for ids in tokens]
    assert found == pytest.approx(np.stack(expected), abs=1e-5) and np.abs(found - plain).max() > 0.01


def test_adalora_ends_with_the_budget_and_resumes_to_the_same_bits(tmp_path: Path) -> None:
    def go(folder: Path | None, die_at: int = 0) -> torch.nn.Module:
        state = transformer()
        module, calls = network_of(state), 0
        efficient = make_efficient(module, "adalora", rank=2)
        contrast = Contrastive(0.1)

        def objective(called: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
            nonlocal calls
            calls += 1
            if calls == die_at:
                raise OSError("pulled the plug")
            return contrast(called, batch)

        train(module, efficient.objective(objective), pairs(state), PLAN, RUN, folder=folder)
        return module

    straight = go(None)
    values = torch.cat([one.flatten() for name, one in straight.named_parameters() if ".lora_E." in name])
    assert len(values) == 12 * 3 and (values != 0).sum() == 12 * 2
    for moment in (10, 10):  # of 20 steps: in step 10, and from the checkpoint of 8 in step 18; ranks are settled after 15
        with pytest.raises(OSError, match="plug"):
            go(tmp_path, die_at=moment)
    resumed = go(tmp_path)
    assert all(np.array_equal(weights_of(resumed)[name], weight) for name, weight in weights_of(straight).items())


def test_the_default_encoders_network_takes_low_rank_updates() -> None:
    """All linear layers but the one whose matrix is read without calling it, so that nothing is trained in vain."""
    from basketry.encoders.models import load_state

    state = load_state("universal")
    module = network_of(state)
    efficient = make_efficient(module, "lora", rank=2)
    ids, mask = inputs_of_ngram(state)
    module(ids, mask).square().mul(torch.arange(512)).sum().backward()
    assert all(one.grad is not None for one in module.parameters() if one.requires_grad)
    with torch.no_grad():
        for name, one in module.named_parameters():
            if "lora_B" in name:
                one.normal_(0, 0.01, generator=torch.Generator().manual_seed(0))
        apart = module(ids, mask)
        assert torch.allclose(efficient.merged()(ids, mask), apart, atol=1e-5)
        assert set(module.arrays()) == set(state.arrays)


def inputs_of_ngram(state: EncoderState) -> tuple[torch.Tensor, torch.Tensor]:
    batch = TextPairs(tokeniser_of(state)(list(DOCUMENTS[:4])), np.array([[0, 1], [2, 3]])).batch(np.arange(2))
    return batch["ids"], batch["mask"]


def test_what_cannot_be_is_refused() -> None:
    module = network_of(transformer())
    with pytest.raises(RequestError, match="'prefix' of rank 4"):
        make_efficient(module, "prefix", 4)
    with pytest.raises(RequestError, match="Sequential has no place for adapters"):
        make_efficient(torch.nn.Sequential(torch.nn.Linear(2, 2)), "adapters", 4)
    with pytest.raises(RequestError, match="no linear layer"):
        make_efficient(torch.nn.Sequential(torch.nn.Tanh()), "lora", 4)
