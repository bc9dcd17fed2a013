"""Scenarios by name, and files that are refused."""

import pytest

from mmpipe.errors import ConfigError, UsageError
from mmpipe.venue.sim.controls import check_script
from mmpipe.venue.sim.crowd import PHASE
from mmpipe.venue.sim.scenarios import load_scenario, parse_scenario, scenario_names

PHASE_TEXT = "[[phase]]\nname = 'x'\n" + "\n".join(f"{name} = 0.5" for name in PHASE.names or ())


NAMES = ("cascade", "dead-feed", "delisting", "flash-crash", "lead-lag", "maintenance", "quiet", "slow-book",
         "still", "thin", "trend", "volatile")  # fmt: skip


def test_every_scenario_that_comes_along_loads() -> None:
    assert scenario_names() == NAMES
    for name in NAMES:
        scenario = load_scenario(name)
        assert scenario.about
        check_script(name, list(scenario.events), {"BTC": 0, "ETH": 1})
    assert load_scenario("cascade").phase_names == ("calm", "push", "cascade", "recovery")


def test_what_a_scenario_does_not_say_it_has_from_the_one_it_extends() -> None:
    quiet, thin, crash = (load_scenario(name).phases for name in ("quiet", "thin", "flash-crash"))
    assert thin["lead_trades_per_s"][0] == quiet["lead_trades_per_s"][0]
    assert thin["width_bps"][0] == 3.0
    assert crash["width_bps"].tolist() == [3.0, 40.0, 15.0]
    assert crash["noise_usdc"].tolist() == [thin["noise_usdc"][0]] * 3


def test_events_are_kept_as_they_are_written() -> None:
    first, *_ = load_scenario("dead-feed").events
    assert first == {"at_s": 20.0, "do": "lead_silent", "for_s": 10.0}


def test_unknown_name_lists_the_names() -> None:
    with pytest.raises(UsageError, match="choose one of: cascade, dead-feed"):
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
        (PHASE_TEXT.replace("excitation = 0.5", "excitation = 1.0"), "below 1, or trades would breed"),
        (PHASE_TEXT + "\n[[event]]\ndo = 'silent'", "at_s = None"),
        (PHASE_TEXT + "\n[[event]]\nat_s = -1\ndo = 'silent'", "at_s = -1"),
        (PHASE_TEXT + "\n[[event]]\nat_s = nan\ndo = 'silent'", "at_s = nan"),
        (PHASE_TEXT + "\n[[event]]\nat_s = 1\ndo = 7", "do = 7"),
        ("event = 3\n" + PHASE_TEXT, "write events as"),
        ("abuot = 'x'\n" + PHASE_TEXT, "unknown keys \\['abuot'\\]"),
        ("[[phase]", "scenario x: "),
        ("extends = 'x'\n" + PHASE_TEXT, "in a circle"),
    ],
)
def test_bad_files_are_refused_by_key(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_scenario("x", text)
