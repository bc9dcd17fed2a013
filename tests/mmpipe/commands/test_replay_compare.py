"""Leaving parts out by name; what each is worth; and that it is the same twice."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mmpipe.cli import app
from mmpipe.commands.replay import replay_recording
from mmpipe.commands.replay_compare import comparison, names_of, parts_of, print_comparison, variants
from mmpipe.config import load
from mmpipe.enums import Part, Venue
from mmpipe.errors import UsageError
from mmpipe.recording.sources import load_source, sources_of
from tests.mmpipe.recording.made import hyperliquid_csv

CONFIG = Path(__file__).resolve().parents[3] / "pipeline.toml"


def test_parts_have_names() -> None:
    assert parts_of("") == Part(0)
    assert parts_of("toxicity, queue_value,") == Part.TOXICITY | Part.QUEUE_VALUE
    assert parts_of(",".join(names_of(~Part(0)))) == ~Part(0)
    with pytest.raises(UsageError, match=r"--without tox: no such part; choose from: toxicity, queue_value"):
        parts_of("toxicity,tox")


def test_a_comparison_begins_with_the_whole_line() -> None:
    assert list(variants(Part.REGIME | Part.TOXICITY)) == [Part(0), Part.TOXICITY, Part.REGIME]
    assert list(variants(Part(0))) == [Part(0), *Part]


def report(without: list[str], equity: float) -> dict[str, Any]:
    known = {"version": "0", "git": "0", "machine": {}, "rows": 9, "events_sha256": "e"}
    digests = {"fills_sha256": "f", "state_sha256": "s"}
    return {
        **known, **digests, "without": without, "fills": 4, "orders": 9, "equity": equity, "fee": 0.1,
        "adverse_share": 0.25 if without else None, "markout_bps": -1.0 if without else None,
    }  # fmt: skip


def test_the_worth_of_a_part_is_equity_with_it_less_equity_without(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = comparison("made", [report([], 5.0), report(["toxicity"], -2.5)])
    assert [row["without"] for row in table["variants"]] == [[], ["toxicity"]]
    print_comparison(table)
    lines = capsys.readouterr().out.splitlines()
    (whole,) = [line for line in lines if "nothing" in line]
    (removed,) = [line for line in lines if "toxicity" in line]
    assert "+5.00" in whole
    assert "+7.50" in removed
    assert "25.0%" in removed


def test_a_line_without_parts_runs_the_same_twice_and_says_so(tmp_path: Path) -> None:
    hyperliquid_csv(tmp_path / "hl", "BTC")
    recording = load_source(sources_of([tmp_path / "hl"])[0], 0, Venue.MAKER)
    config = load(CONFIG)
    without = ~Part(0)
    once, twice = (replay_recording(recording, config, without) for _ in range(2))
    assert once["state_sha256"] == twice["state_sha256"]
    assert once["without"] == names_of(without)
    assert replay_recording(recording, config)["events_sha256"] == once["events_sha256"]


def test_the_command_refuses_a_part_that_does_not_exist(tmp_path: Path) -> None:
    arguments = ["replay", str(tmp_path), "--without", "luck", "--config", str(CONFIG)]
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, UsageError)


def test_the_command_prints_json_of_every_variant(tmp_path: Path) -> None:
    hyperliquid_csv(tmp_path / "hl", "BTC")
    arguments = ["replay", str(tmp_path / "hl"), "--without", "regime", "--compare", "--json"]
    result = CliRunner().invoke(app, [*arguments, "--config", str(CONFIG)], catch_exceptions=False)
    printed = json.loads(result.stdout)
    assert printed["schema"] == "replay-compare/1"
    assert [row["without"] for row in printed["variants"]] == [[], ["regime"]]
