"""`mmpipe import` makes a folder of ours, complete as a line would have recorded it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mmpipe.cli import app
from mmpipe.enums import EventKind, FeedState, Venue
from mmpipe.errors import DataError, UsageError
from mmpipe.recording.folder import read
from mmpipe.recording.raw_frames import load_frames
from tests.mmpipe.recording.made import binance_lines, hyperliquid_csv, tardis_files, write_gz

CONFIG = str(Path(__file__).resolve().parents[3] / "pipeline.toml")


def run(kind: str, *arguments: Any) -> str:
    command = ["import", kind, *map(str, arguments), "--config", CONFIG]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_frames_and_a_lead_become_one_recording(tmp_path: Path) -> None:
    lines = binance_lines()
    halves = [write_gz(tmp_path / "a.gz", lines[:6]), write_gz(tmp_path / "b.gz", lines[6:])]
    lead = write_gz(tmp_path / "lead.gz", [line.replace("BTCUSDT", "BTC_PERP") for line in lines])
    printed = run("binance", *halves, "--out", tmp_path / "rec", "--lead", lead)
    got = read(tmp_path / "rec")
    assert got.events_sha256 in printed
    assert [(market.coin, market.lead) for market in got.markets] == [("BTCUSDT", "BTCPERP")]
    assert np.array_equal(got.events["seq"], np.arange(1, len(got.events) + 1))
    own = got.events[np.isin(got.events["kind"], (EventKind.TIMER, EventKind.STATUS))]
    assert int((own["kind"] == EventKind.TIMER).sum()) == 1  # from the snapshot to the end: 80 ms
    live = own[(own["kind"] == EventKind.STATUS) & (own["level"] == FeedState.LIVE)]
    assert live["venue"].tolist() == [Venue.MAKER, Venue.LEAD]
    maker = got.events[(got.events["venue"] == Venue.MAKER)]
    maker = maker[~np.isin(maker["kind"], (EventKind.TIMER, EventKind.STATUS))]
    want = load_frames(halves, 0, Venue.MAKER).events
    for name in ("local_ts_ns", "exch_ts_ns", "px", "qty", "kind", "side", "px_tick", "remote_seq", "flags"):
        assert np.array_equal(maker[name], want[name]), name
    theirs = got.events[(got.events["venue"] == Venue.LEAD) & (got.events["kind"] != EventKind.STATUS)]
    assert set(theirs["kind"]) == {EventKind.TRADE, EventKind.BBO}
    assert got.wall_offset_ns == 0


def test_coins_of_a_set_are_markets_of_one_recording(tmp_path: Path) -> None:
    for coin in ("ETH", "BTC"):
        hyperliquid_csv(tmp_path / "hl", coin)
    run("hyperliquid", tmp_path / "hl", "--out", tmp_path / "rec")
    got = read(tmp_path / "rec")
    assert [market.coin for market in got.markets] == ["BTC", "ETH"]
    assert len(got.instruments) == 2
    counts = [
        int(((got.events["symbol"] == at) & (got.events["kind"] == EventKind.BBO)).sum()) for at in (0, 1)
    ]
    assert counts == [4, 4]


def test_tardis_files_are_imported(tmp_path: Path) -> None:
    run("tardis", *tardis_files(tmp_path), "--out", tmp_path / "rec")
    assert read(tmp_path / "rec").markets[0].coin == "BTCUSDT"


def test_what_does_not_fit_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    frames, out = write_gz(tmp_path / "a.gz", binance_lines()), tmp_path / "rec"
    other = write_gz(tmp_path / "o.gz", [line.replace("BTCUSDT", "ETHUSDT") for line in binance_lines()])
    table = hyperliquid_csv(tmp_path / "hl")
    with pytest.raises(UsageError, match="which `import hyperliquid` does not read"):
        run("hyperliquid", frames, "--out", out)
    with pytest.raises(UsageError, match="which `import tardis` does not read"):
        run("tardis", frames, "--out", out)
    with pytest.raises(UsageError, match="another market; import one at a time"):
        run("binance", frames, other, "--out", out)
    with pytest.raises(UsageError, match="2 lead markets for 1 markets"):
        run("binance", frames, "--out", out, "--lead", other, "--lead", table)
    (tmp_path / "t").mkdir()
    trades = tardis_files(tmp_path / "t")[0]
    with pytest.raises(DataError, match="a lead needs best quotes"):
        run("binance", frames, "--out", out, "--lead", trades)
    later = [f"{int(line.partition(' ')[0]) + 10**12} {line.partition(' ')[2]}" for line in binance_lines()]
    with pytest.raises(DataError, match="no time in common"):
        run("binance", frames, "--out", out, "--lead", write_gz(tmp_path / "later.gz", later))
    assert not out.exists()
    out.mkdir()
    with pytest.raises(DataError, match="exists; name a new folder"):
        run("binance", frames, "--out", out)
