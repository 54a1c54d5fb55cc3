"""Mining a shop's baskets by revenue or margin: what `basketry mine` calls when asked for itemsets by utility."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.shop import Shop
    from basketry.associations.mining.utility import HighUtility, MinedUtility
    from basketry.core.protocols import Run


def mine_by_utility(shop: Shop, asked: HighUtility, run: Run, unit_costs: pl.DataFrame | None = None) -> MinedUtility:
    """High-utility itemsets of the shop's own baskets as known now, items named by product id.

    See `shop_values` and `HighUtility`. The utility is revenue, or margin where `unit_costs` (product_id, unit_cost) are given.
    """
    from basketry.associations.mining.values import shop_values
    from basketry.core.telemetry import span

    with shop.dataset() as dataset, span("reading baskets and their values", total=1, unit="tables") as progress:
        valued = shop_values(dataset, unit_costs)
        progress.advance()
    return asked.fit(valued, run)
