import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe import config as configuration
from mmpipe.config import Config
from mmpipe.config_check import Section, numeric_fields
from mmpipe.errors import ConfigError

FILE = Path(__file__).resolve().parents[2] / "pipeline.toml"


def tree() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def test_the_shipped_file_is_sound() -> None:
    assert configuration.load(FILE).symbol[0].coin == "BTC"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("risk.lease_ms", 900, ["risk.lease_ms = 900", "<= 250", "[ms]"]),
        ("risk.lease_s", 1, ["unknown key risk.lease_s", "wrong unit?", "lease_ms"]),
        ("risk.leese_ms", 200, ["unknown key risk.leese_ms", "did you mean lease_ms"]),
        ("execution.gamma", math.nan, ["execution.gamma = nan", "finite", "> 0.0"]),
        ("execution.gamma", math.inf, ["execution.gamma = inf"]),
        ("execution.gamma", 0.0, ["execution.gamma = 0.0", "> 0.0"]),
        ("execution.gamma", "0.1", ["execution.gamma = '0.1'"]),
        ("execution.gamma", True, ["execution.gamma = True"]),
        ("stages.pin", 1, ["stages.pin = 1", "true or false"]),
        ("venue.kind", "kraken", ["venue.kind = 'kraken'", "'embedded', 'hyperliquid'"]),
        ("venue.mode", "live", ["venue.mode = 'live'", "hyperliquid"]),
        ("rings.event_slots", 1000, ["rings.event_slots = 1000", "power of two"]),
        ("nonsense.key", 1, ["unknown key nonsense"]),
        ("execution.order_usdc", 1e6, ["execution.order_usdc", "risk.order_usdc_max"]),
        ("instance.name", "No Spaces", ["instance.name = 'No Spaces'", "matching"]),
    ],
)
def test_a_wrong_key_is_refused_by_name_value_and_range(key: str, value: object, said: list[str]) -> None:
    with pytest.raises(ConfigError) as refusal:
        configuration.load(FILE, {key: value})
    assert all(part in str(refusal.value) for part in said), refusal.value


def every_key() -> list[tuple[str, str]]:
    return [
        (section, key)
        for section, hint in Config.__annotations__.items()
        if isinstance(hint, type) and issubclass(hint, Section)
        for key in hint.__struct_fields__
    ]


@pytest.mark.parametrize(("section", "key"), every_key())
def test_every_missing_key_is_named(section: str, key: str) -> None:
    parsed = tree()
    del parsed[section][key]
    with pytest.raises(ConfigError, match=rf"missing key {section}\.{key}"):
        configuration.check(parsed, "file")


@pytest.mark.parametrize(("section", "key"), every_key())
def test_every_key_refuses_nan(section: str, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"{section}\.{key} = nan"):
        configuration.load(FILE, {f"{section}.{key}": math.nan})


def test_no_file_and_no_toml_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        configuration.load(tmp_path / "absent.toml")
    bad = tmp_path / "bad.toml"
    bad.write_text("[risk\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="not TOML"):
        configuration.load(bad)


def test_symbols_must_differ() -> None:
    parsed = tree()
    parsed["symbol"] = [parsed["symbol"][0]] * 2
    with pytest.raises(ConfigError, match="must differ"):
        configuration.check(parsed, "file")


def test_settings_row_carries_every_number_of_a_section() -> None:
    section = configuration.load(FILE).risk
    row = configuration.settings_row(section)
    for name, kind in numeric_fields(type(section)):
        assert row[name][0] == getattr(section, name)
        assert row.dtype[name] == (np.float64 if kind is float else np.int64)


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=4)
)
def test_no_value_gets_past_unchecked(value: object) -> None:
    if isinstance(value, int) and not isinstance(value, bool) and 20 <= value <= 250:
        assert configuration.load(FILE, {"risk.lease_ms": value}).risk.lease_ms == value
        return
    with pytest.raises(ConfigError, match=r"risk\.lease_ms"):
        configuration.load(FILE, {"risk.lease_ms": value})
