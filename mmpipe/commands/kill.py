"""`mmpipe kill`: the latched stop, carried out by the risk daemon."""

from mmpipe.errors import VenueError
from stages.context import runtime_dir
from stages.control import ask
from stages.supervisor import require_running


def kill_line(instance: str) -> None:
    """Latch KILL of `instance`.

    Raises
    ------
    NotRunningError
        Nothing of that name runs, or its risk daemon does not listen.
    """
    require_running(instance)
    answer = ask(runtime_dir(instance) / "risk.sock", {"command": "kill"})
    if not answer["ok"]:
        raise VenueError(answer["detail"])
    print(answer["detail"])
