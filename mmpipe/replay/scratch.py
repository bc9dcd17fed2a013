"""The folder of a replay: its journal is thrown away, so it lies in memory, where its commits cost nothing.

It goes when the replay ends, by a signal too. What a killed one left is removed by the next start of a replay
or a line: the name says whose it was (`mmpipe-replay-<pid namespace>-<pid>-<start time>-…`), and only what is
provably of the dead is touched.
"""

import atexit
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mmpipe import interrupts
from ringbuf.liveness import is_alive, pid_space, process_start_time

PREFIX: Final = "mmpipe-replay-"
_NAME: Final = re.compile(re.escape(PREFIX) + r"(\d+)-(\d+)-(\d+)-\w+")
_MEMORY: Final = Path("/dev/shm")


@contextmanager
def scratch_folder() -> Iterator[str]:
    """A folder of its own, removed at the end, whatever ends it; before it, those of the dead."""
    remove_orphans()
    pid = os.getpid()
    prefix = f"{PREFIX}{pid_space()}-{pid}-{process_start_time(pid)}-"
    path = ""
    try:
        with interrupts.held():
            path = tempfile.mkdtemp(prefix=prefix, dir=_folder())
            # The second net: a signal may come between the end of the work and the removal below.
            atexit.register(shutil.rmtree, path, ignore_errors=True)
        yield path
    finally:
        with interrupts.held():
            if path:
                shutil.rmtree(path, ignore_errors=True)


def remove_orphans() -> list[str]:
    """Remove what replays of this user left that are provably dead; all else stays.

    Returns
    -------
    list of str
        Names removed, sorted.
    """
    removed = []
    for path in sorted(_folder().glob(f"{PREFIX}*")):
        match = _NAME.fullmatch(path.name)
        if match is None or path.is_symlink() or path.stat().st_uid != os.getuid():
            continue
        space, pid, start = map(int, match.groups())
        if space == pid_space() and not is_alive(pid, start):
            shutil.rmtree(path, ignore_errors=True)
            removed.append(path.name)
    return removed


def _folder() -> Path:
    return _MEMORY if _MEMORY.is_dir() else Path(tempfile.gettempdir())
