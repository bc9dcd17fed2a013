"""The live order port: sends journalled intents to Hyperliquid and says what became of them.

    intents ─▶ actions ─▶ signature ─▶ post socket or REST ─▶ reply ─┐
                              orderUpdates, userFills ─▶ user stream ─┼─▶ ANSWER rows
    session up ─▶ openOrders, userFillsByTime, positions ─▶ SYNCED ───┘

Nothing is ever sent twice. Without a reply that can be read an order's outcome is unknown, and a query may
say "never had it" only after the request has expired: until then it may still arrive. Every session, first
or later, begins with a reconciliation. The port keeps no orders; that is execution's and risk's business.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final

import msgspec
import numpy as np
from loguru import logger

from mmpipe.clock import NS_PER_MS, Clock
from mmpipe.config import Config
from mmpipe.enums import AnswerKind, Counter, IntentKind, Reason
from mmpipe.records import INTENT
from mmpipe.venue.answer_queue import Answer, AnswerQueue
from mmpipe.venue.hyperliquid_signing import Signer, next_nonce
from mmpipe.venue.order_answers import AnswerReader, unanswered
from mmpipe.venue.order_wire import Request, cloid_of, oid_cancels, requests_of
from mmpipe.venue.posts import Posts
from mmpipe.venue.reconciliation import Reconciliation
from mmpipe.venue.rest import RestClient, RestError
from mmpipe.venue.user_stream import UserStream

RETRY_S: Final = 0.5  # between attempts to reconcile
LATE_MARGIN_MS: Final = 1_000  # after its expiry a request may still be in a block being made

_NoReply = (ConnectionError, RestError, TimeoutError)
_Unusable = (RestError, ValueError, RecursionError)


class HyperliquidOrders:
    """An `OrderPort` with one key.

    Parameters
    ----------
    url : str
        Base URL of the venue, http:// or https://, without a trailing slash.
    signer : Signer
        The API wallet; nobody else may use its key.
    account : str
        Master address that is traded.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        One per coin.
    coins : sequence of str
        The configured coins.
    config : Config
        `[execution]` timeouts and gateway, `[feed]` socket settings.
    clock : Clock
        Stamps answers and makes nonces.
    wake : callable
        Called when an answer arrives.

    Attributes
    ----------
    connected : bool
        From SYNCED to DISCONNECTED.
    requests_sent : int
        Requests that went to the venue.
    counters : ndarray of int64
        Indexed by `Counter`.
    """

    def __init__(
        self,
        url: str,
        signer: Signer,
        account: str,
        instruments: np.ndarray,
        coins: Sequence[str],
        config: Config,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._signer, self._account, self._clock = signer, account, clock
        self._instruments = instruments
        self._timeout_s = config.execution.answer_timeout_ms / 1e3
        self._expires_ms = config.execution.expires_after_ms
        self.counters = np.zeros(len(Counter), np.int64)
        self.connected = False
        self.requests_sent = 0
        self._queue = AnswerQueue(clock, wake)
        self._reader = AnswerReader(coins, instruments)
        draw = random.Random(signer.address)
        socket_url = "ws" + url.removeprefix("http") + "/ws"
        self._stream = UserStream(socket_url, account, config.feed, clock, draw, self._reader, self.counters)
        self._stream.on_answers, self._stream.on_change = self._on_stream, self._on_session
        over_socket = config.execution.gateway == "ws"
        self._posts = Posts(socket_url, config.feed, clock, draw, self._on_session) if over_socket else None
        self._rest = RestClient(url, self._timeout_s)
        started_ms = clock.wall_ns() // NS_PER_MS
        self._reconciliation = Reconciliation(self._info, account, self._reader, started_ms)
        self._nonce = 0
        self._gone_from_ms: dict[int, int] = {}  # order id → when NOT_FOUND is proof
        self._old_gone_from_ms = started_ms + self._expires_ms + LATE_MARGIN_MS
        self._asking: set[int] = set()
        self._group: asyncio.TaskGroup | None = None
        self._jobs: set[asyncio.Task[None]] = set()
        self._cancelling_all = False
        self._wanted = asyncio.Event()
        self._session_up = False
        self._session = 0

    def fills_known_until(self, wall_ms: int) -> None:
        """Say, before `run`, when the newest fill already journalled was; otherwise it is now."""
        self._reconciliation.fills_known_until(wall_ms)

    def send(self, intents: np.ndarray) -> None:
        """Send INTENT rows, PLACE and CANCEL, that are already journalled; each gets an answer."""
        for request in requests_of(intents, self._instruments):
            self._send(request)

    def answers(self) -> np.ndarray:
        """ANSWER rows since the last call, in order of arrival."""
        return self._queue.take()

    def query(self, order_ids: np.ndarray) -> None:
        """Ask what became of orders; an id that is being asked for already is not asked twice."""
        for order_id in order_ids.tolist():
            if order_id not in self._asking:
                self._asking.add(order_id)
                self._start(self._ask(order_id), partial(self._unknown, order_id))

    def reconcile(self) -> None:
        """Deliver open orders, missed fills and positions, then SYNCED, as soon as the session is up."""
        self._wanted.set()

    def cancel_all(self) -> None:
        """Cancel every open order of the account in the configured coins, whoever placed it."""
        if not self._cancelling_all:
            self._cancelling_all = True
            self._start(self._cancel_all(), lambda: None)

    async def run(self, stop: asyncio.Event) -> None:
        """Drive the session until `stop`; an exception of any of its tasks is raised."""
        try:
            async with self._rest, asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._stream.run(stop))
                if self._posts is not None:
                    group.create_task(self._posts.run(stop))
                reconciling = group.create_task(self._reconcile_forever())
                await stop.wait()
                self._group = None
                for job in (reconciling, *self._jobs):
                    job.cancel()
        finally:
            self._group = None
            self._lose_session()

    def _send(self, request: Request) -> None:
        wall_ms = self._clock.wall_ns() // NS_PER_MS
        self._nonce = next_nonce(self._nonce, wall_ms)
        expires_ms = wall_ms + self._expires_ms if request.places else None
        if request.places:
            self._remember(request, wall_ms)
        payload = msgspec.json.encode(
            {
                "action": request.action,
                "nonce": self._nonce,
                "signature": self._signer.sign(request.action, self._nonce, expires_ms),
                "vaultAddress": None,
                "expiresAfter": expires_ms,
            }
        )
        self._start(self._perform(payload, request), lambda: self._deliver(unanswered(request)))

    def _remember(self, request: Request, wall_ms: int) -> None:
        while self._gone_from_ms and next(iter(self._gone_from_ms.values())) < wall_ms - self._expires_ms:
            del self._gone_from_ms[next(iter(self._gone_from_ms))]
        for order_id in request.intents["order_id"].tolist():
            self._gone_from_ms[order_id] = wall_ms + self._expires_ms + LATE_MARGIN_MS

    async def _perform(self, payload: bytes, request: Request) -> None:
        answers = unanswered(request)
        try:
            self.requests_sent += 1
            async with asyncio.timeout(self._timeout_s):
                if self._posts is not None:
                    body = await self._posts.ask(payload)
                else:
                    body = await self._rest.exchange(payload)
            answers = self._reader.replies(body, request)
            if any(answer.kind == AnswerKind.NO_ANSWER for answer in answers):
                logger.warning("reply not understood, outcome unknown: {!r}", body[:300])
        except _NoReply as error:
            logger.warning("no reply to {}: {!r}", request.action["type"], error)
        finally:
            self._deliver(answers)

    async def _ask(self, order_id: int) -> None:
        answer = Answer(AnswerKind.NO_ANSWER, order_id=order_id, reason=Reason.VENUE_NO_ANSWER)
        try:
            asked_ms = self._clock.wall_ns() // NS_PER_MS
            request = {"type": "orderStatus", "user": self._account, "oid": cloid_of(order_id)}
            found = self._reader.order_status(await self._info(request), order_id)
            # Before its expiry an order the venue does not know may still be on its way.
            proof_ms = self._gone_from_ms.get(order_id, self._old_gone_from_ms)
            if found.kind != AnswerKind.NOT_FOUND or asked_ms > proof_ms:
                answer = found
        except _Unusable as error:
            logger.warning("order {} stays unknown: {!r}", order_id, error)
        finally:
            self._asking.discard(order_id)
            self._queue.put(answer)

    async def _cancel_all(self) -> None:
        try:
            request = {"type": "openOrders", "user": self._account}
            orders = self._reader.open_orders(await self._info(request))
            rows = np.zeros(len(orders), INTENT)
            for name in ("symbol", "side", "order_id", "oid", "px_tick", "qty_lots"):
                rows[name] = [getattr(order, name) for order in orders]
            rows["kind"] = int(IntentKind.CANCEL)
            for cancel in oid_cancels(rows, self._instruments):
                self._send(cancel)
        except _Unusable as error:
            logger.error("cancel-all could not list the open orders: {!r}", error)
        finally:
            self._cancelling_all = False

    async def _info(self, request: dict[str, Any]) -> bytes:
        self.requests_sent += 1
        return await self._rest.info(request)

    async def _reconcile_forever(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            session = self._session
            if not self._session_up:
                continue  # its beginning will ask again
            try:
                answers = await self._reconciliation.look()
            except _Unusable as error:
                logger.warning("reconciliation failed, trying again: {!r}", error)
                await asyncio.sleep(RETRY_S)
                self._wanted.set()
                continue
            if self._session_up and session == self._session:
                self._deliver(self._reconciliation.only_new(answers))
                self.connected = True
                self.counters[Counter.RECONCILIATIONS] += 1
                self._queue.put(Answer(AnswerKind.SYNCED))

    def _on_stream(self, answers: list[Answer]) -> None:
        self._deliver(self._reconciliation.only_new(answers))

    def _on_session(self) -> None:
        up = self._stream.live and (self._posts is None or self._posts.connected)
        if up and not self._session_up:
            self._session_up = True
            self._session += 1
            self._wanted.set()
        elif not up:
            self._lose_session()
        if self._stream.unreadable:
            self._stream.unreadable = False
            self._wanted.set()

    def _lose_session(self) -> None:
        if self._session_up:
            self._session_up = self.connected = False
            self.counters[Counter.RECONNECTS] += 1
            self._queue.put(Answer(AnswerKind.DISCONNECTED, reason=Reason.VENUE_SESSION_LOST))

    def _unknown(self, order_id: int) -> None:
        self._asking.discard(order_id)
        self._queue.put(Answer(AnswerKind.NO_ANSWER, order_id=order_id, reason=Reason.VENUE_NO_ANSWER))

    def _deliver(self, answers: list[Answer]) -> None:
        for answer in answers:
            self._queue.put(answer)

    def _start(self, job: Coroutine[Any, Any, None], without_session: Callable[[], None]) -> None:
        if self._group is None:
            job.close()
            without_session()
            return
        task = self._group.create_task(job)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)
