"""What a process of the line does to itself: cores, and dying with its supervisor."""

import ctypes
import os
import signal
from pathlib import Path

from mmpipe.enums import StageId
from stages import topology

PR_SET_PDEATHSIG = 1
ISOLATED = Path("/sys/devices/system/cpu/isolated")


def die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the supervisor dies: the stage then stops the orderly way."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() == 1:
        os.kill(os.getpid(), signal.SIGTERM)


def usable_cores() -> list[int]:
    """Cores this process may use, and those the system keeps free of everything else (isolcpus), sorted."""
    return sorted(os.sched_getaffinity(0) | set(_isolated_cores()))


def place_line_stage(stage: StageId, cores: list[int], isolated: list[int]) -> tuple[int, bool]:
    """The core of a stage of the line, and whether it has it for itself.

    With a core for each stage and one to spare each has its own. Otherwise the whole line shares the last
    core and leaves the others to sockets, learner, venue and screen: a wake-up on the same core costs a
    seventh of one across cores on a virtual machine. Isolated cores go first, in both cases.

    Parameters
    ----------
    stage : StageId
        One of the line.
    cores : list of int
        Usable, sorted, at least one.
    isolated : list of int
        Those among them that nobody else runs on.
    """
    position, count = topology.LINE.index(stage), len(topology.LINE)
    if len(isolated) >= count and len(cores) > count:
        return isolated[position], True
    if len(cores) > count:
        ordered = [*isolated, *(core for core in cores[1:] if core not in isolated)]
        return ordered[position], True
    return (isolated or cores)[-1], False


def pin_line_stage(stage: StageId) -> int:
    """Put a stage of the line on its core and return it; -1 when there is only one core anyway."""
    cores = usable_cores()
    if len(cores) < 2:
        return -1
    core, own = place_line_stage(stage, cores, _isolated_cores())
    os.sched_setaffinity(0, {core})
    if not own:
        # On a shared core whoever is woken would interrupt the one who woke it, mid-work. As batch processes
        # each finishes its turn: p99 of the work of feed 946 -> 177 us, of features 905 -> 179.
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    return core


def use_side_cores() -> None:
    """Keep a process that is beside the line off the cores of the line, where there are several."""
    cores, isolated = usable_cores(), _isolated_cores()
    line = {place_line_stage(stage, cores, isolated)[0] for stage in topology.LINE}
    side = set(os.sched_getaffinity(0)) - line - set(isolated)
    if side:
        os.sched_setaffinity(0, side)


def _isolated_cores() -> list[int]:
    # The kernel's list looks like "2-5,8"; only what a cpuset lets this process use is of use.
    try:
        text = ISOLATED.read_text(encoding="ascii").strip()
    except OSError:
        return []
    cores = {
        core
        for part in text.split(",")
        if part
        for core in range(int(part.split("-")[0]), int(part.split("-")[-1]) + 1)
    }
    return sorted(core for core in cores if _may_use(core))


def _may_use(core: int) -> bool:
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {core})
    except OSError:
        return False
    os.sched_setaffinity(0, before)
    return True
