"""Whether neighbours of a product that was never sold foretell what it will be bought with.

    python benchmarks/quality/cold.py [--validation] [uci_online_retail] [complete_journey]

A fifth of the products (by a hash of their ids) is cold: every line of theirs is taken away before anything is learned. What is
learned comes from baskets before the cut; what is foretold are the warm products that a cold one is bought with after the cut.
Everything tried was chosen with --validation, on other products and earlier months; it prints and writes nothing. Without it
docs/reference/quality-cold.md is written, or the sections of the shops named. About eight minutes of one CPU.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from basketry.app.ingest import IngestRequest, ingest
from basketry.app.init import InitRequest, init
from basketry.app.shop import Shop
from basketry.associations.baskets import BasketMatrix
from basketry.associations.behaviour_vectors import Behaviour, BehaviourVectors
from basketry.associations.cold import ColdFusion
from basketry.associations.lookahead import read_baskets
from basketry.associations.partners import MEASURE, Partners
from basketry.core.errors import DataError
from basketry.core.protocols import Run
from basketry.core.tables import Documents
from basketry.encoders.models import encoder_of, load_state
from basketry.encoders.state import EncoderState
from basketry.evaluation.bootstrap import Interval, Resampled
from basketry.training.adaptation.contrastive import ContrastiveAdapter
from basketry.training.adaptation.pairs import Pairs, split
from basketry.training.fusion.foretelling import Foretelling
from basketry.training.fusion.modality import Modality, unit
from basketry.training.fusion.text_tower import TextTower

ROOT = Path(__file__).parents[2]
DATASETS = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets"))
EPOCH = dt.date(1970, 1, 1)
RUN = Run(threads=1)
PAGE = ROOT / "docs/reference/quality-cold.md"
CONTRASTIVE, TOWER = "universal, contrastive", "universal, fine-tuned to behaviour (TextTower)"
UNADAPTED = "universal, as it comes"


@dataclass(frozen=True)
class Setting:
    """One shop, one split. `cold` and `gone` are tenths of the products by hash; days are local, `end` excluded."""

    title: str
    adapter: str
    cold: tuple[int, ...]
    gone: tuple[int, ...]
    cut: dt.date
    end: dt.date
    learn_floor: int
    partner_floor: int = 5
    bases: tuple[str, ...] = ("universal", "minilm")


TEST = (
    Setting("UCI Online Retail", "uci_online_retail", (0, 1), (0, 1), dt.date(2011, 9, 1), dt.date(2012, 1, 1), 3),
    Setting(
        "Complete Journey",
        "complete_journey",
        (0, 1),
        (0, 1),
        dt.date(2017, 10, 1),
        dt.date(2018, 1, 1),
        20,
        20,
        ("universal",),
    ),
)
VALIDATION = (
    Setting("UCI, validation", "uci_online_retail", (2, 3), (0, 1, 2, 3), dt.date(2011, 6, 1), dt.date(2011, 9, 1), 3),
)


@dataclass(frozen=True, eq=False)
class World:
    """What may be learned from, and what is asked."""

    setting: Setting
    texts: list[str]
    early: BasketMatrix  # before the cut, cold products and all
    past: BasketMatrix  # before the cut, without them
    partners: Partners


def opened(folder: Path, adapter: str) -> tuple[BasketMatrix, list[str], list[str]]:
    """Baskets, product ids, texts ("" for none)."""
    shop = Shop(folder / adapter)
    if not (shop.folder / "shop.toml").exists():
        init(shop, InitRequest(adapter))
        toml = shop.folder / "shop.toml"
        path = DATASETS / "uci_online_retail" / "online_retail.csv.gz"
        toml.write_text(toml.read_text().replace('path = "online_retail.csv.gz"', f'path = "{path}"'))
        ingest(shop, IngestRequest())
    with shop.dataset() as dataset:
        documents = dataset.query(Documents, "documents")
        baskets = read_baskets(dataset, len(documents))
    return baskets, documents["product_id"].to_list(), [text or "" for text in documents["text"]]


def world(folder: Path, setting: Setting) -> World:
    """Split products and time."""
    baskets, ids, texts = opened(folder, setting.adapter)
    tenth = np.array([int(hashlib.sha256(each.encode()).hexdigest(), 16) % 10 for each in ids])
    cold, gone = np.isin(tenth, setting.cold), np.isin(tenth, setting.gone)
    cut, end = ((day - EPOCH).days for day in (setting.cut, setting.end))
    early = baskets.select(baskets.days < cut)
    past = early.without(gone)
    later = baskets.select((baskets.days >= cut) & (baskets.days < end))
    legible = np.array([bool(text) for text in texts])
    warm = (np.bincount(past.items, minlength=len(ids)) > 0) & legible
    return World(setting, texts, early, past, Partners.of(later, cold & legible, warm, setting.partner_floor, RUN))


@dataclass(frozen=True)
class Row:
    """One way to rank, how it fared, and the CPU seconds its fit took."""

    kind: str
    name: str
    measured: Resampled
    seconds: float


def encoded(state: EncoderState, texts: list[str]) -> np.ndarray:
    """Vectors of the texts; zero rows for none."""
    known = np.array([bool(text) for text in texts])
    found = encoder_of(state, RUN).encode([text for text in texts if text])
    vectors = np.zeros((len(texts), found.shape[1]), dtype=np.float32)
    vectors[known] = found
    return vectors


def simple(asked: World, behaviour: Behaviour) -> Iterator[tuple[str, str, Callable[[], np.ndarray]]]:
    """Scores that need no encoder, and what the cold products' own past would say, had they been sold."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    cold, warm = asked.partners.cold, asked.partners.warm
    sold = np.bincount(asked.past.items, minlength=len(asked.texts))
    words = TfidfVectorizer().fit([asked.texts[code] for code in warm])
    table = words.transform(asked.texts).tocsr()

    def foretold_by_words() -> np.ndarray:
        both = np.flatnonzero(behaviour.known)
        kernel = (table[both] @ table[both].T).toarray() + np.eye(len(both))
        dual = np.linalg.solve(kernel, behaviour.vectors[both].astype(np.float64))
        vectors = unit(table @ (table[both].T @ dual))
        return vectors[cold] @ vectors[warm].T

    def own_past() -> np.ndarray:
        edges = BehaviourVectors(dim=1, min_customers=asked.setting.learn_floor).fit(asked.early, RUN).partners
        return edges[cold][:, warm].toarray()

    yield "baseline", "popularity", lambda: np.tile(sold[warm].astype(float), (len(cold), 1))
    yield "baseline", "TF-IDF of words, cosine", (table[cold] @ table[warm].T).toarray
    yield "baseline", "TF-IDF of words, ridge to behaviour", foretold_by_words
    yield "if it had been sold", "its own past, certain lift", own_past


def contrastive(asked: World, behaviour: Behaviour) -> EncoderState:
    """`basketry adapt` as it comes, early stopping on products of its own keeping."""
    texts = np.array(asked.texts, dtype=object)
    pairs = Pairs.of_pairs(list(texts[behaviour.a]), list(texts[behaviour.b]), behaviour.weight)
    parts = split(pairs, RUN, valid=0.12, test=0.12)
    return ContrastiveAdapter().fit(load_state("universal"), parts.learn, parts.valid, RUN)[0]


def rows(asked: World) -> tuple[list[Row], list[str]]:
    """Every row of the table, and what the fusions say of themselves."""
    behaviour = BehaviourVectors(min_customers=asked.setting.learn_floor).fit(asked.past, RUN)
    full = behaviour.modality
    found, said = [], []

    def add(kind: str, name: str, fit: Callable[[], np.ndarray], *, scores: bool = False) -> np.ndarray:
        began = time.process_time()
        given = fit()
        seconds = time.process_time() - began
        ranked = asked.partners.ranked(given) if scores else asked.partners.nearest(given)
        found.append(Row(kind, name, asked.partners.measure(ranked), seconds))
        print(f"{name:45s} {found[-1].measured.interval(MEASURE)} {seconds:.0f} s", file=sys.stderr, flush=True)
        return given

    def linear(name: str) -> np.ndarray:
        content = Modality(bases[name], bases[name].any(axis=1))
        return Foretelling().fit(content, full).apply(content).vectors  # what the encoder with `project.weight` gives

    def fused(vectors: np.ndarray) -> np.ndarray:
        fusion = ColdFusion(behaviour=BehaviourVectors(min_customers=asked.setting.learn_floor))
        try:
            model = fusion.fit(asked.past, {"text": Modality(vectors, vectors.any(axis=1))}, RUN)
        except DataError as error:
            said.append(f"{error.message}: text alone is used")
            return vectors
        said.append(model.proof.account())
        return model.vectors

    for kind, name, score in simple(asked, behaviour):
        add(kind, name, score, scores=True)
    bases = {name: encoded(load_state(name), asked.texts) for name in asked.setting.bases}
    for name, vectors in bases.items():
        add("unadapted encoder", f"{name}, as it comes", lambda vectors=vectors: vectors)
    for name in bases:
        add("adapted encoder", f"{name}, one matrix to behaviour (Foretelling)", lambda name=name: linear(name))
    add("adapted encoder", CONTRASTIVE, lambda: encoded(contrastive(asked, behaviour), asked.texts))
    tower = TextTower()
    add(
        "adapted encoder",
        TOWER,
        lambda: encoded(tower.fit(load_state("universal"), asked.texts, full, behaviour.partners, RUN), asked.texts),
    )
    for name, vectors in bases.items():
        add("fused", f"{name} and behaviour (ColdFusion)", lambda vectors=vectors: fused(vectors))
    return found, said


def figure(found: Interval) -> str:
    """A value with its interval."""
    return f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]"


def table(asked: World, found: list[Row], said: list[str]) -> list[str]:
    """The section of one shop."""
    setting, partners = asked.setting, asked.partners
    counts = np.diff(partners.questions.relevant.indptr)
    base = next(row.measured for row in found if row.name == UNADAPTED)
    lines = [
        f"## {setting.title}",
        "",
        f"{len(partners.cold):,} cold products with partners from {setting.cut} to {setting.end} (excluded), "
        f"{len(partners.warm):,} warm products to rank, a median of {np.median(counts):.0f} partners each. A partner: at least "
        f"{setting.partner_floor} distinct customers bought both in one basket, adjusted_low above 1, q below 0.05. Learned "
        f"from: {len(asked.past):,} baskets before {setting.cut}, edges of {setting.learn_floor} distinct customers or more.",
        "",
        "| | ranking | recall@10 | times the unadapted default | nDCG@10 | CPU s |",
        "|---|---|---|---|---:|---:|",
    ]
    for row in found:
        ratio = figure(row.measured.ratio_to(base, MEASURE)) if row.name != UNADAPTED else "1"
        ndcg = row.measured.interval("ndcg@10").value
        lines.append(
            f"| {row.kind} | {row.name} | {figure(row.measured.interval(MEASURE))} | {ratio} | {ndcg:.3f} | {row.seconds:.0f} |"
        )
    one, other = (next(row.measured for row in found if row.name == name) for name in (TOWER, CONTRASTIVE))
    gain = f"{TOWER} over {CONTRASTIVE}, paired: {MEASURE} {figure(one.gain_over(other, MEASURE))}."
    return [*lines, "", gain, "", "What the fusions say of themselves:", "", *(f"- {each}" for each in said), ""]


HEAD = """# Cold products

Whether neighbours of a product that was never sold foretell what it will be bought with. A fifth of the products, by a hash of
their ids, is cold: all their lines are taken away before anything is learned. Learned from are the baskets before a cut; asked
is which warm products a cold one is bought with after it. recall@10 = partners among the first ten / min(10, partners), the
mean over cold products; 95% intervals, and ratios, over paired resamples of the cold products. Everything was chosen on other
products and earlier months of UCI Online Retail (`--validation`); Complete Journey was looked at once, afterwards.
`python benchmarks/quality/cold.py` writes this page.
"""


def kept(sections: dict[str, str]) -> dict[str, str]:
    """The sections of the page as it stands, with the new ones in their places."""
    known = PAGE.read_text(encoding="utf-8").split("\n## ")[1:] if PAGE.exists() else []
    whole = {section.splitlines()[0]: f"## {section}".rstrip() + "\n" for section in known} | sections
    return {setting.title: whole[setting.title] for setting in TEST if setting.title in whole}


def main(settings: tuple[Setting, ...], *, write: bool) -> None:
    """Measure and print; write the page."""
    sections = {}
    with tempfile.TemporaryDirectory() as temporary:
        for setting in settings:
            asked = world(Path(temporary), setting)
            sections[setting.title] = "\n".join(table(asked, *rows(asked))).rstrip() + "\n"
            print(sections[setting.title], flush=True)
            if write:
                PAGE.write_text("\n".join([HEAD, *kept(sections).values()]), encoding="utf-8")


if __name__ == "__main__":
    validating = "--validation" in sys.argv
    named = [setting for setting in TEST if setting.adapter in sys.argv[1:]]
    main(VALIDATION if validating else tuple(named) or TEST, write=not validating)
