"""Profiles: what comes with the program, and files that are wrong."""

import pytest

from mmpipe.errors import ConfigError, UsageError
from mmpipe.venue.sim.profiles import load_profile, parse_profile, profile_names

TEXT = """about = "x"
block_ms = 20
book_fast_ms = 100
book_full_ms = 100
context_ms = 1000
state_ms = 5000
place_ms = 0
take_extra_ms = 0
answer_ms = 0
refuse_ms = 0
data_age_ms = [0, 0]
limits = false
schedule_gate_usdc = 0
"""


def test_the_real_venue_as_it_was_measured() -> None:
    assert profile_names() == ("brisk", "hyperliquid", "instant")
    real = load_profile("hyperliquid")
    assert (real.block_ms, real.book_fast_ms, real.book_full_ms) == (70, 538, 5_400)
    # A post-only order is answered within 380 to 400 ms: waiting for its block takes half a block on average.
    assert 380 <= real.place_ms + real.block_ms // 2 + real.answer_ms <= 400
    assert real.limits


def test_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(UsageError, match="brisk, hyperliquid, instant"):
        load_profile("../brisk")


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("block_ms = 20", "block_ms = 0", "block_ms"),
        ("block_ms = 20", "blokc_ms = 20", "blokc_ms|block_ms"),
        ("[0, 0]", "[5, 1]", "shorter age comes first"),
        ("[0, 0]", "[0]", "data_age_ms"),
        ("limits = false", "limits = 1", "limits"),
        ('about = "x"', "about", "profile mine"),
    ],
)
def test_wrong_files_are_refused(old: str, new: str, match: str) -> None:
    assert parse_profile("mine", TEXT).block_ms == 20
    with pytest.raises(ConfigError, match=match):
        parse_profile("mine", TEXT.replace(old, new))
