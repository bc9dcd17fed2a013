"""The bench of alpha's learners: every case holds, and what is timed is fast enough to be heard per tick."""

import pytest

from bench import learning_alpha
from ringbuf.jit import JIT_ENABLED


@pytest.mark.skipif(not JIT_ENABLED, reason="times compiled code")
def test_every_case_holds() -> None:
    found = learning_alpha.cases(3)
    assert {name for name, case in found.items() if not case["ok"]} == set()
