"""Scenarios by name, and files that are refused."""

import pytest

from mmpipe.errors import ConfigError, UsageError
from mmpipe.venue.sim.crowd import PHASE
from mmpipe.venue.sim.scenarios import load_scenario, parse_scenario, scenario_names

PHASE_TEXT = "[[phase]]\nname = 'x'\n" + "\n".join(f"{name} = 0.5" for name in PHASE.names or ())


def test_every_scenario_that_comes_along_loads() -> None:
    assert scenario_names() == ("cascade", "quiet", "still", "thin")
    assert load_scenario("quiet").phase_names == ("quiet",)
    cascade = load_scenario("cascade")
    assert cascade.phase_names == ("calm", "cascade", "recovery")
    assert cascade.phases["liquidations_per_s"].tolist() == [0.0, 15.0, 0.0]


def test_unknown_name_lists_the_names() -> None:
    with pytest.raises(UsageError, match="choose one of: cascade, quiet"):
        load_scenario("../quiet")


def test_a_file_is_read_key_by_key() -> None:
    assert parse_scenario("x", PHASE_TEXT).phases["noise_per_s"].tolist() == [0.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no \\[\\[phase\\]\\]"),
        (PHASE_TEXT.replace("noise_per_s", "noise_per_min"), "unknown keys \\['noise_per_min'\\]"),
        (PHASE_TEXT.replace("jump_share = 0.5", "jump_share = 1.5"), "jump_share = 1.5"),
        (PHASE_TEXT.replace("duration_s = 0.5", "duration_s = 0"), "duration_s = 0"),
        (PHASE_TEXT.replace("duration_s = 0.5", "duration_s = nan"), "finite"),
        (PHASE_TEXT.replace("duration_s = 0.5", "duration_s = true"), "finite"),
        (PHASE_TEXT.replace("informed_usdc = 0.5", "informed_usdc = -1"), "informed_usdc = -1"),
    ],
)
def test_bad_files_are_refused_by_key(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_scenario("x", text)
