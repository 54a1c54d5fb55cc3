"""A text encoder that speaks of behaviour: the whole network learns where in the space of behaviour a text's product belongs.

What `Foretelling` does by one matrix over finished vectors, this does with all the weights: it begins at that matrix and
learns on, so that words which nobody but this shop uses for a kind of product come to mean it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from basketry.core.errors import EncoderError, RequestError
from basketry.encoders.documents import readable
from basketry.encoders.models import encoder_of, network_of, tokeniser_of
from basketry.training.adaptation.contrastive import RATES
from basketry.training.adaptation.linear import with_projection
from basketry.training.fusion.factors import factorised
from basketry.training.fusion.foretelling import Foretelling
from basketry.training.fusion.modality import Modality
from basketry.training.tokens_learned import with_learned_tokens

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_array

    from basketry.core.protocols import Arrays, Run, Vectors
    from basketry.encoders.state import EncoderState
    from basketry.training.adaptation.pairs import Pairs


@dataclass(frozen=True)
class TextTower:
    """Fine-tunes an encoder on `text_objective.BehaviourObjective`, its vectors being compared with those of behaviour.

    The result is an encoder like any other: `project.weight` leads into the space of behaviour, and texts are compared with
    texts. There is no early stopping: epochs were chosen once, on products kept out of a shop's earlier months. Instead
    `members` networks that began alike and saw the texts in different orders are averaged, weight by weight, which finds as
    much as their ensemble at the price of one (Wortsman et al., Model soups, ICML 2022). An n-gram network of the
    default's size takes 2 ms of one core a text and epoch: three members of 1,600 products and 8 epochs, 75 s.
    """

    learning_rate: float = field(default=0.0, metadata={"help": "highest; 0: 5e-4 (ngram), 1e-4 (transformer), 1e-2 (static)"})
    epochs: int = field(default=8, metadata={"help": "passes over the products; at least 1", "unit": "passes"})
    batch_size: int = field(default=64, metadata={"help": "products in one step", "unit": "products"})
    temperature: float = field(default=0.1, metadata={"help": "of the softmax over cosines; above 0"})
    token_dropout: float = field(default=0.1, metadata={"help": "share of a text's tokens left out while training; in [0, 1)"})
    learn_tokens: int = field(default=2, metadata={"help": "learn embeddings of tokens in so many texts; 0: none (ngram)"})
    reg: float = field(default=0.1, metadata={"help": "of the ridge regression it begins with; above 0"})
    dim: int = field(default=512, metadata={"help": "length of the vectors that pairs are factorised into (`of_pairs`)"})
    members: int = field(
        default=3, metadata={"help": "networks trained, each from a seed of its own, and averaged; at least 1"}
    )

    def __post_init__(self) -> None:
        counts = min(self.members, self.epochs, self.batch_size, self.dim) >= 1
        shares = self.temperature > 0 and 0 <= self.token_dropout < 1
        if not (counts and shares and min(self.learning_rate, self.learn_tokens) >= 0):
            raise RequestError(
                f"a text tower cannot be {self}", "counts start at 1, temperature is above 0, token_dropout in [0, 1)"
            )

    def fit(
        self,
        state: EncoderState,
        texts: Sequence[str],
        behaviour: Modality,
        partners: csr_array,
        run: Run,
        *,
        folder: Path | None = None,
    ) -> EncoderState:
        """From each product's text ("" for none) and behaviour, and `partners`, float [n, n], symmetric: the weight of a pair.

        Learned from are products that have all three. With `folder` a killed run goes on. Raises EncoderError
        without torch, RequestError where no product has all three.
        """
        try:
            from basketry.training.examples import Texts
            from basketry.training.fusion.text_objective import BehaviourObjective
            from basketry.training.loop import train
            from basketry.training.plan import TrainingPlan
        except ImportError as error:
            raise EncoderError(f"a text tower needs package {error.name}", "pip install 'basketry[train]'") from error
        legible = np.array([readable(text) for text in texts], dtype=np.bool_)
        rows = np.flatnonzero(legible & behaviour.known & (np.diff(partners.indptr) > 0)).astype(np.int64)
        read = [texts[row] for row in rows.tolist()]
        begun = self._begun(state, read, behaviour.vectors[rows], run)
        tokens = tokeniser_of(begun)(read)
        start = with_learned_tokens(begun, tokens, self.learn_tokens)
        objective = BehaviourObjective(
            behaviour.shown, partners, temperature=self.temperature, token_dropout=self.token_dropout
        )
        plan = TrainingPlan(
            learning_rate=self.learning_rate or RATES[state.family], epochs=self.epochs, batch_size=self.batch_size
        )
        examples = Texts(tokens, {"row": rows})
        trained = []
        for member in range(self.members):
            module = network_of(start)
            seed = int(np.random.SeedSequence([run.seed, member]).generate_state(1)[0])
            train(
                module, objective, examples, plan, dataclasses.replace(run, seed=seed), folder=folder and folder / str(member)
            )
            trained.append(module.arrays())  # type: ignore[operator]
        return dataclasses.replace(begun, arrays=_averaged(trained))

    def of_pairs(self, state: EncoderState, pairs: Pairs, run: Run, *, folder: Path | None = None) -> EncoderState:
        """The same from weighted pairs of texts: the behaviour of a text is its row of the pairs' table, factorised."""
        partners = pairs.partners()
        return self.fit(state, pairs.texts, factorised(partners, self.dim), partners, run, folder=folder)

    def _begun(self, state: EncoderState, read: list[str], behaviour: Vectors, run: Run) -> EncoderState:
        """The encoder with what ridge regression foretells."""
        known = np.ones(len(read), dtype=np.bool_)
        if not read:
            raise RequestError(
                "no product has text, behaviour and partners", "lower the floor of behaviour, or wait for orders"
            )
        content = Modality(encoder_of(state, run).encode(read), known)
        return with_projection(state, Foretelling(self.reg).fit(content, Modality(behaviour, known)).weight)


def _averaged(members: list[Arrays]) -> Arrays:
    """The mean of each array of floats; those of whole numbers are the same in all."""
    found: dict[str, npt.NDArray[np.generic]] = {}
    for name, first in members[0].items():
        found[name] = np.asarray(first)
        if np.issubdtype(found[name].dtype, np.floating):
            total = np.sum([np.asarray(member[name], dtype=np.float64) for member in members], axis=0)
            found[name] = np.asarray(total / len(members), dtype=found[name].dtype)
    return found
