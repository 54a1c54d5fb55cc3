"""Contrastive fine-tuning: the whole network learns that texts which go together lie together, and others apart."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import EncoderError, RequestError
from basketry.core.protocols import Run
from basketry.encoders.models import encoder_of, network_of, tokeniser_of
from basketry.training.adaptation.drawing import Clusters, alike_clusters, drawn_pairs, log_frequency
from basketry.training.adaptation.judging import STEERED_BY, by_network, judge
from basketry.training.tokens_learned import with_learned_tokens

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import nn

    from basketry.encoders.models import Tokenise
    from basketry.encoders.state import EncoderState
    from basketry.training.adaptation.pairs import HeldOut, Pairs
    from basketry.training.loop import Objective, TrainedHistory
    from basketry.training.tracking import Tracker

    Codes = npt.NDArray[np.int64]

WHOLE: Final = "none"  # of the parameter-efficient forms: train all weights
_STEPS: Final = 150  # enough on every catalogue tried; a larger one sees each text once
_MOST_EPOCHS: Final = 20
_CHECKPOINT: Final = 25  # steps: what a kill can cost, some 25 s
_VALIDATIONS: Final = 5
RATES: Final = {"ngram": 5e-4, "transformer": 1e-4, "static": 1e-2}  # learning rates that held on more than one catalogue
EFFICIENT_RATES: Final = {
    "lora": 1e-3,
    "adalora": 1e-2,
    "adapters": 1e-3,
}  # few weights must each move further; a rule of thumb, tried on shopee_matching


@dataclass(frozen=True)
class ContrastiveAdapter:
    """Multiple-negatives ranking (see `objectives.Contrastive`) with hard negatives from the encoder's own confusions.

    An epoch draws a partner for every text (`drawing.drawn_pairs`), so popular products do not crowd out the others, and puts
    pairs next to pairs that the encoder finds alike; known partners and texts of one key are never negatives. `debias` scales
    the correction for how often a product is met as a negative. Early stopping on the questions `held`.

    An n-gram network of the default's size takes about 3 ms of one core a text and epoch: 40 s an epoch for 10,000 titles.
    """

    learning_rate: float = field(default=0.0, metadata={"help": "highest learning rate; 0: 5e-4 (ngram), 1e-4 (transformer)"})
    epochs: int = field(
        default=0, metadata={"help": "rounds over the texts; 0: as many as make 150 steps, 20 at most", "unit": "rounds"}
    )
    batch_size: int = field(default=128, metadata={"help": "pairs in one step", "unit": "pairs"})
    temperature: float = field(default=0.05, metadata={"help": "of the softmax over cosines; above 0"})
    alike: int = field(default=8, metadata={"help": "pairs in a batch that are chosen to be alike; 1: none", "unit": "pairs"})
    debias: float = field(default=1.0, metadata={"help": "share of the correction for popularity; 0 to 1"})
    token_dropout: float = field(default=0.0, metadata={"help": "share of a text's tokens left out while training"})
    learn_tokens: int = field(
        default=2, metadata={"help": "learn embeddings of tokens that stand in so many texts; 0: none (ngram)", "unit": "texts"}
    )
    peft: str = field(default="none", metadata={"help": "train few weights: none, lora, adalora, or adapters (transformers)"})
    rank: int = field(default=16, metadata={"help": "of the low-rank updates, or width of the adapters"})
    patience: int = field(default=2, metadata={"help": "of five validations, so many without gain end it; 0: never"})

    def __post_init__(self) -> None:
        if self.peft not in (WHOLE, *EFFICIENT_RATES):
            raise RequestError(f"no few weights are called {self.peft!r}", f"use one of {WHOLE}, {', '.join(EFFICIENT_RATES)}")
        if not (self.temperature > 0 and self.rank >= 1):
            raise RequestError(f"temperature {self.temperature}, rank {self.rank}", "a temperature above 0, a rank from 1")
        right = self.epochs >= 0 and 1 <= self.alike <= self.batch_size and 0 <= self.debias <= 1 and self.learning_rate >= 0
        if not right:
            asked = f"epochs {self.epochs}, alike {self.alike} of {self.batch_size}, debias {self.debias}"
            raise RequestError(f"an adaptation cannot have {asked}", "epochs >= 0, 1 <= alike <= batch_size, debias in [0, 1]")

    def fit(
        self,
        state: EncoderState,
        pairs: Pairs,
        held: HeldOut,
        run: Run,
        *,
        folder: Path | None = None,
        tracker: Tracker | None = None,
    ) -> tuple[EncoderState, TrainedHistory]:
        """The state after training on `pairs`, as it was at its best on `held`; the base itself, where nothing was better.

        With `folder` a killed run goes on. Raises EncoderError without torch, RequestError as `train` does.
        """
        try:
            from basketry.training.loop import train
            from basketry.training.objectives import Contrastive
        except ImportError as error:
            raise EncoderError(f"adapting needs package {error.name}", "pip install 'basketry[train]'") from error
        from basketry.training.plan import TrainingPlan

        tokenise = tokeniser_of(state)
        examples = self._examples(state, pairs, tokenise, run)
        together = max(self.batch_size // self.alike, 1)
        plan = TrainingPlan(
            learning_rate=self.learning_rate or EFFICIENT_RATES.get(self.peft) or RATES[state.family],
            epochs=1,
            batch_size=together,
            patience=self.patience,
            checkpoint_steps=_CHECKPOINT,
            validate_steps=_validate_every(-(-len(examples) // together)),
        )
        learned = self.learn_tokens if self.peft == WHOLE else 0
        module = network_of(with_learned_tokens(state, examples.pairs.tokens, learned))
        encode = by_network(tokenise)
        objective: Objective = Contrastive(temperature=self.temperature, token_dropout=self.token_dropout)
        efficient = None
        if self.peft != WHOLE:
            from basketry.training.efficient import make_efficient

            efficient = make_efficient(module, self.peft, self.rank, run.seed)
            objective = efficient.objective(objective)

        def validate(now: nn.Module) -> float:
            return float(judge(held, encode(now, held.texts), resamples=0).values[STEERED_BY][0])

        history = train(module, objective, examples, plan, run, validate=validate, folder=folder, tracker=tracker)
        if history.kept == 0:
            return state, history
        trained = module if efficient is None else efficient.merged()
        return dataclasses.replace(state, arrays=trained.arrays()), history  # type: ignore[operator]

    def _examples(self, state: EncoderState, pairs: Pairs, tokenise: Tokenise, run: Run) -> Clusters:
        from basketry.training.examples import TextPairs

        vectors = encoder_of(state, run).encode(pairs.texts)
        known = pairs.partners()
        rounds: list[Codes] = []
        while len(rounds) < (self.epochs or _epochs(rounds, self.batch_size)):
            random = np.random.default_rng([run.seed, len(rounds)])
            rounds.append(alike_clusters(drawn_pairs(pairs, random), vectors, pairs.keys, known, self.alike, random))
        log_q = np.float32(self.debias) * log_frequency(pairs)
        rows = np.concatenate(rounds)
        return Clusters(TextPairs(tokenise(pairs.texts), rows[:, 0], keys=pairs.keys, log_q=log_q), rows, known)


def _validate_every(steps: int) -> int:
    """Five validations a run, fewer if they would follow each other by less than ten steps."""
    return max(steps // min(_VALIDATIONS, max(steps // 10, 1)), 1)


def _epochs(rounds: list[Codes], batch_size: int) -> int:
    """How many rounds make enough steps, judged by the first."""
    if not rounds:
        return 1
    pairs = rounds[0].shape[0] * rounds[0].shape[1]
    return int(min(max(round(_STEPS * batch_size / max(pairs, 1)), 1), _MOST_EPOCHS))
