"""A process that records and is killed: FOLDER ROWS_PER_PART; it prints what it wrote."""

import sys
from pathlib import Path

from mmpipe.recording.manifest import Market
from mmpipe.recording.writer import RecordingWriter
from tests.mmpipe.recording.rows import INSTRUMENTS, MARKETS, some_events

CHUNKS = (1, 7, 64, 300)


def main(folder: Path, rows_per_part: int) -> None:
    markets = [Market(**market) for market in MARKETS]
    writer = RecordingWriter(folder, markets, INSTRUMENTS, rows_per_part, 3600.0)
    written, turn = 0, 0
    while True:
        count = CHUNKS[turn % len(CHUNKS)]
        writer.write(some_events(count, first_seq=written + 1))
        written, turn = written + count, turn + 1
        sys.stdout.write(f"{written}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
