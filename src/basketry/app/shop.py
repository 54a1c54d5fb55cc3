"""A shop: one folder, and everything Basketry can do with it, as `basketry.open("myshop")` gives it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from basketry.core.errors import DataError, NotFound

if TYPE_CHECKING:
    import polars as pl

    from basketry.app.build import BuildRequest, BuildResult
    from basketry.app.explain import ExplainResult
    from basketry.app.graph_reader import GraphReader
    from basketry.app.ingest import IngestResult
    from basketry.data.dataset import Dataset
    from basketry.data.shopfile import ShopFile
    from basketry.store.releases import ReleaseStore
    from basketry.store.tables import TableStore


class Shop:
    """The shop in a folder. Its methods are the use cases of a notebook; the command line has those of an operator too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def open(cls, folder: str | Path) -> Shop:
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

    @contextmanager
    def dataset(self, as_of: dt.datetime | None = None) -> Iterator[Dataset]:
        """The tables as known at `as_of` (default: after everything ingested), on an engine closed at the end of the block."""
        from basketry.core.protocols import Parquet
        from basketry.core.tables import INPUTS
        from basketry.data.dataset import Dataset
        from basketry.engines.duck import DuckEngine
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
        relations = {name: Parquet(tuple(paths)) for name, paths in parts.items()}
        engine = DuckEngine(relations, threads=self.settings.threads, memory=self.settings.memory, spill=spill)
        try:
            yield Dataset(engine, as_of or dt.datetime(9999, 1, 1, tzinfo=dt.UTC), snapshot.digest)
        finally:
            engine.close()

    @cached_property
    def _readers(self) -> dict[str, GraphReader]:
        return {}

    def graph(self) -> GraphReader:
        """The association graph of the release that serves now; opened once per release."""
        from basketry.app.graph_reader import FILES, GraphReader

        release = self.releases.current(FILES)
        if release.id not in self._readers:
            self._readers.clear()
            self._readers[release.id] = GraphReader(release)
        return self._readers[release.id]

    def ingest(self, frames: Mapping[str, object] | None = None, *, again: bool = False) -> IngestResult:
        """Read, clean and commit the sources of shop.toml, or `frames`: table name to a pandas, Polars or Arrow frame."""
        from basketry.app.ingest import Frame, IngestRequest, ingest

        given = tuple(Frame(table, frame) for table, frame in (frames or {}).items())
        return ingest(self, IngestRequest(again=again, frames=given))

    def build(self, request: BuildRequest | None = None) -> BuildResult:
        """Find, test, fuse, judge and publish the associations; see BuildRequest for what can be chosen."""
        from basketry.app.build import BuildRequest, build

        return build(self, request or BuildRequest())

    def associations(
        self, product: str, k: int = 10, *, kind: str = "", verdict: str = "", order: str = "verdict", language: str = "en"
    ) -> pl.DataFrame:
        """The k best edges of a product, by id or words in either language, each with its sentence."""
        from basketry.app.associations import AssociationsRequest, associations

        return associations(self, AssociationsRequest(product, k, kind, verdict, order, language)).edges

    def explain(self, product: str, other: str, language: str = "en") -> ExplainResult:
        """All the evidence on one pair: its figures as a frame, its sentences as notes."""
        from basketry.app.explain import ExplainRequest, explain

        return explain(self, ExplainRequest(product, other, language))

    def clusters(self, method: str = "kmeans", k: int = 20) -> pl.DataFrame:
        """Groups of products that mean alike, by their telling words."""
        from basketry.app.clusters import ClustersRequest, clusters

        return clusters(self, ClustersRequest(method, k=k)).rows

    def report(self, out: str = "") -> Path:
        """Draw the current release as one page; returns where it was written."""
        from basketry.app.report import ReportRequest, report

        return Path(report(self, ReportRequest(out)).wrote)
