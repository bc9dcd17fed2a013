"""A folder has one writer, and its lock ends with it."""

from pathlib import Path

import pytest

from mmpipe.errors import DataError
from mmpipe.recording.folder_lock import FolderLock


def test_one_holds_it_at_a_time(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    with pytest.raises(DataError, match="is being recorded now"):
        FolderLock(tmp_path)
    lock.release()
    lock.release()
    FolderLock(tmp_path).release()
