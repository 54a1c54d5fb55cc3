"""A loss that nobody can tell is no loss that was allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from basketry.app.compress import CompressRequest, _judged
from basketry.app.shop import Shop
from basketry.compression.measure import Fidelity
from basketry.compression.recipe import Recipe
from basketry.core.errors import RequestError
from basketry.encoders.models import load_state
from basketry.evaluation.bootstrap import Interval

NAN = float("nan")


@pytest.mark.parametrize(("kept", "published"), [(NAN, False), (0.5, False), (1.0, True)])
def test_a_model_is_published_only_where_its_loss_is_known_and_allowed(tmp_path: Path, kept: float, published: bool) -> None:
    state, request = load_state("universal"), CompressRequest(recipe="float16", name="small", max_loss=0.01)
    fidelity = Fidelity(1.0, 1.0, Interval(0.0, 0.0, 0.0), Interval(kept, kept, kept))
    shop = Shop(tmp_path)
    texts = ["whole milk", "rye bread"]
    if published:
        _judged(shop, request, Recipe.parse("float16"), (state, state), fidelity, texts)
    else:
        with pytest.raises(RequestError, match="is allowed"):
            _judged(shop, request, Recipe.parse("float16"), (state, state), fidelity, texts)
    assert shop.models.published() == (("small",) if published else ())
