"""The work of the execution stage: judgements, answers, commands, time in; INTENT, REPORT, contexts out.

A thin owner of the ledger and the desk; all arithmetic is in the kernels. Nothing is placed unless the venue
was reconciled since the session began, risk's lease is fresh, nothing is killed, paused or stopping, and the
report rings have room. Why is a Reason, shown per side on BOARD.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from mmpipe.boards import BOARD
from mmpipe.clock import NS_PER_MS, NS_PER_S
from mmpipe.config import Config
from mmpipe.enums import CommandKind, Counter, IntentKind, OrderStatus, Reason
from mmpipe.execution.answers import apply_answers
from mmpipe.execution.decision import DESK, decide, new_desk
from mmpipe.execution.orders import CONTEXTS, INTENTS, LEDGER, OUTGOING, REPORTS, new_ledger
from mmpipe.execution.upkeep import (
    fill_board,
    keep_up,
    live_count,
    report_positions,
    restore_intents,
    unknown_count,
    withdraw,
)
from mmpipe.models.ablation import hold_params
from mmpipe.models.model_set import ModelSet, load_model_set
from mmpipe.models.parameters import take_params
from mmpipe.records import ANSWER, FORECAST, INTENT
from ringbuf.jit import entry, example

POSITION_INTERVAL_NS: Final = NS_PER_S
# Risk owns the position or nobody may; any other pause leaves the exits, or it would leave us stuck.
CANCEL_ALL_REASONS: Final = frozenset({Reason.KILLED, Reason.STOPPING, Reason.NO_LEASE})
RECONCILE_INTERVAL_NS: Final = NS_PER_S
NO_IDS: Final = np.zeros(0, np.int64)


class Executor:
    """Orders and positions of one account.

    Parameters
    ----------
    config : Config
        Quotes, limits, timeouts.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Grid of each symbol.
    epoch : int
        Of this life; order ids begin with it.
    chosen : ModelSet, optional
        What decides; None: what the configuration names.

    Attributes
    ----------
    counters : ndarray of int64, shape (len(Counter),)
        ORDERS, CANCELS, FILLS, REPORTS, REJECTS, UNKNOWN_OUTCOMES, PARAMS_APPLIED and more.
    """

    def __init__(
        self, config: Config, instruments: np.ndarray, epoch: int, chosen: ModelSet | None = None
    ) -> None:
        chosen = chosen or load_model_set(config.models)
        self._ledger = new_ledger(config, instruments, epoch)
        self._without = chosen.without
        self._desk = new_desk(config, chosen.models)
        self._params = self._desk["params"][0, : len(instruments)]
        self._states = self._desk["states"][0]
        self._session = self._ledger["session"]
        hold_params(self._params, self._without)
        self._out = np.zeros(1, OUTGOING)
        self._counts = self._out["counts"][0]
        self._age_max_ns = config.execution.forecast_age_max_ms * NS_PER_MS
        self._ask_ns = config.execution.answer_timeout_ms * NS_PER_MS
        self._unknown_max = config.risk.unknown_max
        self._killed = self._full = self._stopping = False
        self._lease_ts_ns = self._next_reconcile_ns = self._next_position_ns = 0
        self._pause = self._reduce = Reason.NONE
        self._boards = np.zeros(len(instruments), BOARD)
        self._boards["models_id"] = chosen.models["models_id"]
        self._kept: list[np.ndarray] = []  # reports that made room for more
        self._made = tuple(self._out[name][0] for name in ("reports", "contexts", "intents"))
        self._none = tuple(rows[:0].copy() for rows in self._made)
        self.counters = self._ledger["counters"][0]
        ledger, desk, out = self._ledger, self._desk, self._out
        self._decide = entry(decide, np.zeros(1, FORECAST), ledger, desk, 0, 0, 0, out)
        self._keep_up = entry(keep_up, ledger, desk, 0, False, 0, 0, out)
        self._unknown_count = entry(unknown_count, ledger)
        self._fill_board = entry(fill_board, ledger, desk, 0, self._boards)

    def restore(self, entries: Iterable[np.ndarray]) -> None:
        """Fold the journal of earlier lives: INTENT and ANSWER rows, in order.

        Orders come back as of unknown outcome and to be cancelled; positions as what the fills add up to.
        """
        for rows in entries:
            if rows.dtype == INTENT:
                restore_intents(self._ledger, rows.copy())
            elif rows.dtype == ANSWER:
                self._apply(rows.copy(), 0)
                self._counts[:] = 0
                self._kept.clear()
        self.counters[:] = 0

    def on_params(self, rows: np.ndarray) -> None:
        """PARAMS rows: learned parameters that replace the priors; a value that cannot be is refused."""
        take_params(self._params, rows, self.counters)
        hold_params(self._params, self._without)

    def on_command(self, rows: np.ndarray) -> None:
        """COMMAND rows of risk."""
        for row in rows:
            kind, reason = int(row["kind"]), Reason(int(row["reason"]))
            self.counters[Counter.COMMANDS] += 1
            if kind == CommandKind.PAUSE:
                self._pause = reason or Reason.PAUSED_BY_RISK
            elif kind == CommandKind.REDUCE:
                self._reduce = reason or Reason.PAUSED_BY_RISK
            else:
                self._pause = self._reduce = Reason.NONE

    def on_gate(self, killed: bool, lease_expires_ts_ns: int) -> None:
        """KILL and LEASE as risk last wrote them."""
        self._killed, self._lease_ts_ns = killed, lease_expires_ts_ns

    def on_backpressure(self, full: bool) -> None:
        """While a report ring is full nothing new is placed."""
        self._full = full

    def begin_stop(self) -> None:
        """Place nothing more and cancel what rests."""
        self._stopping = True

    @property
    def stopped(self) -> bool:
        """True when a stop was asked for and nothing may rest any more."""
        return self._stopping and int(live_count(self._ledger)) == 0

    def on_answers(self, rows: np.ndarray, now_ns: int) -> None:
        """ANSWER rows of the session, in order of arrival."""
        self._apply(np.ascontiguousarray(rows), now_ns)

    def on_forecast(self, row: np.ndarray, now_ns: int) -> None:
        """The newest FORECAST of a symbol, shape (1,)."""
        if not int(row["symbol"][0]) < len(self._boards):
            self.counters[Counter.BAD_NUMBER] += 1
            return
        block = int(self.block_reason(now_ns))
        self._decide(row, self._ledger, self._desk, block, int(self._reduce), now_ns, self._out)

    def on_timer(self, now_ns: int) -> None:
        """Whatever time alone does."""
        block = self.block_reason(now_ns)
        everything = block in CANCEL_ALL_REASONS
        reason = block if everything or self._pause != Reason.NONE else Reason.NONE
        self._keep_up(
            self._ledger, self._desk, int(reason), not everything, self._age_max_ns, now_ns, self._out
        )  # fmt: skip
        for index in range(len(self._boards)):
            state = self._states[index]
            if block != Reason.NONE and state["bid_reason"] in (Reason.NONE, Reason.QUOTING):
                state["bid_reason"] = state["ask_reason"] = int(block)
        if now_ns >= self._next_position_ns:
            self._next_position_ns = now_ns + POSITION_INTERVAL_NS
            report_positions(self._ledger, now_ns, self._out)

    def block_reason(self, now_ns: int) -> Reason:
        """Why nothing may be placed; NONE when it may."""
        if self._killed:
            return Reason.KILLED
        if self._stopping:
            return Reason.STOPPING
        if not self._session["synced"][0]:
            return Reason.NOT_RECONCILED
        if self._pause != Reason.NONE:
            return self._pause
        if not now_ns < self._lease_ts_ns:
            return Reason.NO_LEASE
        if self._full:
            return Reason.REPORT_RING_FULL
        if self._unknown_count(self._ledger) > self._unknown_max:
            return Reason.UNKNOWN_ORDERS
        return Reason.NONE

    def wants_reconciliation(self, now_ns: int) -> bool:
        """True, at the most once a second, while the last reconciliation left a position in doubt."""
        if not self._session["mismatch"][0] or now_ns < self._next_reconcile_ns:
            return False
        self._next_reconcile_ns = now_ns + RECONCILE_INTERVAL_NS
        return True

    def intents(self) -> np.ndarray:
        """INTENT rows decided since the last call, a copy: to be journalled, then sent."""
        return self._take(INTENTS)

    def still_allowed(self, intents: np.ndarray, now_ns: int) -> np.ndarray:
        """What may still be sent after the journal: all CANCELs, PLACEs only while the gate is open."""
        if not self._killed and now_ns < self._lease_ts_ns:
            return intents
        reason = Reason.KILLED if self._killed else Reason.NO_LEASE
        placing = intents["kind"] == int(IntentKind.PLACE)
        for order_id in intents["order_id"][placing].tolist():
            withdraw(self._ledger, order_id, int(reason), now_ns, self._out)
        return intents[~placing]

    def reports(self) -> np.ndarray:
        """REPORT rows since the last call, a copy."""
        newest = self._take(REPORTS)
        if not self._kept:
            return newest
        kept, self._kept = [*self._kept, newest], []
        return np.concatenate(kept)

    def fill_contexts(self) -> np.ndarray:
        """FILL_CONTEXT rows since the last call, a copy."""
        return self._take(CONTEXTS)

    def unknown_order_ids(self, now_ns: int) -> np.ndarray:
        """Orders of unknown outcome to ask the venue about now, (n,) int64; each again after a timeout."""
        if self._unknown_count(self._ledger) == 0:
            return NO_IDS
        orders = self._ledger["orders"][0]
        due = (orders["status"] == int(OrderStatus.UNKNOWN)) & (orders["order_id"] != 0)
        due &= (orders["asked_ts_ns"] == 0) | (now_ns - orders["asked_ts_ns"] >= self._ask_ns)
        orders["asked_ts_ns"][due] = now_ns
        return orders["order_id"][due].copy()

    def board(self, symbol: int) -> np.ndarray:
        """BOARD of a symbol, shape (1,), a view that is overwritten by the next call."""
        self._fill_board(self._ledger, self._desk, symbol, self._boards)
        return self._boards[symbol : symbol + 1]

    def _apply(self, rows: np.ndarray, now_ns: int) -> None:
        index = 0
        while index < len(rows):
            before = index
            index = int(apply_answers(rows, index, self._ledger, self._out, now_ns))
            assert index > before or self._counts[REPORTS], "answers need room for their reports"
            if index < len(rows):
                self._kept.append(self._take(REPORTS))

    def _take(self, which: int) -> np.ndarray:
        count = int(self._counts[which])
        if count == 0:
            return self._none[which]
        self._counts[which] = 0
        return self._made[which][:count].copy()


@example(decide)
def _decide_example() -> tuple[object, ...]:
    return np.zeros(1, FORECAST), np.zeros(1, LEDGER), np.zeros(1, DESK), 1, 0, 1, np.zeros(1, OUTGOING)


@example(apply_answers)
def _apply_answers_example() -> tuple[object, ...]:
    return np.zeros(1, ANSWER), 0, np.zeros(1, LEDGER), np.zeros(1, OUTGOING), 1


@example(keep_up)
def _keep_up_example() -> tuple[object, ...]:
    return np.zeros(1, LEDGER), np.zeros(1, DESK), 0, True, 1, 1, np.zeros(1, OUTGOING)


@example(report_positions)
def _report_positions_example() -> tuple[object, ...]:
    return np.zeros(1, LEDGER), 1, np.zeros(1, OUTGOING)


@example(restore_intents)
def _restore_intents_example() -> tuple[object, ...]:
    return np.zeros(1, LEDGER), np.zeros(1, INTENT)


@example(withdraw)
def _withdraw_example() -> tuple[object, ...]:
    return np.zeros(1, LEDGER), 1, 1, 1, np.zeros(1, OUTGOING)


@example(unknown_count)
@example(live_count)
def _count_example() -> tuple[object, ...]:
    return (np.zeros(1, LEDGER),)


@example(fill_board)
def _fill_board_example() -> tuple[object, ...]:
    return np.zeros(1, LEDGER), np.zeros(1, DESK), 0, np.zeros(1, BOARD)
