"""A named FIFO that wakes a sleeping process: found by name, usable in any event loop.

The reader of rings opens it and sleeps on `fileno()` (select, poll, epoll, asyncio `add_reader`); writers
open the same path and `ring()`. Both ends open it for reading and writing, so neither needs the other to
be there, and a restart of either changes nothing. A FIFO rather than a futex or an eventfd, because stages
find each other by name and wait for sockets at the same time. Carries no data: a byte means "look again".
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

from ringbuf.errors import DoorbellRefused

_FLAGS = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
_MODE = 0o600
_DRAIN_BYTES = 4096


class Doorbell:
    """One open end of the FIFO; make it with `create` or `open`."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd = fd

    @classmethod
    def create(cls, path: str | Path) -> "Doorbell":
        """Make the FIFO, mode 0600, or take over the one that is there, and open it.

        Raises
        ------
        DoorbellRefused
            If the path is something else.
        """
        made = True
        try:
            os.mkfifo(path, _MODE)
        except FileExistsError:
            made = False
        return cls._opened(Path(path), made)

    @classmethod
    def open(cls, path: str | Path) -> "Doorbell":
        """Open an existing FIFO.

        Raises
        ------
        DoorbellRefused
            If there is none, or it is a link, no FIFO, of another user or open to others.
        """
        return cls._opened(Path(path), made=False)

    @classmethod
    def _opened(cls, path: Path, made: bool) -> "Doorbell":
        try:
            fd = os.open(path, _FLAGS)
        except OSError as error:
            raise DoorbellRefused(str(path), "file", error.strerror, "a FIFO of this user") from None
        refuse = _refusal(path, fd, made)
        if refuse is not None:
            os.close(fd)
            raise refuse
        return cls(path, fd)

    def fileno(self) -> int:
        """Descriptor that is readable when someone rang."""
        return self._fd

    def ring(self) -> None:
        """Wake the sleeper; a full FIFO wakes it as well."""
        with suppress(BlockingIOError):
            os.write(self._fd, b"\0")

    def drain(self) -> None:
        """Forget what was rung so far."""
        with suppress(BlockingIOError):
            while len(os.read(self._fd, _DRAIN_BYTES)) == _DRAIN_BYTES:
                pass

    def close(self) -> None:
        """Close this end; the FIFO stays for others."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def unlink(self) -> None:
        """Remove the path; for its creator."""
        with suppress(FileNotFoundError):
            os.unlink(self.path)


def _refusal(path: Path, fd: int, made: bool) -> DoorbellRefused | None:
    found = os.fstat(fd)
    if not stat.S_ISFIFO(found.st_mode):
        return DoorbellRefused(str(path), "file", stat.filemode(found.st_mode), "a FIFO")
    if found.st_uid != os.geteuid():
        return DoorbellRefused(str(path), "owner", f"uid {found.st_uid}", f"uid {os.geteuid()}")
    if made:
        os.fchmod(fd, _MODE)  # mkfifo obeys the umask
    elif stat.S_IMODE(found.st_mode) != _MODE:
        return DoorbellRefused(str(path), "mode", oct(stat.S_IMODE(found.st_mode)), oct(_MODE))
    return None
