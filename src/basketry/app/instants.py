"""An instant as it is asked for."""

from __future__ import annotations

import datetime as dt

from basketry.core.errors import RequestError


def instant(as_of: str) -> dt.datetime | None:
    """`as_of` in ISO 8601; None for "", which asks for everything. Raises RequestError for what is no instant."""
    if not as_of:
        return None
    try:
        return dt.datetime.fromisoformat(as_of)
    except ValueError as error:
        raise RequestError(f"as_of {as_of!r} is not an instant", "write 2017-10-01T00:00:00Z") from error
