"""Is it alive, and can it answer? Asked by machines, so they need no key and tell nothing of a shop but its name."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from basketry.core.errors import BasketryError

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", response_model=None)
async def ready(request: Request) -> JSONResponse:
    """Every shop has a release that serves; 503 while one has not."""
    house = request.app.state.house
    found = {name: await run_in_threadpool(_serving, house, name) for name in house.shops}
    return JSONResponse({"shops": found}, 200 if all(each["ready"] for each in found.values()) else 503)


def _serving(house: Any, name: str) -> dict[str, Any]:
    try:
        return {"ready": True, "release": house.shop(name).releases.current(files=()).id}
    except BasketryError as error:
        return {"ready": False, "code": error.code}
