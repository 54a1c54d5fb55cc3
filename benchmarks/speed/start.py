"""What it costs to start: CPU seconds of `basketry --help`, beside those of Python alone.

    python benchmarks/speed/start.py [ROUNDS]

Whole processes, interleaved, medians. Writes docs/reference/speed-start.md. The bar is 0.3 s.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "basketry --help": ["-c", "from basketry.cli.main import main; main()", "--help"],
}


def cpu(arguments: list[str]) -> float:
    """User and system seconds of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(rounds: int) -> None:
    """Measure and write the page."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, arguments in COMMANDS.items():
            times[name].append(cpu(arguments))
    rows = "\n".join(f"| `{name}` | {statistics.median(each):.3f} |" for name, each in times.items())
    page = f"""# What it costs to start

Medians of {rounds} interleaved runs; `python benchmarks/speed/start.py` writes this page. The bar is 0.3 s.

| command | CPU s |
|---|---|
{rows}
"""
    (ROOT / "docs/reference/speed-start.md").write_text(page, encoding="utf-8")
    sys.stdout.write(page)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
