"""Every path finds its reader, and files of one market find each other."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmpipe.enums import Venue
from mmpipe.errors import DataError
from mmpipe.recording.manifest import Market
from mmpipe.recording.sources import Format, load_source, sources_of
from mmpipe.recording.writer import RecordingWriter
from tests.mmpipe.recording.made import binance_lines, hyperliquid_csv, tardis_files, write_gz
from tests.mmpipe.recording.rows import INSTRUMENTS, MARKETS, some_events


def test_paths_find_their_readers(tmp_path: Path) -> None:
    lines = binance_lines()
    other = [line.replace("BTCUSDT", "ETHUSDT") for line in lines]
    frames = [write_gz(tmp_path / name, part) for name, part in (("a.gz", lines[:6]), ("b.gz", lines[6:]))]
    frames.append(write_gz(tmp_path / "c.gz", other))
    hyperliquid_csv(tmp_path / "hl", "BTC")
    hyperliquid_csv(tmp_path / "hl", "ETH")
    (tmp_path / "t").mkdir()
    np.savez(tmp_path / "n.npz", meta=np.array(json.dumps({"venue": "hyperliquid"})))
    np.savez(tmp_path / "h.npz", data=np.zeros(3))
    writer = RecordingWriter(tmp_path / "rec", [Market(**m) for m in MARKETS], INSTRUMENTS, 100, 60.0)
    writer.write(some_events(4))
    writer.close()
    paths = [
        tmp_path / "rec", *frames, tmp_path / "hl", tmp_path / "hl" / "trades_ETH.csv.gz",
        *tardis_files(tmp_path / "t"), tmp_path / "n.npz", tmp_path / "h.npz",
    ]  # fmt: skip
    found = sources_of(paths)
    assert [(source.format, source.market, len(source.paths)) for source in found] == [
        (Format.RECORDING, "", 1),
        (Format.FRAMES, "binance-usdm BTCUSDT", 2),
        (Format.FRAMES, "binance-usdm ETHUSDT", 1),
        (Format.HYPERLIQUID_CSV, "BTC", 1),
        (Format.HYPERLIQUID_CSV, "ETH", 1),
        (Format.HYPERLIQUID_CSV, "ETH", 1),
        (Format.TARDIS, "binance BTCUSDT", 3),
        (Format.NPZ, "hyperliquid", 1),
        (Format.HFTBACKTEST, "", 1),
    ]
    assert found[3].label() == f"{tmp_path / 'hl'} BTC"
    for source in found[:7]:
        assert len(load_source(source, 0, Venue.MAKER).events)
    assert load_source(found[0], 0, Venue.MAKER).numbered


def test_frames_that_do_not_begin_later_are_another_recording(tmp_path: Path) -> None:
    paths = [write_gz(tmp_path / name, binance_lines()) for name in ("a.gz", "b.gz")]
    assert [source.paths for source in sources_of(paths)] == [(paths[0],), (paths[1],)]
    later = write_gz(tmp_path / "c.gz", binance_lines()[6:])
    assert [source.paths for source in sources_of([paths[0], later])] == [(paths[0], later)]
    assert len(sources_of([later, paths[0]])) == 2


def test_what_is_nothing_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a recording"):
        sources_of([tmp_path])
    with pytest.raises(DataError, match="no such file"):
        sources_of([tmp_path / "absent"])
    (tmp_path / "text").write_text("hello")
    with pytest.raises(DataError, match="of no kind known here: it begins with b'hello'"):
        sources_of([tmp_path / "text"])
    (tmp_path / "broken.npz").write_text("PK")
    assert sources_of([tmp_path / "broken.npz"])[0].format is Format.NPZ
