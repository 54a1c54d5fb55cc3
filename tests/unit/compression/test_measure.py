"""Neighbours, tasks, frontiers: counted by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import transformer_worlds
from basketry.app.frontier_chart import frontier_svg
from basketry.compression.measure import Judge, Task, costs, nearest, overlap, split, start_seconds
from basketry.compression.recipe import Recipe
from basketry.compression.search import frontier, search
from basketry.compression.step import Materials
from basketry.core.errors import EncoderError
from basketry.core.protocols import Run
from basketry.encoders.models import encoder_of
from basketry.encoders.state import write_state
from basketry.testing.encoders import DOCUMENTS


class Fixed:
    """An encoder that gives each text the vector it is told."""

    name, dim = "fixed", 2

    def __init__(self, vectors):
        self._vectors = vectors

    def encode(self, documents):
        return np.array([self._vectors[text] for text in documents], dtype=np.float32)


def at(degrees):
    return np.cos(np.radians(degrees)), np.sin(np.radians(degrees))


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 12))
def test_nearest_is_brute_force(seed, n, k):
    vectors = np.random.default_rng(seed).normal(size=(n, 3)).astype(np.float32)
    found = nearest(vectors, k)
    for row in range(n):
        likeness = {other: float(vectors[row] @ vectors[other]) for other in range(n) if other != row}
        best = sorted(likeness, key=lambda other: -likeness[other])[:k]
        assert [likeness[other] for other in found[row]] == pytest.approx([likeness[other] for other in best], abs=1e-5)


def test_agreement_and_task_by_hand():
    teacher = Fixed({"a": at(0), "b": at(10), "c": at(50), "d": at(65)})
    student = Fixed({"a": at(0), "b": at(10), "c": at(15), "d": at(80)})  # c moved over to b
    task = Task(["a", "b", "c", "d"], np.array([0, 0, 1, 1]))
    judge = Judge(teacher, ["a", "b", "c", "d"], task)
    same = judge.fidelity(teacher)
    assert (same.agreement, same.kept.value, same.loss) == (1, 1, 0)
    moved = judge.fidelity(student)
    assert moved.task.value == 0.5  # of a and b (b's nearest is c), c (nearest b) and d (nearest c): a and d are right
    assert moved.kept.value == 0.5
    assert moved.loss == 0.5
    assert moved.agreement == 0.5, "of four texts the one nearest: that of b and of c changed"
    expected = np.mean([1, 1, np.cos(np.radians(35)), np.cos(np.radians(15))])
    assert moved.cosine == pytest.approx(expected, abs=1e-6)
    assert Judge(teacher, ["a", "b"]).fidelity(student).kept is None


def test_overlap_by_hand():
    assert overlap(np.array([[1, 2], [3, 4]]), np.array([[2, 9], [4, 3]])) == 0.75
    assert overlap(np.zeros((3, 0), np.int64), np.zeros((3, 0), np.int64)) == 1


def test_texts_are_split_once():
    texts = [f"text {number}" for number in range(100)] * 2
    learned, held = split(texts, seed=3)
    assert (len(learned), len(held)) == (80, 20)
    assert set(learned) | set(held) == set(texts)
    assert split(texts, seed=3) == (learned, held)
    assert split(texts, seed=4) != (learned, held)


def test_costs_of_several_encoders(tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    state = transformer_worlds.transformer()
    found = costs([encoder_of(state, Run(threads=1))] * 2, [state.bytes, 7], DOCUMENTS)
    assert [each.bytes for each in found] == [state.bytes, 7]
    assert all(each.batched_us > 0 and each.alone_ms > 0 for each in found)
    write_state(tmp_path, state)
    assert start_seconds(f"model:{tmp_path}", "bread") > 0
    with pytest.raises(EncoderError, match="cannot load"):
        start_seconds("model:/nowhere", "bread")


def trial(name, loss, time):
    return SimpleNamespace(recipe=name, fidelity=SimpleNamespace(loss=loss), costs=SimpleNamespace(batched_us=time))


def test_the_frontier_by_hand():
    tried = [trial("a", 0.1, 5.0), trial("b", 0.2, 6.0), trial("c", 0.0, 9.0), trial("d", 0.5, 1.0), trial("e", 0.1, 7.0)]
    assert [one.recipe for one in frontier(tried, lambda one: one.costs.batched_us)] == ["d", "a", "c"]


def test_a_picture_names_the_frontier_and_nothing_else():
    points = [("int8", 100.0, 0.0, True), ("a<b", 900.0, 0.2, False), ("static", 10.0, 0.1, True)]
    drawn = frontier_svg(points, 0.01)
    import xml.etree.ElementTree as tree

    root = tree.fromstring(drawn)
    named = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "int8" in named and "static" in named and "a<b" not in named
    titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["int8", "a<b", "static"]
    assert frontier_svg(points[:1], 0.01).count("<circle") == 1


def test_a_search_tries_what_fits_and_stops():
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    pytest.importorskip("optuna", reason="needs the extra train")
    state = transformer_worlds.transformer(heads=(4, 4), feed=(32, 32))
    run = Run(threads=1)
    materials = Materials(DOCUMENTS, (state,), run)
    judge = Judge(encoder_of(state, run), DOCUMENTS)
    assert search(state, materials, judge, DOCUMENTS, budget=0) == []
    tried = search(state, materials, judge, DOCUMENTS, budget=600, most=9)
    names = [str(one.recipe) for one in tried]
    assert names[:2] == ["int8", "vocab+int8"]
    assert 5 < len(names) == len(set(names)) <= 9, "drawn recipes follow the fixed ones"
    assert all(Recipe.parse(name) for name in names)
