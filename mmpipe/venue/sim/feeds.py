"""The maker market's WebSocket channels: what a block, and what time, sends to whom.

A topic is what a frame is encoded for once: ("bbo", coin), ("trades", coin),
("l2Book", coin, fast, grouping), ("candle", coin, interval), ("activeAssetCtx", coin), ("allMids",), and
(channel, address) of a user.
"""

from typing import Any, Final

import msgspec

from mmpipe.units import tick_step
from mmpipe.venue import hyperliquid_messages as wire
from mmpipe.venue.sim.account_info import active_asset_view
from mmpipe.venue.sim.candles import INTERVAL_MIN
from mmpipe.venue.sim.delivery import Delivery
from mmpipe.venue.sim.faults import Faults
from mmpipe.venue.sim.info_request import Desk
from mmpipe.venue.sim.instruments import Coin
from mmpipe.venue.sim.market import BACKSTOP_ACCOUNT
from mmpipe.venue.sim.matching import best_tick
from mmpipe.venue.sim.state import BlockResult
from mmpipe.venue.sim.views import (
    account_view,
    bbo_view,
    book_view,
    context_view,
    fill_view,
    full_order_view,
    funding_view,
    grouped_book_view,
    ledger_view,
    mids_view,
    update_view,
)
from mmpipe.venue.sim.wire import text_of

GHOST_STEPS: Final = 3  # a ghost bid stands so many ticks above the best ask
_encode = msgspec.json.Encoder().encode


class Feeds:
    """Channels of one exchange.

    Parameters
    ----------
    desk : Desk
        State and history, read only.
    delivery : Delivery
        Where frames go.
    faults : Faults
        For levels that are not there.
    """

    def __init__(self, desk: Desk, delivery: Delivery, faults: Faults) -> None:
        self._desk = desk
        self._state = desk.state
        self._delivery = delivery
        self._faults = faults
        self._bbo = [bbo_view(desk.state, symbol).bbo for symbol in range(len(desk.state.coins))]
        self._groupings: set[tuple[Any, ...]] = set()

    def publish_block(self, result: BlockResult) -> None:
        """Send trades, changed best quotes and user messages of one block."""
        fresh = self._desk.history.add(result)
        for symbol, (coin, trades) in enumerate(zip(self._state.coins, fresh, strict=True)):
            if trades:
                self._put(("trades", coin.name), "trades", lambda trades=trades: trades)
                self._put_candles(coin, symbol)
            view = bbo_view(self._state, symbol)
            if view.bbo != self._bbo[symbol]:
                self._bbo[symbol] = view.bbo
                self._put(("bbo", coin.name), "bbo", lambda view=view: view)
        self._publish_users(result)

    def publish_books(self, fast: bool) -> None:
        """Send every l2Book somebody listens to of one cadence."""
        for symbol, coin in enumerate(self._state.coins):
            self._put(("l2Book", coin.name, fast, None), "l2Book",
                      lambda symbol=symbol: self.book(symbol, fast, None))  # fmt: skip
        for topic in () if fast else [t for t in self._groupings if self._delivery.wanted(t)]:
            symbol = self._state.symbol_of[topic[1]]
            self._put(topic, "l2Book", lambda symbol=symbol, topic=topic: self.book(symbol, False, topic[3]))

    def publish_contexts(self) -> None:
        """Send the asset context of every coin."""
        for symbol, coin in enumerate(self._state.coins):
            self._put(("activeAssetCtx", coin.name), "activeAssetCtx", lambda s=symbol: self.context(s))

    def publish_states(self) -> None:
        """Send mids, and what user channels repeat by time."""
        self._put(("allMids",), "allMids", lambda: {"mids": mids_view(self._state)})
        self._put(("allDexsAssetCtxs",), "allDexsAssetCtxs", self.all_contexts)
        for address in self._state.accounts:
            for channel in ("clearinghouseState", "openOrders"):
                self._put((channel, address), channel, lambda c=channel, a=address: self.user_state(c, a))
            for symbol, coin in enumerate(self._state.coins):
                self._put(("activeAssetData", coin.name, address), "activeAssetData",
                          lambda a=address, s=symbol: self.active_asset(a, s))  # fmt: skip

    def book(self, symbol: int, fast: bool, grouping: tuple[int, int] | None) -> wire.Book:
        """An l2Book as its channel sends it."""
        if grouping is not None:
            self._groupings.add(("l2Book", self._state.coins[symbol].name, False, grouping))
            return grouped_book_view(self._state, symbol, *grouping)
        book = book_view(self._state, symbol, fast)
        if self._faults.any_on and self._faults.strikes("ghost_levels", "l2Book", book.coin):
            self._haunt(book, symbol)
        return book

    def context(self, symbol: int) -> dict[str, Any]:
        """Data of an activeAssetCtx message."""
        return {"coin": self._state.coins[symbol].name, "ctx": context_view(self._state, symbol)}

    def all_contexts(self) -> dict[str, Any]:
        """Data of an allDexsAssetCtxs message."""
        return {"ctxs": [("", [context_view(self._state, s) for s in range(len(self._state.coins))])]}

    def user_state(self, channel: str, address: str) -> dict[str, Any]:
        """Data of a clearinghouseState or openOrders message."""
        account = self._state.accounts.get(address)
        head = {"dex": "", "user": address}
        if channel == "clearinghouseState":
            return head | {"clearinghouseState": account_view(self._state, account)}
        orders = account.open.values() if account is not None else ()
        return head | {"orders": [full_order_view(self._state, order) for order in orders]}

    def active_asset(self, address: str, symbol: int) -> wire.ActiveAssetData:
        """Data of an activeAssetData message."""
        return active_asset_view(self._desk, self._state.accounts.get(address), address, symbol)

    def _publish_users(self, result: BlockResult) -> None:
        state = self._state
        for address, fills in result.user_fills.items():
            views = [fill_view(state, fill) for fill in fills]
            self._tell("userFills", address, {"user": address, "fills": views})
            self._tell("userEvents", address, {"fills": views})
        for address, orders in result.updates.items():
            self._tell("orderUpdates", address, [update_view(state, order) for order in orders])
        for address, orders in result.venue_cancels.items():
            gone = [{"coin": state.coins[order.symbol].name, "oid": order.oid} for order in orders]
            self._tell("userEvents", address, {"nonUserCancel": gone})
        for address, fundings in result.fundings.items():
            rows = [funding_view(state, funding) for funding in fundings]
            self._tell("userFundings", address, {"user": address, "fundings": rows})
            for row in rows:
                delta = msgspec.to_builtins(row.delta)
                self._tell("userEvents", address, {"funding": {"time": row.time, **delta}})
        for address, note in result.liquidated.items():
            self._tell("userEvents", address, {"liquidation": self._liquidation(address, note)})
            entry = ledger_view(state, *state.accounts[address].ledger[-1])
            updates = {"user": address, "nonFundingLedgerUpdates": [entry]}
            self._tell("userNonFundingLedgerUpdates", address, updates)

    def _tell(self, kind: str, address: str, data: Any) -> None:
        # The venue calls the channel of userEvents "user".
        if self._delivery.wanted((kind, address)):
            channel = "user" if kind == "userEvents" else kind
            self._delivery.publish((kind, address), frame_of(channel, data))

    def _liquidation(self, address: str, note: dict[str, Any]) -> dict[str, Any]:
        return {
            "lid": note["lid"],
            "liquidator": self._state.addresses[BACKSTOP_ACCOUNT],
            "liquidated_user": address,
            "liquidated_ntl_pos": text_of(note["notional"], 10**6),
            "liquidated_account_value": "0.0",
        }

    def _put_candles(self, coin: Coin, symbol: int) -> None:
        for interval in self._intervals(coin):
            candle = self._desk.history.candles[symbol].last(interval)
            self._put(("candle", coin.name, interval), "candle", lambda candle=candle: candle)

    def _intervals(self, coin: Coin) -> list[str]:
        return [name for name in INTERVAL_MIN if self._delivery.wanted(("candle", coin.name, name))]

    def _put(self, topic: tuple[Any, ...], channel: str, data: Any) -> None:
        # `data` is a function: what nobody listens to is not even made.
        if self._delivery.wanted(topic):
            self._delivery.publish(topic, frame_of(channel, data()))

    def _haunt(self, book: wire.Book, symbol: int) -> None:
        # A bid above the best ask: a level that was taken long ago and never left this copy of the book.
        coin = self._state.coins[symbol]
        ask_tick = best_tick(self._state.market, symbol, -1)
        if ask_tick and book.levels[0]:
            step = tick_step(ask_tick, coin.ticks_in_unit)
            px = text_of(ask_tick + GHOST_STEPS * step, coin.ticks_in_unit)
            book.levels[0].insert(0, wire.Level(px, book.levels[0][0].sz, 1))
            self._faults.note("ghost_levels", {"coin": coin.name, "px": px})


def frame_of(channel: str, data: Any) -> bytes:
    """One message."""
    return _encode({"channel": channel, "data": data})
