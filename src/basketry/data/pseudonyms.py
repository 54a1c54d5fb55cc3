"""Customer ids become keyed hashes: the same customer always the same pseudonym, and nobody without the key can tell which."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import polars as pl

DIGITS: Final = 32  # 128 of the 256 bits: a chance of 1.5e-21 that two of a billion customers share one


def pseudonym(key: bytes, customer: str) -> str:
    """HMAC-SHA-256 of the customer's id under the shop's key: its first 32 hex digits."""
    return hmac.digest(key, customer.encode("utf-8"), "sha256").hex()[:DIGITS]


def write_pseudonyms(key: bytes, customers: Iterable[str], path: Path) -> None:
    """Write the table (customer, customer_id) for distinct raw ids. It holds raw ids: it belongs in the staging folder only."""
    known = list(customers)
    ids = [pseudonym(key, customer) for customer in known]
    pl.DataFrame(
        {"customer": known, "customer_id": ids}, schema={"customer": pl.String, "customer_id": pl.String}
    ).write_parquet(path)
