"""Segments and the second process."""

import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from ringbuf import Segment
from ringbuf.jit import JIT_ENABLED
from ringbuf.layout import KIND_RING
from tests.ringbuf.memory import ROOT, fresh_name
from tests.rings.traffic import RECORD


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not JIT_ENABLED:
        skip = pytest.mark.skip(reason="two processes need the compiled atomics")
        for item in items:
            if "tests/rings/" in item.path.as_posix():
                item.add_marker(skip)


@pytest.fixture
def create() -> Iterator[Callable[..., Segment]]:
    """Make segments that vanish with the test."""
    made: list[Segment] = []

    def make(slots: int, dtype: np.dtype = RECORD, kind: int = KIND_RING) -> Segment:
        made.append(Segment.create(fresh_name(), dtype, slots, kind))
        return made[-1]

    yield make
    for segment in made:
        segment.close()
        segment.unlink()


@pytest.fixture
def peer() -> Iterator[Callable[..., subprocess.Popen]]:
    """Start the other process in a role of `traffic`."""
    started: list[subprocess.Popen] = []

    def start(role: str, *arguments: object) -> subprocess.Popen:
        command = [sys.executable, "-m", "tests.rings.traffic", role, *map(str, arguments)]
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
