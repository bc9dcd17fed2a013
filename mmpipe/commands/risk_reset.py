"""`mmpipe risk reset`: the only way back after KILL."""

from pathlib import Path

from mmpipe import config as configuration
from mmpipe.clock import MonotonicClock
from mmpipe.errors import NotRunningError, PreflightError, UsageError
from stages.latch import Latch
from stages.supervisor import require_running


def reset_latch(config_path: Path, instance: str, reason: str) -> None:
    """Remove the kill latch of a stopped instance and keep `reason` for the audit.

    Raises
    ------
    UsageError
        No reason, or nothing is latched.
    PreflightError
        The instance runs: stop it first, so that it starts by reconciling.
    """
    overrides = {"instance.name": instance} if instance else None
    config = configuration.load(config_path, overrides)
    name = config.instance.name
    if not reason.strip():
        raise UsageError("--reason is empty: say why it is safe to trade again")
    latch = Latch.of_instance(config)
    if not latch.reason:
        raise UsageError(f"'{name}' is not latched; nothing to reset")
    try:
        require_running(name)
    except NotRunningError:
        latch.reset(reason, MonotonicClock().wall_ns())
        print(f"'{name}' may trade again at its next start")
        return
    raise PreflightError(f"'{name}' runs; stop it first with `mmpipe stop --instance {name}`")
