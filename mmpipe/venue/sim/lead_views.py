"""What the lead market says, in Binance's two dialects: USD-M futures and spot.

Spot pads to eight decimals, tells no time with best quotes, has no transaction time and no `pu` in depth
updates, where `U` is one above the update before, and repeats an `M` nobody reads in trades.

References
----------
Binance, "USD-M futures: WebSocket market streams; market data endpoints".
Binance, "Spot: web-socket-streams; rest-api".
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mmpipe.venue.sim.instruments import Coin
from mmpipe.venue.sim.wire import text_of


@dataclass(frozen=True, slots=True)
class Dialect:
    """One market's way to say it.

    Attributes
    ----------
    name : str
        Second part of a topic.
    is_spot : bool
        Spot, or else USD-M futures.
    px_decimals, qty_decimals : int
        Prices and quantities are padded to so many.
    """

    name: str
    is_spot: bool
    px_decimals: int
    qty_decimals: int

    def ticker(self, coin: Coin, book: np.void, ts_ms: int) -> dict[str, Any]:
        """A `bookTicker`.

        Parameters
        ----------
        book : LEAD_BOOK record
            After the touch moved.
        ts_ms : int
            Venue time.
        """
        (bid_tick, ask_tick), (bid_lots, ask_lots) = book["tick"][:, 0], book["lots"][:, 0]
        view = {
            "u": int(book["touch_id"]),
            "s": coin.lead,
            "b": self._px(coin, bid_tick),
            "B": self._qty(coin, bid_lots),
            "a": self._px(coin, ask_tick),
            "A": self._qty(coin, ask_lots),
        }
        return view if self.is_spot else {"e": "bookTicker", **view, "T": ts_ms, "E": ts_ms}

    def aggregate(self, coin: Coin, trade: np.void, ts_ms: int) -> dict[str, Any]:
        """An `aggTrade` of one LEAD_TRADE."""
        number, qty = int(trade["id"]), self._qty(coin, trade["lots"])
        head = {"e": "aggTrade", "E": ts_ms, "s": coin.lead, "a": number, "p": self._px(coin, trade["tick"])}
        last = {"q": qty} if self.is_spot else {"q": qty, "nq": qty}
        return head | last | {"f": number, "l": number} | self._taken(trade, ts_ms)

    def trade(self, coin: Coin, trade: np.void, ts_ms: int) -> dict[str, Any]:
        """A `trade` of one LEAD_TRADE."""
        px, qty = self._px(coin, trade["tick"]), self._qty(coin, trade["lots"])
        head = {"e": "trade", "E": ts_ms, "s": coin.lead, "t": int(trade["id"]), "p": px, "q": qty}
        return head | self._taken(trade, ts_ms)

    def diff(self, coin: Coin, book: np.void, changes: np.ndarray, ts_ms: int) -> dict[str, Any]:
        """A `depthUpdate`: what the changes of an ended window came to.

        Parameters
        ----------
        book : LEAD_BOOK record
            Whose window ended.
        changes : (n,) LEAD_CHANGE
            Of the window, in their order.
        """
        last = {(row[0], row[1]): row[2] for row in changes.tolist()}
        sides: list[list[list[str]]] = [[], []]
        for (side, tick), lots in sorted(last.items()):
            sides[side].append([self._px(coin, tick), self._qty(coin, lots)])
        view: dict[str, Any] = {"e": "depthUpdate", "E": ts_ms}
        if not self.is_spot:
            view["T"] = ts_ms
        view["s"] = coin.lead
        view["U"] = int(book["last_id"]) + 1 if self.is_spot else int(book["first_id"])
        view["u"] = int(book["update_id"])
        if not self.is_spot:
            view["pu"] = int(book["last_id"])
        return view | {"b": sides[0], "a": sides[1]}

    def snapshot(self, coin: Coin, book: np.void, limit: int, ts_ms: int) -> dict[str, Any]:
        """A REST order book of at most `limit` levels a side, best first."""
        levels = [
            [
                [self._px(coin, tick), self._qty(coin, lots)]
                for tick, lots in zip(ticks, sizes, strict=True)
                if tick
            ][:limit]
            for ticks, sizes in zip(book["tick"].tolist(), book["lots"].tolist(), strict=True)
        ]
        times = {} if self.is_spot else {"E": ts_ms, "T": ts_ms}
        return {"lastUpdateId": int(book["update_id"]), **times, "bids": levels[0], "asks": levels[1]}

    def _taken(self, trade: np.void, ts_ms: int) -> dict[str, Any]:
        view = {"T": ts_ms, "m": bool(trade["side"] < 0)}
        return view | {"M": True} if self.is_spot else view

    def _px(self, coin: Coin, tick: int) -> str:
        return _padded(text_of(int(tick), coin.ticks_in_unit), self.px_decimals)

    def _qty(self, coin: Coin, lots: int) -> str:
        return _padded(text_of(int(lots), coin.lots_in_unit), self.qty_decimals)


USDM: Final = Dialect("usdm", False, 2, 3)
SPOT: Final = Dialect("spot", True, 8, 8)


def _padded(text: str, decimals: int) -> str:
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(decimals, '0')}"
