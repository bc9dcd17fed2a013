"""Messages arrive after their latency and never overtake."""

import pytest

from mmpipe.venue.sim.latency_model import due_ns, latency_settings


def test_a_message_takes_its_latency() -> None:
    assert due_ns(100, 7, 0) == 107


def test_a_message_does_not_overtake_the_one_before() -> None:
    assert due_ns(100, 7, 130) == 130


def test_time_travel_is_refused() -> None:
    assert latency_settings(1, 2, 3)["cancel_ns"][0] == 2
    with pytest.raises(AssertionError):
        latency_settings(1, -2, 3)
