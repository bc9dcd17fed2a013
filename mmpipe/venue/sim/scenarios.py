"""Scenarios: named stretches of market behaviour, read from the small TOML files beside this module.

about = "one line"
extends = "quiet"        the [market] of another file, all of whose numbers hold unless said otherwise
[market]                 numbers that hold in every phase
[[phase]]                name, duration_s, and the numbers that differ in it; after the last the first again
[[event]]                at_s after the first client came, do, and parameters: a fault or a state of
                             the venue (see `controls`)
"""

import math
import tomllib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mmpipe.errors import ConfigError
from mmpipe.venue.sim.crowd import PHASE
from mmpipe.venue.sim.named_files import file_names, file_text

_FOLDER: Final = "scenarios"
_FIELDS: Final = tuple(PHASE.names or ())
_SIGNED: Final = frozenset({"drift_bps_per_s", "lead_basis_bps", "gap_bps", "levered_usdc"})
_SHARES: Final = frozenset({"jump_share", "common_share", "noise_repeat_prob"})
_BELOW_ONE: Final = frozenset({"excitation"})
_POSITIVE: Final = frozenset(
    {"duration_s", "view_refresh_ms", "gap_time_s", "excitation_time_s", "activity_time_s"}
)
_LIMIT: Final = 1e9
_TABLES: Final = frozenset({"about", "extends", "market", "phase", "event"})


@dataclass(frozen=True, slots=True)
class Scenario:
    """Phases that follow one another and begin again after the last.

    Attributes
    ----------
    name : str
        File name without suffix.
    about : str
        One line for people.
    phase_names : tuple of str
        Labels, in order.
    phases : (n,) PHASE
        Numbers, in order.
    events : tuple of dict
        `at_s`, `do` and parameters; what can be done is `controls`'s to say.
    """

    name: str
    about: str
    phase_names: tuple[str, ...]
    phases: np.ndarray
    events: tuple[dict[str, Any], ...]


def scenario_names() -> tuple[str, ...]:
    """Names of the scenarios that come with the program, sorted."""
    return file_names(_FOLDER)


def load_scenario(name: str) -> Scenario:
    """A scenario by name; raises `UsageError` that lists the names if there is none."""
    return parse_scenario(name, file_text(_FOLDER, "scenario", name))


def parse_scenario(name: str, text: str) -> Scenario:
    """A scenario from the text of its file.

    Raises
    ------
    ConfigError
        If a key is missing, unknown, not finite or out of range; with file, phase, key and range.
    """
    tree = _tree(name, text)
    market = _market(name, tree, frozenset())
    tables = tree.get("phase", [])
    if not isinstance(tables, list) or not tables:
        raise ConfigError(f"scenario {name}: no [[phase]]; give at least one")
    phases = np.zeros(len(tables), PHASE)
    for row, table in zip(phases, tables, strict=True):
        _read_phase(row, f"scenario {name}, phase {table.get('name')!r}", market | table)
    names = tuple(str(table["name"]) for table in tables)
    return Scenario(name, str(tree.get("about", "")), names, phases, _events(name, tree.get("event", [])))


def _tree(name: str, text: str) -> dict[str, Any]:
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"scenario {name}: {error}") from error
    unknown = set(tree) - _TABLES
    if unknown:
        raise ConfigError(f"scenario {name}: unknown keys {sorted(unknown)}; it has {sorted(_TABLES)}")
    return tree


def _market(name: str, tree: dict[str, Any], seen: frozenset[str]) -> dict[str, Any]:
    # Numbers of all phases, those of the scenarios this one builds on first.
    base = tree.get("extends")
    if base is None:
        return dict(tree.get("market", {}))
    if base in seen or base == name:
        raise ConfigError(f"scenario {name}: extends = {base!r}: scenarios build on one another in a circle")
    below = _tree(base, file_text(_FOLDER, "scenario", base))
    return _market(base, below, seen | {name}) | dict(tree.get("market", {}))


def _read_phase(row: np.void, where: str, table: dict[str, Any]) -> None:
    unknown = set(table) - {"name", *_FIELDS}
    missing = {"name", *_FIELDS} - set(table)
    if unknown or missing:
        raise ConfigError(f"{where}: unknown keys {sorted(unknown)}, missing keys {sorted(missing)}")
    for key in _FIELDS:
        row[key] = _checked(where, key, table[key])


def _checked(where: str, key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{where}: {key} = {value!r}: must be a finite number")
    low = -_LIMIT if key in _SIGNED else 0.0
    high = 1.0 if key in _SHARES | _BELOW_ONE else _LIMIT
    if not (low <= value <= high) or (key in _POSITIVE and not value > 0.0):
        above = " and above 0" if key in _POSITIVE else ""
        raise ConfigError(f"{where}: {key} = {value}: must be within {low} and {high}{above}")
    if key in _BELOW_ONE and not value < 1.0:
        raise ConfigError(f"{where}: {key} = {value}: must be below 1, or trades would breed without end")
    return float(value)


def _events(name: str, tables: object) -> tuple[dict[str, Any], ...]:
    if not isinstance(tables, list):
        raise ConfigError(f"scenario {name}: write events as [[event]]")
    for table in tables:
        at_s, what = table.get("at_s"), table.get("do")
        if isinstance(at_s, bool) or not isinstance(at_s, int | float) or not 0.0 <= at_s <= _LIMIT:
            raise ConfigError(f"scenario {name}, event {what!r}: at_s = {at_s!r}: must be 0 to {_LIMIT:g}")
        if not isinstance(what, str):
            raise ConfigError(f"scenario {name}, event at {at_s} s: do = {what!r}: must be a text")
    return tuple(dict(table) for table in tables)
