"""What a product or a review is: categories and sentiment, by heads over vectors and by TF-IDF with logistic regression."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from basketry.evaluation.classification import Labelled
from basketry.training.adaptation.contrastive import ContrastiveAdapter
from basketry.training.heads import Classifier
from product_tasks.adapting import grouped_pairs, held_out
from product_tasks.data import RUN, Bench, Classified, Grouped, bucket, mall, reviews
from product_tasks.data import fashion as read_fashion
from product_tasks.page import Page, Row

METRICS = {"macro_f1": "macro-F1", "accuracy": "accuracy"}
TRAIN, TUNED = 4_000, 2_000
REVIEWS = 2_000
WORDS = {"positive": "非常满意，质量很好，推荐购买", "negative": "非常失望，质量很差，不推荐购买"}


@dataclass(frozen=True)
class Task:
    """Texts with labels, and what each label is called in words."""

    data: Classified
    words: dict[str, str]

    @property
    def names(self) -> list[str]:
        return sorted(set(self.data.train_labels) | set(self.data.test_labels))

    def numbers(self, labels: list[str]) -> np.ndarray:
        place = {name: number for number, name in enumerate(self.names)}
        return np.array([place[label] for label in labels])

    def truth(self) -> Labelled:
        return Labelled(self.numbers(self.data.test_labels), len(self.names), np.arange(len(self.data.test)))

    def row(self, name: str, predicted: list[str], encoding: float | None = None, learning: float | None = None) -> Row:
        return Row(name, self.truth().measure(self.numbers(predicted), 500, RUN.seed), encoding, learning)


def fashion(bench: Bench, page: Page) -> None:
    """articleType from the title."""
    data = read_fashion(bench.datasets, TRAIN)
    task = Task(data, {name: name.lower() for name in {*data.train_labels, *data.test_labels}})
    page.text(
        "\n## Category (fashion_styles)\n\n"
        f"`articleType` of {len(data.test):,} test titles ({len(task.names)} classes), from {len(data.train):,} others;\n"
        "titles are distinct and fall into parts by their sha256. Zero-shot is the class whose name is nearest to the title.\n"
        f"A head is a logistic regression over the vectors; the adapted row fine-tunes the network on {TUNED:,} of the train\n"
        "titles, so that titles of one class lie together, before the same head."
    )
    rows = [_zero_shot(bench, task, "universal", "default, zero-shot"), *_by_words(task, "char_wb", (3, 5))]
    rows.append(_head(bench, task, "universal", "default, head on frozen vectors"))
    rows.append(_head(bench, task, _tuned(bench, task, "default adapted on fashion", TUNED), "default, adapted, then a head"))
    rows.append(_zero_shot(bench, task, "minilm", "MiniLM, zero-shot"))
    rows.append(_head(bench, task, "minilm", "MiniLM, head on frozen vectors"))
    rows += [_head(bench, task, name, f"{name}, head on its vectors") for name in bench.also]
    page.table(rows, METRICS, "macro_f1")


def chinese(bench: Bench, page: Page) -> None:
    """Sentiment of reviews, and categories of a small catalogue."""
    data = reviews(bench.datasets, REVIEWS)
    task = Task(data, WORDS)
    page.text(
        "\n## Sentiment, in Chinese (zh_reviews, ten categories)\n\n"
        f"Positive or negative: {len(data.test):,} test reviews, {len(data.train):,} to learn from, distinct, cut at 300\n"
        f"characters. Zero-shot compares with two sentences: {WORDS['positive']}; {WORDS['negative']}."
    )
    rows = [_zero_shot(bench, task, "universal", "default, zero-shot"), *_by_words(task, "char", (1, 3))]
    rows.append(_head(bench, task, "universal", "default, head on frozen vectors"))
    rows.append(
        _head(bench, task, _tuned(bench, task, "default adapted on reviews", REVIEWS // 2), "default, adapted, then a head")
    )
    rows += [_head(bench, task, name, f"{name}, head on its vectors") for name in bench.also]
    page.table(rows, METRICS, "macro_f1")
    texts, labels = mall(bench.datasets)
    page.text(
        "\n## Category, in Chinese (zh_mall_catalog)\n\n"
        f"First level of the category ({len(set(labels))} classes) of {len(texts)} goods from name and brief, ten folds by\n"
        "sha256: each is told by a model that learned from the nine other folds."
    )
    page.table(_folded(bench, texts, labels), METRICS, "macro_f1")


def _zero_shot(bench: Bench, task: Task, model: str, name: str) -> Row:
    vectors, seconds = bench.encode(model, task.data.test)
    return task.row(name, _nearest(bench, model, task, vectors), seconds)


def _nearest(bench: Bench, model: str, task: Task, vectors: np.ndarray) -> list[str]:
    words, _ = bench.encode(model, [task.words[label] for label in task.names])
    return [task.names[number] for number in (vectors @ words.T).argmax(axis=1)]


def _head(bench: Bench, task: Task, model: str, name: str) -> Row:
    train, one = bench.encode(model, task.data.train)
    test, two = bench.encode(model, task.data.test)
    begun = time.process_time()
    head = Classifier().fit(train, task.data.train_labels, RUN)
    predicted = head.named(head.predict(test))
    seconds = time.process_time() - begun + bench.learning.get(model, 0.0)
    return task.row(name, predicted, one + two, seconds)


def _by_words(task: Task, analyser: str, lengths: tuple[int, int]) -> list[Row]:
    """TF-IDF of words and of characters, with logistic regression; its C chosen as a head's reg is."""
    found = []
    settings = {"words": {"ngram_range": (1, 2)}, "characters": {"analyzer": analyser, "ngram_range": lengths}}
    if analyser == "char":
        settings.pop("words")  # Chinese has no spaces between words
    for what, setting in settings.items():
        begun = time.process_time()
        vectoriser = TfidfVectorizer(sublinear_tf=True, min_df=2, **setting)
        table = vectoriser.fit_transform(task.data.train)
        labels = np.array(task.data.train_labels)
        out = np.random.default_rng(0).random(len(labels)) < 0.25
        scores = {}
        for c in (3.0, 30.0):
            model = LogisticRegression(C=c, max_iter=100).fit(table[~out], labels[~out])
            guess = task.numbers(list(model.predict(table[out])))
            kept = Labelled(task.numbers(list(labels[out])), len(task.names), np.arange(out.sum()))
            scores[c] = kept.measure(guess, 0).values["macro_f1"][0]
        best = max(scores, key=lambda each: scores[each])
        model = LogisticRegression(C=best, max_iter=100).fit(table, labels)
        predicted = list(model.predict(vectoriser.transform(task.data.test)))
        found.append(task.row(f"TF-IDF, {what}, logistic regression", predicted, None, time.process_time() - begun))
    return found


def _tuned(bench: Bench, task: Task, name: str, most: int) -> str:
    """The default, fine-tuned so that titles of one class lie together."""
    drawn = np.random.default_rng(1).permutation(len(task.data.train))[: most + most // 5]
    kept, learned = (
        Grouped([task.data.train[row] for row in rows], np.array([task.data.train_labels[row] for row in rows]))
        for rows in (drawn[most:], drawn[:most])
    )
    return bench.adapted(name, "universal", grouped_pairs(learned), held_out(kept), ContrastiveAdapter(epochs=2, alike=1))


def _folded(bench: Bench, texts: list[str], labels: list[str]) -> list[Row]:
    fold = np.array([bucket(text) for text in texts])
    told: dict[str, list[str]] = {}
    order: list[int] = []
    for each in range(10):
        rows = [np.flatnonzero(fold != each), np.flatnonzero(fold == each)]
        cut = Classified(*([source[row] for row in chosen] for chosen in rows for source in (texts, labels)))
        task = Task(cut, {name: name for name in set(labels)})
        order += rows[1].tolist()
        predicted = {
            "default, zero-shot": _nearest(bench, "universal", _with_all(task, labels), bench.encode("universal", cut.test)[0])
        }
        table = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
        model = LogisticRegression(C=30.0, max_iter=200).fit(table.fit_transform(cut.train), cut.train_labels)
        predicted["TF-IDF, characters, logistic regression"] = list(model.predict(table.transform(cut.test)))
        for encoder, name in {
            "universal": "default, head on frozen vectors",
            **{one: f"{one}, head" for one in bench.also},
        }.items():
            head = Classifier().fit(bench.encode(encoder, cut.train)[0], cut.train_labels, RUN)
            predicted[name] = head.named(head.predict(bench.encode(encoder, cut.test)[0]))
        for name, guess in predicted.items():
            told.setdefault(name, []).extend(guess)
    whole = Task(Classified([], labels, [texts[row] for row in order], [labels[row] for row in order]), {})
    return [whole.row(name, guess) for name, guess in told.items()]


def _with_all(task: Task, labels: list[str]) -> Task:
    """The task with every class among its names, those absent from a fold too."""
    data = task.data
    return Task(Classified(data.train, labels, data.test, data.test_labels), task.words)
