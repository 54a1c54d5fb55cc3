"""One route for each operation that is served: the body is its request, the answer its result, or a job that makes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, get_type_hints

import orjson
from fastapi import APIRouter, Body, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, create_model
from pydantic import Field as Described
from starlette.exceptions import HTTPException

from basketry.app.operations import OPERATIONS, Operation
from basketry.app.results import parts_of, plain
from basketry.http.access import Caller, ShopName, needs
from basketry.store.journal.audit import Act

if TYPE_CHECKING:
    from basketry.app.house import House

_LONGEST: Final = 10_000  # characters of one text in a request


def routes() -> APIRouter:
    """POST /v1/shops/{shop}/NAME for every operation that is served."""
    router = APIRouter(prefix="/v1/shops/{shop}", tags=["operations"])
    for operation in OPERATIONS:
        if operation.served:
            status = 200 if operation.served == "now" else 202
            router.add_api_route(
                f"/{operation.name}",
                _endpoint(operation),
                methods=["POST"],
                name=operation.name,
                summary=operation.summary,
                status_code=status,
                response_model=None,
            )
    return router


def body_of(operation: Operation) -> type[BaseModel]:
    """The contract of its body: the fields of its request that are no matter of the server's own machine."""
    hints = get_type_hints(operation.request)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(operation.request):
        if field.metadata.get("local") or field.metadata.get("python_only"):
            continue
        default = ... if field.default is dataclasses.MISSING else field.default
        longest = _LONGEST if hints[field.name] is str else None
        fields[field.name] = (hints[field.name], Described(default, description=field.metadata["help"], max_length=longest))
    name = operation.name.title().replace("-", "") + "Body"
    return create_model(name, __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields)


def _endpoint(operation: Operation) -> Callable[..., Awaitable[Response]]:
    model = body_of(operation)

    async def answer(request: Request, shop: ShopName, asked: BaseModel, who: Caller) -> Response:
        house: House = request.app.state.house
        _allowed(operation, asked, who)
        fields = asked.model_dump()
        if operation.served == "job":
            job = await run_in_threadpool(house.jobs(shop).queue, operation.name, fields, who.id)
            await run_in_threadpool(house.audit(shop).add, Act(who.id, who.role, operation.name, job.id, fields))
            place = f"/v1/shops/{shop}/jobs/{job.id}"
            return Response(orjson.dumps({"job": job.id}), 202, {"Location": place}, "application/json")
        found = await run_in_threadpool(operation.call, house.shop(shop), operation.request(**fields))
        if operation.role in ("operator", "admin"):
            await run_in_threadpool(house.audit(shop).add, Act(who.id, who.role, operation.name, "", fields))
        return Response(orjson.dumps(parts_of(found).as_json(), default=plain), media_type="application/json")

    answer.__annotations__ = {
        "request": Request,
        "shop": ShopName,
        "asked": Annotated[model, Body()],
        "who": Annotated[Caller, Depends(needs(operation.role))],
        "return": Response,
    }
    answer.__doc__ = operation.summary
    return answer


def _allowed(operation: Operation, asked: BaseModel, who: Caller) -> None:
    """Raise 403 where a field that is used needs more than the operation does."""
    for field in dataclasses.fields(operation.request):
        role = field.metadata.get("role")
        if role and getattr(asked, field.name, field.default) != field.default and not who.may(role):
            raise HTTPException(403, f"{field.name} needs the role {role}; the key has {who.role}")
