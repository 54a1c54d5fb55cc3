"""Mining a shop's baskets by revenue or margin: what `basketry mine` calls when asked for itemsets by utility."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.mine import MineRequest, MineResult
    from basketry.app.shop import Shop
    from basketry.associations.mining.utility import HighUtility, MinedUtility
    from basketry.core.protocols import Run

NOT_BY_UTILITY: Final = (
    "source",
    "min_support",
    "kind",
    "min_length",
    "must_contain",
    "must_not_contain",
    "only",
    "order",
    "update",
    "levels",
    "taxonomy",
    "surprise",
)


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


def mine_for_value(shop: Shop, request: MineRequest) -> MineResult:
    """Itemsets of the shop by revenue, as `basketry mine --by utility` asks: those of too few customers are left out."""
    import numpy as np

    from basketry.app.mine import MineResult, published, read_support, titled
    from basketry.associations.mining.export import write_itemsets
    from basketry.associations.mining.utility import HighUtility
    from basketry.core.protocols import Run

    _refuse_others(request)
    least = read_support(request.min_utility, "min_utility", "money") if request.min_utility else None
    asked = HighUtility(least, request.top, request.max_length, request.max_itemsets)
    mined = mine_by_utility(shop, asked, Run(threads=shop.settings.threads))
    tree = mined.found.tree
    table, notes = published(mined.frame(), tree, mined.transactions, request.min_customers, mined.ranked())
    if request.out:
        write_itemsets(mined.itemsets, request.out, table=table)
    return MineResult(
        baskets=len(mined.transactions),
        min_baskets=None,
        min_utility=f"{mined.values.money(np.array([mined.min_utility]))[0]} {shop.settings.currency}",
        found=len(table),
        withheld=len(mined) - len(table),
        wrote=request.out or None,
        itemsets=titled(table.head(max(request.k, 0)), shop),
        notes=notes,
    )


def _refuse_others(request: MineRequest) -> None:
    """Raises RequestError where something is asked that utility does not go by."""
    from basketry.app.mine import MineRequest
    from basketry.core.errors import RequestError

    plain = MineRequest()
    other = next((name for name in NOT_BY_UTILITY if getattr(request, name) != getattr(plain, name)), None)
    if other == "source":
        raise RequestError(f"{request.source} tells of no prices", "mine by utility from the shop's own baskets")
    if other is not None:
        raise RequestError(f"{other} does not go with by utility", "use min_utility, top and max_length")
