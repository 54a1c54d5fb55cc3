"""The engine for a cluster, and for a large machine: Spark runs the same SQL over the same relations."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

import polars as pl

from basketry.core.errors import BasketryError, EngineError, SourceMissing, StorageError
from basketry.core.protocols import Csv, JsonLines, Params, Parquet, Relation
from basketry.engines.duck import DuckEngine
from basketry.engines.proof import proved
from basketry.engines.spark_session import Lease
from basketry.engines.spark_sql import PREFIX, to_spark

if TYPE_CHECKING:
    import dataframely as dy
    from pyspark.sql import DataFrame, SparkSession

    from basketry.core.protocols import S

_MISSING: Final = ("PATH_NOT_FOUND", "FileNotFoundException", "FILE_NOT_EXIST", "does not exist", "No such file")
_DISK: Final = ("No space left", "Disk quota", "File too large")
_MEMORY: Final = ("OutOfMemoryError", "UNABLE_TO_ACQUIRE_MEMORY")


class SparkEngine:
    """An `Engine` over relations in files, and a `Cluster`.

    `relations` become views, `stored.NAME` in SQL, which arrives in the house's subset of DuckDB's and is translated
    (spark_sql.py). `master` says where Spark runs (see `Lease`); with `spark://` every file, and the folder `spill`, must lie
    at the same path on every host. Results pass through Parquet files in `spill`, so that neither Java nor Python ever holds a
    whole one. Text files are parsed by DuckDB's strict reader when the engine is opened. A relation of one file is scanned in
    its order; rows of several files come in any order unless SQL sorts them.

    What it does not do as DuckDB does is listed in docs/how-to/use-spark.md, and each such thing is a strict xfail.
    """

    def __init__(
        self,
        relations: Mapping[str, Relation],
        *,
        master: str = "local[*]",
        memory: str = "1GB",
        spill: Path | None = None,
    ) -> None:
        self._lease = Lease(master, memory)
        self._scratch = Path(mkdtemp(prefix="spark-", dir=spill)).absolute()
        try:
            self._session: SparkSession | None = self._lease.session
            with _wrapped("opening relations"):
                for number, (name, given) in enumerate(relations.items()):
                    path = self._scratch / f"text-{number}.parquet"
                    relation = given if isinstance(given, Parquet) else _parsed(given, path)
                    view = "`" + (PREFIX + name).replace("`", "``") + "`"
                    _scan(self._session, relation).createOrReplaceTempView(view)
        except BaseException:
            self.close()
            raise

    def read(self, contract: type[S], sql: str, params: Params) -> dy.DataFrame[S]:
        """Run the SQL and prove its rows."""
        with self._rows(sql, params) as files:
            return proved(pl.read_parquet(files, glob=False), contract)

    def stream(self, contract: type[S], sql: str, params: Params, rows: int) -> Iterator[dy.DataFrame[S]]:
        """Run the SQL and prove its rows, `rows` at a time (the last piece may hold fewer)."""
        with self._rows(sql, params) as files:
            whole = pl.scan_parquet(files, glob=False)
            count = whole.select(pl.len()).collect().item()
            for start in range(0, count, rows):
                yield proved(whole.slice(start, rows).collect(), contract)

    def write(self, sql: str, params: Params, path: Path) -> int:
        """One Parquet file with the rows of the SQL in their order, put together from the parts that Spark writes."""
        with self._rows(sql, params) as files:
            try:
                pl.scan_parquet(files, glob=False).sink_parquet(path, compression="snappy")
            except OSError as error:
                raise StorageError(
                    f"the disk refused to write: {error}", "free some space and run the same command again"
                ) from error
            return int(pl.scan_parquet(files, glob=False).select(pl.len()).collect().item())

    def map(self, function: Callable[[bytes], bytes], parts: Sequence[bytes]) -> Iterator[bytes]:
        """`function` of each part, computed on Spark's executors, in the order of the parts. See `Cluster`."""
        context = self._open().sparkContext
        with _wrapped(getattr(function, "__name__", "map")):
            found = context.parallelize(parts, max(1, len(parts))).map(function).collect() if parts else []
        yield from found

    def close(self) -> None:
        """Drop what was written and let go of Spark, which stops if nobody else holds it; a second close does nothing."""
        self._session = None
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._lease.release()

    def _open(self) -> SparkSession:
        if self._session is None:
            raise EngineError("the engine is closed", "open a new one")
        return self._session

    @contextmanager
    def _rows(self, sql: str, params: Params) -> Iterator[list[Path]]:
        """The rows of the SQL in Parquet files, in order; the files are gone after the block."""
        session = self._open()
        folder = Path(mkdtemp(dir=self._scratch))
        try:
            with _wrapped(sql):
                session.sql(to_spark(sql), args=dict(params)).write.mode("overwrite").parquet(f"file://{folder}")
            yield sorted(folder.glob("part-*.parquet"))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _scan(session: SparkSession, relation: Parquet) -> DataFrame:
    """The frame that scans a relation; its columns are those of its first file."""
    places = [_place(path) for path in relation.paths]
    schema = session.read.parquet(places[0]).schema
    return session.read.schema(schema).parquet(*places)


def _parsed(relation: Csv | JsonLines, path: Path) -> Parquet:
    """The rows of a text file as Parquet, by the strict reader of the default engine.

    Spark's own takes a quote that is never closed for a field that ends with the file, and says nothing. A file whose fields
    may hold line ends is read by one task either way.
    """
    reader = DuckEngine({"text": relation}, spill=path.parent)
    try:
        reader.write("SELECT * FROM stored.text", {}, path)
    finally:
        reader.close()
    return Parquet((path,))


def _place(path: Path) -> str:
    """A path as Spark takes it: what would be a pattern is escaped. Raises SourceMissing if it is not there."""
    if not path.exists():
        raise SourceMissing(f"there is no file {path}", "put it there, or correct path in shop.toml")
    return "file://" + "".join(f"\\{char}" if char in "*?[]{}\\" else char for char in str(path.absolute()))


@contextmanager
def _wrapped(what: str) -> Iterator[None]:
    """Turn Spark's exceptions into ours, once, here."""
    from py4j.protocol import Py4JError, Py4JNetworkError
    from pyspark.errors import PySparkException

    try:
        yield
    except BasketryError:
        raise
    except (PySparkException, Py4JError, Py4JNetworkError) as error:
        text = " ".join(str(error).split())
        if any(sign in text for sign in _DISK):
            raise StorageError(
                f"the disk refused to write: {text[:600]}", "free some space and run the same command again"
            ) from error
        if any(sign in text for sign in _MEMORY):
            raise EngineError(f"out of memory: {text[:600]}", "raise `memory` in shop.toml") from error
        if any(sign in text for sign in _MISSING):
            hint = "a file may have been moved or deleted while it was read: put it back and run the same command again"
            raise SourceMissing(f"a file could not be read: {text[:600]}", hint) from error
        where = " ".join(what.split())[:200]
        raise EngineError(f"{text[:600]} in: {where}", "this is a defect: please report it") from error
