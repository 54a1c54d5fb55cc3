"""Neighbours for products without sales: text fused with what it foretells, where that is shown to help, else text alone.

```
history without C1 and C2 ───────────▶ cut ── horizon ──▶ end
learn: behaviour, fusions              choose: which fusion finds what C1 was then bought with
                                       judge:  whether it beats text alone on C2, with an interval
serve: the chosen one, fitted again on everything; or text alone
```

C1 and C2 are products whose every line is taken away before anything is learned: to the fit they are cold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from basketry.associations.behaviour_vectors import BehaviourVectors
from basketry.associations.partners import MEASURE, Partners
from basketry.core.errors import DataError, RequestError
from basketry.core.telemetry import span
from basketry.evaluation.bootstrap import Interval
from basketry.training.fusion.late import LateFusion, LateModel
from basketry.training.fusion.modality import BEHAVIOUR, Modality, checked
from basketry.training.fusion.shared_space import FusedSpace, SharedSpace

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.sparse import csr_array

    from basketry.associations.baskets import BasketMatrix
    from basketry.core.protocols import Arrays, Run, Vectors

    Modalities = Mapping[str, Modality]

TEXT: Final = "text"
LATE: Final = "late"
SHARED: Final = {"shared": (False, 0.0), "gated": (True, 0.0), "aligned": (False, 0.5)}  # gates, align
_FEWEST: Final = 30  # products with partners to judge by


@dataclass(frozen=True)
class Proof:
    """How the fusions fared on products made cold.

    `tried`: recall@10 of text and of each fusion on the products to choose by. `gain` and `ratio`: of the `best` fusion over
    text alone, on `judged` products it was not chosen by.
    """

    tried: Mapping[str, float]
    best: str
    gain: Interval
    ratio: Interval
    judged: int

    @property
    def ends(self) -> dict[str, Interval]:
        """Gain and ratio by name."""
        return {"gain": self.gain, "ratio": self.ratio}

    @property
    def wins(self) -> bool:
        """Whether fusion is worth using: the whole interval of the gain lies above 0."""
        return self.gain.low > 0

    def account(self) -> str:
        """What is used and why, in a sentence."""
        gain = f"{self.gain.value:+.3f} [{self.gain.low:+.3f}, {self.gain.high:+.3f}]"
        measured = f"{gain} {MEASURE} against text alone, on {self.judged} products kept out of the fit"
        return (
            f"{self.best} fusion is used: {measured}" if self.wins else f"text alone is used: {self.best} fusion has {measured}"
        )


@dataclass(frozen=True, eq=False)
class ColdModel:
    """The vectors to serve, and why these.

    `vectors` float32 [n, dim], unit norm, zero where nothing is known. `fuser` gives vectors to products that come later, from
    the same contents; None where text alone won, and is itself the vector.
    """

    vectors: Vectors
    proof: Proof
    fuser: LateModel | FusedSpace | None

    def state(self) -> Arrays:
        """The arrays that hold all of it: `vectors`, the proof's figures, and the fuser's arrays after `late.` or `space.`."""
        proof = self.proof
        found: dict[str, npt.NDArray[np.generic]] = {"vectors": self.vectors, "judged": np.array([proof.judged])}
        found |= {name: np.array([each.value, each.low, each.high]) for name, each in proof.ends.items()}
        found |= {f"tried.{name}": np.array([value]) for name, value in proof.tried.items()}
        found[f"best.{proof.best}"] = np.array([1])
        if self.fuser is not None:
            kind = "late." if isinstance(self.fuser, LateModel) else "space."
            found |= {kind + name: array for name, array in self.fuser.state().items()}
        return found

    @classmethod
    def from_state(cls, state: Arrays) -> Self:
        """The model back from its arrays."""
        tried = {name: float(np.asarray(array, dtype=np.float64)[0]) for name, array in _after("tried.", state).items()}
        ends = [Interval(*np.asarray(state[name], dtype=np.float64).tolist()) for name in ("gain", "ratio")]
        judged = int(np.asarray(state["judged"], dtype=np.int64)[0])
        proof = Proof(tried, next(iter(_after("best.", state))), ends[0], ends[1], judged)
        late, space = _after("late.", state), _after("space.", state)
        fuser = LateModel.from_state(late) if late else FusedSpace.from_state(space) if space else None
        return cls(np.asarray(state["vectors"], dtype=np.float32), proof, fuser)


def _after(start: str, state: Arrays) -> dict[str, npt.NDArray[np.generic]]:
    return {name.removeprefix(start): array for name, array in state.items() if name.startswith(start)}


@dataclass(frozen=True)
class ColdFusion:
    """Chooses a fusion on products made cold, proves it on others, and falls back to text alone where it does not win.

    Candidates: `late` (LateFusion), and with torch installed `shared`, `gated` and `aligned` (SharedSpace). The measure is
    recall@10 of the products bought together with in the last `horizon_days` (`Partners`). A fusion is used if the whole 95%
    interval of its gain over text lies above 0.
    """

    behaviour: BehaviourVectors = field(default_factory=BehaviourVectors)
    late: LateFusion = field(default_factory=LateFusion)
    shared: SharedSpace = field(default_factory=SharedSpace)
    horizon_days: int = field(default=90, metadata={"help": "how far ahead partners are foretold", "unit": "days"})
    held_out: float = field(default=0.2, metadata={"help": "share of products to choose by, and as many to judge by"})
    min_partners: int = field(default=5, metadata={"help": "customers behind a partner in the horizon", "unit": "customers"})

    def __post_init__(self) -> None:
        if not 0 < self.held_out < 0.5 or min(self.horizon_days, self.min_partners) < 1:
            asked = f"held_out {self.held_out}, horizon_days {self.horizon_days}, min_partners {self.min_partners}"
            raise RequestError(f"a proof cannot have {asked}", "held_out lies in (0, 0.5), the others start at 1")

    def fit(self, baskets: BasketMatrix, contents: Modalities, run: Run) -> ColdModel:
        """From all baskets and what is known of every product besides: `contents` holds `text`, and may hold more.

        Raises DataError where fewer than 30 products can be judged by, RequestError without a modality called text.
        """
        if TEXT not in contents or BEHAVIOUR in contents or checked(contents) != baskets.n_products:
            raise RequestError(
                f"contents {', '.join(contents)} of {baskets.n_products} products",
                f"give {TEXT}, a row for each product; {BEHAVIOUR} is counted from the baskets",
            )
        names = tuple(SHARED) if find_spec("torch") else ()
        with span("cold", total=len(names) + 3, unit="fits") as progress:
            trial = self._trial(baskets, contents, run)
            progress.advance()
            late = self.late.fit(trial.modalities, trial.choose.recall)
            fusers: dict[str, LateModel | FusedSpace] = {LATE: late}
            progress.advance()
            for name in names:
                fusers[name] = self._shared(name, trial.modalities, trial.edges, run)
                progress.advance()
            plain = contents[TEXT].shown
            tried = {name: trial.choose.recall(each.fuse(trial.modalities)) for name, each in fusers.items()}
            best = max(tried, key=lambda name: tried[name])
            tried = {TEXT: trial.choose.recall(plain), **tried}
            fused = fusers[best].fuse(trial.modalities)
            ours, theirs = (trial.judge.measure(trial.judge.nearest(each), run.seed) for each in (fused, plain))
            gain = ours.gain_over(theirs, MEASURE)
            proof = Proof(tried, best, gain, ours.ratio_to(theirs, MEASURE), len(trial.judge.cold))
            model = ColdModel(plain, proof, None)
            if proof.wins:
                model = self._again(proof, late, baskets, contents, run)
            progress.advance()
        return model

    def _trial(self, baskets: BasketMatrix, contents: Modalities, run: Run) -> _Trial:
        """The world before the cut, without the products held out, and what became of these."""
        drawn = np.random.default_rng([run.seed, 4]).random(baskets.n_products)
        choose, judge = drawn < self.held_out, (drawn >= self.held_out) & (drawn < 2 * self.held_out)
        cut = int(baskets.days.max(initial=0)) + 1 - self.horizon_days
        past = baskets.select(baskets.days < cut).without(choose | judge)
        later = baskets.select(baskets.days >= cut)
        warm = contents[TEXT].known & (np.bincount(past.items, minlength=baskets.n_products) > 0)
        questions = [Partners.of(later, cold & contents[TEXT].known, warm, self.min_partners, run) for cold in (choose, judge)]
        fewest = min(len(each.cold) for each in questions)
        if fewest < _FEWEST:
            raise DataError(
                f"only {fewest} products kept out have partners in the last {self.horizon_days} days; {_FEWEST} are needed",
                "give a longer history, a longer horizon, or fewer min_partners",
            )
        behaviour = self.behaviour.fit(past, run)
        return _Trial({**contents, BEHAVIOUR: behaviour.modality}, behaviour.partners, questions[0], questions[1])

    def _shared(self, name: str, modalities: Modalities, edges: csr_array, run: Run) -> FusedSpace:
        gates, align = SHARED[name]
        return replace(self.shared, gates=gates, align=align).fit(modalities, edges, run)

    def _again(self, proof: Proof, late: LateModel, baskets: BasketMatrix, contents: Modalities, run: Run) -> ColdModel:
        """The winner fitted on everything there is."""
        behaviour = self.behaviour.fit(baskets, run)
        modalities = {**contents, BEHAVIOUR: behaviour.modality}
        fuser: LateModel | FusedSpace
        if proof.best == LATE:
            fuser = LateModel(self.late.foretell(modalities), late.weights)
        else:
            fuser = self._shared(proof.best, modalities, behaviour.partners, run)
        return ColdModel(fuser.fuse(modalities), proof, fuser)


@dataclass(frozen=True, eq=False)
class _Trial:
    modalities: Modalities
    edges: csr_array
    choose: Partners
    judge: Partners
