"""Errors as problem+json (RFC 9457): a stable `code`, what is wrong, and the way out."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from fastapi.responses import JSONResponse

from basketry.core.errors import BasketryError

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

MEDIA_TYPE: Final = "application/problem+json"
_LOG: Final = logging.getLogger("basketry.http")


def problem(status: int, code: str, title: str, hint: str = "", **more: Any) -> JSONResponse:
    """A problem as an answer; `type` names the page about the code, where there is one."""
    body = {
        "type": f"docs/errors/{code}.md" if code in _codes() else "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "hint": hint,
        **more,
    }
    return JSONResponse({name: value for name, value in body.items() if value != ""}, status, media_type=MEDIA_TYPE)


@cache
def _codes() -> frozenset[str]:
    """Every code that has a page."""
    found, left = set(), [BasketryError]
    while left:
        one = left.pop()
        found.add(one.code)
        left += one.__subclasses__()
    return frozenset(found - {BasketryError.code})


def install(app: FastAPI) -> None:
    """Every error that leaves a route becomes a problem; one nobody foresaw tells its id and nothing else."""
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

    app.exception_handler(BasketryError)(_ours)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_plain)
    app.exception_handler(Exception)(_unforeseen)


async def _ours(_request: Request, error: BasketryError) -> JSONResponse:
    return problem(error.http_status, error.code, error.message, error.hint)


async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
    """Which fields are wrong and how; never their content, which may be anything."""
    fields = [{"field": ".".join(str(each) for each in one["loc"]), "problem": one["msg"]} for one in error.errors()[:20]]
    return problem(422, "request", "the request does not fit its contract", "compare it with /openapi.json", fields=fields)


async def _plain(_request: Request, error: HTTPException) -> JSONResponse:
    codes = {
        401: "unauthorized",
        403: "forbidden",
        404: "not-found",
        405: "method",
        413: "too-large",
        415: "media-type",
        429: "busy",
    }
    found = problem(error.status_code, codes.get(error.status_code, "request"), str(error.detail))
    found.headers.update(error.headers or {})
    return found


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    _LOG.error("unforeseen error", exc_info=error, extra={"request_id": request.scope.get("request_id", "")})
    return problem(500, "basketry", "the server failed", "the log tells more under this request's id")
