"""Domain pre-training of a transformer state on a shop's texts, told against what the untouched network would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from basketry.core.errors import EncoderError, RequestError
from basketry.encoders.models import network_of, tokeniser_of
from basketry.training.devices import beside
from basketry.training.examples import Texts
from basketry.training.loop import TrainedHistory, train
from basketry.training.masked import PERPLEXITY, Guessed, MaskedLanguage, guessed, guessed_by_frequency, tokens_of

if TYPE_CHECKING:
    from torch import nn

    from basketry.core.protocols import Run
    from basketry.encoders.state import EncoderState
    from basketry.training.plan import TrainingPlan
    from basketry.training.tracking import Tracker

_LEAST: Final = 30  # distinct texts: fewer cannot be split three ways
_MOST: Final = 200  # texts to measure on: masking every token of more takes minutes


@dataclass(frozen=True)
class Pretrained:
    """The state after training, and pseudo-perplexity on texts held out of training and of choosing when to stop.

    `unigram` guesses by frequency; `before` is the untouched network under a decoder trained as long on the same texts; `after`
    is the network trained. `texts` counts those trained on, chosen by and measured on.
    """

    state: EncoderState
    unigram: Guessed
    before: Guessed
    after: Guessed
    texts: tuple[int, int, int]
    history: TrainedHistory


def pretrain(
    state: EncoderState,
    texts: Sequence[str],
    plan: TrainingPlan,
    run: Run,
    *,
    share: float = 0.15,
    whole_words: bool = True,
    folder: Path | None = None,
    tracker: Tracker | None = None,
) -> Pretrained:
    """Train `state` to guess masked tokens of `texts`.

    Equal texts count once; a tenth chooses when to stop, another tenth (200 at most) measures. A sentence encoder so
    trained knows the shop's words better and is the worse at telling texts apart until it is trained by contrast again:
    adapt it afterwards, and compare. `folder` keeps checkpoints of both trainings.

    Raises RequestError for fewer than 30 distinct texts, EncoderError for a state that is no transformer or has no mask token.
    """
    if state.family != "transformer":
        raise EncoderError(f"a state of family {state.family} is no transformer", "words are left out for one: --base minilm")
    distinct = sorted(set(texts))
    if len(distinct) < _LEAST:
        raise RequestError(f"{len(distinct)} distinct texts are too few to train and to measure", f"give at least {_LEAST}")
    shuffled = np.random.default_rng([run.seed, 0]).permutation(len(distinct))
    tokens = tokens_of(state, tokeniser_of(state)([distinct[place] for place in shuffled]))
    tenth = len(tokens) // 10
    most = min(tenth, _MOST)
    measured, chosen_by, learned = tokens[:most], tokens[most : most + tenth], tokens[most + tenth :]

    def course(network: nn.Module, name: str) -> tuple[TrainedHistory, Guessed]:
        objective = MaskedLanguage(state, share, whole_words, run.seed)

        def validate(module: nn.Module) -> float:
            with torch.random.fork_rng():
                torch.manual_seed(run.seed)  # the same places each time
                parts = [Texts(chosen_by).batch(rows) for rows in np.array_split(np.arange(tenth), -(-tenth // 64))]
                return -float(np.mean([float(objective(module, beside(module, part))) for part in parts]))

        inner = None if folder is None else folder / name
        teller = tracker if name == "whole" else None
        history = train(network, objective, Texts(learned), plan, run, validate=validate, folder=inner, tracker=teller)
        return history, guessed(network, objective, measured)  # type: ignore[arg-type]

    frozen = network_of(state).requires_grad_(False)
    before = course(frozen, "decoder")[1]
    network = network_of(state)
    history, after = course(network, "whole")
    unigram = guessed_by_frequency(learned, measured, MaskedLanguage(state).special)
    sizes = (len(learned), len(chosen_by), len(measured))
    entry = {
        "verb": "pretrain",
        "plan": asdict(plan),
        "seed": run.seed,
        "share": share,
        "whole_words": whole_words,
        "texts": list(sizes),
        PERPLEXITY: {"unigram": unigram.perplexity, "before": before.perplexity, "after": after.perplexity},
    }
    arrays = network.arrays()  # type: ignore[operator]
    return Pretrained(replace(state, arrays=arrays).with_step(entry), unigram, before, after, sizes, history)
