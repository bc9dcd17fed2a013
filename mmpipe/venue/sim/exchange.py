"""The embedded exchange without sockets: accounts and checks around the matching kernels, block by block.

    signed action ──admit──▶ pending ──run_block──▶ 1 post-only  2 cancels  [providers]  3 the rest  [takers]
                                                    └─▶ answers, fills, order updates of the block

Within a block post-only orders come first, then cancels, then orders that may take, as on the venue. The
checks and their texts are the venue's. Margin is simple: ten times leverage over the worst case of position
and resting orders at the mid price. There is no funding, no liquidation and no rate limit.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from mmpipe.clock import NS_PER_MS
from mmpipe.errors import VenueError
from mmpipe.units import CASH_PER_USDC
from mmpipe.venue.hyperliquid_signing import recover_l1
from mmpipe.venue.sim import market as codes
from mmpipe.venue.sim.accounts import Account, Answer, Fill, NonceWindow, Order
from mmpipe.venue.sim.crowd import ACCOUNTS_PER_SYMBOL, new_crowd
from mmpipe.venue.sim.flow import quote_block, take_block
from mmpipe.venue.sim.instruments import coins_of, start_table
from mmpipe.venue.sim.matching import best_tick, process
from mmpipe.venue.sim.order_checks import (
    GONE,
    OPEN_ORDERS_MAX,
    REFUSED_STATUS,
    Checked,
    Refusal,
    affords,
    check_order,
    matched_refusal,
    placed_item,
    refused_item,
)
from mmpipe.venue.sim.scenarios import load_scenario
from mmpipe.venue.sim.settings import VenueSettings
from mmpipe.venue.sim.wire import (
    Action,
    CancelAction,
    Envelope,
    OrderAction,
    OrderWire,
    action_of,
    is_post_only,
)

MAKER_FEE_PPM: Final = 150  # 1.5 bps
TAKER_FEE_PPM: Final = 450  # 4.5 bps
ITEMS_MAX: Final = 200
PENDING_MAX: Final = 4_096

STATUS_TEXT: Final = {
    codes.OPEN: "open",
    codes.FILLED: "filled",
    codes.CANCELED: "canceled",
    codes.SELF_TRADE_CANCELED: "selfTradeCanceled",
    codes.REDUCE_ONLY_CANCELED: "reduceOnlyCanceled",
}

Done = Callable[[Answer], None]


@dataclass(slots=True)
class Pending:
    """An admitted action that waits for its block."""

    account: Account
    action: Action
    expires_ms: int | None
    done: Done


@dataclass(slots=True)
class BlockResult:
    """What a block changed that somebody may want to hear of."""

    ts_ms: int
    fills: np.ndarray  # (n,) FILL, valid until the next block
    answers: list[tuple[Done, Answer]] = field(default_factory=list)
    updates: dict[str, list[Order]] = field(default_factory=dict)  # by address, a copy per change
    user_fills: dict[str, list[Fill]] = field(default_factory=dict)


class Exchange:
    """One market with its accounts.

    Parameters
    ----------
    settings : VenueSettings
        Host and port are not used here.
    first_serial : int
        Order and trade numbers start above it, so that a restarted exchange does not repeat itself.
    """

    def __init__(self, settings: VenueSettings, first_serial: int) -> None:
        self.settings = settings
        self.scenario = load_scenario(settings.scenario)
        self.coins = coins_of(settings.coins, settings.leads)
        self.symbol_of = {coin.name: i for i, coin in enumerate(self.coins)}
        crowd_accounts = 1 + ACCOUNTS_PER_SYMBOL * len(self.coins)
        masters = [address.lower() for address in settings.accounts]
        self.market = codes.new_market(
            len(self.coins), crowd_accounts + len(masters), MAKER_FEE_PPM, TAKER_FEE_PPM
        )
        self.market.header["serial"] = first_serial
        self.market.header["tid"] = first_serial
        self.crowd = new_crowd(
            settings.seed, settings.block_ms, self.scenario.phases, start_table(self.coins)
        )
        self.deposit_cash = round(settings.deposit_usdc * CASH_PER_USDC)
        self.market.cash[crowd_accounts:] = self.deposit_cash
        self.accounts = {
            address: Account(crowd_accounts + i, address, np.zeros(len(self.coins), np.int64))
            for i, address in enumerate(masters)
        }
        self.addresses = [f"0x{i:040x}" for i in range(crowd_accounts)] + masters
        self._signers = {address: self.accounts[address] for address in masters}
        for agent, master in settings.agents.items():
            self._signers[agent.lower()] = self.accounts[master.lower()]
        self._nonces: dict[str, NonceWindow] = {address: NonceWindow() for address in self._signers}
        self._first_user = crowd_accounts
        self._pending: list[Pending] = []
        self._request = np.zeros(1, codes.REQUEST)
        process(self.market, self._request, 0)  # compiled before the first order waits for it
        self.mark_ticks = start_table(self.coins)[:, 0].astype(np.int64)
        self.ts_ms = 0
        self.phase_log: list[dict[str, Any]] = []

    def admit(self, envelope: Envelope, wall_ms: int, done: Done) -> Answer | None:
        """Check who signed and queue the action for the next block.

        Parameters
        ----------
        envelope : Envelope
            The request as sent.
        wall_ms : int
            Wall clock.
        done : callable
            Called with the answer after the block.

        Returns
        -------
        dict or None
            The refusal, when there is nothing to wait for.

        Raises
        ------
        msgspec.ValidationError
            If the action is none this exchange knows.
        """
        try:
            candidates = recover_l1(
                envelope.signature,
                envelope.action,
                envelope.nonce,
                envelope.vaultAddress,
                envelope.expiresAfter,
            )
        except VenueError:
            return refusal("Unable to recover signer.")
        signer = next((address for address in candidates if address in self._signers), None)
        if signer is None:
            return refusal(f"User or API Wallet {candidates[1]} does not exist.")
        account = self._signers[signer]
        vault = envelope.vaultAddress
        if vault is not None and "0x" + vault.lower().removeprefix("0x") != account.address:
            return refusal(f"Vault not registered: {vault}")
        action = action_of(envelope.action)
        items = action.orders if isinstance(action, OrderAction) else action.cancels
        if len(items) > ITEMS_MAX:
            return refusal(f"Signed action over weight limit of {ITEMS_MAX}.")
        if len(self._pending) >= PENDING_MAX:
            return refusal("Too many requests in one block.")
        refused = self._nonces[signer].refuse(envelope.nonce, wall_ms)
        if refused is not None:
            return refusal(refused)
        self._pending.append(Pending(account, action, envelope.expiresAfter, done))
        return None

    def run_block(self, ts_ms: int) -> BlockResult:
        """Process everything that is pending and let the crowd act once.

        Parameters
        ----------
        ts_ms : int
            Venue time; it never goes back.
        """
        self.ts_ms = max(ts_ms, self.ts_ms)
        head = self.market.header
        head["ts_ns"] = self.ts_ms * NS_PER_MS
        head["fills"] = 0
        head["events"] = 0
        pending, self._pending = self._pending, []
        answered: dict[int, Answer] = {}
        first = [p for p in pending if is_post_only(p.action)]
        second = [p for p in pending if not isinstance(p.action, OrderAction)]
        third = [p for p in pending if isinstance(p.action, OrderAction) and not is_post_only(p.action)]
        for each in (*first, *second):
            answered[id(each)] = self._apply(each)
        quote_block(self.market, self.crowd)
        for each in third:
            answered[id(each)] = self._apply(each)
        take_block(self.market, self.crowd)
        self._mark()
        self._log_phase()
        result = BlockResult(self.ts_ms, self.market.fills[: int(head["fills"][0])])
        result.answers = [(each.done, answered[id(each)]) for each in pending]
        self._tell_owners(result)
        return result

    def state_hash(self) -> str:
        """Digest of every array of market and crowd; equal for equal seeds and equal actions."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (*self.market[:-2], *self.crowd):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def _apply(self, pending: Pending) -> Answer:
        action, account = pending.action, pending.account
        if pending.expires_ms is not None and self.ts_ms > pending.expires_ms:
            return refusal("Action already expired")
        if isinstance(action, OrderAction):
            statuses = [self._place(account, wire) for wire in action.orders]
            return _success("order", statuses)
        if isinstance(action, CancelAction):
            cancelled = [self._cancel(account, wire.a, wire.o) for wire in action.cancels]
        else:
            cancelled = [self._cancel_cloid(account, wire.asset, wire.cloid) for wire in action.cancels]
        return _success("cancel", cancelled)

    def _place(self, account: Account, wire: OrderWire) -> Any:
        if not 0 <= wire.a < len(self.coins):
            return refused_item("Invalid asset.", wire.a)
        checked = self._check(account, wire)
        if isinstance(checked, Refusal):
            self._remember_refused(account, wire, checked.status)
            return refused_item(checked.text, wire.a)
        bbo = (best_tick(self.market, wire.a, 1), best_tick(self.market, wire.a, -1))
        row = self._request
        row["kind"] = codes.PLACE
        row["account"] = account.index
        row["symbol"] = wire.a
        row["side"] = checked.side
        row["tif"] = checked.tif
        row["reduce_only"] = wire.r
        row["tick"] = checked.tick
        row["lots"] = checked.lots
        process(self.market, row, 1)
        status = int(row["status"][0])
        order = self._register(account, wire, status)
        coin = self.coins[wire.a]
        if status in REFUSED_STATUS:
            return refused_item(matched_refusal(status, coin, *bbo), wire.a)
        return placed_item(order, status, int(row["filled_lots"][0]), int(row["filled_notional"][0]), coin)

    def _check(self, account: Account, wire: OrderWire) -> Checked | Refusal:
        positions = self.market.positions[account.index]
        mark_tick = int(self.mark_ticks[wire.a])
        checked = check_order(self.coins[wire.a], wire, mark_tick, int(positions[wire.a]))
        if isinstance(checked, Refusal):
            return checked
        if wire.c is not None and wire.c in account.oid_of_cloid:
            return Refusal(f"Duplicate cloid {wire.c}.", "rejected")
        if len(account.open) >= OPEN_ORDERS_MAX:
            return Refusal("Too many open orders.", "tooManyOpenOrdersRejected")
        cash = int(self.market.cash[account.index])
        if not affords(account, cash, positions, self.mark_ticks, wire.a, checked):
            return Refusal("Insufficient margin to place order.", "perpMarginRejected")
        return checked

    def _register(self, account: Account, wire: OrderWire, status: int) -> Order:
        row = self._request[0]
        lots = int(row["lots"])
        order = Order(int(row["oid"]), wire.a, int(row["side"]), int(row["tick"]), lots, lots,
                      wire.t.limit.tif, wire.r, wire.c, self.ts_ms, "open", self.ts_ms)  # fmt: skip
        if wire.c is not None:
            account.oid_of_cloid[wire.c] = order.oid
        account.open[order.oid] = order
        if status in REFUSED_STATUS:
            account.close(order, REFUSED_STATUS[status], self.ts_ms)
        else:
            order.lots -= int(row["filled_lots"])
        return order

    def _remember_refused(self, account: Account, wire: OrderWire, status: str) -> None:
        self.market.header["serial"] += 1
        oid = int(self.market.header["serial"][0]) * codes.ORDERS_MAX
        order = Order(oid, wire.a, 1 if wire.b else -1, 0, 0, 0, wire.t.limit.tif, wire.r, wire.c,
                      self.ts_ms, status, self.ts_ms)  # fmt: skip
        if wire.c is not None and wire.c not in account.oid_of_cloid:
            account.oid_of_cloid[wire.c] = oid
        account.close(order, status, self.ts_ms)

    def _cancel(self, account: Account, asset: int, oid: int) -> Any:
        order = account.open.get(oid)
        if order is None or order.symbol != asset:
            return refused_item(GONE, asset)
        row = self._request
        row["kind"] = codes.CANCEL
        row["account"] = account.index
        row["oid"] = oid
        process(self.market, row, 1)
        if row["status"][0] != codes.CANCELED:
            return refused_item(GONE, asset)
        return "success"

    def _cancel_cloid(self, account: Account, asset: int, cloid: str) -> Any:
        return self._cancel(account, asset, account.oid_of_cloid.get(cloid, 0))

    def _mark(self) -> None:
        for symbol in range(len(self.coins)):
            bid, ask = best_tick(self.market, symbol, 1), best_tick(self.market, symbol, -1)
            if bid and ask:
                self.mark_ticks[symbol] = (bid + ask) // 2

    def _log_phase(self) -> None:
        # Labels for those who judge a run; the current phase has no end yet.
        clock = self.crowd.clock[0]
        if len(self.phase_log) == int(clock["phases_begun"]):
            return
        if self.phase_log:
            self.phase_log[-1]["end"] = self.ts_ms
        name = self.scenario.phase_names[int(clock["phase"])]
        self.phase_log.append({"name": name, "start": self.ts_ms, "end": None})

    def _tell_owners(self, result: BlockResult) -> None:
        by_index = {account.index: account for account in self.accounts.values()}
        for row in result.fills:
            for maker, account_key in ((True, "maker_account"), (False, "taker_account")):
                account = by_index.get(int(row[account_key]))
                if account is not None:
                    self._book(account, row, maker, result)
        events = self.market.events[: int(self.market.header["events"][0])]
        for row in events[events["account"] >= self._first_user]:
            account = by_index[int(row["account"])]
            order = account.open.get(int(row["oid"]))
            if order is not None:
                order.lots = int(row["lots"])
                status = STATUS_TEXT[int(row["status"])]
                if status != "open":
                    account.close(order, status, self.ts_ms)
                self._update(account, order, result)

    def _book(self, account: Account, row: np.void, maker: bool, result: BlockResult) -> None:
        side = int(row["side"]) * (-1 if maker else 1)
        who = "maker" if maker else "taker"
        oid, lots, start = int(row[f"{who}_oid"]), int(row["lots"]), int(row[f"{who}_start_lots"])
        symbol, tick = int(row["symbol"]), int(row["tick"])
        closed = account.book_fill(symbol, side, tick, lots, start)
        order = account.order(oid)
        fill = Fill(symbol, side, tick, lots, self.ts_ms, start, closed, int(row[f"{who}_fee"]), oid,
                    int(row["tid"]), not maker, order.cloid if order else None)  # fmt: skip
        account.fills.append(fill)
        result.user_fills.setdefault(account.address, []).append(fill)
        if maker and order is not None:
            order.lots -= lots
            if order.lots > 0:
                self._update(account, order, result)

    def _update(self, account: Account, order: Order, result: BlockResult) -> None:
        result.updates.setdefault(account.address, []).append(replace(order))


def refusal(text: str) -> Answer:
    """Answer to an action that was refused as a whole."""
    return {"status": "err", "response": text}


def _success(kind: str, statuses: list[Any]) -> Answer:
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": statuses}}}
