"""`mmpipe run` as a user runs it: real processes, real sockets, the embedded exchange."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.line.line import ROOT, agree, running_line

pytestmark = pytest.mark.timeout(420)


def test_a_run_trades_learns_agrees_and_leaves_nothing(tmp_path: Path) -> None:
    with running_line(tmp_path, "test-run", "--duration", "25") as line:
        status = line.wait(400)
        counters = status["counters"]
        for name in ("events", "snapshots", "forecasts", "orders", "fills", "labels", "params_updates"):
            assert counters[name] > 0, (name, counters)
        assert counters["ring_drops"] == 0
        assert counters["restarts"] == 0
        assert status["open_orders_at_exit"] == 0
        assert status["exit"] == "ok"
        assert agree(status), {coin: symbol["position"] for coin, symbol in status["symbols"].items()}
        assert set(status["symbols"]["BTC"]["position"]) == {"risk", "venue", "fills", "journal"}
        assert status["tick_to_order_us"]["p50"] > 0
        for name, loop in status["loops"].items():
            # The bias of the queue value is learned from markouts, which take a minute (see test_wiring).
            assert loop["inputs"] > 0 or name == "queue_value_bias", status["loops"]
        for symbol in status["symbols"].values():
            pnl = symbol["pnl"]
            parts = sum(pnl[part] for part in ("spread", "adverse_selection", "inventory", "funding", "fees"))
            assert parts == pytest.approx(pnl["equity_change"], abs=1e-6)
        assert line.segments() == []


def test_a_second_instance_of_the_name_is_refused_by_name(tmp_path: Path) -> None:
    with running_line(tmp_path, "test-twice") as line:
        line.await_ready()
        second = subprocess.run(
            [sys.executable, "-m", "mmpipe.cli", "run", "--config", str(ROOT / "pipeline.toml"), "--instance",
             "test-twice", "--port", "0", "--headless", "--duration", "1"],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert second.returncode == 7
        assert "'test-twice' already runs" in second.stderr
        status = subprocess.run(
            [sys.executable, "-m", "mmpipe.cli", "status", "--instance", "test-twice", "--json"],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert json.loads(status.stdout)["schema"] == "run/1"
        assert line.stop()["open_orders_at_exit"] == 0


def test_kill_cancels_latches_and_needs_a_reset(tmp_path: Path) -> None:
    with running_line(tmp_path, "test-kill") as line:
        reader = line.await_ready()
        line.await_true(lambda: reader.status()["counters"]["orders"] > 0, 60, "an order was sent")
        assert line.ask_risk("kill")["ok"]
        line.await_true(lambda: reader.status()["risk"]["kill"] is not None, 5, "KILL is latched")
        line.await_true(
            lambda: all(symbol["open_orders"] == 0 for symbol in reader.status()["symbols"].values()),
            10,
            "nothing rests",
        )
        status = line.stop()
        assert line.process.returncode == 6
        assert status["risk"]["kill"]["reason"] == "OPERATOR"
        assert status["open_orders_at_exit"] == 0
    again = [sys.executable, "-m", "mmpipe.cli"]
    config = ["--config", str(ROOT / "pipeline.toml"), "--instance", "test-kill"]
    environment = {"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 60, "check": False}
    refused = subprocess.run([*again, "run", *config, "--port", "0", "--headless"], **environment)  # type: ignore[call-overload]  # shared keywords
    assert refused.returncode == 6
    assert "risk reset" in refused.stderr
    reset = subprocess.run([*again, "risk", "reset", *config, "--reason", "tested"], **environment)  # type: ignore[call-overload]  # shared keywords
    assert reset.returncode == 0, reset.stderr
    assert not list(tmp_path.glob("runs/*.kill"))
    assert "tested" in (tmp_path / "runs" / "test-kill.audit").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "--config", "absent.toml"], 4, "No such file"),
        (["run", "--live"], 7, "two acts"),
        (
            ["run", "--scenario", "no-such-market", "--port", "0", "--instance", "test-refused"],
            2,
            "no-such-market",
        ),
        (["status", "--instance", "nobody"], 3, "no pipeline named 'nobody'"),
        (["status", "--instance", "../nobody"], 2, "give a name"),
        (["stop", "--instance", "nobody"], 3, "no pipeline named 'nobody'"),
        (["kill", "--instance", "nobody"], 3, "no pipeline named 'nobody'"),
        (["replay", "absent.npz"], 1, "absent.npz"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_a_refusal_is_one_line_and_the_documented_code(arguments: list[str], code: int, said: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "mmpipe.cli", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert answer.returncode == code, answer.stderr
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_line_lives_within_the_real_venues_delays_and_limits(tmp_path: Path) -> None:
    # Two minutes are twice the window of the venue's weights: a line that asks too much is starved by then.
    # Being refused for some seconds is an operating error; it must not cost agreement or stop the quoting.
    with running_line(tmp_path, "test-limits", "--profile", "hyperliquid", "--duration", "120") as line:
        status = line.wait(500)
        assert status["open_orders_at_exit"] == 0
        assert status["counters"]["fills"] > 20
        assert agree(status), {coin: symbol["position"] for coin, symbol in status["symbols"].items()}
        for symbol in status["symbols"].values():
            assert symbol["mode_occupancy"]["Maker"] > 0.5


@pytest.mark.long
@pytest.mark.timeout(900)
def test_five_minutes_with_a_cascade_end_with_equal_positions_and_nothing_open(tmp_path: Path) -> None:
    with running_line(tmp_path, "test-long", "--scenario", "cascade", "--duration", "300") as line:
        status = line.wait(800)
        assert status["open_orders_at_exit"] == 0
        assert status["counters"]["ring_drops"] == 0
        assert agree(status), {coin: symbol["position"] for coin, symbol in status["symbols"].items()}
        for stage in status["stages"].values():
            assert stage["rss_mb"] < 600
