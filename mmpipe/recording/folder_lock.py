"""One writer of a recording at a time: a lock on its folder that ends with the process that holds it."""

import fcntl
import os
from pathlib import Path

from mmpipe.errors import DataError


class FolderLock:
    """Held from construction to `release`.

    Raises
    ------
    DataError
        Another process holds it.
    """

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise DataError(f"{folder}: is being recorded now; wait for its end") from error

    def release(self) -> None:
        """Give the folder free; a second time does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
