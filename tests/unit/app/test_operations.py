"""Every operation is whole: a command, a page, an end-to-end test, and help for each thing it takes."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from basketry.app.operations import OPERATIONS
from basketry.cli.main import app

ROOT = Path(__file__).parents[3]
HEAVY = {"numpy", "polars", "duckdb", "scipy", "sklearn", "faiss", "torch", "networkx", "jinja2", "safetensors", "dataframely"}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_it_has_a_command_a_page_and_an_end_to_end_test(operation):
    assert operation.name in {command.name for command in app.registered_commands}
    assert f"## {operation.name}" in (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    assert f'"{operation.name}"' in (ROOT / "tests/e2e/test_cli.py").read_text(encoding="utf-8")
    assert operation.summary.endswith(".")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_everything_it_takes_is_explained(operation):
    for field in dataclasses.fields(operation.request):
        assert field.metadata.get("python_only") or field.metadata["help"].endswith("."), field.name


def test_nothing_heavy_is_imported_before_it_is_used():
    code = "import sys, basketry.cli.main; print('\\n'.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "basketry.app.operations" in loaded
    assert not HEAVY & set(loaded)
