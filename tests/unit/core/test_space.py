"""The fields of an estimator as a space."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from basketry.core.errors import RequestError
from basketry.core.space import one_of, space_of, with_values, within


@dataclass(frozen=True)
class Inner:
    rate: float = within(0.5, 0.1, 1.0, "a rate")
    size: int = within(1_000, 1, 100, "a size", log=True)


@dataclass(frozen=True)
class Outer:
    name: str = "kept"
    kind: str = one_of("a", ("a", "b"), "a kind")
    inner: Inner = field(default_factory=Inner)
    many: tuple[Inner, ...] = (Inner(), Inner(rate=0.2))
    numbers: tuple[int, ...] = (1, 2)


def test_dimensions_are_named_by_the_way_to_them():
    found = {one.name: one for one in space_of(Outer())}
    assert list(found) == ["kind", "inner.rate", "inner.size", "many.0.rate", "many.0.size", "many.1.rate", "many.1.size"]
    assert found["kind"].choices == ("a", "b")
    assert not found["inner.rate"].whole
    assert found["inner.size"].whole and found["inner.size"].log
    assert (found["many.1.rate"].value, found["inner.size"].nearest) == (0.2, 100)


def test_values_change_only_what_they_name():
    changed = with_values(Outer(), {"kind": "b", "many.1.rate": 0.9})
    assert changed == Outer(kind="b", many=(Inner(), Inner(rate=0.9)))
    assert with_values(Outer(), {}) == Outer()
    with pytest.raises(RequestError, match=r"no dimension 'inner\.speed'"):
        with_values(Outer(), {"inner.speed": 1})
