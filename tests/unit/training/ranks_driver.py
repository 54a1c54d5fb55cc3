"""Run every case as one of the processes that torchrun starts; the first one writes what came out, by case, as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from basketry.training.distributed import joined
from training_worlds import CASES, Case


def main(folder: Path) -> None:
    with joined() as ranks:
        found = {name: case.run() for name, case in CASES.items()}
        for name in ("copies", "shards"):
            found[f"{name}, interrupted"] = resumed(CASES[name], folder / name, ranks.rank)
        answer = {
            name: {
                "losses": history.losses,
                "validations": history.validations,
                "kept": history.kept,
                "weights": {key: weight.tolist() for key, weight in weights.items()},
            }
            for name, (history, weights) in found.items()
        }
        (folder / f"rank{ranks.rank}.json").write_text(json.dumps(answer))


def resumed(case: Case, folder: Path, rank: int):
    """Ctrl-C reaches the second process alone, in its fifth step."""
    with contextlib.suppress(KeyboardInterrupt):
        case.run(folder, interrupt=5 if rank == 1 else 0)
        os._exit(3)
    return case.run(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
