"""Every engine keeps every law."""

from __future__ import annotations

import pytest

from basketry.engines.duck import DuckEngine
from basketry.testing.engines import LAWS

ENGINES = {"duck": DuckEngine}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("engine", ENGINES)
def test_laws(engine, law, tmp_path):
    LAWS[law](ENGINES[engine], tmp_path)
