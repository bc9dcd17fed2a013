"""`mmpipe data check` says what is wrong, exits with it, and writes the same as JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mmpipe.cli import app
from tests.mmpipe.recording.made import binance_lines, hyperliquid_csv, ticker, write_gz


def run(*arguments: Any) -> tuple[int, list[str]]:
    result = CliRunner().invoke(app, ["data", "check", *map(str, arguments)])
    return result.exit_code, result.output.rstrip().split("\n")


def test_sound_data_exits_with_zero(tmp_path: Path) -> None:
    path = write_gz(tmp_path / "usdm.gz", binance_lines())
    code, lines = run(path, hyperliquid_csv(tmp_path / "hl"), "--json", tmp_path / "out.json")
    assert (code, lines[-1]) == (0, "2 sound; 0 problems, 1 notes")
    assert any("BTCUSDT" in line and "2/2/2" in line for line in lines)
    content = json.loads((tmp_path / "out.json").read_text())
    assert content["schema"] == "data-check/1"
    assert [report["sound"] for report in content["reports"]] == [True, True]
    assert content["reports"][0]["markets"][0]["statistics"]["bbo_messages"] == 2
    assert content["reports"][1]["repeated_trades"] == 1


def test_problems_exit_with_one_and_hide_nothing(tmp_path: Path) -> None:
    lines = binance_lines()
    del lines[6]
    broken = write_gz(tmp_path / "usdm.gz", lines)
    code, shown = run(tmp_path / "absent.gz", broken, hyperliquid_csv(tmp_path / "hl"))
    assert code == 1
    assert shown[-1] == "2 of 3 with problems; 3 problems, 1 notes"
    text = "\n".join(shown)
    assert f"problem: {tmp_path / 'absent.gz'}: no such file" in text
    assert f"problem: {broken}: line 8: depth updates 108 to 110 are missing" in text
    assert "note: " in text


def test_two_markets_are_compared(tmp_path: Path) -> None:
    def walk(delay_ms: int) -> list[str]:
        moves = np.random.default_rng(4).integers(0, 11, 1_500).tolist()
        return [
            ticker(20 * number + delay_ms, number + 1, f"{100 + move / 10:.1f}", f"{100.1 + move / 10:.1f}")
            for number, move in enumerate(moves)
        ]

    early = write_gz(tmp_path / "early.gz", walk(0))
    late = write_gz(tmp_path / "late.gz", walk(60))
    code, lines = run(early, "--against", late, "--json", tmp_path / "out.json")
    assert code == 0
    assert any("leads by 60 ms" in line and "correlation 1.000" in line for line in lines)
    assert json.loads((tmp_path / "out.json").read_text())["leads"][0]["lead_ms"] == 60
    assert any("follows by 60 ms" in line for line in run(late, "--against", early)[1])


def test_a_market_that_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    from mmpipe.errors import DataError

    path = write_gz(tmp_path / "usdm.gz", binance_lines())
    with pytest.raises(DataError, match="too few"):
        CliRunner().invoke(app, ["data", "check", str(path), "--against", str(path)], catch_exceptions=False)
