"""The bell: rings are not lost, do not block, and come through any event loop."""

import asyncio
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringbuf import Doorbell, DoorbellRefused


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[Doorbell]:
    made = Doorbell.create(tmp_path / "bell")
    yield made
    made.close()


def rung(bell: Doorbell) -> bool:
    return bool(select.select([bell], [], [], 0)[0])


def test_another_end_rings_and_the_reader_drains(bell: Doorbell) -> None:
    other = Doorbell.open(bell.path)
    assert not rung(bell)
    other.ring()
    other.ring()
    assert rung(bell)
    bell.drain()
    assert not rung(bell)
    other.close()


def test_a_full_fifo_still_counts_as_rung(bell: Doorbell) -> None:
    for _ in range(100_000):
        bell.ring()
    assert rung(bell)
    bell.drain()
    assert not rung(bell)


def test_a_ring_waits_for_a_reader_that_restarts(bell: Doorbell) -> None:
    writer = Doorbell.open(bell.path)
    writer.ring()
    again = Doorbell.create(bell.path)
    assert rung(again)
    writer.close()
    again.close()


def test_it_wakes_an_asyncio_loop(bell: Doorbell) -> None:
    async def wait() -> None:
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(bell.fileno(), woken.set)
        Doorbell.open(bell.path).ring()
        await asyncio.wait_for(woken.wait(), 10)
        loop.remove_reader(bell.fileno())

    asyncio.run(wait())


def test_children_do_not_inherit_it(bell: Doorbell) -> None:
    assert not os.get_inheritable(bell.fileno())


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277])
def test_its_mode_does_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        made = Doorbell.create(tmp_path / "other")
    finally:
        os.umask(before)
    assert made.path.stat().st_mode & 0o777 == 0o600
    made.unlink()
    made.unlink()
    made.close()
    made.close()


def refusal(path: Path) -> DoorbellRefused:
    with pytest.raises(DoorbellRefused) as opened:
        Doorbell.open(path)
    if path.exists():
        with pytest.raises(DoorbellRefused):
            Doorbell.create(path)
    assert str(path) in str(opened.value)
    return opened.value


def test_what_is_no_bell_is_refused_by_name(tmp_path: Path, bell: Doorbell) -> None:
    assert refusal(tmp_path / "missing").what == "file"
    (tmp_path / "plain").touch()
    assert refusal(tmp_path / "plain").what == "file"
    (tmp_path / "link").symlink_to(bell.path)
    assert refusal(tmp_path / "link").what == "file"
    bell.path.chmod(0o620)
    assert refusal(bell.path).what == "mode"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_bell_of_another_user_is_refused(bell: Doorbell) -> None:
    os.chown(bell.path, 12345, -1)
    assert refusal(bell.path).what == "owner"
