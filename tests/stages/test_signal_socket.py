"""The socket of external signals: private, line by line, and nobody's flood reaches alpha."""

import json
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmpipe.alpha.external_signals import ExternalDesk
from mmpipe.clock import VirtualClock
from stages.runner import wait_until
from stages.signal_socket import CONNECTIONS_MAX, LINE_BYTES_MAX, WAITING_MAX, SignalInbox, SignalSocket

GOOD = {"model_id": "m", "symbol": "BTC", "direction": -1, "confidence": 0.9, "horizon_ms": 500}


class Heard:
    """A socket that listens, without a line behind it."""

    def __init__(self, folder: Path, per_s_max: float) -> None:
        self.path = folder / "signals.sock"
        self.inbox = SignalInbox(ExternalDesk(["BTC"], per_s_max), VirtualClock(1_000))
        SignalSocket(self.path, self.inbox).start()

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(10.0)
        connection.connect(str(self.path))
        return connection


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[Heard]:
    made = Heard(tmp_path, per_s_max=1_000.0)
    yield made
    made.path.unlink()


def said(connection: socket.socket, line: bytes) -> dict[str, object]:
    connection.sendall(line)
    with connection.makefile("rb") as answers:
        answer: dict[str, object] = json.loads(answers.readline())
    return answer


def test_only_this_user_may_speak_and_is_answered_line_by_line(heard: Heard) -> None:
    assert stat.S_IMODE(heard.path.stat().st_mode) == 0o600
    with heard.connect() as connection:
        assert said(connection, json.dumps(GOOD).encode() + b"\n") == {"ok": True, "prediction_id": 1}
        refused = said(connection, b"{}\n")
        assert refused["ok"] is False
        assert "model_id" in str(refused["detail"])
        assert said(connection, json.dumps(GOOD).encode() + b"\n") == {"ok": True, "prediction_id": 2}
    rows = [heard.inbox.take(), heard.inbox.take()]
    assert [int(row["prediction_id"][0]) for row in rows if row is not None] == [1, 2]
    assert heard.inbox.take() is None


def test_a_line_without_end_is_answered_and_hung_up_on(heard: Heard) -> None:
    with heard.connect() as connection:
        answer = said(connection, b"x" * (LINE_BYTES_MAX + 1))
        assert str(LINE_BYTES_MAX) in str(answer["detail"])
        assert connection.recv(1) == b""


def test_somebody_who_says_half_a_word_keeps_nobody_else_waiting(heard: Heard) -> None:
    with heard.connect() as silent, heard.connect() as other:
        silent.sendall(b'{"model_id"')
        assert said(other, json.dumps(GOOD).encode() + b"\n")["ok"]


def test_one_connection_too_many_waits_for_another_to_leave(heard: Heard) -> None:
    held = [heard.connect() for _ in range(CONNECTIONS_MAX)]
    for connection in held:
        assert said(connection, json.dumps(GOOD).encode() + b"\n")["ok"]
    late = heard.connect()
    late.sendall(json.dumps(GOOD).encode() + b"\n")
    held[0].close()
    with late.makefile("rb") as answers:
        assert json.loads(answers.readline())["ok"]
    for connection in [late, *held[1:]]:
        connection.close()


def test_more_than_alpha_takes_is_refused(heard: Heard) -> None:
    answers = [heard.inbox.offer(json.dumps(GOOD).encode())["ok"] for _ in range(WAITING_MAX + 1)]
    assert answers == [True] * WAITING_MAX + [False]


def test_models_that_speak_at_once_are_all_heard(heard: Heard) -> None:
    def speak(name: str) -> None:
        with heard.connect() as connection:
            for _ in range(10):
                assert said(connection, json.dumps({**GOOD, "model_id": name}).encode() + b"\n")["ok"]

    threads = [threading.Thread(target=speak, args=(f"m{index}",)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10.0)
    assert wait_until(lambda: heard.inbox.desk.accepted_count == 80, 5.0)
    rows = [heard.inbox.take() for _ in range(80)]
    assert sorted(int(row["prediction_id"][0]) for row in rows if row is not None) == list(range(1, 81))


def test_an_old_socket_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "signals.sock").write_text("left behind")
    made = Heard(tmp_path, per_s_max=10.0)
    with made.connect() as connection:
        assert said(connection, json.dumps(GOOD).encode() + b"\n")["ok"]
