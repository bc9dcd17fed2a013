"""What the line needs from a venue: market data as EVENT rows, orders as INTENT rows, answers as ANSWER rows.

Stages hold these protocols; replay and the tests put their own ends in. Decoders are pure: they read no
clock and no socket. An order port owns a session and never lets the venue's trouble reach its caller.
"""

import asyncio
from typing import Final, Protocol

import numpy as np

FRAME_ROWS_MAX: Final = 4_096  # EVENT rows of the largest legal live frame: one MiB of trades
DEPTH_ROWS_MAX: Final = 65_536  # of a Binance depth snapshot with the diffs buffered before it


class Decoder(Protocol):
    """Turns the frames of one connection into EVENT rows.

    `decode` writes the rows of one message to `out` from index 0, the last one flagged LAST, and returns
    how many. It never raises on bad input: a message it cannot use gives 0 rows and one count in
    `counters`, which is int64 and indexed by `Counter`. A message with more rows than `out` is OVERSIZED.
    `restart` says that a new connection begins: what orders messages starts over, what recognises
    duplicates is kept.
    """

    counters: np.ndarray

    def decode(self, frame: bytes, local_ts_ns: int, out: np.ndarray) -> int: ...

    def restart(self) -> None: ...


class OrderPort(Protocol):
    """An order session with one key of its own.

    `send` takes INTENT rows that are already journalled; neither it nor any other call blocks or raises
    for venue trouble. `answers` hands over the ANSWER rows since the last call, in order of arrival.
    `query` asks for orders of unknown outcome, `reconcile` for open orders, fills and positions followed
    by SYNCED, `cancel_all` for the end of every open order of the account, whoever placed it.
    """

    connected: bool
    requests_sent: int

    def send(self, intents: np.ndarray) -> None: ...

    def answers(self) -> np.ndarray: ...

    def query(self, order_ids: np.ndarray) -> None: ...

    def reconcile(self) -> None: ...

    def cancel_all(self) -> None: ...

    async def run(self, stop: asyncio.Event) -> None: ...
