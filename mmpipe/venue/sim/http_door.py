"""POST /info and POST /exchange, and the same requests posted over a socket."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
from aiohttp import web

from mmpipe.venue.sim.accounts import Answer
from mmpipe.venue.sim.delivery import Delivery, Reply
from mmpipe.venue.sim.exchange import Exchange
from mmpipe.venue.sim.faults import Faults
from mmpipe.venue.sim.info import UNREADABLE, answer_info
from mmpipe.venue.sim.info_request import Desk, UnreadableRequestError
from mmpipe.venue.sim.limits import Client, Clients, action_weight, info_weight
from mmpipe.venue.sim.wire import Envelope

UNREADABLE_ERRORS: Final = (msgspec.MsgspecError, RecursionError, UnicodeError, ValueError)
TOO_MANY: Final = 429
BAD_GATEWAY: Final = 502
UNPROCESSABLE: Final = 422
_encode = msgspec.json.Encoder().encode


class HttpDoor:
    """Requests of clients.

    Parameters
    ----------
    desk : Desk
        Answers info requests.
    exchange : Exchange
        Takes actions.
    delivery : Delivery
        Answers actions, in its own time.
    faults : Faults
        May refuse or lose a request.
    clients : Clients
        Limits by IP address.
    now_ms : callable
        The venue's clock.
    """

    def __init__(
        self,
        desk: Desk,
        exchange: Exchange,
        delivery: Delivery,
        faults: Faults,
        clients: Clients,
        now_ms: Callable[[], int],
    ) -> None:
        self._desk = desk
        self._exchange = exchange
        self._delivery = delivery
        self._faults = faults
        self._clients = clients
        self._now_ms = now_ms

    async def info(self, request: web.Request) -> web.Response:
        """POST /info."""
        refused = self._refuse(request)
        if refused is not None:
            return refused
        try:
            asked = msgspec.json.decode(await request.read())
            answer = answer_info(self._desk, asked)
        except (UnreadableRequestError, *UNREADABLE_ERRORS):
            return web.Response(status=UNPROCESSABLE, text=UNREADABLE)
        if not self.afford_info(self._client(request), asked, answer):
            return _too_many()
        return _json(answer)

    async def action(self, request: web.Request) -> web.Response:
        """POST /exchange."""
        refused = self._refuse(request)
        if refused is not None:
            return refused
        answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

        def reply(answer: Answer | None) -> None:
            if not answered.done():
                answered.set_result(answer)

        try:
            allowed = self.act(msgspec.json.decode(await request.read()), self._client(request), reply)
        except UNREADABLE_ERRORS:
            return web.Response(status=UNPROCESSABLE, text=UNREADABLE)
        if not allowed:
            return _too_many()
        answer = await answered
        if answer is None and request.transport is not None:
            request.transport.abort()
        return _json(answer)

    def act(self, raw: object, client: Client, reply: Reply) -> bool:
        """Admit one signed action; `reply` is called with the answer. False if the client asked too much.

        Raises
        ------
        msgspec.MsgspecError, ValueError
            If it is no action.
        """
        envelope = msgspec.convert(raw, Envelope)
        now_ms = self._now_ms()
        items = max((len(v) for v in envelope.action.values() if isinstance(v, list)), default=1)
        if not self._clients.allows_weight(client, now_ms, action_weight(items)):
            return False
        delivery = self._delivery
        refused = self._exchange.admit(envelope, now_ms, lambda answer: delivery.answer(reply, answer))
        if refused is not None:
            delivery.refuse(reply, refused)
        return True

    def ask(self, request: object) -> Any:
        """Answer one info request; raises `UnreadableRequestError`."""
        return answer_info(self._desk, request)

    def afford_info(self, client: Client, request: Any, answer: Any) -> bool:
        """Spend what an answered info request weighs; False if that was too much."""
        return self._clients.allows_weight(client, self._now_ms(), info_weight(request.get("type"), answer))

    def _client(self, request: web.Request) -> Client:
        return self._clients.of(request.remote or "")

    def _refuse(self, request: web.Request) -> web.Response | None:
        if not self._faults.any_on:
            return None
        if self._faults.strikes("too_many_requests"):
            self._faults.note("too_many_requests", {"path": request.path, "executed": False})
            return _too_many()
        if self._faults.strikes("server_error"):
            self._faults.note("server_error", {"path": request.path, "executed": False})
            return web.Response(status=BAD_GATEWAY, text="Bad Gateway")
        return None


def _too_many() -> web.Response:
    return web.Response(status=TOO_MANY, text="null", content_type="application/json")


def _json(answer: object) -> web.Response:
    return web.Response(body=_encode(answer), content_type="application/json")
