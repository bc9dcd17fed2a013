"""Lines of a file, gzipped or plain; where it is damaged is said by line."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from mmpipe.errors import DataError


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number (from 1) and content of every line, without its end.

    Parameters
    ----------
    path : Path
        Unpacked on the way when it ends with `.gz`.

    Raises
    ------
    DataError
        The file cannot be read, is cut short or damaged; the last whole line is named.
    """
    number = 0
    try:
        with open_bytes(path) as file:
            for number, line in enumerate(file, 1):  # the number is for the refusal below
                yield number, line.rstrip(b"\r\n")
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: damaged after line {number}: {error}; take it from a copy") from error


def open_bytes(path: Path) -> BinaryIO:
    """The file, unpacked while it is read when it ends with `.gz`."""
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")
