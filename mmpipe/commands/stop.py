"""`mmpipe stop`: what Ctrl-C does, from another terminal."""

import os
import signal

from mmpipe.errors import DeadlineError, NotRunningError
from stages.runner import wait_until
from stages.supervisor import require_running, supervisor_pid

STOP_TIMEOUT_S = 60.0


def stop_line(instance: str) -> None:
    """Ask the supervisor of `instance` to stop, and wait until it is gone.

    Raises
    ------
    NotRunningError
        Nothing of that name runs.
    DeadlineError
        It is still there after a minute.
    """
    require_running(instance)
    os.kill(supervisor_pid(instance), signal.SIGTERM)

    def gone() -> bool:
        try:
            require_running(instance)
        except NotRunningError:
            return True
        return False

    if not wait_until(gone, STOP_TIMEOUT_S, 0.1):
        raise DeadlineError(
            f"'{instance}' is still stopping after {STOP_TIMEOUT_S:.0f} s; see `mmpipe status`"
        )
    print(f"'{instance}' stopped")
