"""Every network of the house on one exam, each trained for about the same CPU time: what a body is worth for what it costs.

    python benchmarks/quality/bodies.py [NETWORK ...]

Amazon Beauty, leave one out, full ranking, the validation event alone: nothing here was chosen on the test. Epochs are set so
that each training takes some SECONDS of one core where the page was written; a network named on the command line is measured
anew and the others' rows are kept. Writes docs/reference/quality-bodies.md. Some ten CPU minutes.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from next_product import RUN, K, figure, read

from basketry.core.protocols import Ranker
from basketry.encoders.history.onnx_graph import onnx_bytes
from basketry.evaluation.retrieval import Questions
from basketry.recommendation.networks import NETWORKS
from basketry.recommendation.neural import Neural, NeuralRanker
from basketry.recommendation.popularity import Popularity
from basketry.recommendation.protocols import Split, leave_one_out
from basketry.recommendation.rankers import RankerEstimator
from basketry.recommendation.transitions import Transitions

PAGE = Path(__file__).parents[2] / "docs/reference/quality-bodies.md"
SECONDS = 60
ALONE = 200  # queries asked one by one
# Passes, examples in a step, highest learning rate. Steps are small but where one costs the same whatever it reads.
PLANS = {
    "esasrec": (4, 128, 3e-3),
    "sasrec": (4, 128, 3e-3),
    "bert4rec": (4, 128, 3e-3),
    "gru": (4, 128, 3e-3),
    "cnn": (4, 128, 3e-3),
    "mlp": (9, 128, 3e-3),
    "autoencoder": (16, 128, 3e-3),
    "lightgcn": (6, 256, 5e-3),
    "dbn": (16, 256, 5e-3),
}
HEAD = f"""# Networks, each with the same time to learn

Amazon Beauty (s3rec_amazon), leave one out, full ranking, asked for the validation event: R@10 is the share of customers whose
product is among ten of all, N@10 its nDCG, with 95% intervals by bootstrap of customers. Each network was trained on one core
for about {SECONDS} CPU seconds, which is short: `python benchmarks/quality/next_product.py` trains the gated transformer
longer. So this says what a body makes of little time, and not which is best in the end. Dimension 64, dropout and negatives are
those of `basketry evaluate neural-NAME`; the epoch kept is that which customers held out of the training liked best. Parameters
are all that is stored, nearly all of them the table of products. `one query` is CPU time on ONNX Runtime, one history at a time
and ten places among all products. `python benchmarks/quality/bodies.py` writes this page.

| ranker | R@10 | N@10 | parameters | epochs | fit, CPU s | one query, CPU ms | ONNX, MB |
|---|---|---|---:|---:|---:|---:|---:|
"""


def estimators() -> dict[str, RankerEstimator]:
    """The networks, and two rules that need no training."""
    return {
        "popularity": Popularity(),
        "transitions": Transitions(),
        **{name: planned(name) for name in PLANS},
    }


def planned(name: str) -> Neural:
    """A network under its plan."""
    epochs, batch, rate = PLANS[name]
    of = NETWORKS[name]
    return replace(of, pretraining=2, plan=replace(of.plan, epochs=epochs, batch_size=batch, learning_rate=rate, patience=0))


def row(name: str, estimator: RankerEstimator, split: Split) -> str:
    """Fit, rank everybody, then some alone."""
    begun = time.process_time()
    model = estimator.fit(split.train, RUN)
    fitted = time.process_time() - begun
    ranked = model.rank(split.queries, K, split.candidates).products.astype(np.int64)
    figures = Questions(split.relevant, split.customers).measure(ranked, (K,), resamples=1_000)
    cells = [figure(figures.interval(metric)) for metric in ("hit@10", "ndcg@10")]
    size = ["-", "-", f"{fitted:.1f}", f"{alone(model, split):.2f}", "-"]
    if isinstance(model, NeuralRanker) and isinstance(estimator, Neural):
        numbers = sum(array.size for key, array in model.arrays.items() if key not in ("layout", "known"))
        size = [f"{numbers:,}", f"{estimator.plan.epochs}", *size[2:4], f"{len(onnx_bytes(model.arrays)) / 1e6:.1f}"]
    return f"| {name} | " + " | ".join([*cells, *size]) + " |"


def alone(model: Ranker, split: Split) -> float:
    """Median milliseconds of CPU of a query by itself."""
    spent = []
    for number in range(ALONE):
        asked = split.queries.select(np.array([number]))
        begun = time.process_time()
        model.rank(asked, K, split.candidates)
        spent.append(time.process_time() - begun)
    return float(np.median(spent)) * 1e3


def main() -> None:
    """Measure what is named, or everything, and write."""
    asked = sys.argv[1:] or list(estimators())
    split = leave_one_out(read("Beauty"), "validation")
    known = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []
    rows = {line.split("|")[1].strip(): line for line in known if line.startswith("| ") and "ranker" not in line}
    for name, estimator in estimators().items():
        if name in asked:
            rows[name] = row(name, estimator, split)
            print(rows[name], flush=True)
        lines = [rows[each] for each in estimators() if each in rows]
        missing = [each for each in estimators() if each not in rows]
        told = f" Not measured yet: {', '.join(missing)}." if missing else ""
        PAGE.write_text(HEAD + "\n".join(lines) + f"\n\nExam {split.digest[:12]}.{told}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
