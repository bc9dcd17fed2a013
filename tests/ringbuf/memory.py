"""What the tests of this package share: a record, a namer of segments, a way to run Python afresh."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from ringbuf import Segment, layout

PROTOCOLS = (layout.COMMIT_BY_SEQUENCE, layout.COMMIT_BY_HEAD)
ROOT = Path(__file__).resolve().parent.parent.parent
RECORD = np.dtype([("seq", "i8"), ("px", "f8"), ("qty", "f8"), ("rest", "i8", (5,))], align=True)

_count = itertools.count()


def fresh_name() -> str:
    """A segment name of this test session that nobody has used."""
    return f"mmpipe.{os.getuid()}.test-{os.getpid()}.{next(_count)}"


def rows(*prices: float) -> np.ndarray:
    """Records with these prices."""
    made = np.zeros(len(prices), RECORD)
    made["px"] = prices
    return made


def local_ring(slots: int, commit: int, dtype: np.dtype = RECORD) -> Segment:
    """A ring in private memory with this commit protocol, whatever its record size would choose."""
    ring = Segment.local(dtype, slots)
    ring.words[layout.AT_COMMIT // layout.WORD_BYTES] = commit
    return ring


def run_python(code: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
    """Run a program in a new interpreter; output is text."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
