"""What an observer may trust: nothing that is being overwritten, whoever writes it."""

import numpy as np
import pytest

from ringbuf import Observer, Segment
from ringbuf.atomics import address_of
from ringbuf.ring_kernels import claim, push, recover_producer, release
from ringbuf.ring_observe import observe
from tests.ringbuf.memory import PROTOCOLS, RECORD, local_ring, rows


@pytest.fixture(params=PROTOCOLS, ids=["by sequence", "by head"])
def ring(request: pytest.FixtureRequest) -> Segment:
    return local_ring(8, request.param)


def test_an_observer_sees_how_far_the_ring_is_and_what_waits_in_it(ring: Segment) -> None:
    source, observer = rows(1.0, 2.0, 3.0), Observer(ring)
    assert (observer.head, observer.backlog) == (0, 0)
    push(ring.base, address_of(source.view(np.int64)), 3)
    release(ring.base, 1)
    assert (observer.head, observer.backlog) == (3, 2)


def test_an_observer_trusts_no_slot_that_is_being_overwritten(ring: Segment) -> None:
    source = rows(*range(8))
    push(ring.base, address_of(source.view(np.int64)), 8)
    release(ring.base, 8)
    claim(ring.base, 3)
    ring.slots["px"][:3] = np.nan  # the next lap, half written; its sequence words still look whole
    copied = np.zeros(8, RECORD)
    count, lapped, index = observe(ring.base, 0, address_of(copied.view(np.int64)), 8)
    assert (count, lapped, index) == (5, 3, 8)
    assert copied["px"][:5].tolist() == [3.0, 4.0, 5.0, 6.0, 7.0]
    # A successor claims less than the dead writer had: the older claim still counts.
    recover_producer(ring.base)
    claim(ring.base, 1)
    assert observe(ring.base, 0, address_of(copied.view(np.int64)), 8)[:2] == (5, 3)
