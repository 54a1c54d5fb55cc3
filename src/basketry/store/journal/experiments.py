"""Experiments: planned, running, stopped. Who sees which arm is a stable hash and is kept nowhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import insert, select, update

from basketry.core.errors import NotFound, RequestError
from basketry.store.journal.database import Database, canonical, now
from basketry.store.journal.schema import experiments

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row


@dataclass(frozen=True)
class Experiment:
    """A plan under a name. Once it runs the plan does not change; times are microseconds since 1970."""

    name: str
    plan: Mapping[str, Any]
    state: Literal["planned", "running", "stopped"]
    created: int
    started: int | None
    stopped: int | None


@dataclass(frozen=True)
class Experiments:
    """The experiments of one shop."""

    database: Database
    shop: str

    def plan(self, name: str, plan: Mapping[str, Any]) -> Experiment:
        """A new experiment, or a new plan for one that has not begun. Raises RequestError for one that has."""
        with self.database.writing(self.shop) as connection:
            row = self._row(connection, name)
            if row is None:
                values = {"shop": self.shop, "name": name, "plan": canonical(plan), "state": "planned", "created": now()}
                connection.execute(insert(experiments), values)
            elif row.state != "planned":
                raise RequestError(f"experiment {name!r} is {row.state}", "plan a new one under another name")
            else:
                self._set(connection, name, plan=canonical(plan))
            return self._of(connection, name)

    def start(self, name: str) -> Experiment:
        """Begin. Raises RequestError for one that ran before: an experiment continued after a look is another one."""
        return self._move(name, "planned", "running", "started")

    def stop(self, name: str) -> Experiment:
        """End for good."""
        return self._move(name, "running", "stopped", "stopped")

    def all(self) -> list[Experiment]:
        """Every experiment, the newest first."""
        asked = select(experiments).where(experiments.c.shop == self.shop).order_by(experiments.c.created.desc())
        with self.database.reading(self.shop) as connection:
            return [_experiment(row) for row in connection.execute(asked)]

    def _move(self, name: str, before: str, after: str, when: str) -> Experiment:
        with self.database.writing(self.shop) as connection:
            state = self._of(connection, name).state
            if state != before:
                raise RequestError(f"experiment {name!r} is {state}", f"only one that is {before} can become {after}")
            self._set(connection, name, state=after, **{when: now()})
            return self._of(connection, name)

    def _row(self, connection: Connection, name: str) -> Row[Any] | None:
        mine = (experiments.c.shop == self.shop) & (experiments.c.name == name)
        return connection.execute(select(experiments).where(mine)).first()

    def _of(self, connection: Connection, name: str) -> Experiment:
        row = self._row(connection, name)
        if row is None:
            raise NotFound(f"there is no experiment {name!r}", "list the experiments to see their names")
        return _experiment(row)

    def _set(self, connection: Connection, name: str, **values: Any) -> None:
        mine = (experiments.c.shop == self.shop) & (experiments.c.name == name)
        connection.execute(update(experiments).where(mine).values(**values))


def _experiment(row: Row[Any]) -> Experiment:
    return Experiment(row.name, json.loads(row.plan), row.state, row.created, row.started, row.stopped)
