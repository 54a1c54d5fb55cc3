"""Long work that outlives a request: queued, run by whichever worker takes it, taken over where that worker dies.

```
queued ──take──▶ running ──▶ done | failed | cancelled
   ▲                │ lease over (the worker died)
   └────────────────┘   at most ATTEMPTS times, then failed
```

A worker renews its lease while it works. Operations publish atomically and resume, so that running one twice does no harm.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import insert, or_, select, update

from basketry.core.errors import NotFound
from basketry.store.journal.database import Database, canonical, now
from basketry.store.journal.schema import jobs

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

State = Literal["queued", "running", "done", "failed", "cancelled"]
LEASE: Final = 30_000_000  # microseconds a worker may be silent
ATTEMPTS: Final = 3
_OVER: Final = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Job:
    """One piece of work. `progress` and `result` are JSON; times are microseconds since 1970."""

    id: str
    operation: str
    request: Mapping[str, Any]
    who: str
    state: State
    cancelling: bool
    progress: Mapping[str, Any]
    result: Mapping[str, Any]
    attempts: int
    created: int
    started: int | None
    ended: int | None

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in _OVER


@dataclass(frozen=True)
class Jobs:
    """The jobs of one shop."""

    database: Database
    shop: str

    def queue(self, operation: str, request: Mapping[str, Any], who: str) -> Job:
        """A new job, to be taken by a worker."""
        id = secrets.token_hex(8)
        row = {"shop": self.shop, "id": id, "operation": operation, "request": canonical(request), "who": who, "created": now()}
        with self.database.writing(self.shop) as connection:
            connection.execute(
                insert(jobs), {**row, "state": "queued", "wanted": "done", "progress": "{}", "result": "{}", "attempts": 0}
            )
            return self._of(connection, id)

    def take(self) -> Job | None:
        """The oldest job that waits, or whose worker fell silent; it is running from now on, under a lease."""
        at = now()
        waiting = or_(jobs.c.state == "queued", (jobs.c.state == "running") & (jobs.c.lease < at))
        asked = select(jobs).where(jobs.c.shop == self.shop, waiting).order_by(jobs.c.created, jobs.c.id)
        with self.database.writing(self.shop) as connection:
            for row in connection.execute(asked).all():
                if row.wanted == "cancelled":
                    self._set(connection, row.id, state="cancelled", ended=at)
                elif row.attempts >= ATTEMPTS:
                    said = {"error": f"its worker died {ATTEMPTS} times"}
                    self._set(connection, row.id, state="failed", ended=at, result=canonical(said))
                else:
                    started = {"started": row.started or at, "lease": at + LEASE, "attempts": row.attempts + 1}
                    self._set(connection, row.id, state="running", **started)
                    return self._of(connection, row.id)
        return None

    def renew(self, job: Job, progress: Mapping[str, Any]) -> bool:
        """Tell how far a running job is, and live on; False if it should stop: cancelled, or taken over by another worker."""
        with self.database.writing(self.shop) as connection:
            mine = (jobs.c.shop == self.shop) & (jobs.c.id == job.id)
            mine &= (jobs.c.state == "running") & (jobs.c.attempts == job.attempts)
            told = update(jobs).where(mine).values(progress=canonical(progress), lease=now() + LEASE)
            return connection.execute(told).rowcount == 1 and not self._of(connection, job.id).cancelling

    def end(self, job: Job, state: State, result: Mapping[str, Any]) -> None:
        """Say how a job that this worker runs went; nothing if another worker has taken it over."""
        with self.database.writing(self.shop) as connection:
            mine = (jobs.c.shop == self.shop) & (jobs.c.id == job.id)
            mine &= (jobs.c.state == "running") & (jobs.c.attempts == job.attempts)
            connection.execute(update(jobs).where(mine).values(state=state, ended=now(), result=canonical(result), lease=None))

    def cancel(self, id: str) -> Job:
        """Ask a job to stop: at once if it waits, at its next sign of life if it runs. Raises NotFound for none of that id."""
        with self.database.writing(self.shop) as connection:
            job = self._of(connection, id)
            if job.state == "queued":
                self._set(connection, id, state="cancelled", wanted="cancelled", ended=now())
            elif not job.over:
                self._set(connection, id, wanted="cancelled")
            return self._of(connection, id)

    def get(self, id: str) -> Job:
        """One job. Raises NotFound."""
        with self.database.reading(self.shop) as connection:
            return self._of(connection, id)

    def latest(self, limit: int) -> list[Job]:
        """The newest jobs first."""
        asked = select(jobs).where(jobs.c.shop == self.shop).order_by(jobs.c.created.desc(), jobs.c.id).limit(limit)
        with self.database.reading(self.shop) as connection:
            return [_job(row) for row in connection.execute(asked)]

    def _of(self, connection: Connection, id: str) -> Job:
        row = connection.execute(select(jobs).where(jobs.c.shop == self.shop, jobs.c.id == id)).first()
        if row is None:
            raise NotFound(f"there is no job {id}", "list the jobs to see their ids")
        return _job(row)

    def _set(self, connection: Connection, id: str, **values: Any) -> None:
        connection.execute(update(jobs).where(jobs.c.shop == self.shop, jobs.c.id == id).values(**values))


def _job(row: Row[Any]) -> Job:
    return Job(
        *(row.id, row.operation, json.loads(row.request), row.who, row.state, row.wanted == "cancelled"),
        *(json.loads(row.progress), json.loads(row.result), row.attempts, row.created, row.started, row.ended),
    )
