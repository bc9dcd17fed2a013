import asyncio
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmpipe.errors import NotRunningError
from stages.control import ControlServer, ask
from stages.runner import wait_until


def answers(path: Path) -> bool:
    try:
        return bool(ask(path, {})["ok"])
    except NotRunningError:
        return False


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "x.sock"
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    control = ControlServer(path, lambda request: {"ok": True, "asked": request.get("command")})
    thread = threading.Thread(target=loop.run_until_complete, args=(control.run(stop),))
    thread.start()
    assert wait_until(lambda: answers(path), 5.0)
    yield path
    loop.call_soon_threadsafe(stop.set)
    thread.join(5.0)
    loop.close()


def test_a_request_is_answered_and_the_socket_is_private(server: Path) -> None:
    assert ask(server, {"command": "hello"}) == {"ok": True, "asked": "hello"}
    assert stat.S_IMODE(server.stat().st_mode) == 0o600


@pytest.mark.parametrize("garbage", [b"\n", b"{\n", b"[" * 3000 + b"\n", b"\xff\xfe\n", b"[1]\n"])
def test_garbage_is_answered_not_obeyed(server: Path, garbage: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server))
        connection.sendall(garbage)
        assert b'"ok"' in connection.recv(4096)
    assert ask(server, {"command": "still there"})["asked"] == "still there"


def test_an_oversized_request_does_not_stop_the_server(server: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server))
        connection.sendall(b"x" * 100_000)
    assert ask(server, {"command": "still there"})["ok"]


def test_nobody_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError, match="nothing listens"):
        ask(tmp_path / "none.sock", {})
