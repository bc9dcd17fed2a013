"""Watches a line while its feed is disturbed, for quotes on an old touch and for books that are wrong.

The witness listens to the venue directly, past the disturbance, and to the line's own rings as an observer.
A book is right when its touch is what the venue said its touch was at the newest venue time the book knows;
a quote is right when the touch it was judged on was within its contract when it was sent.
"""

import bisect
import json
from collections import OrderedDict
from typing import Any, Final

import msgspec
import numpy as np

from mmpipe.clock import NS_PER_MS
from mmpipe.enums import Mode, ReportKind
from mmpipe.venue.streams import HOLE, SKIPPED_BEATS_MAX
from ringbuf import Observer

REMEMBERED: Final = 8_192  # forecasts an order may still refer to
ROWS_PER_LOOK: Final = 4_096
PX_TOLERANCE: Final = 1e-9  # relative: a decimal text against a tick


class Truth:
    """What the venue said to an undisturbed client: best quotes by block time, and when its books came."""

    def __init__(self, coins: list[str]) -> None:
        self.subscriptions = [
            json.dumps({"method": "subscribe", "subscription": subscription})
            for coin in coins
            for subscription in (
                {"type": "bbo", "coin": coin}, {"type": "l2Book", "coin": coin, "fast": True},
            )
        ]  # fmt: skip
        self._coins = coins
        self._book_times: list[list[int]] = [[] for _ in coins]
        self._times: list[list[int]] = [[] for _ in coins]
        self._quotes: list[list[tuple[float, float, float, float]]] = [[] for _ in coins]

    def hear(self, frame: bytes | str) -> None:
        """Take one frame of the direct connection."""
        message: Any = msgspec.json.decode(frame)
        if message.get("channel") not in ("bbo", "l2Book"):
            return
        data = message["data"]
        symbol = self._coins.index(data["coin"])
        if message["channel"] == "l2Book":
            self._book_times[symbol].append(data["time"])
            return
        bid, ask = ((float(side["px"]), float(side["sz"])) if side else (0.0, 0.0) for side in data["bbo"])
        self._times[symbol].append(data["time"])
        self._quotes[symbol].append((*bid, *ask))

    def beats_left_out(self, since_ms: int) -> int:
        """Fast books the venue itself left out of its rhythm after a block time: nobody lost those."""
        left_out = 0
        for times in self._book_times:
            intervals = np.diff(np.array([time for time in times if time >= since_ms], np.int64))
            if len(intervals):
                beats = intervals / np.median(intervals)
                holes = beats[(beats >= HOLE) & (beats <= SKIPPED_BEATS_MAX)]
                left_out += int((np.rint(holes) - 1).sum())
        return left_out

    @property
    def newest_ms(self) -> int:
        """Block time of the newest book; 0 before the first."""
        return max((times[-1] for times in self._book_times if times), default=0)

    def at(self, symbol: int, time_ms: int) -> tuple[float, ...]:
        """Price and size of bid and ask at a block time; empty before the first and after the last."""
        times = self._times[symbol]
        stop = bisect.bisect_right(times, time_ms)
        if stop == 0 or time_ms > times[-1]:
            return ()
        return self._quotes[symbol][stop - 1]


class FeedWitness:
    """Counts of quotes and books, right and wrong.

    Parameters
    ----------
    forecasts, reports : Observer
        Of the rings `forecast` and `report_risk`.
    truth : Truth
        What the venue says to an undisturbed client.

    Attributes
    ----------
    quotes, old_quotes : int
        Orders sent while making or reducing, and those on a touch older than its contract.
    books, wrong_books, unchecked_books : int
        Valid books of SNAPSHOTs, those that were not the venue's, those the truth says nothing about.
    wrong : list
        The first wrong books, for the eye.
    """

    def __init__(self, forecasts: Observer, reports: Observer, truth: Truth) -> None:
        self._forecasts = forecasts
        self._reports = reports
        self._truth = truth
        self._judged: OrderedDict[int, tuple[int, int, int]] = OrderedDict()
        self._books: list[np.ndarray] = []
        self.quotes = self.old_quotes = self.unknown_quotes = 0
        self.books = self.wrong_books = self.unchecked_books = self.lapped = 0
        self.wrong: list[dict[str, Any]] = []

    def look(self) -> None:
        """Read what the rings carried since the last look."""
        rows, lapped = self._forecasts.poll(ROWS_PER_LOOK)
        self.lapped += lapped
        for row in rows:
            snapshot = row["snapshot"]
            ages = (int(snapshot["ts_ns"]), int(snapshot["book_age_ns"]), int(snapshot["book_limit_ns"]))
            self._judged[int(row["seq"])] = ages
            if len(self._judged) > REMEMBERED:
                self._judged.popitem(last=False)
        if len(rows):
            self._books.append(rows["snapshot"].copy())
        reports, lapped = self._reports.poll(ROWS_PER_LOOK)
        self.lapped += lapped
        for report in reports:
            if report["kind"] == ReportKind.INTENT and report["mode"] != Mode.TAKER_EXIT:
                self._judge_quote(report)

    def judge_books(self) -> None:
        """Compare all books seen with the truth, which is complete only at the end."""
        for snapshots in self._books:
            for row in snapshots[snapshots["book_valid"] == 1]:
                self._judge_book(row)
        self._books.clear()

    def _judge_quote(self, report: np.void) -> None:
        ages = self._judged.get(int(report["cause_seq"]))
        if ages is None:
            self.unknown_quotes += 1
            return
        ts_ns, age_ns, limit_ns = ages
        self.quotes += 1
        self.old_quotes += not int(report["ts_ns"]) - ts_ns + age_ns <= limit_ns

    def _judge_book(self, row: np.void) -> None:
        said = (
            float(row["best_bid_px"]), float(row["bid_depth_qty"][0]),
            float(row["best_ask_px"]), float(row["ask_depth_qty"][0]),
        )  # fmt: skip
        true = self._truth.at(int(row["symbol"]), int(row["exch_ts_ns"]) // NS_PER_MS)
        if not true:
            self.unchecked_books += 1
            return
        self.books += 1
        if not _same(said, true):
            self.wrong_books += 1
            if len(self.wrong) < 10:
                time_ms = int(row["exch_ts_ns"]) // NS_PER_MS
                self.wrong.append(
                    {"symbol": int(row["symbol"]), "time_ms": time_ms, "said": said, "true": true}
                )


def _same(said: tuple[float, ...], true: tuple[float, ...]) -> bool:
    return all(abs(a - b) <= PX_TOLERANCE * b for a, b in zip(said, true, strict=True))
