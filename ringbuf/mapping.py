"""POSIX shared memory that nobody unlinks behind our back.

`multiprocessing.shared_memory` does the mapping, but Python 3.11 tells a resource tracker about every segment
it opens, and the tracker unlinks them when the first process that merely *attached* exits (cpython #82300).
Processes started by one parent share its tracker, so registering and unregistering again would race: here the
tracker is never told. Who created a segment unlinks it.

numpy views keep the mapping alive: `close` unmaps when the last view has gone and never pulls memory from
under one. Knows nothing of what the bytes mean; `segment` does.
"""

import os
import stat
from contextlib import suppress
from mmap import MADV_HUGEPAGE, mmap
from multiprocessing import shared_memory
from threading import Lock
from typing import Any, Final

# What SharedMemory itself stands on (its own unlink would tell the tracker); the type stubs do not know it.
import _posixshmem  # type: ignore[import-not-found]  # isort: skip

from ringbuf.errors import SegmentNotFound, SegmentRefused

FOLDER: Final = "/dev/shm"
PRIVATE_MODE: Final = 0o600
_PAGE_BYTES: Final = 4096
_HUGE_PAGE_BYTES: Final = 2 << 20
_NAME_CHARS_MAX: Final = 250

_tracker_lock = Lock()


class SilentTracker:
    """Stands in for the resource tracker while a mapping is made."""

    def register(self, name: str, kind: str) -> None:
        """Nothing is told."""

    def unregister(self, name: str, kind: str) -> None:
        """Nothing is told."""


class Mapping(shared_memory.SharedMemory):
    """One mapped file of `/dev/shm`, unknown to the resource tracker."""

    # Attributes of the base class that its type stub leaves out.
    _name: str
    _fd: int
    _flags: int
    _buf: memoryview | None
    _mmap: mmap | None

    def __init__(self, name: str, create: bool, size: int) -> None:
        module: Any = shared_memory
        with _tracker_lock:
            tracker = module.resource_tracker
            module.resource_tracker = SilentTracker()
            try:
                super().__init__(name=name, create=create, size=size)
            finally:
                module.resource_tracker = tracker

    def unlink(self) -> None:
        """Remove the name if this process made it."""
        # SharedMemory calls this when mapping fails: an attach that fails must not remove the segment.
        if self._flags & os.O_EXCL:
            remove(self._name.lstrip("/"))

    def close(self) -> None:
        """Unmap, at once or when the last view has gone."""
        with suppress(BufferError):
            super().close()
        # A view that is still in use holds the buffer, and is now the only one who does.
        self._buf = None
        self._mmap = None

    def __del__(self) -> None:
        # The base class would print a BufferError at interpreter exit; the kernel unmaps anyway.
        pass

    @property
    def descriptor(self) -> int:
        """The open file, until `settle`."""
        return self._fd

    def settle(self) -> None:
        """Bring every page in and close the file: a mapping needs none."""
        # The first touch of a page costs microseconds, and must not be paid by the first record.
        assert self.buf is not None, "settle after close"
        assert self._mmap is not None
        if len(self.buf) >= _HUGE_PAGE_BYTES:
            # A wish: granted where the system's shmem_enabled allows it, and otherwise nothing is lost.
            with suppress(OSError):
                self._mmap.madvise(MADV_HUGEPAGE)
        bytes(self.buf[::_PAGE_BYTES])
        os.close(self._fd)
        self._fd = -1


def create(name: str, size: int) -> Mapping:
    """Make and map a segment: memory reserved, every page present, readable by this user only.

    Parameters
    ----------
    name : str
        Name without slash.
    size : int
        Bytes.

    Raises
    ------
    SegmentRefused
        If the name is taken or cannot be one.
    OSError
        If the memory cannot be reserved (a sparse file would kill with SIGBUS later).
    """
    if not name or "/" in name or len(name) > _NAME_CHARS_MAX:
        raise SegmentRefused(name, "name", repr(name), f"1 to {_NAME_CHARS_MAX} characters without a slash")
    try:
        mapping = Mapping(name, create=True, size=size)
    except FileExistsError:
        raise SegmentRefused(name, "name", "taken", "free") from None
    try:
        os.fchmod(mapping.descriptor, PRIVATE_MODE)
        os.posix_fallocate(mapping.descriptor, 0, size)
    except OSError:
        mapping.close()
        remove(name)
        raise
    mapping.settle()
    return mapping


def open_checked(name: str) -> int:
    """Open a segment for reading and check owner, mode and kind of file before anything is mapped.

    Returns
    -------
    int
        A file descriptor; the caller closes it.

    Raises
    ------
    SegmentNotFound
        If there is none.
    SegmentRefused
        If it is a link, not a regular file, of another user or open to others.
    """
    try:
        fd = int(_posixshmem.shm_open(f"/{name}", os.O_RDWR, mode=PRIVATE_MODE))
    except FileNotFoundError:
        raise SegmentNotFound(name) from None
    except OSError as error:
        raise SegmentRefused(name, "file", error.strerror, "a regular file of this user") from None
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise SegmentRefused(name, "file", stat.filemode(found.st_mode), "a regular file")
        if found.st_uid != os.geteuid():
            raise SegmentRefused(name, "owner", f"uid {found.st_uid}", f"uid {os.geteuid()}")
        if stat.S_IMODE(found.st_mode) != PRIVATE_MODE:
            raise SegmentRefused(name, "mode", oct(stat.S_IMODE(found.st_mode)), oct(PRIVATE_MODE))
    except SegmentRefused:
        os.close(fd)
        raise
    return fd


def attach(name: str, checked_fd: int) -> Mapping:
    """Map the segment that `open_checked` opened, and no other that took its name since.

    Raises
    ------
    SegmentNotFound
        If it was removed in between.
    SegmentRefused
        If it was replaced in between.
    """
    try:
        mapping = Mapping(name, create=False, size=0)
    except FileNotFoundError:
        raise SegmentNotFound(name) from None
    seen, mapped = os.fstat(checked_fd), os.fstat(mapping.descriptor)
    if (seen.st_dev, seen.st_ino, seen.st_size) != (mapped.st_dev, mapped.st_ino, mapped.st_size):
        mapping.close()
        raise SegmentRefused(name, "file", "another than a moment ago", "the one that was checked")
    mapping.settle()
    return mapping


def remove(name: str) -> bool:
    """Unlink a segment; processes that mapped it keep their memory. False if there was none."""
    try:
        _posixshmem.shm_unlink(f"/{name}")
    except FileNotFoundError:
        return False
    return True
