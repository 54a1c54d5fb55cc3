"""Adapt by labels: a head that tells the category, attribute or sentiment of a text from its vector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from basketry.app.adapt_request import AdaptRequest, AdaptResult, measures_table

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from basketry.app.shop import Shop
    from basketry.core.protocols import Run, Vectors
    from basketry.evaluation.classification import ClassScores
    from basketry.training.heads import Head

METRICS: Final = ("macro_f1", "macro_precision", "macro_recall", "accuracy")
STEERED_BY: Final = METRICS[0]
COMMONEST, WORDS, OURS = "commonest label", "words (TF-IDF)", "head"
ONE_OF: Final = 4  # texts of each label is kept out to judge by
FEWEST: Final = 20  # texts to judge by


@dataclass(frozen=True, eq=False)
class _Cases:
    """Texts with their label as a number of `names`, and which are kept out to judge by."""

    texts: list[str]
    names: list[str]
    truth: npt.NDArray[np.int64]
    out: npt.NDArray[np.bool_]

    def part(self, *, out: bool) -> list[str]:
        """The texts kept out, or the others."""
        return [text for text, kept in zip(self.texts, self.out, strict=True) if kept == out]


def adapt_head(shop: Shop, request: AdaptRequest) -> AdaptResult:
    """Learn labels from vectors of the base, judge beside the commonest label and the words alone, publish if worth it."""
    import numpy as np

    from basketry.app.encoders import publish_state, shop_state
    from basketry.core.protocols import Run
    from basketry.encoders.models import encoder_of
    from basketry.evaluation.classification import Labelled
    from basketry.training.heads import Classifier

    own = (shop.folder / "shop.toml").is_file()
    run = Run(seed=request.seed, threads=shop.settings.threads if own else 2)
    cases = _cases(request, run)
    state = shop_state(shop, request.base)
    vectors = encoder_of(state, run).encode(cases.texts)
    learn = ~cases.out
    head = Classifier().fit(vectors[learn], [cases.names[label] for label in cases.truth[learn]], run)
    judged = Labelled(cases.truth[cases.out], len(cases.names), np.arange(int(cases.out.sum())))
    guesses = _guesses(cases, head, vectors)
    measured = {name: judged.measure(guess, seed=run.seed) for name, guess in guesses.items()}
    table, classes = measures_table(measured, METRICS), _classes(cases, judged.scores(guesses[OURS]))
    model = ""
    if measured[OURS].gain_over(measured[COMMONEST], STEERED_BY).low > 0 or request.keep:
        entry = _entry(request, run, head, table, classes, len(cases.texts))
        model = publish_state(shop, request.name, state.with_head(head.state()).with_step(entry))
    notes = [f"use it: basketry encode FILE --encoder {model} --out labelled.parquet" if model else "nothing was published"]
    over = measured[OURS].gain_over(measured[WORDS], STEERED_BY)
    if over.low <= 0:
        told = f"{STEERED_BY} {over.value:+.3f} ({over.low:+.3f} to {over.high:+.3f})"
        notes.append(f"words alone (TF-IDF and the same regression) are not shown to be worse (the head over them: {told})")
    return AdaptResult(
        model=model or "none",
        base=request.base,
        pairs=int(learn.sum()),
        texts=len(cases.texts),
        held_out=int(cases.out.sum()),
        measures=table,
        classes=classes,
        notes=tuple(notes),
    )


def _cases(request: AdaptRequest, run: Run) -> _Cases:
    """The labelled texts of the table, a quarter of each label kept out."""
    import numpy as np

    from basketry.core.errors import RequestError
    from basketry.training.heads import kept_out

    texts, labels = _labelled(request)
    names, truth = np.unique(np.array(labels, dtype=np.str_), return_inverse=True)
    out = kept_out(truth, ONE_OF, run)
    if out.sum() < FEWEST or len(names) < 2:
        told = f"{len(texts)} texts of {len(names)} labels leave {int(out.sum())} to judge by"
        raise RequestError(told, f"give two labels at least, and enough texts that {FEWEST} can be kept out")
    return _Cases(texts, names.tolist(), truth.astype(np.int64), out)


def _guesses(cases: _Cases, head: Head, vectors: Vectors) -> dict[str, npt.NDArray[np.int64]]:
    """What each way calls the texts kept out: the commonest label, the words alone, the head."""
    import numpy as np

    from basketry.training.heads import by_words

    learned = cases.truth[~cases.out]
    number = {name: label for label, name in enumerate(cases.names)}
    place = np.array([number[label] for label in head.labels], dtype=np.int64)
    return {
        COMMONEST: np.full(int(cases.out.sum()), np.bincount(learned).argmax(), dtype=np.int64),
        WORDS: by_words(cases.part(out=False), learned, cases.part(out=True)),
        OURS: place[head.predict(vectors[cases.out])],
    }


def _classes(cases: _Cases, scores: ClassScores) -> pl.DataFrame:
    """One row a label, on the texts kept out; `texts` is how many of them are truly of it."""
    import polars as pl

    figures = {"precision": scores.precision, "recall": scores.recall, "f1": scores.f1, "texts": scores.support}
    return pl.DataFrame({"label": cases.names, **figures})


def _labelled(request: AdaptRequest) -> tuple[list[str], list[str]]:
    """Distinct readable texts in order, each with its first label."""
    from basketry.app.text_tables import read_table
    from basketry.core.errors import RequestError, SourceColumns
    from basketry.encoders.documents import readable

    if not request.source:
        raise RequestError("a head learns from a table, and none is named", "basketry adapt TABLE --method head")
    path = Path(request.source)
    table = read_table(path)
    if not {"text", "label"} <= set(table.columns):
        raise SourceColumns(f"{path} has the columns {', '.join(table.columns)}", "name them text and label")
    first: dict[str, str] = {}
    for text, label in table.select("text", "label").drop_nulls().iter_rows():
        if readable(str(text)):
            first.setdefault(str(text), str(label))
    return list(first), list(first.values())


def _entry(
    request: AdaptRequest, run: Run, head: Head, measures: pl.DataFrame, classes: pl.DataFrame, texts: int
) -> dict[str, Any]:
    """What the model remembers of its head."""
    import hashlib

    path = Path(request.source)
    return {
        "verb": "head",
        "base": request.base,
        "data": {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "texts": texts},
        "seed": run.seed,
        "reg": head.reg,
        "labels": list(head.labels),
        "measured": measures.to_dicts(),
        "classes": classes.to_dicts(),
    }
