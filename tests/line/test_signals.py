"""A user's own model speaks to a running line and is heard in its forecasts."""

import json
import socket
import stat
from pathlib import Path

import pytest

from mmpipe.enums import Signal
from mmpipe.records import FORECAST
from ringbuf import Observer, Segment
from ringbuf.layout import KIND_RING
from stages import topology
from stages.context import runtime_dir
from stages.signal_socket import SOCKET_FILE
from tests.line.line import running_line

pytestmark = pytest.mark.timeout(420)


def test_a_signal_is_answered_heard_in_forecasts_and_measured_before_it_is_acted_on(tmp_path: Path) -> None:
    with running_line(tmp_path, "test-signals") as line:
        reader = line.await_ready()
        path = runtime_dir("test-signals") / SOCKET_FILE
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        ring = Segment.attach(topology.segment_prefix("test-signals") + "forecast", FORECAST, KIND_RING)
        forecasts = Observer(ring)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(10.0)
            connection.connect(str(path))
            answers = connection.makefile("rb")
            signal = {
                "model_id": "test", "symbol": "BTC", "direction": -1, "confidence": 0.9, "horizon_ms": 60_000,
            }  # fmt: skip
            for request in (signal, {**signal, "symbol": "NOPE"}):
                connection.sendall(json.dumps(request).encode() + b"\n")
            assert json.loads(answers.readline()) == {"ok": True, "prediction_id": 1}
            assert "NOPE" in json.loads(answers.readline())["detail"]

        heard: list[float] = []

        def is_heard() -> bool:
            rows, _ = forecasts.poll(4096)
            heard.extend(rows["signals_bps"][rows["symbol"] == 0, Signal.EXTERNAL].tolist())
            return any(value < 0.0 for value in heard)

        line.await_true(is_heard, 30.0, "a forecast carries the signal")

        def shown() -> dict[str, object]:
            found: dict[str, object] = reader.status()["symbols"]["BTC"]["alpha"]["external"]
            return found

        counted = {"accepted": 1, "refused": 1, "refused_by": {"unknown_symbol": 1}}
        line.await_true(lambda: shown() == counted, 10.0, "status counts it")
        weights = reader.status()["symbols"]["BTC"]["alpha"]["signal_weights"]
        assert weights["external"] == 0.0
        assert weights["lead_lag"] > 0.0
        ring.close()
        line.stop()
    assert not path.exists()
    assert line.segments() == []
