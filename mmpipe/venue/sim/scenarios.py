"""Scenarios: named stretches of market behaviour, read from the TOML files beside this module."""

import math
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Final

import numpy as np

from mmpipe.errors import ConfigError, UsageError
from mmpipe.venue.sim.crowd import PHASE

_SUFFIX: Final = ".toml"
_FIELDS: Final = tuple(PHASE.names or ())
_SIGNED: Final = frozenset({"drift_bps_per_s", "liquidation_side", "lead_basis_bps"})
_SHARES: Final = frozenset({"jump_share", "common_share", "noise_repeat_prob", "provider_withdraw_prob"})
_POSITIVE: Final = frozenset({"duration_s", "provider_refresh_ms"})
_LIMIT: Final = 1e9


@dataclass(frozen=True, slots=True)
class Scenario:
    """Phases that follow one another and begin again after the last.

    Attributes
    ----------
    name : str
        File name without suffix.
    phase_names : tuple of str
        Labels, in order.
    phases : (n,) PHASE
        Numbers, in order.
    """

    name: str
    phase_names: tuple[str, ...]
    phases: np.ndarray
    about: str = ""
    events: tuple = ()


def scenario_names() -> tuple[str, ...]:
    """Names of the scenarios that come with the program, sorted."""
    files = (resources.files(__package__) / "scenarios").iterdir()
    return tuple(sorted(file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX)))


def load_scenario(name: str) -> Scenario:
    """A scenario by name.

    Raises
    ------
    UsageError
        If there is none of that name; the message lists those there are.
    """
    names = scenario_names()
    if name not in names:
        raise UsageError(f"scenario {name!r} does not exist; choose one of: {', '.join(names)}")
    text = (resources.files(__package__) / "scenarios" / (name + _SUFFIX)).read_text(encoding="utf-8")
    return parse_scenario(name, text)


def parse_scenario(name: str, text: str) -> Scenario:
    """A scenario from the text of its file.

    Raises
    ------
    ConfigError
        If a key is missing, unknown, not finite or out of range.
    """
    tables = tomllib.loads(text).get("phase", [])
    if not tables:
        raise ConfigError(f"scenario {name}: no [[phase]]; give at least one")
    phases = np.zeros(len(tables), PHASE)
    for row, table in zip(phases, tables, strict=True):
        where = f"scenario {name}, phase {table.get('name')!r}"
        unknown = set(table) - {"name", *_FIELDS}
        missing = {"name", *_FIELDS} - set(table)
        if unknown or missing:
            raise ConfigError(f"{where}: unknown keys {sorted(unknown)}, missing keys {sorted(missing)}")
        for key in _FIELDS:
            row[key] = _checked(where, key, table[key])
    return Scenario(name, tuple(str(table["name"]) for table in tables), phases)


def _checked(where: str, key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{where}: {key} = {value!r}: must be a finite number")
    low = -_LIMIT if key in _SIGNED else 0.0
    high = 1.0 if key in _SHARES else _LIMIT
    if not (low <= value <= high) or (key in _POSITIVE and not value > 0.0):
        raise ConfigError(f"{where}: {key} = {value}: must be within {low} and {high}, and duration_s and "
                          "provider_refresh_ms above 0")  # fmt: skip
    return float(value)
