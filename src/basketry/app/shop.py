"""A shop: one folder, its settings, its tables, its releases. Every use case takes one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from basketry.core.errors import DataError, NotFound

if TYPE_CHECKING:
    from basketry.app.graph_reader import GraphReader
    from basketry.data.dataset import Dataset
    from basketry.data.shopfile import ShopFile
    from basketry.store.models import ModelStore
    from basketry.store.releases import ReleaseStore
    from basketry.store.tables import TableStore


class Shop:
    """The shop in a folder; nothing is read before it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """A shop that was set up by `basketry init`. Raises NotFound if the folder has no `shop.toml`."""
        path = Path(folder)
        if not (path / "shop.toml").is_file():
            raise NotFound(f"{path} is not a shop: it has no shop.toml", f"set one up with: basketry init --shop {path}")
        return cls(path)

    @cached_property
    def settings(self) -> ShopFile:
        """`shop.toml`, read once."""
        from basketry.data.shopfile import load

        return load(self.folder)

    @cached_property
    def tables(self) -> TableStore:
        """Committed tables."""
        from basketry.store.tables import TableStore

        return TableStore(self.folder)

    @cached_property
    def releases(self) -> ReleaseStore:
        """Published releases."""
        from basketry.store.releases import ReleaseStore

        return ReleaseStore(self.folder)

    @cached_property
    def models(self) -> ModelStore:
        """Models that were adapted or compressed for this shop."""
        from basketry.store.models import ModelStore

        return ModelStore(self.folder)

    @contextmanager
    def dataset(self, as_of: dt.datetime | None = None, engine: str = "") -> Iterator[Dataset]:
        """The tables as known at `as_of` (default: after everything ingested), on an engine closed at the end of the block.

        `engine` names it; by default the one of shop.toml. A table that was never ingested is an empty one.
        """
        from basketry.app.engines import opener
        from basketry.core.protocols import Parquet
        from basketry.core.tables import INPUTS
        from basketry.data.dataset import Dataset
        from basketry.store import durable

        snapshot = self.tables.snapshot()
        parts = {name: snapshot.parts(name) for name in INPUTS if snapshot.parts(name)}
        missing = [name for name in ("products", "order_lines") if name not in parts]
        if missing:
            raise DataError(
                f"{self.folder} holds no {' and no '.join(missing)}", "name their sources in shop.toml, then: basketry ingest"
            )
        spill = self.folder / "cache"
        durable.make_folder(spill)
        relations = {name: Parquet(tuple(parts.get(name) or (_empty(name, spill),))) for name in INPUTS}
        with opener(engine, self.settings, spill) as opened, closing(opened(relations)) as running:
            yield Dataset(running, as_of or dt.datetime(9999, 1, 1, tzinfo=dt.UTC), snapshot.digest)

    @cached_property
    def _readers(self) -> dict[str, GraphReader]:
        return {}

    def graph(self) -> GraphReader:
        """The association graph of the release that serves now, every file of it proved; opened once per release."""
        from basketry.app.graph_reader import GraphReader

        release = self.releases.current()
        if release.id not in self._readers:
            self._readers.clear()
            self._readers[release.id] = GraphReader(release)
        return self._readers[release.id]


def _empty(table: str, folder: Path) -> Path:
    """A file of a table without rows, made where it is not there yet."""
    from basketry.core.tables import INPUTS
    from basketry.store import durable

    path = folder / f"no-{table}.parquet"
    if not path.is_file():
        with durable.writing(path) as aside:
            INPUTS[table].create_empty().write_parquet(aside)
    return path
