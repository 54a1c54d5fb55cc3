"""Mining in parts equals mining at once, however the parts are cut, and stays within its memory."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from basketry.associations.mining import partitioned, passes
from basketry.associations.mining.partitioned import count_pairs_partitioned, mine_partitioned
from basketry.associations.mining.passes import Cost
from basketry.core.errors import RequestError
from basketry.core.protocols import Run
from basketry.core.telemetry import attached
from basketry.kernels.pairs import Annotations, Floors, count_pairs
from basketry.store.basket_file import BasketFile, BasketPart, write_baskets

N_ITEMS = 6
MIB = 1 << 20
baskets = st.lists(st.tuples(st.integers(0, 4), st.frozensets(st.integers(0, N_ITEMS - 1))), max_size=12).map(
    lambda rows: sorted(rows, key=lambda row: row[0])
)
quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def arrays(rows):
    indptr = np.cumsum([0, *(len(chosen) for _, chosen in rows)]).astype(np.int64)
    items = np.array([item for _, chosen in rows for item in sorted(chosen, reverse=True)], dtype=np.int32)
    return indptr, items, np.array([customer for customer, _ in rows], dtype=np.int32)


def on_disk(folder, rows):
    indptr, items, customers = arrays(rows)
    write_baskets(folder / "b", [BasketPart(indptr, items, customers, np.zeros_like(customers))], N_ITEMS)
    return BasketFile.open(folder / "b")


def by_hand(rows, min_count, kind="all"):
    """Every itemset and its support, by looking at every subset of every basket."""
    counts = {}
    for _, chosen in rows:
        for k in range(1, len(chosen) + 1):
            for subset in combinations(sorted(chosen), k):
                counts[subset] = counts.get(subset, 0) + 1
    frequent = {itemset: count for itemset, count in counts.items() if count >= min_count}
    return {itemset: count for itemset, count in frequent.items() if kept(itemset, frequent, kind, len(rows))}


def kept(itemset, frequent, kind, n):
    above = [other for other in frequent if set(itemset) < set(other)]
    below = [subset for k in range(len(itemset)) for subset in combinations(itemset, k)]
    if kind == "maximal":
        return not above
    if kind == "closed":
        return all(frequent[other] < frequent[itemset] for other in above)
    if kind == "generators":
        return all((frequent[other] if other else n) > frequent[itemset] for other in below)
    return True


def as_dict(tree):
    indptr, items = tree.flatten(tree.members)
    return {tuple(items[indptr[i] : indptr[i + 1]].tolist()): int(tree.support[node]) for i, node in enumerate(tree.members)}


class Ways:
    """Hears which way was taken, and in how many passes."""

    def __init__(self):
        self.spans = {}

    def started(self, span):
        self.spans[span.name] = span

    def advanced(self, span): ...

    def ended(self, span, error): ...


@given(
    baskets,
    st.integers(1, 4),
    st.sampled_from(["all", "closed", "maximal", "generators"]),
    st.integers(200, 4000),
    st.sampled_from([0, 0, 0, 2, 100]),
    st.sampled_from([1, 1, 50, 300]),
)
@settings(quick, max_examples=300)
def test_equal_to_counting_by_hand_for_every_block_and_every_way(
    tmp_path, rows, min_count, kind, memory, least_local, candidate
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "_LEAST", 1)
        patch.setattr(partitioned, "_MINING", Cost(100, 100))
        patch.setattr(partitioned, "_LEAST_LOCAL", least_local)
        patch.setattr(partitioned, "_CANDIDATE", candidate)
        tree = with_enough(
            memory, lambda memory: mine_partitioned(on_disk(tmp_path, rows), min_count, Run(), memory=memory, kind=kind)
        )
    assert as_dict(tree) == by_hand(rows, min_count, kind)
    assert len(tree) == len(as_dict(tree))


@given(baskets, st.integers(1, 3), st.integers(1, 2), st.booleans(), st.integers(2, 60), st.sampled_from([0, 0, 1]))
@settings(quick, max_examples=300)
def test_pairs_equal_counting_at_once(tmp_path, rows, count, groups, grouped, memory, square):
    floors = Floors(count, groups if grouped else 1)
    indptr, items, customers = arrays(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "_LEAST", 1)
        patch.setattr(partitioned, "_COUNTING", Cost(1, 1))
        patch.setattr(partitioned, "_PAIR", 1)
        patch.setattr(partitioned, "_SQUARE", square)
        file = on_disk(tmp_path, rows)
        found = with_enough(
            memory, lambda memory: list(count_pairs_partitioned(file, Run(), memory=memory, floors=floors, customers=grouped))
        )
    whole = count_pairs(indptr, items, N_ITEMS, about=Annotations(customers if grouped else None), floors=floors)
    assert sorted(triple for part in found for triple in listed(part)) == sorted(listed(whole))
    assert all((part.a < part.b).all() for part in found)


def with_enough(memory, work):
    """The work within `memory`, or, if that is refused, within what the refusal says is enough."""
    try:
        return work(memory)
    except RequestError as error:
        enough = int(error.hint.split()[3])
        assert enough > memory
        return work(enough)


def listed(counts):
    groups = counts.groups.tolist() or [0] * len(counts.a)
    return list(zip(counts.a.tolist(), counts.b.tolist(), counts.count.tolist(), groups, strict=True))


def shop(n, seed=0):
    """Baskets of forty products whose chances fall from a half to one in fifty; three baskets a customer."""
    random = np.random.default_rng(seed)
    held = random.random((n, 40)) < np.linspace(0.5, 0.02, 40)
    return BasketPart(
        np.append(0, np.cumsum(held.sum(axis=1))),
        np.nonzero(held)[1].astype(np.int32),
        np.arange(n, dtype=np.int32) // 3,
        np.zeros(n, np.int32),
    )


@pytest.mark.parametrize(("min_count", "way", "begun"), [(600, "blocks", True), (60, "anchors", True), (40, "anchors", False)])
def test_each_way_is_taken_where_it_should(tmp_path, min_count, way, begun):
    """At 60 of 12,000 the blocks give too many candidates; at 40 they would be mined at fewer than 8 baskets."""
    write_baskets(tmp_path / "b", [shop(12_000)], 40)
    file, ways = BasketFile.open(tmp_path / "b"), Ways()
    with attached(ways):
        tree = mine_partitioned(file, min_count, Run(), memory=MIB)
    assert ways.spans["mine_partitioned"].fields == {"way": way}
    assert ways.spans[f"mine_{way}"].total > 2
    assert ("mine_blocks" in ways.spans) == begun
    assert as_dict(tree) == as_dict(mine_partitioned(file, min_count, Run(), memory=1 << 30))


def test_a_bound_that_cannot_hold_one_product_says_what_would(tmp_path):
    write_baskets(tmp_path / "b", [shop(60_000)], 40)
    with pytest.raises(RequestError, match="baskets of some products, nor what those 34") as error:
        mine_partitioned(BasketFile.open(tmp_path / "b"), 2, Run(), memory=MIB)
    needed = int(error.value.hint.split()[3])
    assert mine_partitioned(BasketFile.open(tmp_path / "b"), 20_000, Run(), memory=needed)
    with pytest.raises(RequestError, match="too small to work in"):
        mine_partitioned(BasketFile.open(tmp_path / "b"), 2, Run(), memory=MIB - 1)
    with pytest.raises(RequestError, match="min_count is 0"):
        mine_partitioned(BasketFile.open(tmp_path / "b"), 0, Run(), memory=MIB)


CHILD = """
import json, sys
from pathlib import Path
from basketry.associations.mining.partitioned import count_pairs_partitioned, mine_partitioned
from basketry.core.protocols import Run
from basketry.kernels.pairs import Floors
from basketry.store.basket_file import BasketFile

def status(word):
    return int(Path("/proc/self/status").read_text().partition(word)[2].split()[0]) * 1024

path, work, memory = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
Path("/proc/self/clear_refs").write_text("5")
before = status("VmHWM:")
file = BasketFile.open(path)
if work == "whole":
    found = int(file.items.sum() + file.indptr.sum() + file.customers.sum() + file.days.sum()) and 1
elif work == "pairs":
    found = sum(len(part.a) for part in count_pairs_partitioned(file, Run(), memory=memory, floors=Floors(2)))
else:
    found = len(mine_partitioned(file, int(work), Run(), memory=memory))
print(json.dumps([found, status("VmHWM:") - before]))
"""


def measured(path: Path, work: str, memory: int) -> tuple[int, int]:
    """What a child process found, and by how many bytes its peak of memory grew."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path), work, str(memory)], capture_output=True, text=True, check=True
    )
    return tuple(json.loads(done.stdout))


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """50 MB of baskets: 5 of 2,000 products, half of them from 40 that are bought often."""
    path = tmp_path_factory.mktemp("large") / "b"
    random = np.random.default_rng(0)
    each = 50_000

    def parts():
        for number in range(26):
            rows = np.sort(
                np.where(
                    random.random((each, 5)) < 0.5, random.integers(0, 40, (each, 5)), random.integers(40, 2000, (each, 5))
                )
            )
            first = np.ones_like(rows, dtype=np.bool_)
            first[:, 1:] = np.diff(rows, axis=1) > 0
            who = number * each + np.arange(each, dtype=np.int32)
            yield BasketPart(np.append(0, np.cumsum(first.sum(axis=1))), rows[first].astype(np.int32), who, who)

    write_baskets(path, parts(), 2000)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(("work", "memory"), [("pairs", 24 * MIB), ("3000", 8 * MIB)])
def test_the_peak_of_memory_stays_within_the_bound(large, work, memory):
    size = large.stat().st_size
    assert size > 45_000_000
    _, held = measured(large, "whole", 0)
    assert held > 0.9 * size, "a file read whole would be seen"
    found, grown = measured(large, work, memory)
    assert found > 100
    assert grown < memory + 24 * MIB
