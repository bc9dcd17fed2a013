"""What the risk daemon decides: lease, pause, cancel-all, KILL. A pure fold over what it is told; no clock.

    own session: fills, orders, positions ─▶ accounts ─▶ limits ─────────┐
    REPORT: what execution believes ───────▶ compared with own ──────────┼─▶ RiskDecision
    HEARTBEAT: who is alive ───────────────▶ watchdog ───────────────────┘

- The lease is renewed only while the daemon itself knows the venue (session synced) and nothing is killed.
- A lost feed, features or alpha pauses the quoting; a lost execution also makes risk cancel everything.
- KILL is for what must not happen at all: a position over the limit, a loss over the limit, positions that
  disagree for longer than a reconciliation takes, or a person's word. It never ends by itself.
"""

from typing import Final, NamedTuple

import numpy as np

from mmpipe.boards import RISK_BOARD
from mmpipe.clock import NS_PER_MS, NS_PER_S
from mmpipe.config import Config
from mmpipe.enums import AnswerKind, CommandKind, Counter, Reason, ReportKind
from mmpipe.records import COMMAND, SYMBOLS_MAX
from mmpipe.risk.position import CLOSING, OPENING, SIDES, SymbolAccount
from mmpipe.risk.watchdog import EXECUTION_BIT, QUOTING_NEEDS, lost_stages
from mmpipe.units import usdc

CANCEL_INTERVAL_NS: Final = NS_PER_S  # the venue asks not to repeat a cancel that was answered
COMMAND_INTERVAL_NS: Final = NS_PER_S // 2  # a standing command is repeated for an execution that restarted
DOUBT_INTERVAL_NS: Final = NS_PER_S  # between looks while execution and venue disagree on a position
FRESH_INTERVALS: Final = 3  # reconciliations that may be late or lost before the venue counts as unknown
KNOWN_KINDS: Final = frozenset(int(kind) for kind in AnswerKind)
NO_COMMANDS: Final = np.zeros(0, COMMAND)


class RiskDecision(NamedTuple):
    """What the shell carries out."""

    lease_expires_ts_ns: int
    commands: np.ndarray  # (n,) COMMAND
    kill: int  # Reason, 0: not killed
    cancel_all: bool
    reconcile: bool


class RiskDaemon:
    """State of the daemon.

    Parameters
    ----------
    config : Config
        `[risk]` and the symbols.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Grid of each symbol.

    Attributes
    ----------
    counters : ndarray of int64, shape (len(Counter),)
        FILLS, REPORTS, COMMANDS, RECONCILIATIONS, DUPLICATES, BAD_NUMBER, CANCELS.
    """

    def __init__(self, config: Config, instruments: np.ndarray) -> None:
        self._risk = config.risk
        self._tick_px = [float(row["tick_px"]) for row in instruments]
        self._accounts = [SymbolAccount() for _ in instruments]
        self._believed = [0] * len(instruments)
        self._heard = [False] * len(instruments)
        self._differs_since_ns = [0] * len(instruments)
        self._boards = np.zeros(len(instruments), RISK_BOARD)
        self._synced = False
        self._synced_ts_ns = 0
        self._kill = Reason.NONE
        self._lost = 0
        self._pause = Reason.NONE
        self._commanded = Reason.NONE
        self._next_command_ns = self._next_cancel_ns = self._next_reconcile_ns = self._next_doubt_ns = 0
        self.counters = np.zeros(len(Counter), np.int64)

    def kill(self, reason: Reason) -> None:
        """Latch KILL; the first reason stays."""
        if self._kill == Reason.NONE:
            self._kill = reason

    def on_answers(self, rows: np.ndarray, now_ns: int) -> None:
        """ANSWER rows of risk's own session."""
        for row in rows:
            code, symbol = int(row["kind"]), int(row["symbol"])
            kind = AnswerKind(code) if code in KNOWN_KINDS else None
            if kind == AnswerKind.SYNCED:
                self._on_synced(now_ns)
            elif kind == AnswerKind.DISCONNECTED:
                self._synced = False
            elif kind is None or symbol >= len(self._accounts):
                self.counters[Counter.BAD_NUMBER] += 1
            else:
                self._on_symbol(kind, self._accounts[symbol], row)

    def on_reports(self, rows: np.ndarray, now_ns: int) -> None:
        """REPORT rows: what execution believes, to be compared, and its mids."""
        self.counters[Counter.REPORTS] += len(rows)
        for row in rows:
            symbol = int(row["symbol"])
            if symbol >= len(self._accounts):
                self.counters[Counter.BAD_NUMBER] += 1
                continue
            self._accounts[symbol].mark(float(row["mid_px"]))
            if int(row["kind"]) in (ReportKind.POSITION, ReportKind.FILL):
                self._believed[symbol], self._heard[symbol] = int(row["position_lots"]), True

    def on_heartbeats(self, beats: np.ndarray, now_ns: int) -> None:
        """Newest HEARTBEAT of each stage, indexed by StageId."""
        self._lost = int(lost_stages(beats, now_ns, self._risk.heartbeat_timeout_ms * NS_PER_MS))

    def tick(self, now_ns: int) -> RiskDecision:
        """Look at every limit and decide."""
        self._check_positions(now_ns)
        self._check_money()
        self._pause = self._why_paused(now_ns)
        commands = self._commands(now_ns)
        cancel_all = self._wants_cancel_all(now_ns)
        # In doubt about a position the venue is asked again at once, whatever the look weighs.
        in_doubt = any(self._differs_since_ns)
        reconcile = now_ns >= (self._next_doubt_ns if in_doubt else self._next_reconcile_ns)
        if reconcile:
            self._next_reconcile_ns = now_ns + int(self._risk.reconcile_interval_s * NS_PER_S)
            self._next_doubt_ns = now_ns + DOUBT_INTERVAL_NS
        leased = self._is_fresh(now_ns) and self._kill == Reason.NONE
        expires_ns = now_ns + self._risk.lease_ms * NS_PER_MS if leased else 0
        self._fill_boards(now_ns)
        return RiskDecision(expires_ns, commands, int(self._kill), cancel_all, reconcile)

    def board(self, symbol: int) -> np.ndarray:
        """RISK_BOARD of a symbol, shape (1,), a view."""
        return self._boards[symbol : symbol + 1]

    def _on_symbol(self, kind: AnswerKind, account: SymbolAccount, row: np.void) -> None:
        if kind == AnswerKind.FILL:
            if int(row["side"]) not in SIDES or not int(row["qty_lots"]) > 0:
                self.counters[Counter.BAD_NUMBER] += 1
            elif account.on_fill(row):
                self.counters[Counter.FILLS] += 1
            else:
                self.counters[Counter.DUPLICATES] += 1
        elif kind == AnswerKind.POSITION:
            account.on_position(int(row["qty_lots"]))
        elif kind in OPENING:
            account.orders.add(int(row["oid"]))
            account.listed.add(int(row["oid"]))
        elif kind in CLOSING:
            account.orders.discard(int(row["oid"]))

    def _on_synced(self, now_ns: int) -> None:
        # An order the venue did not list is gone, whatever was heard of it before.
        self._synced, self._synced_ts_ns = True, now_ns
        self.counters[Counter.RECONCILIATIONS] += 1
        for account in self._accounts:
            account.synced = True
            account.orders &= account.listed
            account.listed = set()

    def _check_positions(self, now_ns: int) -> None:
        patience_ns = self._risk.mismatch_patience_ms * NS_PER_MS
        for symbol, account in enumerate(self._accounts):
            comparable = self._synced and self._heard[symbol] and not self._lost & EXECUTION_BIT
            if not comparable or self._believed[symbol] == account.position_lots:
                self._differs_since_ns[symbol] = 0
            elif self._differs_since_ns[symbol] == 0:
                self._differs_since_ns[symbol] = now_ns
            elif now_ns - self._differs_since_ns[symbol] > patience_ns:
                self.kill(Reason.POSITION_MISMATCH)

    def _check_money(self) -> None:
        gross = equity = 0.0
        for account, tick_px in zip(self._accounts, self._tick_px, strict=True):
            notional = usdc(account.notional_cash(tick_px))
            gross += notional
            equity += usdc(account.equity_cash(tick_px))
            if not notional <= self._risk.position_usdc_max:
                self.kill(Reason.LIMIT_POSITION)
        if not gross <= self._risk.gross_usdc_max:
            self.kill(Reason.LIMIT_NOTIONAL)
        if not -equity <= self._risk.loss_usdc_max:
            self.kill(Reason.LIMIT_LOSS)

    def _is_fresh(self, now_ns: int) -> bool:
        # A session that is up and silent knows as little as one that is down.
        age_max_ns = FRESH_INTERVALS * int(self._risk.reconcile_interval_s * NS_PER_S)
        return self._synced and now_ns - self._synced_ts_ns <= age_max_ns

    def _why_paused(self, now_ns: int) -> Reason:
        if self._kill != Reason.NONE:
            return Reason.KILLED
        if not self._is_fresh(now_ns):
            return Reason.VENUE_SESSION_LOST
        if self._lost & (QUOTING_NEEDS | EXECUTION_BIT):
            return Reason.HEARTBEAT_LOST
        return Reason.NONE

    def _commands(self, now_ns: int) -> np.ndarray:
        changed = self._pause != self._commanded
        if not changed and (self._pause == Reason.NONE or now_ns < self._next_command_ns):
            return NO_COMMANDS
        self._commanded = self._pause
        self._next_command_ns = now_ns + COMMAND_INTERVAL_NS
        row = np.zeros(1, COMMAND)
        row["ts_ns"], row["symbol"], row["reason"] = now_ns, SYMBOLS_MAX, int(self._pause)
        row["kind"] = int(CommandKind.RESUME if self._pause == Reason.NONE else CommandKind.PAUSE)
        self.counters[Counter.COMMANDS] += 1
        return row

    def _wants_cancel_all(self, now_ns: int) -> bool:
        execution_lost = bool(self._lost & EXECUTION_BIT)
        anything = any(account.orders for account in self._accounts) or not self._synced
        if not (self._kill != Reason.NONE or execution_lost) or not anything or now_ns < self._next_cancel_ns:
            return False
        self._next_cancel_ns = now_ns + CANCEL_INTERVAL_NS
        self._next_reconcile_ns = 0  # verify at once
        self.counters[Counter.CANCELS] += 1
        return True

    def _fill_boards(self, now_ns: int) -> None:
        for symbol, (account, tick_px) in enumerate(zip(self._accounts, self._tick_px, strict=True)):
            board = self._boards[symbol]
            board["ts_ns"], board["symbol"] = now_ns, symbol
            board["paused"] = int(self._pause != Reason.NONE)
            board["reconciled"] = int(self._synced)
            board["position_lots"], board["fills"] = account.position_lots, account.fills
            board["open_orders"] = len(account.orders)
            board["equity_cash"] = account.equity_cash(tick_px)
            board["notional_cash"] = account.notional_cash(tick_px)
