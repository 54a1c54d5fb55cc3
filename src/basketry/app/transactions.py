"""What a mining command mines: the shop's own baskets, or those of a file."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from basketry.app.shop import Shop
    from basketry.associations.mining.transactions import Transactions
    from basketry.core.protocols import Run
    from basketry.data.dataset import Dataset


@contextmanager
def opened_transactions(shop: Shop, source: str, engine: str) -> Iterator[tuple[Transactions, Run]]:
    """The baskets of `load_transactions`, and the circumstances to mine them in while the named engine is open.

    An engine that spreads work over a cluster is given to the miners; `engine` "" takes that of shop.toml.
    """
    import tempfile
    from contextlib import closing
    from pathlib import Path

    from basketry.app.engines import opener
    from basketry.core.protocols import Cluster, Run
    from basketry.data.shopfile import ShopFile

    if not source:
        with shop.dataset(engine=engine) as dataset:
            cluster = dataset.engine if isinstance(dataset.engine, Cluster) else None
            yield _own(dataset), Run(threads=shop.settings.threads, cluster=cluster)
        return
    found = load_transactions(shop, source)
    if engine in ("", "duckdb"):
        yield found, Run()
        return
    with (
        tempfile.TemporaryDirectory() as spill,
        opener(engine, ShopFile("file", "XXX", "UTC"), Path(spill)) as opened,
        closing(opened({})) as running,
    ):
        yield found, Run(cluster=running if isinstance(running, Cluster) else None)


def load_transactions(shop: Shop, source: str) -> Transactions:
    """The shop's own baskets as known now, items named by product id, where `source` is empty; else those of the file it names.

    A file's kind is told by its ending: see basketry.associations.mining.files. Customers and days are known of the shop's own.
    """
    from pathlib import Path

    from basketry.associations.mining.files import read
    from basketry.core.telemetry import span

    if source:
        with span(f"reading {Path(source).name}", total=1, unit="files") as progress:
            found = read(Path(source).expanduser())
            progress.advance()
            return found
    with shop.dataset() as dataset:
        return _own(dataset)


def _own(dataset: Dataset) -> Transactions:
    """All baskets of a shop."""
    from basketry.associations.lookahead import read_baskets
    from basketry.associations.mining.transactions import Transactions
    from basketry.core.tables import Products

    names = dataset.table(Products)["product_id"].sort()
    return Transactions(read_baskets(dataset, len(names)), names.alias("item"))
