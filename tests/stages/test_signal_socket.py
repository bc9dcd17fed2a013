"""The socket of external signals: private, line by line, and nobody's flood reaches alpha."""

import json
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mmpipe.alpha.external_signals import ExternalDesk
from mmpipe.clock import VirtualClock
from mmpipe.enums import SignalRefusal
from stages import signal_socket
from stages.runner import wait_until
from stages.signal_socket import (
    CONNECTIONS_MAX,
    LINE_BYTES_MAX,
    REFUSED_PAUSE_S,
    WAITING_MAX,
    SignalInbox,
    SignalSocket,
)

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


def speaks(connection: socket.socket, **changes: object) -> dict[str, object]:
    return said(connection, json.dumps({**GOOD, **changes}).encode() + b"\n")


def test_connections_that_say_nothing_do_not_keep_others_out(heard: Heard) -> None:
    useful = heard.connect()
    assert speaks(useful)["ok"]
    idle = [heard.connect() for _ in range(3 * CONNECTIONS_MAX)]
    idle[-1].sendall(b'{"half a line')
    with heard.connect() as late:
        assert speaks(late)["ok"]
    assert speaks(useful)["ok"]  # who has something to say stays
    with idle[0].makefile("rb") as answers:
        assert json.loads(answers.readline())["reason"] == "gave_way"
    assert heard.inbox.desk.refused[SignalRefusal.GAVE_WAY] >= 2 * CONNECTIONS_MAX
    for connection in [useful, *idle]:
        connection.close()


def test_one_too_many_is_turned_away_until_another_is_long_silent(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = [heard.connect() for _ in range(CONNECTIONS_MAX)]
    for connection in held:
        assert speaks(connection)["ok"]
    with heard.connect() as late, late.makefile("rb") as answers:
        assert json.loads(answers.readline())["reason"] == "too_many_connections"
        assert answers.readline() == b""
    assert heard.inbox.desk.refused[SignalRefusal.TOO_MANY_CONNECTIONS] == 1
    monkeypatch.setattr(signal_socket, "IDLE_S", 0.0)
    with heard.connect() as late:
        assert speaks(late)["ok"]
    for connection in held:
        connection.close()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"x" * LINE_BYTES_MAX + b"\n", SignalRefusal.TOO_LONG),
        (b"\0\0\0\n", SignalRefusal.MALFORMED),
        (b'{"model_id": "\xff\xfe"}\n', SignalRefusal.MALFORMED),
        (b"\n", SignalRefusal.MALFORMED),
        (b"[" * 4000 + b"\n", SignalRefusal.BAD_FIELD),
        (json.dumps({**GOOD, "direction": 1e308}).encode() + b"\n", SignalRefusal.BAD_FIELD),
        (json.dumps({**GOOD, "horizon_ms": -5}).encode() + b"\n", SignalRefusal.BAD_FIELD),
        (json.dumps({**GOOD, "symbol": "DOGE"}).encode() + b"\n", SignalRefusal.UNKNOWN_SYMBOL),
    ],
)
def test_what_is_no_signal_is_refused_by_a_name_that_is_counted(
    heard: Heard, line: bytes, reason: SignalRefusal
) -> None:
    with heard.connect() as connection:
        answer = said(connection, line)
    assert (answer["ok"], answer["reason"]) == (False, reason.name.lower())
    assert heard.inbox.desk.refused.tolist() == [int(kind == reason) for kind in SignalRefusal]


def test_two_connections_of_one_model_share_its_rate(tmp_path: Path) -> None:
    made = Heard(tmp_path, per_s_max=5.0)
    with made.connect() as one, made.connect() as other:
        answers = [speaks(connection) for _ in range(4) for connection in (one, other)]
    assert [answer["ok"] for answer in answers] == [True] * 5 + [False] * 3
    assert made.inbox.desk.refused[SignalRefusal.TOO_OFTEN] == 3


def test_a_line_that_comes_byte_by_byte_and_several_at_once_are_all_heard(heard: Heard) -> None:
    line = json.dumps(GOOD).encode() + b"\n"
    with heard.connect() as connection, connection.makefile("rb") as answers:
        for byte in line:
            connection.sendall(bytes([byte]))
        assert json.loads(answers.readline())["ok"]
        connection.sendall(line * 5 + line.rstrip())
        connection.shutdown(socket.SHUT_WR)
        assert [json.loads(answers.readline())["ok"] for _ in range(6)] == [True] * 6
        assert answers.readline() == b""


def test_who_reads_no_answers_is_not_read_on(heard: Heard) -> None:
    with heard.connect() as deaf, heard.connect() as other:
        deaf.setblocking(False)
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)

        def stuck() -> bool:
            try:
                while True:
                    deaf.send(b"nonsense\n" * 100)
            except BlockingIOError:
                before = int(heard.inbox.desk.refused.sum())
                assert speaks(other)["ok"]
                return before > 0 and heard.inbox.desk.refused.sum() == before

        assert wait_until(stuck, 60.0, 0.1)


def test_a_flood_leaves_the_interpreter_to_alpha(heard: Heard) -> None:
    # Every line costs its sender a pause; the worst that sixteen of them can ask for is bounded by it.
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            with suppress(OSError), heard.connect() as connection:
                while not stop.is_set():
                    said(connection, b"nonsense\n")

    threads = [threading.Thread(target=flood) for _ in range(CONNECTIONS_MAX)]
    for thread in threads:
        thread.start()
    assert wait_until(lambda: heard.inbox.desk.refused.sum() > 50, 30.0)
    before, start_s = int(heard.inbox.desk.refused.sum()), time.monotonic()
    assert wait_until(lambda: time.monotonic() - start_s > 1.0, 10.0)
    rate = (heard.inbox.desk.refused.sum() - before) / (time.monotonic() - start_s)
    stop.set()
    for thread in threads:
        thread.join(20.0)
    assert rate <= 1.2 * CONNECTIONS_MAX / REFUSED_PAUSE_S


def test_more_than_alpha_takes_is_refused(heard: Heard) -> None:
    answers = [heard.inbox.offer(json.dumps(GOOD).encode())["ok"] for _ in range(WAITING_MAX + 1)]
    assert answers == [True] * WAITING_MAX + [False]
    assert heard.inbox.desk.refused[SignalRefusal.NOT_TAKEN] == 1


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
