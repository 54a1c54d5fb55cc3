"""Recipes as text: what is written is read back, and what is wrong is named."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from basketry.compression.distilling import Distil
from basketry.compression.layers import Layers
from basketry.compression.quantising import Int8
from basketry.compression.recipe import STEPS, Recipe
from basketry.core.errors import RequestError

TEXTS = st.sampled_from(
    [
        "layers:4",
        "layers:0/1/3/5",
        "heads:8",
        "heads:keep=3,by=l1",
        "feed:keep=5,by=taylor",
        "lowrank:0.25",
        "lowrank:rank=0.5,part=feed,weighted=false",
        "vocab",
        "vocab:frequent=0,least=2",
        "align:0.01",
        "dims:64",
        "distil",
        "distil:epochs=2,hidden=0.5,attention=0.25,similarity=0.0",
        "qat:bits=7,keep=0",
        "int8",
        "int8:dynamic",
        "int8:inputs=float,words=false",
        "int4:block=64,inputs=dynamic",
        "float16",
        "static:reg=0.1,a=0.0001",
    ]
)


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_a_recipe_is_read_back_as_it_was_written(parts):
    recipe = Recipe.parse("+".join(parts))
    assert Recipe.parse(str(recipe)) == recipe
    assert len(recipe.steps) == len(parts)


def test_a_recipe_says_what_it_was_told():
    recipe = Recipe.parse("layers:4 + distil:epochs=2,hidden=0.5 + int8")
    assert recipe.steps == (Layers("4"), Distil(epochs=2, hidden=0.5), Int8())
    assert str(recipe) == "layers+distil:epochs=2,hidden=0.5+int8"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no step is called ''"),
        ("shrink", "no step is called 'shrink'"),
        ("int8:bits=6", "bits=6"),
        ("int8:bits=eight", "bits of step int8 cannot be 'eight'"),
        ("int8:words=yes", "words of step int8 cannot be 'yes'"),
        ("int8:colour=red", "cannot read 'colour=red'"),
        ("heads:keep=1,keep=2", "cannot read 'keep=2'"),
        ("float16:half", "cannot read 'half'"),
        ("layers:0/x", "cannot keep '0/x'"),
        ("layers:00", "cannot keep '00'"),
        ("layers:²", "cannot keep '²'"),
        ("int8:keep=²", "layers '²' cannot be kept"),
        ("align:reg=nan", "reg of step align cannot be 'nan'"),
        ("static:a=inf", "a of step static cannot be 'inf'"),
        ("lowrank:1.5", "rank=1.5"),
        ("distil:epochs=0", "epochs = 0"),
        ("distil:vector=0,similarity=0", "cannot have weights"),
    ],
)
def test_what_is_wrong_is_named(text, said):
    with pytest.raises(RequestError) as refused:
        Recipe.parse(text)
    assert said in refused.value.message


def test_every_hyperparameter_of_every_step_says_what_it_means():
    assert all(each.metadata["help"] for step in STEPS.values() for each in fields(step))
