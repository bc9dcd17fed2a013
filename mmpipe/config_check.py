"""How a parsed `pipeline.toml` is compared with its declaration, and what is said when it differs."""

import difflib
import math
import types
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

from mmpipe.errors import ConfigError

UNITS: Final = ("per_bps", "ns", "us", "ms", "s", "min", "hours", "bps", "usdc", "share", "lots", "qty", "px")


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of `pipeline.toml`."""


def check_table(table: Any, section: type[Section], source: str, prefix: str) -> None:
    """Refuse a parsed table that is not exactly `section`.

    Parameters
    ----------
    table : object
        What TOML gave.
    section : type[Section]
        The keys it must have, with types and ranges.
    source, prefix : str
        File and dotted path, for the message.

    Raises
    ------
    ConfigError
        On the first key that is unknown, missing or not allowed.
    """
    if not isinstance(table, dict):
        raise ConfigError(f"{source}: {prefix.rstrip('.')} = {table!r}: must be a table")
    hints = get_type_hints(section, include_extras=True)
    for key in table:
        if key not in hints:
            hint = _suggestion(key, hints)
            raise ConfigError(f"{source}: unknown key {prefix}{key} = {table[key]!r}; {hint}")
    for key, hint in hints.items():
        if key not in table:
            raise ConfigError(f"{source}: missing key {prefix}{key}: must be {_allowed(hint, key)}")
        _check_value(table[key], hint, source, f"{prefix}{key}")


def numeric_fields(section: type[Section]) -> list[tuple[str, type]]:
    """The keys of a section that hold numbers, as (name, float | int | bool), in order."""
    hints = get_type_hints(section, include_extras=True)
    return [(name, _base(hint)) for name, hint in hints.items() if _base(hint) in (float, int, bool)]


def _check_value(value: Any, hint: Any, source: str, key: str) -> None:
    base = _base(hint)
    if isinstance(base, type) and issubclass(base, Section):
        check_table(value, base, source, f"{key}.")
        return
    if get_origin(base) is tuple:
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= 64:
            raise ConfigError(f"{source}: {key}: must be 1 to 64 tables written [[{key}]]")
        for index, item in enumerate(value):
            check_table(item, get_args(base)[0], source, f"{key}[{index}].")
        return
    if not _fits(value, hint):
        raise ConfigError(f"{source}: {key} = {value!r}: must be {_allowed(hint, key)}")


def _fits(value: Any, hint: Any) -> bool:
    base = _base(hint)
    if base is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return False
    try:
        msgspec.convert(value, hint, strict=True)
    except msgspec.ValidationError:
        return False
    return True


def _base(hint: Any) -> Any:
    # Annotated[T, Meta] -> T
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _allowed(hint: Any, key: str) -> str:
    base = _base(hint)
    if get_origin(base) is Literal:
        return "one of " + ", ".join(repr(choice) for choice in get_args(base))
    if isinstance(base, type) and issubclass(base, Section):
        return f"a table [{key}]"
    if isinstance(base, types.GenericAlias):
        return f"tables [[{key}]]"
    kind = {float: "a finite number", int: "an integer", bool: "true or false", str: "a text"}[base]
    for meta in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
        kind += "".join(
            f" {sign} {bound}"
            for sign, bound in ((">", meta.gt), (">=", meta.ge), ("<", meta.lt), ("<=", meta.le))
            if bound is not None
        )
        kind += f" matching {meta.pattern}" if meta.pattern else ""
    unit = next((unit for unit in UNITS if key.endswith(f"_{unit}") or f"_{unit}_" in key), "")
    return f"{kind} [{unit}]" if unit and base in (float, int) else kind


def _suggestion(key: str, hints: dict[str, Any]) -> str:
    stem = key.rsplit("_", 1)[0]
    other_unit = [name for name in hints if name.rsplit("_", 1)[0] == stem and name != key]
    if other_unit:
        name = other_unit[0]
        return f"wrong unit? this section has {name}: {_allowed(hints[name], name)}"
    close = difflib.get_close_matches(key, hints, n=1)
    return f"did you mean {close[0]}?" if close else "allowed here: " + ", ".join(hints)
