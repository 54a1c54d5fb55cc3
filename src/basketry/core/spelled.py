"""Hyperparameters as people write them: `name=value`, read as the type of the field's default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field
from math import isfinite
from typing import Any, Final

from basketry.core.errors import RequestError

_TRUTH: Final = {"true": True, "false": False}
_WANTED: Final = {"bool": "true or false", "int": "a whole number", "float": "a number"}


def spelled(settings: str, known: Mapping[str, Field[Any]], whose: str) -> dict[str, Any]:
    """`a=1,b=2` as the types of the fields. Raises RequestError for what is none of them, twice there, or of another type."""
    values: dict[str, Any] = {}
    for part in filter(None, map(str.strip, settings.split(","))):
        key, _, value = (side.strip() for side in part.partition("="))
        if key not in known or key in values:
            raise RequestError(f"{whose} cannot read {part!r}", f"write name=value of {', '.join(known)}, each once")
        values[key] = read_value(known[key], value, whose)
    return values


def read_value(known: Field[Any], text: str, whose: str) -> Any:
    """`text` as the type of the field's default. Raises RequestError, naming the field of `whose`, for what is none."""
    kind: Any = type(known.default)
    try:
        value = _TRUTH[text] if kind is bool else kind(text)
        if kind is float and not isfinite(value):
            raise ValueError(text)
        return value
    except (ValueError, KeyError) as error:
        meaning = known.metadata.get("help", "")
        raise RequestError(
            f"{known.name} of {whose} cannot be {text!r}", f"write {_WANTED[kind.__name__]}{': ' * bool(meaning)}{meaning}"
        ) from error
