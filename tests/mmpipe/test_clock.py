import time

from mmpipe.clock import MonotonicClock, VirtualClock


def test_the_monotonic_clock_never_goes_back() -> None:
    clock = MonotonicClock()
    readings = [clock.now_ns() for _ in range(1000)]
    assert readings == sorted(readings)
    assert abs(clock.wall_ns() - time.time_ns()) < 10**9


def test_the_virtual_clock_moves_only_when_told_and_only_forward() -> None:
    clock = VirtualClock(5)
    assert clock.now_ns() == clock.wall_ns() == 5
    clock.advance_to(9)
    clock.advance_to(7)
    assert clock.now_ns() == 9
