"""The kill latch on disk: it survives every restart and only a person removes it."""

import json
import os
from pathlib import Path

from mmpipe.config import Config


class Latch:
    """A small file; while it exists the instance does not trade.

    Attributes
    ----------
    reason : str
        Name of the Reason that latched it, empty while not latched.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reason = ""
        if path.exists():
            try:
                self.reason = str(json.loads(path.read_text(encoding="utf-8"))["reason"])
            except (ValueError, KeyError, OSError):
                self.reason = "OPERATOR"  # an unreadable latch is a latch

    @classmethod
    def of_instance(cls, config: Config) -> "Latch":
        """The latch of a configured instance, beside its runs."""
        return cls(Path(config.instance.run_dir) / f"{config.instance.name}.kill")

    def set(self, reason: str, wall_ns: int) -> None:
        """Latch durably, before anything else is done about it."""
        self.reason = reason
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("w", encoding="utf-8") as file:
            json.dump({"reason": reason, "wall_ns": wall_ns}, file)
            file.flush()
            os.fsync(file.fileno())

    def reset(self, because: str, wall_ns: int) -> None:
        """Unlatch; who did it and why is appended to the audit file beside the latch."""
        with self.path.with_suffix(".audit").open("a", encoding="utf-8") as file:
            record = {"wall_ns": wall_ns, "uid": os.getuid(), "was": self.reason, "because": because}
            file.write(json.dumps(record) + "\n")
        self.path.unlink(missing_ok=True)
        self.reason = ""
