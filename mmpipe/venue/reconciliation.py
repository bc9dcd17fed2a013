"""What the account looks like at the venue: open orders, fills since the last known one, positions.

The three answers are of three moments. Positions are read before and after the others and must agree,
otherwise something was filled in between and the look is repeated. A fill is handed on once, for ever.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from mmpipe.enums import AnswerKind
from mmpipe.venue.answer_queue import Answer
from mmpipe.venue.order_answers import AnswerReader
from mmpipe.venue.rest import RestError

FILLS_OVERLAP_MS: Final = 60_000  # asked for again: the venue's list may lag behind its messages
FILLS_PAGE: Final = 2_000  # the venue lists at most this many
LOOKS_MAX: Final = 3
NS_PER_MS: Final = 1_000_000


class Reconciliation:
    """Looks at one account and remembers which fills were handed on.

    Parameters
    ----------
    info : callable
        Sends an info request and returns the body of its answer.
    account : str
        Master address.
    reader : AnswerReader
        Makes the answers.
    fills_since_ms : int
        Wall time of the newest fill that is known already.
    """

    def __init__(
        self,
        info: Callable[[dict[str, Any]], Awaitable[bytes]],
        account: str,
        reader: AnswerReader,
        fills_since_ms: int,
    ) -> None:
        self._info = info
        self._account = account
        self._reader = reader
        self._last_fill_ms = fills_since_ms
        self._known: set[tuple[int, int]] = set()  # (symbol, tid) of every fill handed on

    def fills_known_until(self, wall_ms: int) -> None:
        """Look for fills from one minute before `wall_ms` on."""
        self._last_fill_ms = wall_ms

    async def look(self) -> list[Answer]:
        """OPEN_ORDER, FILL and POSITION answers of one consistent look; raises what `info` raises."""
        before = await self._positions()
        for _ in range(LOOKS_MAX):
            fills = await self._fills()
            orders = self._reader.open_orders(await self._ask("openOrders"))
            after = await self._positions()
            if after == before:
                return [*orders, *fills, *after]
            before = after
        raise RestError(
            f"positions of {self._account} changed during each of {LOOKS_MAX} looks; looking again"
        )

    def only_new(self, answers: list[Answer]) -> list[Answer]:
        """`answers` without the fills that were handed on before; the rest counts as handed on."""
        new = []
        for answer in answers:
            if answer.kind == AnswerKind.FILL:
                key = (answer.symbol, answer.tid)
                if key in self._known:
                    continue
                self._known.add(key)
                self._last_fill_ms = max(self._last_fill_ms, answer.exch_ts_ns // NS_PER_MS)
            new.append(answer)
        return new

    async def _positions(self) -> list[Answer]:
        return self._reader.positions(await self._ask("clearinghouseState"))

    async def _fills(self) -> list[Answer]:
        found: list[Answer] = []
        from_ms = self._last_fill_ms - FILLS_OVERLAP_MS
        while True:
            body = await self._ask("userFillsByTime", startTime=max(from_ms, 0))
            answers, listed, newest_ms = self._reader.fills(body)
            found += answers
            if listed < FILLS_PAGE or newest_ms <= from_ms:
                return found
            from_ms = newest_ms

    async def _ask(self, kind: str, **fields: Any) -> bytes:
        return await self._info({"type": kind, "user": self._account, **fields})
