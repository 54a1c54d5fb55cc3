"""Whether products that nobody has bought yet are shown to the right customers, by their texts alone.

    python benchmarks/quality/unsold_products.py [--validation] [games] [uci]

games: amazon_games_text. A tenth of the products, by a hash of their ids, is unsold, and another tenth is for validation; all
their events are taken out, of the training and of the questions. Asked is each customer whose last event is such a product,
with what they did before; learned from is all but the last events. uci: UCI Online Retail. Unsold is what was first sold after
a cut; asked is which of it each known customer buys in the 91 days from then on. The network learns of the games alone.
What was chosen was chosen on the validation: another tenth, and a cut 91 days earlier; weights of blends are learned there.
`--validation` asks the validation's questions of more rankers, prints and writes nothing. Writes
docs/reference/quality-unsold-products.md, or the sections of the shops named. Needs torch and scikit-learn; some five minutes
of one CPU.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gzip
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from cold import opened
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer

from basketry.app.shop import Shop
from basketry.core.histories import Candidates, Histories, Queries
from basketry.core.protocols import Ranker, Run
from basketry.encoders.registry import load_encoder
from basketry.evaluation.bootstrap import Interval, Resampled
from basketry.evaluation.retrieval import Questions
from basketry.recommendation.blending import blended
from basketry.recommendation.item_graph import ItemGraph, in_blocks
from basketry.recommendation.meaning import Meaning
from basketry.recommendation.neural import Neural
from basketry.recommendation.popularity import Popular, Popularity
from basketry.recommendation.protocols import Split, leave_one_out, time_split
from basketry.recommendation.reading import read_histories
from basketry.recommendation.recency import Recency
from basketry.recommendation.weights import learn_weights
from basketry.training.plan import TrainingPlan

ROOT = Path(__file__).parents[2]
DATASETS = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets"))
PAGE = ROOT / "docs/reference/quality-unsold-products.md"
RUN = Run(threads=1)
K = 10
HORIZON = 91
CUT = dt.date(2011, 9, 1)
PLAN = TrainingPlan(learning_rate=3e-3, epochs=6, batch_size=128, patience=2)


@dataclass(frozen=True, eq=False)
class Exam:
    """Questions about unsold products.

    `split` was learned without them; `unsold` and `shown` bool [n_products]: which they are, and all that may be ranked.
    `cluster` [questions] are resampled together. `known` float32 [n_products]: how much each product sold all the same, which
    nobody can know. `everybody` is popularity's figure on the questions about all products, learned from all of them.
    """

    title: str
    told: str
    split: Split
    unsold: np.ndarray
    shown: np.ndarray
    cluster: np.ndarray
    known: np.ndarray
    everybody: Resampled


def games() -> tuple[str, list[str], Exam, Exam]:
    """Title, texts, validation and test of the games."""
    folder = DATASETS / "amazon_games_text"
    with gzip.open(folder / "Games-6k.item.gz", "rt", encoding="utf-8") as file:
        texts = [line.rstrip("\n").split("\t", 1)[1] for line in file][1:]
    with gzip.open(folder / "Games-6k.test.inter.gz", "rt") as file:
        next(file)
        rows = [[*map(int, past.split()), int(last)] for _, past, last in (line.rstrip("\n").split("\t") for line in file)]
    histories = Histories.from_rows(rows, len(texts))
    whole = leave_one_out(histories, learn_validation=True)
    everybody = measured(Popularity().fit(whole.train, RUN), whole, Candidates(), whole.customers)
    tenth = np.array([int(hashlib.sha256(str(code).encode()).hexdigest(), 16) % 10 for code in range(len(texts))])
    gone = tenth < 2
    known = np.bincount(whole.train.products, minlength=len(texts)).astype(np.float32)
    past = whole.queries.histories
    past = past.where(~gone[past.products])
    answers = whole.relevant.indices
    train = whole.train.where(~gone[whole.train.products])
    exams = []
    for which in (1, 0):
        unsold = tenth == which
        rows_ = np.flatnonzero(unsold[answers] & (past.lengths > 0)).astype(np.int64)
        split = Split(
            f"leave one out, tenth {which} unsold",
            train,
            Queries(past.select(rows_), whole.queries.days[rows_]),
            whole.relevant[rows_],
            whole.customers[rows_],
            repeats=False,
        )
        asked = len(np.unique(answers[rows_]))
        told = (
            f"{len(rows_):,} customers whose last product is one of {unsold.sum():,} unsold ones, {asked:,} of which are "
            f"asked for (these are resampled), among {(~gone | unsold).sum():,} in all."
        )
        exams.append(Exam("Amazon Video Games", told, split, unsold, ~gone | unsold, answers[rows_], known, everybody))
    return "Amazon Video Games", texts, exams[0], exams[1]


def uci() -> tuple[str, list[str], Exam, Exam]:
    """The same of UCI Online Retail."""
    with tempfile.TemporaryDirectory() as temporary:
        _, _, texts = opened(Path(temporary), "uci_online_retail")
        with Shop(Path(temporary) / "uci_online_retail").dataset() as dataset:
            histories = read_histories(dataset, len(texts))
    legible = np.array([bool(text) for text in texts])
    exams = []
    for back in (1, 0):
        day = CUT - back * dt.timedelta(days=HORIZON)
        whole = time_split(histories, (day - dt.date(1970, 1, 1)).days, HORIZON, repeats=False)
        unsold = whole.cold_products(1) & legible
        relevant = whole.only(unsold)
        later = histories.where(histories.days < int(whole.queries.days[0]) + HORIZON)
        known = np.bincount(later.products, minlength=len(texts)).astype(np.float32)
        everybody = measured(Popularity().fit(whole.train, RUN), whole, Candidates(), whole.customers)
        asked = np.flatnonzero(np.diff(relevant.indptr) > 0)
        bought = len(np.unique(relevant.indices))
        told = (
            f"{len(asked):,} customers (these are resampled) who bought {bought:,} of {unsold.sum():,} products not sold "
            f"before {day} in the {HORIZON} days from then on, among {len(texts):,} in all."
        )
        split = replace(whole, relevant=relevant)
        exams.append(Exam("UCI Online Retail", told, split, unsold, legible | ~unsold, whole.customers, known, everybody))
    return "UCI Online Retail", texts, exams[0], exams[1]


def measured(ranker: Ranker, split: Split, candidates: Candidates, cluster: np.ndarray) -> Resampled:
    """R@10 and N@10 of one ranker."""
    rows = np.flatnonzero(np.diff(split.relevant.indptr) > 0)
    ranked = ranker.rank(split.queries.select(rows), K, candidates).products.astype(np.int64)
    return Questions(split.relevant[rows], cluster[rows]).measure(ranked, (K,), resamples=1_000)


def encoded(name: str, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the texts that are there, and the row of each product, -1 for none."""
    there = np.array([bool(text.strip()) for text in texts])
    document = np.where(there, np.cumsum(there) - 1, -1).astype(np.int32)
    return load_encoder(name, RUN).encode([text for text in texts if text.strip()]), document


def words(texts: list[str]) -> ItemGraph:
    """The same sum over the history as `Meaning`, of cosines of TF-IDF words."""
    table = csr_array(TfidfVectorizer().fit_transform(texts), dtype=np.float32)
    return ItemGraph(in_blocks(len(texts), lambda first, last: table[first:last] @ table.T, 2_000), Meaning().recency)


def shuffled(counts: np.ndarray) -> Popular:
    """Popularity that draws the order of equals: a little less than one is added to every count, at random."""
    return Popular((counts + np.random.default_rng(0).uniform(0.01, 0.99, len(counts))).astype(np.float32))


def rankers(texts: list[str], valid: Exam, asked: Exam) -> Iterator[tuple[str, Ranker]]:
    """One after the other: what needs nothing, what reads texts, what learned of the others; all that was tried if `valid`."""
    n, train, tried = len(texts), asked.split.train, asked is valid
    sold = np.bincount(train.products, minlength=n).astype(np.float32)
    yield "random", shuffled(np.zeros(n, dtype=np.float32))
    yield "popularity, unsold at random", shuffled(sold)
    yield "popularity, had it been known", shuffled(asked.known)
    yield "TF-IDF of words, as meaning", words(texts)
    vectors, document = encoded("universal", texts)
    yield "nearest text to the last product", Meaning(Recency(window=1)).fit(vectors, document)
    for decay in (1.0, 0.9, 0.5) if tried else (1.0,):
        yield f"mean text of the history, decay {decay:g}", Meaning(Recency(decay=decay)).fit(vectors, document)
    meaning = Meaning().fit(vectors, document)
    yield f"meaning (decay {meaning.recency.decay:g})", meaning
    if tried:
        yield "meaning, minilm", Meaning().fit(*encoded("minilm", texts))
    if valid.split.train is not train:  # the validation is of another time: a network would be trained twice
        return
    features = np.where(document[:, None] >= 0, meaning.vectors[document], 0).astype(np.float32)
    learned = Neural(blocks=1, gated=True, dropout=0.3, plan=PLAN).fit(train, RUN, features=features)
    yield "neural, texts as features", learned
    weights = learn_weights((Only(meaning, valid.unsold), Only(learned, valid.unsold)), valid.split).weights
    yield f"blend, meaning {weights[0]:.2f} and neural {weights[1]:.2f}", blended((meaning, learned), weights)


@dataclass(frozen=True, eq=False)
class Only:
    """A ranker of some products, so that a blend's weights are those that tell these from each other."""

    of: Ranker
    products: np.ndarray

    @property
    def n_products(self) -> int:
        """As many as before."""
        return self.of.n_products

    def scores(self, queries: Queries) -> np.ndarray:
        """0 for all others."""
        return np.where(self.products, self.of.scores(queries), np.float32(0))

    def rank(self, queries: Queries, k: int, candidates: Candidates) -> object:
        """None of the others."""
        allowed = self.products if candidates.allowed is None else candidates.allowed & self.products
        return self.of.rank(queries, k, replace(candidates, allowed=allowed))


def figure(each: Interval) -> str:
    """A figure and its interval."""
    return f"{each.value:.4f} [{each.low:.4f}, {each.high:.4f}]"


def section(texts: list[str], valid: Exam, asked: Exam) -> str:
    """The table of one shop: of its validation, if that is asked."""
    yard = asked.everybody.interval("recall@10")
    lines = [
        f"## {asked.title}",
        "",
        f"{asked.told} Exam {asked.split.digest[:12]}. Popularity on the questions about all products, nothing taken out: R@10 "
        f"{figure(yard)}. *Times* is R@10 over that, and its lower end over the upper end of that.",
        "",
        "| ranker | R@10 among all | N@10 | times | R@10 among unsold | N@10 | times | CPU s |",
        "|---|---|---:|---|---|---:|---|---:|",
    ]
    began = time.process_time()
    for name, ranker in rankers(texts, valid, asked):
        cells = []
        for allowed in (asked.shown, asked.unsold):
            found = measured(ranker, asked.split, Candidates(allowed), asked.cluster)
            recall = found.interval("recall@10")
            times = f"{recall.value / yard.value:.1f} (≥ {recall.low / yard.high:.1f})"
            cells += [figure(recall), f"{found.interval('ndcg@10').value:.4f}", times]
        lines.append(f"| {name} | {' | '.join(cells)} | {time.process_time() - began:.0f} |")
        print(lines[-1], file=sys.stderr, flush=True)
        began = time.process_time()
    return "\n".join([*lines, ""])


HEAD = """# Products never sold

Whether a product that nobody has bought is shown to the right customers, by its text alone. R@10 is the share of the unsold
products a customer went on to buy that is among ten (over at most ten), N@10 its nDCG; 95% intervals by bootstrap. *Among all*:
the unsold compete with every product that the customer had not bought. *Among unsold*: only they are ranked, as in a scene of
new products. Popularity has nothing to say of them, so equals are drawn at random. *Had it been known*: they are ranked by the
sales that were taken out, which nobody can know. Texts are read by the default encoder. *Meaning* is
`recommendation.meaning.Meaning`, which needs no training; its decay was chosen on the validation of the games (`--validation`
prints it, with other decays and all-MiniLM-L6-v2). *Neural* is `Neural` with texts as features, one gated block, not tuned, of
the games alone; the blend's weights are learned on the validation's unsold products. CPU seconds are those of fitting and both
rankings. `python benchmarks/quality/unsold_products.py` writes this page.

"""


def main() -> None:
    """Measure and print; write the page, unless on the validation."""
    shops = {"games": games, "uci": uci}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shops", nargs="*", metavar="SHOP", help=f"of {', '.join(shops)}; default: all")
    parser.add_argument("--validation", action="store_true", help="ask the validation's questions, print, write no page")
    asked = parser.parse_args()
    titles = {}
    for shop, read in shops.items():
        if asked.shops and shop not in asked.shops:
            continue
        title, texts, valid, exam = read()
        titles[title] = section(texts, valid, valid if asked.validation else exam)
        print(titles[title], flush=True)
        if not asked.validation:
            known = PAGE.read_text(encoding="utf-8").split("\n## ")[1:] if PAGE.exists() else []
            whole = {each.splitlines()[0]: f"## {each}".rstrip() + "\n" for each in known} | titles
            order = [name for name in ("Amazon Video Games", "UCI Online Retail") if name in whole]
            PAGE.write_text(HEAD + "\n".join(whole[name] for name in order).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
