"""A recording of ours is replayed exactly as it stands; what it publishes is told by its digest."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mmpipe.cli import app
from mmpipe.commands.replay import read_recording
from mmpipe.enums import EventFlag, EventKind
from mmpipe.errors import DataError
from mmpipe.recording.folder import read
from tests.mmpipe.recording.made import hyperliquid_csv

CONFIG = str(Path(__file__).resolve().parents[3] / "pipeline.toml")


def run(*arguments: Any) -> str:
    result = CliRunner().invoke(app, [*map(str, arguments), "--config", CONFIG], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_folder_is_published_as_it_stands_with_all_its_markets(tmp_path: Path) -> None:
    for coin in ("BTC", "ETH"):
        hyperliquid_csv(tmp_path / "hl", coin)
    run("import", "hyperliquid", tmp_path / "hl", "--out", tmp_path / "rec")
    recording = read(tmp_path / "rec")
    report = json.loads(run("replay", tmp_path / "rec", "--json"))
    assert report["events_sha256"] == recording.events_sha256
    inserted = np.isin(recording.events["kind"], (EventKind.TIMER, EventKind.STATUS))
    assert report["rows"] == int((~inserted).sum())
    assert report["messages"] == int((recording.events["flags"] & EventFlag.LAST > 0).sum())
    again = json.loads(run("replay", tmp_path / "rec", "--json"))
    assert again["state_sha256"] == report["state_sha256"]
    # One of its markets, read from the files themselves, is another stream.
    single = json.loads(run("replay", tmp_path / "hl" / "trades_BTC.csv.gz", "--json"))
    assert single["events_sha256"] != report["events_sha256"]
    assert single["rows"] < report["rows"]


def test_an_imported_file_publishes_what_the_file_does(tmp_path: Path) -> None:
    hyperliquid_csv(tmp_path / "hl", "BTC")
    run("import", "hyperliquid", tmp_path / "hl", "--out", tmp_path / "rec")
    folder = json.loads(run("replay", tmp_path / "rec", "--json"))
    file = json.loads(run("replay", tmp_path / "hl", "--json"))
    assert folder["events_sha256"] == file["events_sha256"]
    assert [folder[key] for key in ("rows", "messages", "orders")] == [
        file[key] for key in ("rows", "messages", "orders")
    ]


def test_several_markets_that_are_no_recording_are_refused(tmp_path: Path) -> None:
    for coin in ("BTC", "ETH"):
        hyperliquid_csv(tmp_path / "hl", coin)
    with pytest.raises(DataError, match=r"several markets .*`mmpipe import` makes one recording"):
        read_recording(tmp_path / "hl")
    with pytest.raises(DataError, match="no such file"):
        read_recording(tmp_path / "absent")
