"""What a block did, told to whom it concerns: fills, orders that changed, positions that were liquidated."""

from typing import Any, Final

import numpy as np

from mmpipe.venue.sim import market as codes
from mmpipe.venue.sim.accounts import Account, Fill
from mmpipe.venue.sim.matching import shrink
from mmpipe.venue.sim.orders import Orders
from mmpipe.venue.sim.state import VenueState

STATUS_TEXT: Final = {
    codes.OPEN: "open",
    codes.FILLED: "filled",
    codes.CANCELED: "canceled",
    codes.SELF_TRADE_CANCELED: "selfTradeCanceled",
    codes.REDUCE_ONLY_CANCELED: "reduceOnlyCanceled",
    codes.LIQUIDATED_CANCELED: "liquidatedCanceled",
    codes.DELISTED_CANCELED: "delistedCanceled",
    codes.SCHEDULED_CANCELED: "scheduledCancel",
    codes.MARGIN_CANCELED: "marginCanceled",
}
_ASKED_FOR: Final = frozenset({"open", "filled", "canceled"})


def tell_owners(state: VenueState, orders: Orders) -> None:
    """Write the tapes of the block into the accounts and into `state.result`.

    Parameters
    ----------
    state : VenueState
        Its market's `fills` and `events` are read.
    orders : Orders
        Wakes or ends what depended on an order that ended.
    """
    market = state.market
    fills = market.fills[: int(market.header["fills"][0])]
    owned = (fills["maker_account"] >= state.first_user) | (fills["taker_account"] >= state.first_user)
    for row in fills[owned]:
        for maker, key in ((True, "maker_account"), (False, "taker_account")):
            account = state.by_index.get(int(row[key]))
            if account is not None:
                _book(state, account, row, maker)
    _tell_events(state, orders)
    for address, filled in state.result.user_fills.items():
        for symbol in {fill.symbol for fill in filled}:
            if _follow_position(state, state.accounts[address], symbol):
                _tell_events(state, orders)


def _tell_events(state: VenueState, orders: Orders) -> None:
    # The tape is read once: what following orders write is told in the next round.
    head = state.market.header
    events = state.market.events[: int(head["events"][0])].copy()
    head["events"] = 0
    for row in events[events["account"] >= state.first_user]:
        account = state.by_index[int(row["account"])]
        order = account.open.get(int(row["oid"]))
        if order is None:
            continue
        order.lots = int(row["lots"])
        status = STATUS_TEXT[int(row["status"])]
        if status != "open":
            account.close(order, status, state.ts_ms)
        state.tell(account, order)
        if status not in _ASKED_FOR:
            state.result.venue_cancels.setdefault(account.address, []).append(order)
        if status != "open":
            orders.follow(account, order)


def _follow_position(state: VenueState, account: Account, symbol: int) -> bool:
    # A resting reduce-only order is never larger than the position it reduces.
    lots = int(state.market.standings[account.index, symbol]["lots"])
    changed = False
    for order in list(account.open.values()):
        if order.reduce_only and order.symbol == symbol and order.trigger is None:
            left = max(-order.side * lots, 0)
            if order.lots > left:
                changed |= shrink(state.market, order.oid, left)
    return changed


def _book(state: VenueState, account: Account, row: np.void, maker: bool) -> None:
    who, side = ("maker", -int(row["side"])) if maker else ("taker", int(row["side"]))
    oid, lots, cause = int(row[f"{who}_oid"]), int(row["lots"]), int(row["cause"])
    symbol, tick = int(row["symbol"]), int(row["tick"])
    order = account.order(oid)
    start, closed, fee = (int(row[f"{who}_{key}"]) for key in ("start_lots", "closed", "fee"))
    cloid = order.cloid if order is not None else None
    fill = Fill(symbol, side, tick, lots, state.ts_ms, start, closed, fee, oid, int(row["tid"]), not maker,
                cloid, cause, _liquidated(state, row), state.mark_tick(symbol))  # fmt: skip
    account.fills.append(fill)
    account.volume_notional += tick * lots if cause in (codes.TRADED, codes.LIQUIDATED) else 0
    state.result.user_fills.setdefault(account.address, []).append(fill)
    if fill.liquidated == account.address:
        _note_liquidation(state, account, fill)
    if maker and order is not None and order.oid in account.open:
        order.lots -= lots
        if order.lots > 0:
            state.tell(account, order)


def _liquidated(state: VenueState, row: np.void) -> str:
    # Whose position a fill closed by force: the taker's in the book, the giver's outside it.
    cause = int(row["cause"])
    if cause == codes.TRADED:
        return ""
    who = "taker_account" if cause == codes.LIQUIDATED else "maker_account"
    return state.addresses[int(row[who])]


def _note_liquidation(state: VenueState, account: Account, fill: Fill) -> None:
    notional = fill.tick * fill.lots
    note = state.result.liquidated.setdefault(account.address, {"lid": fill.tid, "notional": 0})
    note["notional"] += notional
    delta: dict[str, Any] = {
        "type": "liquidation",
        "symbol": fill.symbol,
        "lots": fill.start_lots,
        "notional": notional,
    }
    account.ledger.append((state.ts_ms, delta))
