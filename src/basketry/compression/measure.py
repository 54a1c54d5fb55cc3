"""What a compression costs and brings: one encoder beside its teacher, on texts neither step nor training has seen."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from basketry.core.errors import EncoderError
from basketry.evaluation.bootstrap import Interval
from basketry.evaluation.retrieval import Questions, same_group
from basketry.vectors.exact import nearest_others

if TYPE_CHECKING:
    import numpy.typing as npt

    from basketry.core.protocols import Encoder, Vectors

    Rows = npt.NDArray[np.int64]

NEIGHBOURS: Final = 10
TASK: Final = "hit@1"
_TIMED: Final = 512  # texts whose encoding is timed
_ALONE: Final = 64  # of which are timed one by one
_ROUNDS: Final = 3
_LEAST_HELD_OUT: Final = 20
_START: Final = """
import json, sys, time
from pathlib import Path
from basketry.core.protocols import Run
from basketry.encoders.registry import load_encoder
load_encoder(sys.argv[1], Run(threads=1)).encode([sys.argv[2]])
print(json.dumps(time.process_time()))
"""


@dataclass(frozen=True)
class Task:
    """Texts with a group each: a text is answered well if the text nearest to it, itself apart, is of its own group."""

    texts: Sequence[str]
    groups: Rows

    def questions(self) -> Questions:
        """Every text as a query; those of one group are resampled together."""
        return Questions(same_group(self.groups), self.groups)


@dataclass(frozen=True)
class Costs:
    """What an encoder takes: `bytes` stored, CPU microseconds a text in a batch, CPU milliseconds of one text alone.

    `start` is the CPU seconds of a fresh process from its first instruction to its first vector; NaN where not measured.
    """

    bytes: int
    batched_us: float
    alone_ms: float
    start: float = float("nan")


@dataclass(frozen=True)
class Fidelity:
    """How much of its teacher is left.

    `agreement`: the mean share of a text's 10 nearest held-out texts (a third of them, if there are fewer than 31) that teacher
    and student name alike. `cosine`: the mean cosine of their vectors, NaN where dimensions differ. `task`, `kept`: hit@1 on
    the labelled texts, and its ratio to the teacher's, both with 95% intervals over groups; None without labels.
    """

    agreement: float
    cosine: float
    task: Interval | None = None
    kept: Interval | None = None

    @property
    def loss(self) -> float:
        """What a recipe is judged by: 1 - the share of the task metric kept, or without labels 1 - agreement."""
        return 1 - (self.agreement if self.kept is None else self.kept.value)

    def told(self) -> dict[str, float]:
        """The figures as plain numbers, for a history."""
        found = {"agreement": self.agreement, "cosine": self.cosine}
        if self.task is not None and self.kept is not None:
            found |= {f"task_{end}": value for end, value in asdict(self.task).items()}
            found |= {f"kept_{end}": value for end, value in asdict(self.kept).items()}
        return {name: round(value, 4) for name, value in found.items() if np.isfinite(value)}


class Judge:
    """The teacher's answers on the held-out texts and the task, computed once; students are compared with them."""

    def __init__(self, teacher: Encoder, held_out: Sequence[str], task: Task | None = None) -> None:
        self._texts, self._task = list(held_out), task
        self._vectors = teacher.encode(self._texts)
        # Of few texts fewer neighbours: a third of the others, or all would be near.
        self._k = min(NEIGHBOURS, max((len(self._texts) - 1) // 3, 1))
        self._near = nearest(self._vectors, self._k)
        if task is not None:
            self._questions = task.questions()
            self._theirs = self._questions.measure(nearest(teacher.encode(task.texts), 1), ks=(1,))

    def fidelity(self, student: Encoder) -> Fidelity:
        """The student beside the teacher."""
        ours = student.encode(self._texts)
        agreement = overlap(nearest(ours, self._k), self._near)
        same = ours.shape == self._vectors.shape
        cosine = float(np.einsum("ij,ij->i", ours, self._vectors).mean()) if same else float("nan")
        if self._task is None:
            return Fidelity(agreement, cosine)
        found = self._questions.measure(nearest(student.encode(self._task.texts), 1), ks=(1,))
        return Fidelity(agreement, cosine, found.interval(TASK), found.ratio_to(self._theirs, TASK))


def nearest(vectors: Vectors, k: int) -> Rows:
    """int64 [n, min(k, n - 1)]: for each vector the rows of the others with the largest dot product, best first.

    Exact, n^2 dim multiplications: for some 20,000 texts.
    """
    return nearest_others(vectors, np.arange(len(vectors)), max(min(k, len(vectors) - 1), 0))


def overlap(ours: Rows, theirs: Rows) -> float:
    """The mean share of the rows named in `theirs` that are named in `ours`; 1 if there is nothing to name."""
    if not ours.size:
        return 1.0
    return float((ours[:, :, None] == theirs[:, None, :]).any(axis=2).mean())


def costs(encoders: Sequence[Encoder], sizes: Sequence[int], texts: Sequence[str]) -> list[Costs]:
    """Bytes and CPU times of several encoders on the same texts; medians of 3 rounds, in which they take turns."""
    timed, alone = list(texts)[:_TIMED], list(texts)[:_ALONE]
    together: list[list[float]] = [[] for _ in encoders]
    single: list[list[float]] = [[] for _ in encoders]
    for encoder in encoders:
        encoder.encode(alone)  # whatever is made at the first call is no part of the figure
    for _ in range(_ROUNDS):
        for encoder, batched, one in zip(encoders, together, single, strict=True):
            begun = time.process_time()
            encoder.encode(timed)
            batched.append((time.process_time() - begun) / len(timed))
            begun = time.process_time()
            for text in alone:
                encoder.encode([text])
            one.append((time.process_time() - begun) / len(alone))
    rows = zip(sizes, together, single, strict=True)
    return [Costs(size, statistics.median(many) * 1e6, statistics.median(one) * 1e3) for size, many, one in rows]


def start_seconds(spec: str, text: str) -> float:
    """CPU seconds of a fresh process that loads the encoder `spec` and encodes one text. Raises EncoderError if it fails."""
    run = subprocess.run([sys.executable, "-c", _START, spec, text], capture_output=True, text=True, check=False)
    if run.returncode:
        last = (run.stderr.strip().splitlines() or ["no message"])[-1]
        raise EncoderError(f"a fresh process cannot load {spec}: {last}", "look at its message")
    return float(json.loads(run.stdout.splitlines()[-1]))


def split(texts: Sequence[str], seed: int, share: float = 0.2, most: int = 2_000) -> tuple[list[str], list[str]]:
    """Distinct texts in two: those to learn from, and those held out for measuring.

    Held out are `share` of them, but 20 at least (half, if there are fewer than 40) and `most` at most.
    """
    known = sorted(set(texts))
    drawn = np.random.default_rng(seed).permutation(len(known))
    count = min(max(round(share * len(known)), min(_LEAST_HELD_OUT, len(known) // 2)), most)
    held, rest = drawn[:count], drawn[count:]
    return [known[row] for row in np.sort(rest)], [known[row] for row in np.sort(held)]
