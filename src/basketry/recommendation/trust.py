"""Which rankers of a release may show reasons: their fidelity, measured before they are published and kept with them.

A release holds, beside the figures of its exams, what speaks against the reasons of each ranker; whoever serves it shows the
reasons of those alone against whom nothing speaks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from basketry.core.errors import RequestError
from basketry.core.histories import Candidates
from basketry.recommendation.fidelity import Faithful, Fidelity
from basketry.recommendation.popularity import Popular

if TYPE_CHECKING:
    import polars as pl

    from basketry.core.protocols import Ranker, Run, Vectors
    from basketry.recommendation.protocols import Split

SAMPLE: Final = Fidelity(cases=150, orders=1, steps=1, counterfactuals=20)
SLICE: Final = "reasons"  # of the rows in Metrics
UNMEASURED: Final = "their fidelity was not measured"


@dataclass(frozen=True, eq=False)
class Trust:
    """What speaks against showing the reasons of each ranker, by name; nothing where they earned it.

    A ranker that was never measured is not trusted. `faithful`: the figures of those that could be measured (none when read
    back).
    """

    against: Mapping[str, tuple[str, ...]]
    faithful: Mapping[str, Faithful]

    def earned(self, name: str) -> bool:
        """Whether reasons of this ranker may be shown."""
        return self.why_not(name) == ()

    def why_not(self, name: str) -> tuple[str, ...]:
        """What speaks against its reasons."""
        return self.against.get(name, (UNMEASURED,))

    def frame(self) -> pl.DataFrame:
        """Rows of Metrics of all rankers that were measured, slice `reasons`."""
        import polars as pl

        from basketry.core.tables import Metrics

        frames = [faithful.frame(name, SLICE) for name, faithful in self.faithful.items()]
        return Metrics.validate(pl.concat(frames)) if frames else Metrics.create_empty()

    def facts(self) -> dict[str, list[str]]:
        """What a manifest keeps."""
        return {name: list(against) for name, against in self.against.items()}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Sequence[str]]) -> Self:
        """Back from a manifest."""
        return cls({name: tuple(against) for name, against in facts.items()}, {})


def trust_in(
    rankers: Mapping[str, Ranker], split: Split, run: Run, vectors: Vectors | None = None, how: Fidelity = SAMPLE
) -> Trust:
    """Measure `rankers` on the same questions of `split`; against similarity too where product `vectors` are given.

    Popularity, which says nothing of a history, is not measured. What cannot be measured earns no trust. Cost: of a ranker at
    most 6 scorings of the catalogue for each of 150 questions, and some 20 rankings for each of 20.
    """
    faithful: dict[str, Faithful] = {}
    against: dict[str, tuple[str, ...]] = {}
    for name, ranker in rankers.items():
        if isinstance(ranker, Popular):
            continue
        try:
            faithful[name] = how.measure(ranker, split.queries, run, None, Candidates(repeats=split.repeats), vectors)
        except RequestError as error:
            against[name] = (str(error),)
        else:
            against[name] = faithful[name].against_trust
    return Trust(against, faithful)
