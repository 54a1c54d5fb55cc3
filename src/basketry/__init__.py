"""Basketry: what goes with what in a shop, measured, tested and explained.

>>> import basketry
>>> shop = basketry.open("myshop")                         # doctest: +SKIP
>>> shop.associations("milk", k=10)                        # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from basketry.app.notebook import Notebook

__version__: Final = "0.1.0"
__all__ = ["__version__", "create", "open"]


def open(folder: str | Path) -> Notebook:
    """The shop in `folder`. Raises NotFound if it has no shop.toml."""
    from basketry.app.notebook import Notebook

    return Notebook.open(folder)


def create(folder: str | Path, adapter: str = "") -> Notebook:
    """Set up a shop: write its shop.toml, a template to complete or one of the ready adapters, and open it."""
    from basketry.app.init import InitRequest, init
    from basketry.app.notebook import Notebook

    shop = Notebook(Path(folder))
    init(shop, InitRequest(adapter))
    return shop
