"""A policy of TOML is the one written in Python, or an error that names the key."""

from __future__ import annotations

import pytest

from basketry.core.errors import ConfigError
from basketry.recommendation.policy import Boost, Calibration, Cap, Exploration, Pin, Policy
from basketry.recommendation.policy_file import read_policy


def test_every_field_is_read():
    text = """
    excluded = ["p1", "p2"]
    never = "category = Alcohol"
    margin_weight = 0.2
    low_stock = 5
    diversity = 0.3
    calibration = {weight = 0.3, column = "brand"}
    exploration = {share = 0.1, seed = 7}
    boosts = [{where = "brand = Own", factor = 2}]
    [[caps]]
    column = "brand"
    most = 2
    [[pins]]
    position = 3
    product = "p9"
    """
    assert read_policy(text) == Policy(
        excluded=("p1", "p2"),
        never="category = Alcohol",
        boosts=(Boost("brand = Own", 2.0),),
        margin_weight=0.2,
        low_stock=5.0,
        diversity=0.3,
        calibration=Calibration(0.3, "brand"),
        caps=(Cap("brand", 2),),
        pins=(Pin(3, "p9"),),
        exploration=Exploration(0.1, seed=7),
    )
    assert read_policy("") == Policy()


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("diversity = ", "not TOML", "mend"),
        ("diversty = 0.3", "no 'diversty'", "did you mean diversity"),
        ("colour = 1", "no 'colour'", "it has excluded, never"),
        ("diversity = true", "diversity is True", "a number"),
        ("diversity = 2", "the policy: margin_weight 0.0, diversity 2.0", "lie in"),
        ("never = 'category ='", "the policy: the filter cannot be read", "write it as in"),
        ("never = 3", "never is 3", "a text"),
        ("excluded = 'p1'", "excluded is 'p1', not a list", "excluded = […]"),
        ("excluded = [1]", "excluded is 1", "a text"),
        ("caps = [{column = 'brand', most = 1.5}]", r"caps\[0\].most is 1.5", "a whole number"),
        ("caps = [{column = 'brand'}]", r"caps\[0\] lacks most", "column, most"),
        ("caps = ['brand']", r"caps\[0\] is 'brand', not a table", "{column = …, most = …}"),
        ("pins = [{position = 0, product = 'a'}]", r"pins\[0\]: 'a' is pinned to position 0", "start at 1"),
        ("boosts = [{where = 'a = b', factor = 9}]", r"boosts\[0\]: a boost of 9.0", "stay within"),
        ("calibration = {weigth = 0.1}", "calibration has no 'weigth'", "did you mean weight"),
    ],
)
def test_what_is_wrong_is_named(text, said, hint):
    with pytest.raises(ConfigError, match=said) as refused:
        read_policy(text)
    assert hint in refused.value.hint
