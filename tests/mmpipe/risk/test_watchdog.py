import numpy as np
import pytest

from mmpipe.enums import StageId
from mmpipe.records import HEARTBEAT
from mmpipe.risk.watchdog import lost_stages

NOW, TIMEOUT = 10**12, 10**9


@pytest.mark.parametrize(
    ("ts_ns", "lost"),
    [
        (0, False),  # starting, not dead
        (NOW, False),
        (NOW - TIMEOUT, False),
        (NOW - TIMEOUT - 1, True),
        (NOW + TIMEOUT, False),  # written after the clock was read
    ],
)
def test_silence_beyond_the_timeout_is_loss(ts_ns: int, lost: bool) -> None:
    beats = np.zeros(len(StageId), HEARTBEAT)
    beats["ts_ns"][StageId.ALPHA] = ts_ns
    assert lost_stages(beats, NOW, TIMEOUT) == (1 << StageId.ALPHA if lost else 0)
