"""One product or two: pairs of er_product_matching, by a threshold on the cosine, and by a light head over a few features."""

from __future__ import annotations

import re

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from basketry.evaluation.bootstrap import Resampled, case_weights
from basketry.evaluation.classification import best_threshold
from product_tasks import adapting
from product_tasks.data import ER, RUN, Bench, Compared, er
from product_tasks.page import Page, Row

Parts = dict[str, Compared]


def matched(bench: Bench, page: Page) -> None:
    """Every model on the test part of every set."""
    sets = {name: er(bench.datasets, name) for name in ER}
    shared = ", ".join(f"{name} {_overlap(parts):.0%}" for name, parts in sets.items())
    page.text(
        "\n## One product or two (er_product_matching)\n\n"
        "F1 of calling a pair one product where the cosine of titles (with maker and model number) reaches a threshold chosen\n"
        "on the valid part. The parts are those published; they are disjoint in pairs, not in products: the share of test\n"
        f"pairs with a text that is in a train pair too is {shared}. *Adapted* is one model, fine-tuned on the matching\n"
        "pairs of the four train parts. The light head is a logistic regression over six features of a pair, learned on the\n"
        "valid part: both cosines of TF-IDF, those of the default and of the adapted model, the share of model numbers in\n"
        "common, and the ratio of prices. Intervals resample texts: a pair weighs the product of the draws of its two."
    )
    learned, foreign = adapting.on_er(bench), adapting.on_shopee(bench)
    models = {
        "default, zero-shot": "universal",
        "default, adapted (contrastive)": learned,
        "default, adapted on shopee instead": foreign,
        **{name: name for name in bench.also},
    }
    scores: dict[str, dict[str, dict[str, np.ndarray]]] = {name: {} for name in ER}
    for name, parts in sets.items():
        for label, model in models.items():
            scores[name][label] = {part: _cosine(bench, model, compared) for part, compared in judged(parts).items()}
        scores[name] |= _by_words(parts)
        features = ["TF-IDF, words", "TF-IDF, 3 to 5 characters", "default, zero-shot", "default, adapted (contrastive)"]
        scores[name]["light head on six features"] = _head(parts, [scores[name][each] for each in features])
    order = ["default, zero-shot", *(label for label in scores[ER[0]] if label != "default, zero-shot")]
    figures = {label: {name: _f1(sets[name], scores[name][label]) for name in ER} for label in order}
    rows = []
    for label in order:
        mean = np.mean(list(figures[label].values()), axis=0)
        rows.append(Row(label, Resampled({**figures[label], "mean": mean}), None, bench.learning.get(models.get(label, ""))))
    page.table(rows, {**{name: f"F1 {name}" for name in ER}, "mean": "mean F1"}, "mean")


def judged(parts: Parts) -> Parts:
    """The parts a model is measured on: thresholds and the head come from valid."""
    return {name: parts[name] for name in ("valid", "test")}


def _overlap(parts: Parts) -> float:
    known = {*parts["train"].one, *parts["train"].two}
    pairs = list(zip(parts["test"].one, parts["test"].two, strict=True))
    return sum(a in known or b in known for a, b in pairs) / len(pairs)


def _cosine(bench: Bench, model: str, compared: Compared) -> np.ndarray:
    texts = sorted({*compared.one, *compared.two})
    place = {text: row for row, text in enumerate(texts)}
    vectors, _ = bench.encode(model, texts)
    one, two = (vectors[[place[text] for text in side]] for side in (compared.one, compared.two))
    return np.einsum("ij,ij->i", one, two).astype(np.float64)


def _by_words(parts: Parts) -> dict[str, dict[str, np.ndarray]]:
    found = {}
    for name, vectoriser in {
        "TF-IDF, words": TfidfVectorizer(sublinear_tf=True, token_pattern=r"\S+"),
        "TF-IDF, 3 to 5 characters": TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True),
    }.items():
        vectoriser.fit([*parts["train"].one, *parts["train"].two])
        found[name] = {
            part: np.asarray(vectoriser.transform(each.one).multiply(vectoriser.transform(each.two)).sum(axis=1)).ravel()
            for part, each in judged(parts).items()
        }
    return found


def _head(parts: Parts, scores: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Scores of a logistic regression over the features of a pair."""
    features = {
        part: np.stack([*(each[part] for each in scores), _numbers(of), of.price], axis=1) for part, of in judged(parts).items()
    }
    model = LogisticRegression(C=10.0, max_iter=1000).fit(features["valid"], parts["valid"].same)
    return {part: model.predict_proba(each)[:, 1] for part, each in features.items()}


def _numbers(compared: Compared) -> np.ndarray:
    """Share of words with a figure in them that both texts have."""
    found = [[set(re.findall(r"\S*\d\S*", text)) for text in side] for side in (compared.one, compared.two)]
    return np.array([len(a & b) / max(len(a | b), 1) for a, b in zip(*found, strict=True)])


def _f1(parts: Parts, scores: dict[str, np.ndarray]) -> np.ndarray:
    """F1 of the test part and of its resamples: a pair weighs the product of the draws of its two texts (Owen, 2007)."""
    threshold = best_threshold(scores["valid"], parts["valid"].same)
    called, same = scores["test"] >= threshold, parts["test"].same
    texts = np.unique([*parts["test"].one, *parts["test"].two], return_inverse=True)[1]
    weight = case_weights(texts.reshape(2, -1).T, 500, RUN.seed)
    return 2 * (weight @ (called & same)) / (weight @ called + weight @ same)
