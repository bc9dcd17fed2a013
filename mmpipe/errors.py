"""The error tree: whose fault, and what the line does.

    MmpipeError
    ├── UsageError          exit 2   the command line asks for what does not exist
    ├── NotRunningError     exit 3   no pipeline of that instance
    ├── ConfigError         exit 4   pipeline.toml: key, value, allowed range
    ├── DeadlineError       exit 5   something did not happen in time
    ├── RiskHaltedError     exit 6   KILL is latched; a person must reset it
    ├── PreflightError      exit 7   port in use, second instance, missing key
    │   └── ArtefactError   exit 7   a trained model that may not decide
    ├── AcceptanceError     exit 8   parity or acceptance failed
    ├── DataError           exit 1   a file of recorded data: row and cause
    ├── JournalError        exit 1   the journal cannot be trusted or written
    └── VenueError          exit 1   the venue refused or cannot be reached

Operating errors (gap, stale feed, reject, full ring) are not exceptions: they are counted, and
the line becomes safer. A broken invariant is an `assert` and ends the stage.
"""


class MmpipeError(Exception):
    """Anything mmpipe refuses; the message says what, where, and what to do."""

    exit_code = 1


class UsageError(MmpipeError):
    """The command names something that does not exist."""

    exit_code = 2


class NotRunningError(MmpipeError):
    """No pipeline of that instance answers."""

    exit_code = 3


class ConfigError(MmpipeError):
    """A key of the configuration is missing, unknown or out of range."""

    exit_code = 4


class DeadlineError(MmpipeError):
    """A stage, a venue or a command did not answer in time."""

    exit_code = 5


class RiskHaltedError(MmpipeError):
    """Trading is latched off; `mmpipe risk reset --reason …` after the cause is understood."""

    exit_code = 6


class PreflightError(MmpipeError):
    """The machine is not ready for a start: port, instance, key, permissions."""

    exit_code = 7


class ArtefactError(PreflightError):
    """A trained model that may not decide: changed, of other inputs, damaged, or breaking its promise."""


class AcceptanceError(MmpipeError):
    """A run was compared with what it should have been, and differs."""

    exit_code = 8


class DataError(MmpipeError):
    """Recorded data that cannot be used; names the file, the row and the cause."""


class JournalError(MmpipeError):
    """The journal is corrupt or cannot be written; nothing may be sent."""


class VenueError(MmpipeError):
    """A venue refused a request or cannot be reached."""
