"""Between the decisions of execution and the venue: the journal first, the gate again, then the socket."""

from pathlib import Path

import numpy as np

from mmpipe.clock import Clock
from mmpipe.enums import AnswerKind, IntentKind
from mmpipe.execution.executor import Executor
from mmpipe.store.journal import Journal, JournalKind, read
from mmpipe.store.journal_format import RUN_ID_SIZE
from mmpipe.venue.port import OrderPort
from ringbuf import Histogram
from stages.gate import Gate
from stages.order_port import journal_path, next_epoch

# What a restart must know: trades, and which orders are over. Only trades have to be durable at once.
ENDINGS = (AnswerKind.FILLED, AnswerKind.CANCELLED, AnswerKind.REJECTED, AnswerKind.NOT_FOUND)
JOURNALLED = [int(kind) for kind in (AnswerKind.FILL, *ENDINGS)]


class OrderDesk:
    """Journal, gate and order port of one account.

    Attributes
    ----------
    epoch : int
        Of this life of execution; order ids begin with it.
    """

    def __init__(
        self, run_dir: Path, port: OrderPort, gate: Gate, clock: Clock, tick_to_order: Histogram
    ) -> None:
        path = journal_path(run_dir)
        self.epoch = next_epoch(path, clock)
        self._earlier = [rows for _, rows in read(path)] if path.exists() else []
        self._journal = Journal.open(path, run_dir.name[-RUN_ID_SIZE:])
        self._port, self._gate, self._clock, self._tick_to_order = port, gate, clock, tick_to_order

    def restore(self, executor: Executor) -> None:
        """Rebuild orders and positions from the journal of earlier lives."""
        executor.restore(self._earlier)
        self._earlier = []

    def answers(self) -> np.ndarray:
        """ANSWER rows since the last call; fills among them are durable when this returns."""
        answers = self._port.answers()
        if len(answers) == 0:
            return answers
        told = answers[np.isin(answers["kind"], JOURNALLED)]
        if len(told):
            self._journal.append(JournalKind.ANSWER, told)
        if (told["kind"] == int(AnswerKind.FILL)).any():
            self._journal.commit()
        return answers

    def send(self, executor: Executor) -> None:
        """Journal what was decided, look at the gate once more, and send what it still allows."""
        intents = executor.intents()
        if len(intents) == 0:
            return
        self._journal.append(JournalKind.INTENT, intents)
        self._journal.commit()
        executor.on_gate(*self._gate.read())
        intents = executor.still_allowed(intents, self._clock.now_ns())
        self._port.send(intents)
        placed = intents["kind"] == int(IntentKind.PLACE)  # a cancel carries the cause of its order
        for cause_ts_ns in intents["cause_ts_ns"][placed]:
            self._tick_to_order.record(self._clock.now_ns() - int(cause_ts_ns))

    def query(self, order_ids: np.ndarray) -> None:
        """Ask the venue about orders of unknown outcome."""
        if len(order_ids):
            self._port.query(order_ids)
