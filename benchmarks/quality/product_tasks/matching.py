"""Same product, other words: retrieval within shopee_matching, parts disjoint in label_group."""

from __future__ import annotations

import time

import numpy as np
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer

from basketry.evaluation.bootstrap import Resampled, case_weights
from basketry.training.adaptation.contrastive import ContrastiveAdapter
from basketry.training.adaptation.judging import nearest_others
from basketry.training.adaptation.linear import LinearAdapter, projected
from product_tasks import adapting
from product_tasks.adapting import grouped_pairs, held_out, questions, share_of
from product_tasks.data import RUN, Bench, Grouped
from product_tasks.data import shopee as read_shopee
from product_tasks.page import Page, Row

K = 50  # candidates of a query that a threshold chooses from
METRICS = {"hit@1": "R@1", "recall@5": "R@5", "f1": "F1"}
SMALL = 0.05  # share of the train groups that the larger network is adapted on


def shopee(bench: Bench, page: Page) -> None:
    """Every model on the test groups."""
    parts, told = read_shopee(bench.datasets)
    sizes = ", ".join(f"{name} {len(each.texts):,} titles of {len(set(each.groups)):,} groups" for name, each in parts.items())
    page.text(
        "\n## Same product, other words (shopee_matching)\n\n"
        f"Groups fall into parts by the sha256 of their number ({sizes}). {told} Every test title asks among all other test\n"
        "titles: R@k is the share of its group within the first k places, of at most k; F1 is the mean over titles of the\n"
        "F1 of what lies above a threshold on the score, chosen on the valid part."
    )
    rows = [_by_model(bench, parts, "universal", "default, zero-shot")]
    for name, vectoriser in {
        "TF-IDF, words": TfidfVectorizer(sublinear_tf=True),
        "TF-IDF, 3 to 5 characters": TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True),
    }.items():
        rows.append(_by_words(parts, name, vectoriser))
    rows.append(_by_matrix(bench, parts))
    adapted = adapting.on_shopee(bench)
    rows.append(_by_model(bench, parts, adapted, f"default, adapted (contrastive) on {adapting.SHARE:.0%} of the train groups"))
    foreign = adapting.on_er(bench)
    rows.append(_by_model(bench, parts, foreign, "default, adapted on er_product_matching instead"))
    rows.append(_by_model(bench, parts, "minilm", "MiniLM, zero-shot"))
    few = grouped_pairs(share_of(parts["train"], SMALL))
    small = bench.adapted(
        "MiniLM adapted on shopee", "minilm", few, held_out(share_of(parts["valid"], 0.3)), ContrastiveAdapter(epochs=1)
    )
    rows.append(_by_model(bench, parts, small, f"MiniLM, adapted on {SMALL:.0%} of the train groups"))
    for base, told, recipe in (
        ("universal", "default", "vocab"),
        (adapted, "default, adapted", "vocab"),
        (adapted, "default, adapted", "vocab+static"),
        ("minilm", "MiniLM", "int8"),
        (small, "MiniLM, adapted", "int8"),
        (small, "MiniLM, adapted", "static"),
    ):
        model = bench.compressed(base, recipe, parts["train"].texts)
        rows.append(_by_model(bench, parts, model, f"{told}, compressed: `{recipe}`, {bench.state(model).bytes / 1e6:.0f} MB"))
    rows += [_by_model(bench, parts, name, name) for name in bench.also]
    page.table(rows, METRICS, "hit@1")


def _by_model(bench: Bench, parts: dict[str, Grouped], model: str, name: str) -> Row:
    valid, _ = bench.encode(model, parts["valid"].texts)
    test, seconds = bench.encode(model, parts["test"].texts)
    return Row(name, _figures(parts, _dense(valid), _dense(test)), seconds, bench.learning.get(model))


def _by_matrix(bench: Bench, parts: dict[str, Grouped]) -> Row:
    learn = grouped_pairs(share_of(parts["train"], adapting.SHARE))
    train, valid, test = (
        bench.encode("universal", texts)[0] for texts in (list(learn.texts), parts["valid"].texts, parts["test"].texts)
    )
    begun = time.process_time()
    fit = LinearAdapter().fit(train, learn.rows, learn.weights, held_out(parts["valid"]), valid)
    seconds = time.process_time() - begun
    figures = _figures(parts, _dense(projected(valid, fit.matrix)), _dense(projected(test, fit.matrix)))
    basis, shrink, _ = max(fit.tried, key=lambda each: each[2])
    return Row(f"default, linear adapter ({basis}, shrink {shrink:g})", figures, None, seconds)


def _by_words(parts: dict[str, Grouped], name: str, vectoriser: TfidfVectorizer) -> Row:
    begun = time.process_time()
    vectoriser.fit(parts["train"].texts)
    learning, begun = time.process_time() - begun, time.process_time()
    valid, test = (csr_array(vectoriser.transform(parts[each].texts)) for each in ("valid", "test"))
    seconds = time.process_time() - begun
    return Row(name, _figures(parts, _sparse(valid), _sparse(test)), seconds, learning)


Nearest = tuple[np.ndarray, np.ndarray]  # rows [n, K] and their scores


def _dense(vectors: np.ndarray) -> Nearest:
    rows = nearest_others(vectors, np.arange(len(vectors)), K)
    return rows, np.einsum("id,ikd->ik", vectors, vectors[rows])


def _sparse(table: csr_array) -> Nearest:
    rows, scores = [], []
    turned = csr_array(table.T)
    for start in range(0, table.shape[0], 500):
        cosine = np.asarray((table[start : start + 500] @ turned).todense())
        cosine[np.arange(len(cosine)), np.arange(start, start + len(cosine))] = -1
        best = np.argsort(-cosine, axis=1, kind="stable")[:, :K]
        rows.append(best)
        scores.append(np.take_along_axis(cosine, best, axis=1))
    return np.concatenate(rows), np.concatenate(scores)


def _figures(parts: dict[str, Grouped], valid: Nearest, test: Nearest) -> Resampled:
    """R@k of the test part, and its mean F1 at the threshold that was best on the valid part."""
    asked = {name: questions(parts[name]) for name in ("valid", "test")}
    levels = np.quantile(valid[1], np.linspace(0.02, 0.999, 200))
    found = {"valid": asked["valid"].found(valid[0]), "test": asked["test"].found(test[0])}
    wanted = {name: np.diff(each.relevant.indptr) for name, each in asked.items()}
    threshold = max(levels, key=lambda level: float(_f1(found["valid"], wanted["valid"], valid[1] >= level).mean()))
    ask = asked["test"]
    figures = dict(ask.measure(test[0], (1, 5, 10), 500, RUN.seed).values)
    weight = case_weights(ask.cluster, 500, RUN.seed)
    asks = wanted["test"] > 0  # what is left of a group may be one title
    f1 = _f1(found["test"], wanted["test"], test[1] >= threshold)
    figures["f1"] = weight[:, asks] @ f1[asks] / weight[:, asks].sum(axis=1)
    return Resampled(figures)


def _f1(found: np.ndarray, wanted: np.ndarray, called: np.ndarray) -> np.ndarray:
    """F1 of each query; 0 where there is nothing to find."""
    return 2 * (found & called).sum(axis=1) / np.maximum(called.sum(axis=1) + wanted, 1)
