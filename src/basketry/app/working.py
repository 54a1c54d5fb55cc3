"""The worker of long jobs: one operation at a time and shop, in a process of its own, so that no answer waits for it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from basketry.app.job_process import PROGRESS

if TYPE_CHECKING:
    from basketry.app.shop import Shop
    from basketry.store.journal.jobs import Job, Jobs

SIGN: Final = 2.0  # seconds between two signs of life
_PATIENCE: Final = 10  # seconds that a cancelled process has to end by itself


@dataclass(frozen=True)
class Worker:
    """Takes the jobs of one shop, as long as it is asked to. A killed worker's job is taken over by the next."""

    shop: Shop
    jobs: Jobs

    def step(self) -> Job | None:
        """Run the next job to its end, if one waits; that job."""
        job = self.jobs.take()
        if job is None:
            return None
        with TemporaryDirectory(prefix="basketry-job-") as folder:
            answer = Path(folder) / "answer.json"
            command = [sys.executable, "-m", "basketry.app.job_process", str(self.shop.folder), job.operation, str(answer)]
            asked = Path(folder) / "request.json"
            asked.write_text(json.dumps(dict(job.request)), encoding="utf-8")
            with asked.open() as request:
                process = subprocess.Popen(command, stdin=request, stdout=subprocess.DEVNULL)
            state, result = self._watched(job, process, answer)
        self.jobs.end(job, state, result)
        return job

    def _watched(self, job: Job, process: subprocess.Popen[bytes], answer: Path) -> tuple[Any, dict[str, Any]]:
        """How the process ended and what it said, with a sign of life now and then while it runs."""
        began = time.monotonic()
        progress = answer.with_name(PROGRESS)
        while process.poll() is None:
            try:
                process.wait(SIGN)
            except subprocess.TimeoutExpired:
                told = json.loads(progress.read_text()) if progress.exists() else {}
                if not self.jobs.renew(job, {**told, "seconds": round(time.monotonic() - began)}):
                    _stopped(process)
                    return "cancelled", {}
        if answer.exists():
            told = json.loads(answer.read_text())
            return ("failed" if "error" in told else "done"), told
        return "failed", {"error": {"code": "basketry", "message": f"its process ended with {process.returncode}", "hint": ""}}


def _stopped(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
