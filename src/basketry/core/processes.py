"""Whether this process speaks for all: several may run the same command side by side, started by torchrun."""

from __future__ import annotations

import os


def first_process() -> bool:
    """Whether this process may print and write files: it is alone (RANK without WORLD_SIZE says nothing), or of rank 0."""
    return os.environ.get("WORLD_SIZE", "1") == "1" or os.environ.get("RANK", "0") == "0"
