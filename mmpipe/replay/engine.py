"""Replay: the same stages in one process on a virtual clock, fed by a recording, answered by a simulation.

The engine owns time and order of work, nothing else: it moves the clock to the next message or the next
answer, lets the exchange see the market, puts the message into the feed's ring, and polls the stages in
line order until none has work. It is handed the stages as callables, because it may not import them. The
same recording and settings give the same bytes.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from mmpipe.clock import NS_PER_S, VirtualClock
from mmpipe.enums import EventKind
from mmpipe.errors import MmpipeError
from mmpipe.replay.timeline import messages
from mmpipe.venue.sim.replay_exchange import ReplayExchange

POLL_ROUNDS_MAX: Final = 10_000  # a stage that always finds work feeds itself


class Stage(Protocol):
    """One step of the line; `poll` does what there is to do and returns how much it was."""

    def poll(self) -> int: ...


@dataclass(frozen=True, slots=True)
class ReplayRun:
    """What a replay did.

    Attributes
    ----------
    rows : int
        Market EVENT rows, without inserted TIMER and STATUS.
    messages : int
        Messages and inserted events.
    wall_s : float
        Time it took, seconds.
    first_ts_ns, last_ts_ns : int
        Span of the recording.
    """

    rows: int
    messages: int
    wall_s: float
    first_ts_ns: int
    last_ts_ns: int


class ReplayEngine:
    """Drives stages over a recorded stream.

    Parameters
    ----------
    clock : VirtualClock
        Shared with the stages and the exchange; only the engine moves it.
    exchange : ReplayExchange
        Answers the orders.
    publish : callable
        Puts EVENT rows into the feed's ring; returns how many of them it took, at least one when the
        ring is empty.
    stages : sequence of Stage
        In line order: features, alpha, execution, risk, learner.
    """

    def __init__(
        self,
        clock: VirtualClock,
        exchange: ReplayExchange,
        publish: Callable[[np.ndarray], int],
        stages: Sequence[Stage],
    ) -> None:
        self._clock = clock
        self._exchange = exchange
        self._publish = publish
        self._stages = tuple(stages)

    def run(self, chunks: Iterable[np.ndarray], settle_s: float) -> ReplayRun:
        """Replay a stream to its end, then let what is still on its way arrive.

        Parameters
        ----------
        chunks : iterable of ndarray of EVENT
            Parts of one stream, as `timeline` makes them.
        settle_s : float
            Virtual seconds after the last message in which answers are still delivered; a line that
            always has a request on its way ends there.

        Raises
        ------
        MmpipeError
            A stage does not come to rest, or the ring takes nothing although the stages emptied it.
        """
        start_s = time.perf_counter()
        row_count = message_count = first_ns = 0
        for chunk in chunks:
            inserted = np.isin(chunk["kind"], (EventKind.TIMER, EventKind.STATUS))
            row_count += len(chunk) - int(inserted.sum())
            for message in messages(chunk):
                first_ns = first_ns or int(message["local_ts_ns"][0])
                message_count += 1
                self._step(message)
        last_ns = self._clock.now_ns()
        self._deliver_until(last_ns + int(settle_s * NS_PER_S))
        return ReplayRun(row_count, message_count, time.perf_counter() - start_s, first_ns, last_ns)

    def _step(self, message: np.ndarray) -> None:
        ts_ns = int(message["local_ts_ns"][-1])
        # Answers due before the message are seen before it; at the same time, market data comes first.
        self._deliver_until(ts_ns - 1)
        self._clock.advance_to(ts_ns)
        self._exchange.on_events(message)
        start = 0
        while start < len(message):
            taken = self._publish(message[start:])
            if not taken and not self._poll():
                raise MmpipeError("replay: the event ring is full and no stage empties it; check its reader")
            start += taken
        self._poll()
        self._deliver_until(ts_ns)

    def _deliver_until(self, until_ns: int) -> None:
        while (due_ns := self._exchange.next_due_ns()) <= until_ns:
            self._clock.advance_to(due_ns)
            self._exchange.advance(due_ns)
            self._poll()

    def _poll(self) -> int:
        total = 0
        for _ in range(POLL_ROUNDS_MAX):
            work = sum(stage.poll() for stage in self._stages)
            if not work:
                return total
            total += work
        raise MmpipeError(f"replay: the stages did not come to rest in {POLL_ROUNDS_MAX} rounds")
