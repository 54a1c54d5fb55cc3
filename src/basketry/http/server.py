"""The whole API as one ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI

from basketry.http import health, jobs, keys, operations, problems
from basketry.http.access import Gate
from basketry.http.guards import Guards

if TYPE_CHECKING:
    from basketry.app.house import House

ROUTERS: Final = (health.router, jobs.router, keys.router, operations.routes())
LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


def make_app(house: House, *, closed: bool, hosts: Collection[str] = LOOPBACK, in_flight: int = 64) -> FastAPI:
    """The API of some shops. `closed`: every request but health needs a key; an open one belongs on loopback only.

    `hosts`: names it answers for; `in_flight`: requests answered at once, above which it says 429.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        house.close()

    app = FastAPI(
        title="Basketry",
        version=version("basketry"),
        summary="What goes with what in a shop: associations, recommendations and their reasons.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        responses=_PROBLEMS,
    )
    app.state.house = house
    app.state.gate = Gate(house, closed=closed)
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(Guards, hosts=hosts, in_flight=in_flight)
    return app


_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"description": "The request cannot be answered: problem+json with a stable code and a hint."},
    "5XX": {"description": "The server cannot answer: problem+json."},
}
