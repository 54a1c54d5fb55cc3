from __future__ import annotations

import pytest

from basketry.app.rules import parsed_bounds, parsed_support
from basketry.core.errors import RequestError


@pytest.mark.parametrize(
    ("text", "bounds"),
    [
        ("", ()),
        ("lift>=1.2", (("lift", ">=", 1.2),)),
        (" lift >= 1 , q<=5e-2,", (("lift", ">=", 1.0), ("q", "<=", 0.05))),
        ("leverage>=-.25,conviction<=inf", (("leverage", ">=", -0.25), ("conviction", "<=", float("inf")))),
    ],
)
def test_bounds(text, bounds):
    assert parsed_bounds(text) == bounds


@pytest.mark.parametrize(
    "text", ["lift", "lift>1", "lift=1", ">=1", "lift>=", "lift>=one", "lift>=nan", "1<=lift", "a b>=1", "lift>=1;q<=1"]
)
def test_what_is_no_bound(text):
    with pytest.raises(RequestError, match="where says"):
        parsed_bounds(text)


def test_a_whole_number_counts_and_a_fraction_is_a_share():
    assert (parsed_support("20"), parsed_support("0.01"), parsed_support("1.0")) == (20, 0.01, 1.0)
    assert isinstance(parsed_support("20"), int) and isinstance(parsed_support("1.0"), float)
    with pytest.raises(RequestError, match="min_support is 'often'"):
        parsed_support("often")
