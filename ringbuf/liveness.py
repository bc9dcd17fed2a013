"""Whether a process of the past is still running: pid and start time together name it for good.

A pid alone is reused, and `os.kill(pid, 0)` calls a zombie alive. Linux only: reads `/proc/<pid>/stat`.
"""

import os
from pathlib import Path

_STATE = 0  # fields of /proc/<pid>/stat after the command name, proc(5)
_START_TIME = 19
_DEAD_STATES = frozenset("ZXx")


def process_start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot.

    Parameters
    ----------
    pid : int
        Process id.

    Returns
    -------
    int or None
        None if there is no such process.
    """
    fields = _stat_fields(pid)
    return int(fields[_START_TIME]) if fields else None


def is_alive(pid: int, start: int) -> bool:
    """Whether the process that had `pid` and started at `start` still runs; a zombie does not.

    Parameters
    ----------
    pid : int
        Process id.
    start : int
        Its start time, as `process_start_time` gave it.
    """
    fields = _stat_fields(pid)
    return bool(fields) and int(fields[_START_TIME]) == start and fields[_STATE] not in _DEAD_STATES


def pid_space() -> int:
    """Identity of this process's pid namespace: a pid means something only within one."""
    return os.stat("/proc/self/ns/pid").st_ino


def _stat_fields(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{int(pid)}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    # The command name, in parentheses, may itself hold blanks and parentheses.
    return text.rpartition(")")[2].split()
