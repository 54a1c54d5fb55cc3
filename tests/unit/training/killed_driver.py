"""Train, and be killed: `step N` in the N-th forward pass, `card N` between the N-th arrays and their card."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))


from basketry.store import durable
from training_worlds import train_dropping


def main(folder: Path, where: str, number: int) -> None:
    calls = 0
    write_file = durable.write_file

    def die_at(found: str) -> None:
        nonlocal calls
        calls += found == where
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def dying(path: Path, data: bytes) -> None:
        die_at("card")
        write_file(path, data)

    durable.write_file = dying
    train_dropping(folder, before=lambda: die_at("step"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
