"""Hyperparameters as people write them: `name=value`, read as the type of the field's default."""

from __future__ import annotations

from dataclasses import Field
from math import isfinite
from typing import Any, Final

from basketry.core.errors import RequestError

_TRUTH: Final = {"true": True, "false": False}
_WANTED: Final = {"bool": "true or false", "int": "a whole number", "float": "a number"}


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
