"""Jobs: how far they are, what came of them, and a word to stop."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from basketry.http.access import Analyst, Operator, ShopName
from basketry.store.journal.audit import Act

router = APIRouter(prefix="/v1/shops/{shop}/jobs", tags=["jobs"])


@router.get("")
async def latest(
    request: Request,
    shop: ShopName,
    _who: Analyst,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """The latest jobs, the newest first."""
    found = await run_in_threadpool(request.app.state.house.jobs(shop).latest, limit)
    return {"jobs": [dataclasses.asdict(job) for job in found]}


@router.get("/{job}")
async def one(request: Request, shop: ShopName, job: str, _who: Analyst) -> dict[str, Any]:
    """One job: its state (queued, running, done, failed, cancelled), its progress and its result."""
    return dataclasses.asdict(await run_in_threadpool(request.app.state.house.jobs(shop).get, job))


@router.post("/{job}/cancel")
async def cancel(request: Request, shop: ShopName, job: str, who: Operator) -> dict[str, Any]:
    """Ask a job to stop: one that waits does at once, one that runs at its next step."""
    house = request.app.state.house
    found = await run_in_threadpool(house.jobs(shop).cancel, job)
    await run_in_threadpool(house.audit(shop).add, Act(who.id, who.role, "cancel", job))
    return dataclasses.asdict(found)
