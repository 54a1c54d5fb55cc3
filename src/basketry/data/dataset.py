"""A shop's tables as they were known at one instant: the only way the rest of the house reads data."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from basketry.core import tables
from basketry.core.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dataframely as dy

    from basketry.core.protocols import Engine, Params, S

# What makes a row of each table unknown before its time. A catalogue row carries no instant: a product listed but never sold
# before `as_of` is simply a new product.
CUTS: Final = {
    "order_lines": "ts < CAST($as_of AS TIMESTAMPTZ)",
    "promotions": "CAST(first_day AS TIMESTAMPTZ) < CAST($as_of AS TIMESTAMPTZ)",
    "prices": "ts < CAST($as_of AS TIMESTAMPTZ)",
    "stock": "ts < CAST($as_of AS TIMESTAMPTZ)",
    "events": "ts < CAST($as_of AS TIMESTAMPTZ)",
    "products": "$as_of IS NOT NULL",
}


@dataclass(frozen=True)
class Query:
    """One named SQL file: `inputs` are the tables it reads, `output` the contract of its rows."""

    name: str
    inputs: tuple[str, ...]
    output: str
    params: tuple[str, ...]
    sql: str

    def cut(self) -> str:
        """The SQL with every input replaced by its rows known at `$as_of`."""
        known = ", ".join(f"{name} AS (SELECT * FROM stored.{name} WHERE {CUTS[name]})" for name in self.inputs)
        inner = re.sub(r"^WITH\b", "", self.sql, count=1)
        return f"WITH {known}{',' if inner != self.sql else ' '}{inner}"


@cache
def named(name: str) -> Query:
    """Read `queries/NAME.sql`; its header comments are its signature."""
    file = resources.files("basketry.data").joinpath("queries", f"{name}.sql")
    if not re.fullmatch(r"[a-z_]+", name) or not file.is_file():
        raise RequestError(f"there is no named query {name!r}", "see the files in basketry/data/queries")
    lines = file.read_text(encoding="utf-8").splitlines()
    header = dict(re.findall(r"^-- (\w+):(.*)$", "\n".join(lines), flags=re.MULTILINE))
    body = "\n".join(line for line in lines if not line.startswith("--")).strip()
    params = tuple(re.findall(r"(\w+)(?: \([^)]*\))?", header["params"]))
    inputs = tuple(part.strip() for part in header["inputs"].split(","))
    return Query(name, inputs, header["output"].strip(), params, body)


@dataclass(frozen=True)
class Dataset:
    """Tables of one shop, cut at `as_of` (UTC, exclusive): no read ever sees a row from then on.

    `digest` names the committed tables, so that a model can say what it was fitted on.
    """

    engine: Engine
    as_of: dt.datetime
    digest: str

    def __post_init__(self) -> None:
        if self.as_of.tzinfo is None:
            raise RequestError(
                f"as_of {self.as_of.isoformat()} has no time zone", "give an instant such as 2017-10-01T00:00:00Z"
            )

    def table(self, contract: type[S]) -> dy.DataFrame[S]:
        """Every known row of an input table. Reads it into memory: for catalogues, not for a year of order lines."""
        names = [name for name, known in tables.INPUTS.items() if known is contract]
        if not names:
            raise RequestError(f"{contract.__name__} is not an input table", f"input tables are {', '.join(tables.INPUTS)}")
        sql = f"SELECT * FROM stored.{names[0]} WHERE {CUTS[names[0]]}"
        return self.engine.read(contract, sql, {"as_of": self.as_of.isoformat()})

    def query(self, contract: type[S], name: str, params: Params | None = None) -> dy.DataFrame[S]:
        """The rows of a named query, whole."""
        sql, bound = self._bind(contract, name, params or {})
        return self.engine.read(contract, sql, bound)

    def stream(
        self, contract: type[S], name: str, params: Params | None = None, rows: int = 500_000
    ) -> Iterator[dy.DataFrame[S]]:
        """The rows of a named query, in frames of about `rows` rows."""
        sql, bound = self._bind(contract, name, params or {})
        return self.engine.stream(contract, sql, bound, rows)

    def before(self, as_of: dt.datetime) -> Dataset:
        """The same tables as known at an earlier instant."""
        earlier = replace(self, as_of=as_of)  # refuses an instant without a zone
        if as_of > self.as_of:
            hint = "open the shop at the later instant instead"
            raise RequestError(f"as_of {as_of.isoformat()} is after this dataset's {self.as_of.isoformat()}", hint)
        return earlier

    def _bind(self, contract: type[dy.Schema], name: str, params: Params) -> tuple[str, Params]:
        query = named(name)
        if tables.DERIVED.get(query.output) is not contract:
            raise RequestError(f"query {name} gives {query.output}, not {contract.__name__}", "ask for the contract it names")
        if set(params) != set(query.params):
            raise RequestError(
                f"query {name} takes {list(query.params)}, not {sorted(params)}", "give exactly the parameters in its header"
            )
        return query.cut(), {**params, "as_of": self.as_of.isoformat()}
