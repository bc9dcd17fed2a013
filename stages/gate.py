"""What execution may do right now, read from the cells of risk: KILL and LEASE."""

import numpy as np

from mmpipe.records import KILL, LEASE
from stages.ports import Ports


class Gate:
    """The reading end of risk's two cells; closed until risk has written a lease."""

    def __init__(self, ports: Ports) -> None:
        self._kill, self._lease = ports.cells_in["kill"][0], ports.cells_in["lease"][0]
        self._kill_row, self._lease_row = np.zeros(1, KILL), np.zeros(1, LEASE)

    def read(self) -> tuple[bool, int]:
        """Whether KILL is latched, and until when the lease runs (monotonic ns, 0: none)."""
        killed = self._kill.read(self._kill_row) and bool(self._kill_row["latched"][0])
        leased = self._lease.read(self._lease_row)
        return killed, int(self._lease_row["expires_ts_ns"][0]) if leased else 0
