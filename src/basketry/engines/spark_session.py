"""Spark's one session of this process: started by the first who asks, shared by all, stopped by the last who lets go."""

from __future__ import annotations

import atexit
import importlib.util
import shutil
import sys
import threading
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, Final

from basketry.core.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_NEEDS: Final = "pip install 'basketry[spark]', and install Java 17 or later so that `java` is found"
_LEAST_MEMORY: Final = 1024  # MB: below some 500 Spark refuses to start, and itself takes 300
_FIXED: Final = {
    "spark.app.name": "basketry",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.rpc.message.maxSize": "2047",  # MB, the most there is: a part of the baskets travels as one message
    "spark.driver.maxResultSize": "0",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "100000",  # list files here, not in a job
}
_LOOPBACK: Final = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}


@dataclass
class _Shared:
    master: str
    session: SparkSession
    users: int = 0


_lock: Final = threading.Lock()
_shared: list[_Shared] = []


class Lease:
    """A hold on the session: while any is open Spark runs. `release` gives it back; a second release does nothing.

    `master` is Spark's own word for where it runs: `local[*]`, `local[2]`, `spark://host:7077`; the first hold decides, and
    another master in the same process is refused. `memory` (for instance "2GB") is the heap of the driver, which in local mode
    does all the work; at least 1 GB, and fixed by the first hold of a process.
    Raises ConfigError if PySpark or Java is not there, EngineError if Spark does not start.
    """

    def __init__(self, master: str, memory: str = "1GB") -> None:
        with _lock:
            if not _shared:
                _shared.append(_start(master, memory))
            shared = _shared[0]
            if shared.master != master:
                raise ConfigError(
                    f"Spark runs on {shared.master} in this process, so not on {master}",
                    "close what uses it, or take another process",
                )
            shared.users += 1
        self._held: _Shared | None = shared

    @property
    def session(self) -> SparkSession:
        """A session with views of its own on the shared context. Raises EngineError once the hold is released."""
        if self._held is None:
            raise EngineError("the engine is closed", "open a new one")
        return self._held.session.newSession()

    def release(self) -> None:
        """Let go; the last to do so stops Spark."""
        with _lock:
            held, self._held = self._held, None
            if held is None:
                return
            held.users -= 1
            if held.users == 0:
                _shared.remove(held)
                held.session.stop()


def available() -> str:
    """What Spark lacks here, as a phrase; empty if nothing."""
    missing = [name for name in ("pyspark", "sqlglot") if importlib.util.find_spec(name) is None]
    if missing:
        return f"the package {missing[0]}"
    return "" if shutil.which("java") else "Java"


def _start(master: str, memory: str) -> _Shared:
    lacks = available()
    if lacks:
        raise ConfigError(f"the Spark engine needs {lacks}", _NEEDS)
    with warnings.catch_warnings():  # PySpark warns of pandas 3, which nothing here uses
        warnings.simplefilter("ignore", FutureWarning)
        import pyspark.testing  # noqa: F401 - where it warns; the first call to Java loads it
        from py4j.protocol import Py4JError
        from pyspark import SparkConf, SparkContext
        from pyspark.errors import PySparkException
        from pyspark.java_gateway import launch_gateway
        from pyspark.logger import PySparkLogger
        from pyspark.sql import SparkSession

    scratch = _scratch()
    settings = _FIXED | {"spark.master": master, "spark.sql.warehouse.dir": str(scratch / "warehouse")}
    settings |= {"spark.driver.memory": f"{max(_LEAST_MEMORY, _megabytes(memory))}m"}
    if master.startswith("local"):
        settings |= _LOOPBACK | {"spark.local.dir": str(scratch)}
    conf = SparkConf(loadDefaults=False).setAll(list(settings.items()))
    log = scratch / "spark.log"  # what the Java side says to the terminal: useful only where it does not start
    try:
        with log.open("wb") as said:
            launch: Any = launch_gateway
            gateway = SparkContext._gateway or launch(conf, popen_kwargs={"stderr": said})
        context = SparkContext(conf=conf, gateway=gateway)
    except (PySparkException, Py4JError, OSError) as error:
        words = " ".join(log.read_text(encoding="utf-8", errors="replace").split())[-300:]
        raise EngineError(f"Spark does not start on {master}: {words or error}", _NEEDS) from error
    for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = True  # they print the trace of every error, which is raised all the same
    session = SparkSession(context)
    if master.startswith("local"):
        context.pythonExec = sys.executable  # else the first python3 of the PATH, which need not know of this package
        # two hundred shuffle partitions, Spark's default, are for clusters
        session.conf.set("spark.sql.shuffle.partitions", str(2 * context.defaultParallelism))
    return _Shared(master, session)


@cache
def _scratch() -> Path:
    """Where Spark spills and logs: one folder a process, for Java, once started, stays until the process ends; gone with it."""
    folder = Path(mkdtemp(prefix="basketry-spark-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _megabytes(memory: str) -> int:
    """The megabytes of a text such as 600MB or 2GB."""
    number = int(memory[:-2])
    return number * 1024 if memory.endswith("GB") else number
