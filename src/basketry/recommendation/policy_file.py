"""Policies as people keep them: the fields of `Policy` as a table of TOML, every key and type checked."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, Final

from basketry.core.errors import ConfigError, RequestError
from basketry.recommendation.policy import Boost, Calibration, Cap, Exploration, Pin, Policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    Part = type[Boost] | type[Cap] | type[Pin] | type[Calibration] | type[Exploration]

SEVERAL: Final[dict[str, Part]] = {"boosts": Boost, "caps": Cap, "pins": Pin}
ONE: Final[dict[str, Part]] = {"calibration": Calibration, "exploration": Exploration}
_TYPES: Final[dict[str, tuple[type, str]]] = {
    "str": (str, "a text"),
    "float": (float, "a number"),
    "int": (int, "a whole number"),
}


def read_policy(text: str) -> Policy:
    """The policy that a text in TOML says. Raises ConfigError, which names the key, for all that is wrong with it."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the policy is not TOML: {error}", "mend the line; texts stand in quotes") from error
    return policy_of(values)


def policy_of(values: Mapping[str, Any]) -> Policy:
    """The policy of a table: `boosts`, `caps` and `pins` are lists of tables, `calibration` and `exploration` tables."""
    found: dict[str, Any] = {}
    _keys(Policy, values, "the policy")
    for name, value in values.items():
        if name in SEVERAL:
            found[name] = tuple(_part(SEVERAL[name], each, f"{name}[{i}]") for i, each in enumerate(_list(name, value)))
        elif name in ONE:
            found[name] = _part(ONE[name], value, name)
        elif name == "excluded":
            found[name] = tuple(_typed("str", each, name) for each in _list(name, value))
        else:
            found[name] = _typed(_kinds(Policy)[name], value, name)
    policy: Policy = _made(Policy, found, "the policy")
    return policy


def _part(kind: Part, values: Any, where: str) -> Any:
    if not isinstance(values, dict):
        raise ConfigError(f"{where} is {values!r}, not a table", f"write {{{', '.join(f'{key} = …' for key in _kinds(kind))}}}")
    _keys(kind, values, where)
    missing = [each.name for each in fields(kind) if each.default is MISSING and each.name not in values]
    if missing:
        raise ConfigError(f"{where} lacks {missing[0]}", f"it needs {', '.join(_kinds(kind))}")
    return _made(kind, {name: _typed(_kinds(kind)[name], value, f"{where}.{name}") for name, value in values.items()}, where)


def _made(kind: type, values: dict[str, Any], where: str) -> Any:
    try:
        return kind(**values)
    except RequestError as error:
        raise ConfigError(f"{where}: {error.message}", error.hint) from error


def _kinds(kind: type) -> dict[str, str]:
    return {each.name: str(each.type) for each in fields(kind)}


def _keys(kind: type, values: Mapping[str, Any], where: str) -> None:
    known = _kinds(kind)
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise ConfigError(f"{where} has no {key!r}", f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}")


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"{name} is {value!r}, not a list", f"write {name} = […]")
    return value


def _typed(kind: str, value: Any, where: str) -> Any:
    wanted, words = _TYPES[kind]
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise ConfigError(f"{where} is {value!r}", f"give {words}")
    return value
