"""Which processes of the line are hung or dead, told from their heartbeats.

A heartbeat is written by the duty cycle itself, so a stage that hangs falls silent like one that died. A
stage whose heartbeat was never written is starting, not dead: it has not asked for anybody's trust yet.
"""

from typing import Final

import numpy as np

from mmpipe.enums import StageId
from mmpipe.records import HEARTBEAT
from ringbuf.jit import example, kernel

QUOTING_NEEDS: Final = (1 << int(StageId.FEED)) | (1 << int(StageId.FEATURES)) | (1 << int(StageId.ALPHA))
EXECUTION_BIT: Final = 1 << int(StageId.EXECUTION)


@kernel
def lost_stages(beats: np.ndarray, now_ns: int, timeout_ns: int) -> int:
    """Bit set of the stages whose heartbeat stopped.

    Parameters
    ----------
    beats : (n,) HEARTBEAT
        Newest heartbeat per StageId; `ts_ns` 0 where none was ever written.
    now_ns : int
        Monotonic time.
    timeout_ns : int
        Silence that counts as loss, > 0.

    Returns
    -------
    int
        Bit `1 << StageId` set for each lost stage.
    """
    lost = 0
    for stage in range(len(beats)):
        ts_ns = beats[stage]["ts_ns"]
        if ts_ns > 0 and not (now_ns - ts_ns <= timeout_ns):
            lost |= 1 << stage
    return lost


@example(lost_stages)
def _lost_stages_example() -> tuple[object, ...]:
    return np.zeros(8, HEARTBEAT), 0, 1
