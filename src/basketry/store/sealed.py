"""Small JSON files that carry their own checksum, so that a flipped bit anywhere in them is seen before they are believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Union

Json = Union[None, bool, int, float, str, Sequence["Json"], Mapping[str, "Json"]]  # noqa: UP007 - recursive, so quoted

# what reading a body of the wrong shape may raise
MALFORMED: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


def canonical(value: Json) -> bytes:
    """The one JSON text of a value: sorted keys, no spaces, UTF-8. Raises ValueError on NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


def seal(body: Mapping[str, Json]) -> bytes:
    """The bytes of a file that holds `body` and the sha256 of its canonical JSON, laid out for people to read."""
    whole = {"body": body, "sha256": hashlib.sha256(canonical(body)).hexdigest()}
    return json.dumps(whole, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n"


def unseal(data: bytes) -> dict[str, Any]:
    """The body back. Raises ValueError unless `data` is, to the last bit, what `seal` makes of the body it holds."""
    whole = json.loads(data)  # bad UTF-8 and bad JSON are both ValueError
    if not isinstance(whole, dict) or not isinstance(whole.get("body"), dict):
        raise ValueError("not a sealed file")
    body: dict[str, Any] = whole["body"]
    if seal(body) != data:
        raise ValueError("the content differs from its checksum")
    return body
