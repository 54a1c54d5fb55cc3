"""Basketry: what goes with what in a shop, measured, tested and explained.

>>> import basketry
>>> shop = basketry.open("myshop")                         # doctest: +SKIP
>>> shop.associations("milk", k=10)                        # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from basketry.app.shop import Shop

__version__: Final = "0.1.0"
__all__ = ["__version__", "create", "open"]


def open(folder: str | Path) -> Shop:
    """The shop in `folder`. Raises NotFound if it has no shop.toml."""
    from basketry.app.shop import Shop

    return Shop.open(folder)


def create(folder: str | Path, adapter: str = "") -> Shop:
    """Set up a shop: write its shop.toml, a template to complete or one of the ready adapters, and open it."""
    from basketry.app.init import InitRequest, init
    from basketry.app.shop import Shop

    shop = Shop(Path(folder))
    init(shop, InitRequest(adapter))
    return shop
