"""`mmpipe logs`: the last lines of a run."""

from collections import deque
from pathlib import Path

from mmpipe.errors import UsageError
from stages.context import read_context


def show_logs(instance: str, lines: int) -> None:
    """Print the last `lines` log lines of a running instance.

    Raises
    ------
    NotRunningError
        Nothing of that name runs.
    UsageError
        `lines` is not positive.
    """
    if not lines > 0:
        raise UsageError(f"--lines {lines}: must be > 0")
    path = Path(read_context(instance).run_dir) / "mmpipe.log"
    with path.open(encoding="utf-8", errors="replace") as file:
        print("".join(deque(file, maxlen=lines)), end="")
