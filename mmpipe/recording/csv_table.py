"""A CSV file, gzipped or plain, as typed columns; a value of another type is refused with its line."""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from mmpipe.errors import DataError
from mmpipe.recording.gz_lines import lines_of

INTEGER: Final[Any] = pa.int64()
NUMBER: Final[Any] = pa.float64()
TEXT: Final[Any] = pa.string()
PLACE: Final = re.compile(r"In CSV column #(\d+): Row #(\d+): (?:CSV )?(.*)", re.DOTALL)
SECONDS: Final[Any] = pa.decimal128(19, 9)  # read as whole nanoseconds: a double holds only 240 of them


def header_of(path: Path) -> list[str]:
    """Names of the columns: the first line.

    Raises
    ------
    DataError
        The file is empty or cannot be read.
    """
    for _, line in lines_of(path):
        return next(csv.reader([line.decode("utf-8", errors="replace")]))
    raise DataError(f"{path}: empty")


def read_columns(path: Path, types: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Read the named columns.

    Parameters
    ----------
    path : Path
        With a header line; other columns are passed over.
    types : mapping of str to INTEGER, NUMBER, TEXT or SECONDS
        Columns and what they hold.

    Returns
    -------
    dict of str to ndarray, shape (rows,)
        int64, float64 or str; SECONDS become int64 nanoseconds.

    Raises
    ------
    DataError
        The file cannot be read, a column is missing, or a value is of another type.
    """
    content = b"".join(line + b"\n" for _, line in lines_of(path))
    names = header_of(path)
    if missing := [name for name in types if name not in names]:
        raise DataError(f"{path}: column(s) {missing} are missing; found {names[:12]}")
    try:
        table = pa_csv.read_csv(
            io.BytesIO(content),
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=1 << 24),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict(types),
                include_columns=list(types),
                strings_can_be_null=False,
                null_values=[""],
            ),
        )
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: {_cause(str(error), names)}") from error
    columns = {}
    for name, kind in types.items():
        column = table.column(name).combine_chunks()
        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise DataError(f"{path}: line {row + 2}: no value in column '{name}'")
        columns[name] = _nanoseconds(column) if kind == SECONDS else column.to_numpy(zero_copy_only=False)
    return columns


def _nanoseconds(column: Any) -> np.ndarray:
    # The low half of each 128-bit number; 19 digits fit 63 bits up to the year 2262.
    halves = np.frombuffer(column.buffers()[1], np.int64)
    return halves[2 * column.offset : 2 * (column.offset + len(column)) : 2].copy()


def _cause(text: str, names: list[str]) -> str:
    # "In CSV column #3: Row #12: CSV conversion error …" counts columns from 0 and lines from 1.
    found = PLACE.match(text)
    if found is None or not int(found.group(1)) < len(names):
        return text
    return f"line {found.group(2)}: column '{names[int(found.group(1))]}': {found.group(3)}"
