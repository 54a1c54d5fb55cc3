"""What masked-language training and training few weights are worth, on titles that sellers wrote for the same products.

    python benchmarks/quality/pretraining.py

shopee_matching: titles, many of them Indonesian, and which are of one product. Products are split by a hash: the train part
trains, the test part is searched, each title for the others of its product. MiniLM was trained on English.
Writes docs/reference/quality-pretraining.md.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from product_tasks.data import shopee
from sklearn.feature_extraction.text import TfidfVectorizer

from basketry.core.protocols import Run
from basketry.encoders.models import encoder_of, load_state, network_of, tokeniser_of
from basketry.encoders.state import EncoderState
from basketry.evaluation.bootstrap import Resampled
from basketry.evaluation.retrieval import Questions, same_group
from basketry.training.adaptation.contrastive import EFFICIENT_RATES
from basketry.training.efficient import make_efficient
from basketry.training.examples import TextPairs
from basketry.training.loop import train
from basketry.training.objectives import Contrastive
from basketry.training.plan import TrainingPlan
from basketry.training.pretrain import pretrain

HEAD = """# Masked-language training, and training few weights

Titles that sellers wrote (shopee_matching, English and Indonesian), searched for the others of the same product. Products
are split by a hash: {learned} titles may be trained on, {searched} others are searched, and none is among both. Learning
rates are rules of thumb, one for each way and none of them tuned here, so small differences between the ways say little.
MiniLM reads {tokens} tokens. Contrast is one pass over {pairs} pairs; few weights are of rank 8. Intervals are 95%,
products resampled.
`python benchmarks/quality/pretraining.py` writes this page.
"""
FOOT = """
Masked-language training saw {titles} titles {epochs} times. Pseudo-perplexity on titles held out, lower is better: guessing by
frequency {unigram}; MiniLM as it comes, under a decoder trained as long, {before}; MiniLM trained, {after}.
"""
ROOT = Path(__file__).parents[2]
RUN = Run(seed=7, threads=1)
TRAINED, PAIRS, SEARCHED, TOKENS = 2_000, 1_200, 3_000, 32
MASKED = TrainingPlan(learning_rate=2e-4, epochs=2, batch_size=32)
CONTRAST = TrainingPlan(epochs=1, batch_size=48)
# By rule of thumb: a step moves AdaLoRA's singular values by the rate, and each entry of LoRA's columns by as much.
RATES = {"whole": 5e-5, **EFFICIENT_RATES}


def titles() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Title and product of what trains and of what is searched; no title is in both."""
    parts, _ = shopee(Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets")))
    frames = (
        pl.DataFrame({"title": [text.lower() for text in part.texts], "label_group": part.groups})
        .unique(maintain_order=True)
        .filter(pl.len().over("label_group") > 1)
        .sort("label_group", "title")
        for part in (parts["train"], parts["test"])
    )
    learned, found = frames
    return learned, found.filter(~pl.col("title").is_in(learned["title"].to_list())).head(SEARCHED)


def pairs(state: EncoderState, learned: pl.DataFrame) -> TextPairs:
    """One pair of titles a product."""
    groups = learned.group_by("label_group", maintain_order=True).agg(pl.col("title").head(2)).head(PAIRS)
    texts = [title for some in groups["title"].to_list() for title in some]
    keys = np.arange(len(texts)) // 2
    return TextPairs(tokeniser_of(state)(texts), np.arange(len(texts)).reshape(-1, 2), keys=keys)


def searched(vectors: np.ndarray, groups: np.ndarray) -> Resampled:
    """Hits of each title among all others; `vectors` have unit norm."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -2)
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    return Questions(same_group(groups), np.unique(groups, return_inverse=True)[1]).measure(ranked, ks=(1, 5))


def adapted(state: EncoderState, learned: pl.DataFrame, method: str) -> tuple[EncoderState, int]:
    """The state after one pass over the pairs, and how many weights were trained."""
    network = network_of(state)
    objective, plan = Contrastive(0.05), replace(CONTRAST, learning_rate=RATES[method])
    if method == "whole":
        history = train(network, objective, pairs(state, learned), plan, RUN)
    else:
        efficient = make_efficient(network, method, rank=8)
        history = train(network, efficient.objective(objective), pairs(state, learned), plan, RUN)
        network = efficient.merged()
    return replace(state, arrays=network.arrays()), history.trainable


def main() -> None:
    """Train, search, and write the page."""
    learned, found = titles()
    texts, groups = found["title"].to_list(), found["label_group"].to_numpy()
    minilm = load_state("minilm")
    minilm = replace(minilm, settings={**minilm.settings, "max_tokens": TOKENS})
    rows: list[tuple[str, Resampled, int, float]] = []

    def told(name: str, state: EncoderState, trainable: int, began: float) -> None:
        spent = time.process_time() - began
        rows.append((name, searched(encoder_of(state, RUN).encode(texts), groups), trainable, spent))
        print(name, rows[-1][1].interval("hit@1"), f"{trainable:,} weights, {spent:.0f} s", flush=True)

    began = time.process_time()
    counts = TfidfVectorizer(sublinear_tf=True).fit(learned["title"].to_list()).transform(texts)
    rows.append(("TF-IDF of words", searched(counts.toarray().astype(np.float32), groups), 0, time.process_time() - began))
    told("MiniLM as it comes", minilm, 0, time.process_time())
    began = time.process_time()
    masked = pretrain(minilm, learned["title"].unique().sort().sample(TRAINED, seed=1).to_list(), MASKED, RUN)
    told("masked-language training alone", masked.state, masked.history.trainable, began)
    for method in ("whole", "lora", "adalora", "adapters"):
        began = time.process_time()
        state, trainable = adapted(minilm, learned, method)
        told(f"contrast, {method}", state, trainable, began)
    began = time.process_time()
    state, trainable = adapted(masked.state, learned, "whole")
    told("masked-language training, then contrast, whole", state, trainable, began)

    page = written(
        rows, masked.unigram.perplexity, masked.before.perplexity, masked.after.perplexity, (len(learned), len(texts))
    )
    (ROOT / "docs/reference/quality-pretraining.md").write_text(page, encoding="utf-8")
    print(page)


def written(
    rows: list[tuple[str, Resampled, int, float]], unigram: float, before: float, after: float, sizes: tuple[int, int]
) -> str:
    """The page."""
    lines = [
        HEAD.format(learned=f"{sizes[0]:,}", searched=f"{sizes[1]:,}", tokens=TOKENS, pairs=f"{PAIRS:,}"),
        "| | hit@1 | hit@5 | hit@1 against MiniLM as it comes | trained weights | CPU s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    base = next(one for name, one, _, _ in rows if name == "MiniLM as it comes")
    for name, one, trainable, seconds in rows:
        first, fifth = one.interval("hit@1"), one.interval("hit@5")
        gain = one.ratio_to(base, "hit@1")
        cells = [f"{cell.value:.3f} ({cell.low:.3f} to {cell.high:.3f})" for cell in (first, fifth)]
        against = "1" if one is base else f"{gain.value:.3f} ({gain.low:.3f} to {gain.high:.3f})"
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {against} | {trainable:,} | {seconds:.0f} |")
    lines.append(
        FOOT.format(
            titles=f"{TRAINED:,}",
            epochs=MASKED.epochs,
            unigram=f"{unigram:,.0f}",
            before=f"{before:,.0f}",
            after=f"{after:,.0f}",
        )
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
