"""Keys and the audit log: issued, listed and revoked by admins."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from basketry.app.operations import Role
from basketry.http.access import Admin, ShopName
from basketry.store.journal.audit import Act, Audited

router = APIRouter(prefix="/v1/shops/{shop}", tags=["keys and audit"])


class NewKey(BaseModel):
    """What a new key may do, and for how long."""

    model_config = ConfigDict(extra="forbid")
    role: Role
    note: str = Field("", max_length=200, description="What it is for.")
    days: int | None = Field(90, ge=1, le=3650, description="Days until it expires; null for never.")


@router.post("/keys", status_code=201)
async def issue(request: Request, shop: ShopName, asked: NewKey, who: Admin) -> dict[str, Any]:
    """A new key for this shop. Its text is in this answer and nowhere else."""
    house = request.app.state.house
    key, text = await run_in_threadpool(house.keys(shop).issue, asked.role, shop, asked.note, asked.days)
    await run_in_threadpool(house.audit(shop).add, Act(who.id, who.role, "issue key", key.id, asked.model_dump()))
    return {**dataclasses.asdict(key), "key": text}


@router.get("/keys")
async def all_keys(request: Request, shop: ShopName, _who: Admin) -> dict[str, Any]:
    """Every key that opens this shop, without its text."""
    found = await run_in_threadpool(request.app.state.house.keys(shop).all)
    return {"keys": [dataclasses.asdict(key) for key in found if key.shop in ("", shop)]}


@router.delete("/keys/{key}")
async def revoke(request: Request, shop: ShopName, key: str, who: Admin) -> dict[str, Any]:
    """Make a key worthless; within a second every worker knows."""
    house = request.app.state.house
    if key not in {each.id for each in await run_in_threadpool(house.keys(shop).all) if each.shop == shop}:
        raise HTTPException(404, "this shop has no such key")
    found = await run_in_threadpool(house.keys(shop).revoke, key)
    await run_in_threadpool(house.audit(shop).add, Act(who.id, who.role, "revoke key", key))
    return dataclasses.asdict(found)


@router.get("/audit")
async def audit(
    request: Request,
    shop: ShopName,
    _who: Admin,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    below: Annotated[int | None, Query(ge=1, le=2**53, description="Only rows of numbers below this one.")] = None,
) -> dict[str, Any]:
    """Who did what, the newest first, and the number of the first row that was changed since, if any."""
    log = request.app.state.house.audit(shop)
    rows = await run_in_threadpool(log.latest, limit, below)
    return {"rows": [_row(row) for row in rows], "broken": await run_in_threadpool(log.broken)}


def _row(row: Audited) -> dict[str, Any]:
    return {"number": row.number, "ts": row.ts, **dataclasses.asdict(row.act), "hash": row.hash.hex()}
