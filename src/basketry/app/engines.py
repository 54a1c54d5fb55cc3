"""The engine a person names, as something to open: the one place where a name becomes an engine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from basketry.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from basketry.core.protocols import Engine, Relation
    from basketry.data.shopfile import ShopFile

    OpenEngine = Callable[[Mapping[str, Relation]], Engine]

HELP: Final = (
    "Where SQL runs: duckdb, spark (all cores here), spark:local[2], or spark://HOST:PORT; default: as shop.toml says."
)
_SPARK: Final = re.compile(r"spark|spark:(local\[(\d+|\*)\])|(spark://[\w.-]+:\d+)")


@contextmanager
def opener(name: str, settings: ShopFile, spill: Path) -> Iterator[OpenEngine]:
    """How to open an engine over relations, for the length of the block; an empty `name` takes the one of shop.toml.

    Spark starts at most once in the block, however many engines are opened. `spill` is a folder that exists.
    Raises ConfigError for a name that is no engine's, or where PySpark or Java is missing.
    """
    wanted = name or settings.engine
    if wanted == "duckdb":
        from basketry.engines.duck import DuckEngine

        yield lambda relations: DuckEngine(relations, threads=settings.threads, memory=settings.memory, spill=spill)
        return
    found = _SPARK.fullmatch(wanted)
    if found is None:
        raise ConfigError(f"there is no engine {wanted!r}", "use duckdb, spark, spark:local[2] or spark://HOST:PORT")
    from basketry.engines.spark import SparkEngine
    from basketry.engines.spark_session import Lease

    master = found[1] or found[3] or "local[*]"
    lease = Lease(master, settings.memory)
    try:
        yield lambda relations: SparkEngine(relations, master=master, memory=settings.memory, spill=spill)
    finally:
        lease.release()
