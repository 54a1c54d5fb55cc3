"""The loop: what it learns, what it keeps, and that a run depends on nothing but its seed."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from basketry.core.errors import RequestError  # noqa: E402
from basketry.core.protocols import Run  # noqa: E402
from basketry.training.loop import train  # noqa: E402
from basketry.training.plan import TrainingPlan  # noqa: E402
from training_worlds import Line, small_network, squared, weights_of  # noqa: E402

RUN = Run(seed=11, threads=1)
PLAN = TrainingPlan(learning_rate=0.02, epochs=4, batch_size=16, checkpoint_steps=3)


def test_a_line_is_found() -> None:
    module = torch.nn.Linear(2, 1)
    plan = TrainingPlan(learning_rate=0.1, epochs=100, batch_size=16, weight_decay=0, max_norm=0)
    history = train(module, squared, Line(), plan, RUN)
    assert module.weight.detach().numpy() == pytest.approx(np.array([[2.0, -3.0]]), abs=1e-3)
    assert module.bias.item() == pytest.approx(1.0, abs=1e-3)
    assert len(history.losses) == 400 and history.trainable == 3
    assert history.losses[0] > 1 > 1e-4 > history.losses[-1]


def test_one_step_is_adamw_worked_by_hand() -> None:
    """w = 1, x = 2, y = 0, loss (w x)^2: gradient 2 w x^2 = 8. The first step of Adam is the rate times the gradient's sign.

    Decay: w (1 - 0.1 * 0.5) - 0.1 = 0.85 for the matrix. The bias, of gradient 2 w x = 4, is not decayed: 0 - 0.1.
    """

    class One:
        def __len__(self) -> int:
            return 1

        def batch(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
            return {"inputs": torch.tensor([[2.0]]), "outputs": torch.tensor([0.0])}

    module = torch.nn.Linear(1, 1)
    torch.nn.init.ones_(module.weight)
    torch.nn.init.zeros_(module.bias)
    plan = TrainingPlan(learning_rate=0.1, batch_size=1, warmup=0, weight_decay=0.5, max_norm=0)
    history = train(module, squared, One(), plan, RUN)
    assert history.losses == (4.0,) and history.rates == (0.1,)
    assert module.weight.item() == pytest.approx(0.85) and module.bias.item() == pytest.approx(-0.1)


def test_the_seed_alone_decides_dropout_included() -> None:
    def trained(seed: int, disturb: int) -> dict[str, np.ndarray]:
        module = small_network(dropout=0.5)
        torch.manual_seed(disturb)
        train(module, squared, Line(), PLAN, Run(seed=seed, threads=1))
        return weights_of(module)

    first, again, other = trained(1, 5), trained(1, 6), trained(2, 5)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["0.weight"], other["0.weight"])


def test_torchs_own_random_state_and_threads_are_left_as_they_were() -> None:
    module = small_network()
    torch.manual_seed(0)
    expected, threads = torch.rand(1), torch.get_num_threads()
    torch.manual_seed(0)
    train(module, squared, Line(), PLAN, Run(threads=threads + 1))
    assert torch.equal(torch.rand(1), expected) and torch.get_num_threads() == threads


def test_micro_batches_take_the_same_steps() -> None:
    whole, split = small_network(), small_network()
    one = train(whole, squared, Line(60), PLAN, RUN)
    four = train(split, squared, Line(60), TrainingPlan(**{**vars(PLAN), "accumulate": 4}), RUN)
    assert four.losses == pytest.approx(one.losses, rel=1e-5)
    assert all(
        np.allclose(a, b, atol=1e-5) for a, b in zip(weights_of(whole).values(), weights_of(split).values(), strict=True)
    )


def test_frozen_weights_stay_and_an_objective_may_have_its_own() -> None:
    class Head(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(1))

        def forward(self, module: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
            return ((self.scale * module(batch["inputs"]).squeeze(-1) - batch["outputs"]) ** 2).mean()

    module, head = small_network(), Head()
    module[0].requires_grad_(False)
    before = weights_of(module)
    history = train(module, head, Line(), PLAN, RUN)
    after = weights_of(module)
    assert np.array_equal(before["0.weight"], after["0.weight"]) and not np.array_equal(before["3.weight"], after["3.weight"])
    assert head.scale.item() != 1.0 and history.trainable == 8 + 1 + 1


def test_the_best_weights_are_kept_the_first_ones_if_nothing_helps() -> None:
    values = iter([0.5, 0.1, 0.9, 0.3, 0.2])
    seen: list[dict[str, np.ndarray]] = []

    def validate(module: torch.nn.Module) -> float:
        assert not module.training and not torch.is_grad_enabled()
        seen.append(weights_of(module))
        return next(values)

    module = small_network()
    history = train(module, squared, Line(), PLAN, RUN, validate=validate)
    assert history.validations == ((0, 0.5), (4, 0.1), (8, 0.9), (12, 0.3), (16, 0.2)) and history.kept == 8
    assert all(np.array_equal(seen[2][name], weight) for name, weight in weights_of(module).items())

    module = small_network()
    before = weights_of(module)
    history = train(module, squared, Line(), PLAN, RUN, validate=lambda _: 1.0)
    assert history.kept == 0 and all(np.array_equal(before[name], weight) for name, weight in weights_of(module).items())


def test_patience_stops_after_so_many_validations_without_gain() -> None:
    values = iter([0.1, 0.2, 0.2, 0.1, 0.3])
    plan = TrainingPlan(**{**vars(PLAN), "patience": 2, "validate_steps": 3})
    history = train(small_network(), squared, Line(), plan, RUN, validate=lambda _: next(values))
    assert history.stopped_early and history.kept == 3 and len(history.losses) == 9


def test_gradients_are_cut_to_the_norm() -> None:
    """Under plain Adam the length of a gradient hardly matters, so it is looked at directly, after each step."""
    module = small_network()
    seen: list[float] = []

    class Watching:
        def __call__(self, module: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
            return squared(module, batch)

        def after_step(self, module: torch.nn.Module, step: int, steps: int) -> None:
            seen.append(float(sum((one.grad**2).sum() for one in module.parameters()) ** 0.5))

    train(module, Watching(), Line(), TrainingPlan(**{**vars(PLAN), "max_norm": 0.01}), RUN)
    assert len(seen) == 16 and max(seen) == pytest.approx(0.01, rel=1e-3)


def test_bf16_computes_in_bf16_and_keeps_float32_weights() -> None:
    seen = []

    def objective(module: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        seen.append(module(batch["inputs"]).dtype)
        return squared(module, batch)

    module = small_network()
    train(module, objective, Line(), TrainingPlan(**{**vars(PLAN), "precision": "bf16", "epochs": 1}), RUN)
    assert set(seen) == {torch.bfloat16} and all(one.dtype == torch.float32 for one in module.parameters())


def test_too_few_examples_and_a_loss_that_is_no_number_are_refused() -> None:
    with pytest.raises(RequestError, match="3 examples in batches of 16 make batches of 3, too few"):
        train(small_network(), squared, Line(3), TrainingPlan(**{**vars(PLAN), "accumulate": 4}), RUN)
    with pytest.raises(RequestError, match="the loss is nan at step 1"):
        train(small_network(), lambda module, batch: squared(module, batch) * float("nan"), Line(), PLAN, RUN)


def test_ctrl_c_waits_for_the_step_and_the_run_goes_on_from_there(tmp_path) -> None:
    calls = 0

    def interrupted(module: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        nonlocal calls
        calls += 1
        if calls == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return squared(module, batch)

    module, straight = small_network(dropout=0.2), small_network(dropout=0.2)
    with pytest.raises(KeyboardInterrupt):
        train(module, interrupted, Line(), PLAN, RUN, folder=tmp_path)
    assert calls == 5 and [file.name for file in sorted(tmp_path.iterdir())] == ["checkpoint.json", "step-00000005.safetensors"]

    resumed = small_network(dropout=0.2)
    history = train(resumed, interrupted, Line(), PLAN, RUN, folder=tmp_path)
    assert calls == 16
    assert history == train(straight, squared, Line(), PLAN, RUN)
    assert all(np.array_equal(weights_of(resumed)[name], weight) for name, weight in weights_of(straight).items())
