"""The adapted models that more than one section measures, each trained once a run."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.sparse import csr_array

from basketry.evaluation.retrieval import Questions, same_group
from basketry.training.adaptation.contrastive import ContrastiveAdapter
from basketry.training.adaptation.pairs import HeldOut, Pairs
from product_tasks.data import ER, RUN, Bench, Compared, Grouped, er, shopee

SHARE = 0.4  # of the train groups of shopee_matching: what the rest adds is small, and the run stays short


def on_shopee(bench: Bench) -> str:
    """The default, fine-tuned on 40% of the train groups of shopee_matching."""
    parts, _ = shopee(bench.datasets)
    adapter = ContrastiveAdapter(epochs=1)
    learn, valid = grouped_pairs(share_of(parts["train"], SHARE)), held_out(share_of(parts["valid"], 0.5))
    return bench.adapted("default adapted on shopee", "universal", learn, valid, adapter)


def on_er(bench: Bench) -> str:
    """The default, fine-tuned on the matching pairs of er_product_matching: all train parts; stopped by all valid parts."""
    sets = [er(bench.datasets, name) for name in ER]
    one, two = ([text for parts in sets for text in _matching(parts["train"], side)] for side in (0, 1))
    asked, answers = ([text for parts in sets for text in _matching(parts["valid"], side)] for side in (0, 1))
    valid = Pairs.of_pairs(asked, answers, np.ones(len(asked)))
    held = HeldOut(valid.texts, np.arange(len(valid.texts)), csr_array(valid.partners() > 0), valid.keys)
    learn = Pairs.of_pairs(one, two, np.ones(len(one)))
    return bench.adapted("default adapted on er", "universal", learn, held, ContrastiveAdapter(epochs=5))


def grouped_pairs(part: Grouped) -> Pairs:
    """All titles of one group go together."""
    return Pairs.of_groups(part.texts, part.groups.tolist(), RUN)


def questions(part: Grouped) -> Questions:
    """Every title asks for the others of its group."""
    group = np.unique(part.groups, return_inverse=True)[1]
    return Questions(same_group(group), group)


def held_out(part: Grouped) -> HeldOut:
    """The same questions, in the form that steers an adaptation."""
    whole = questions(part)
    asked = np.flatnonzero(np.diff(whole.relevant.indptr) > 0)
    return HeldOut(tuple(part.texts), asked, csr_array(whole.relevant[asked]), whole.cluster[asked])


def share_of(part: Grouped, share: float) -> Grouped:
    """So many of the groups, drawn."""
    groups = np.unique(part.groups)
    few = np.random.default_rng(0).permutation(groups)[: round(share * len(groups))]
    rows = np.flatnonzero(np.isin(part.groups, few))
    return dataclasses.replace(part, texts=[part.texts[row] for row in rows], groups=part.groups[rows])


def _matching(compared: Compared, side: int) -> list[str]:
    texts = (compared.one, compared.two)[side]
    return [text for text, same, a, b in zip(texts, compared.same, compared.one, compared.two, strict=True) if same and a != b]
