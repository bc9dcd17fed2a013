"""Parts side by side: the same results in the same order, and no worker or file is left of a failure."""

import os
import tempfile
from multiprocessing import active_children
from pathlib import Path

import pytest

from mmpipe.errors import DataError
from mmpipe.interrupts import Interrupted
from mmpipe.training import side_by_side as module
from mmpipe.training.side_by_side import side_by_side

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of which no machine of the tests need have more than one."""
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def squared(part: int) -> tuple[int, int]:
    return part * part, os.getpid()


def refused(part: int) -> int:
    if part == 1:
        raise DataError("too little")
    return part


def killed(part: int) -> None:
    Path(tempfile.mkdtemp(), "open").write_text("x")
    os._exit(part)


def test_results_are_in_order_and_of_other_processes() -> None:
    told: list[int] = []
    found = side_by_side(squared, [1, 2, 3], told.append)
    assert found is not None
    assert [value for value, _ in found] == [1, 4, 9]
    assert os.getpid() not in {worker for _, worker in found}
    assert sorted(told) == [0, 1, 2]
    assert not active_children()


def test_nothing_to_share() -> None:
    assert side_by_side(squared, [1], lambda _: None) is None


def test_what_a_part_refuses_is_said_and_a_dead_worker_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too little"):
        side_by_side(refused, [0, 1], lambda _: None)
    with pytest.raises(DataError, match="a worker ended before"):
        side_by_side(killed, [3, 4], lambda _: None)
    assert not active_children()
    assert not list(tmp_path.iterdir())


def test_an_interrupt_leaves_no_worker() -> None:
    def interrupt(_: int) -> None:
        raise Interrupted("ended by SIGINT")

    with pytest.raises(Interrupted):
        side_by_side(squared, [1, 2, 3], interrupt)
    assert not active_children()
