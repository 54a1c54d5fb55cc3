"""The fields of an estimator as the space to search: declared once, where the default stands.

A field made by `within` or `one_of` is searched; any other keeps its value. Fields that are dataclasses themselves, or tuples
of them, are searched through, and their dimensions named by the way: `recency.decay`, `parts.0.window`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, TypeVar

from basketry.core.errors import RequestError

E = TypeVar("E")
Value = float | int | str | bool


@dataclass(frozen=True)
class Dimension:
    """One field: its value in the estimator at hand, and either `low` to `high` (integers if both are) or `choices`.

    `log` where a step is a factor. The value at hand may lie outside: infinity, or a number that stands for no limit.
    """

    name: str
    value: Value
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[Value, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are in it."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def nearest(self) -> Value:
        """The value at hand, or the end of the range that is nearest to it."""
        if self.choices:
            return self.value if self.value in self.choices else self.choices[0]
        assert isinstance(self.value, int | float)
        return min(max(self.value, self.low), self.high)


def within(default: float, low: float, high: float, meaning: str = "", *, log: bool = False) -> Any:
    """A field to be searched from `low` to `high`, both included; the range is where to look and not what is allowed."""
    return field(default=default, metadata={"help": meaning, "low": low, "high": high, "log": log})


def one_of(default: Value, choices: tuple[Value, ...], meaning: str = "") -> Any:
    """A field to be searched among `choices`."""
    return field(default=default, metadata={"help": meaning, "choices": choices})


def space_of(estimator: object) -> tuple[Dimension, ...]:
    """Every dimension of an estimator, in the order of its fields."""
    return tuple(_dimensions(estimator, ""))


def with_values(estimator: E, values: Mapping[str, Value]) -> E:
    """The estimator with other values in the dimensions named. Raises RequestError for a name that it has not."""
    known = {dimension.name for dimension in space_of(estimator)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise RequestError(f"{type(estimator).__name__} has no dimension {unknown[0]!r}", f"it has {', '.join(sorted(known))}")
    changed: E = _changed(estimator, values, "")
    return changed


def _dimensions(of: Any, way: str) -> Iterator[Dimension]:
    for one in fields(of):
        value, name = getattr(of, one.name), way + one.name
        if "choices" in one.metadata:
            yield Dimension(name, value, choices=tuple(one.metadata["choices"]))
        elif "low" in one.metadata:
            yield Dimension(name, value, one.metadata["low"], one.metadata["high"], one.metadata["log"])
        elif is_dataclass(value):
            yield from _dimensions(value, f"{name}.")
        elif isinstance(value, tuple):
            for number, item in enumerate(value):
                if is_dataclass(item):
                    yield from _dimensions(item, f"{name}.{number}.")


def _changed(of: Any, values: Mapping[str, Value], way: str) -> Any:
    new: dict[str, Any] = {}
    for one in fields(of):
        value, name = getattr(of, one.name), way + one.name
        if name in values:
            new[one.name] = values[name]
        elif is_dataclass(value):
            new[one.name] = _changed(value, values, f"{name}.")
        elif isinstance(value, tuple) and any(map(is_dataclass, value)):
            new[one.name] = tuple(
                _changed(item, values, f"{name}.{number}.") if is_dataclass(item) else item for number, item in enumerate(value)
            )
    return replace(of, **new)
