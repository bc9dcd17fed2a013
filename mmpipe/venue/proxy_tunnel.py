"""One WebSocket through the chaos proxy: frames in order from either side to the other, but for the faults.

    venue ─▶ read ─▶ fault? ─▶ frames that wait ─▶ write ─▶ client
    venue ◀─ write ◀─ frames that wait ◀────────── read ◀── client

Faults strike what the venue says; `half_open` stops both directions. A closing frame is a frame like another,
so close codes pass; a connection that ends without one ends without one on the other side.
"""

import asyncio
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import aiohttp
from aiohttp import WSMsgType, web

from mmpipe.clock import NS_PER_MS, NS_PER_S, Clock
from mmpipe.venue.proxy_faults import Fault, FaultPlan, stream_of

QUEUE_MAX: Final = 4_096  # frames of one direction that wait; then the other side has to
HELD_MAX_MS: Final = 2_000  # a held frame, when its fault does not say
CLOSE_TIMEOUT_S: Final = 2.0  # for the answer to a closing frame
SLICE_MS: Final = 2  # between two pieces of a frame
SLICES_MIN: Final = 8
Client: TypeAlias = web.WebSocketResponse[Literal[False]]  # frames as bytes, whatever they are
Venue: TypeAlias = aiohttp.ClientWebSocketResponse[Literal[False]]
_DATA: Final = (WSMsgType.TEXT, WSMsgType.BINARY)
_CONTROL: Final = (WSMsgType.PING, WSMsgType.PONG)


@dataclass(slots=True)
class _Frame:
    payload: bytes
    opcode: WSMsgType  # CLOSED: there is no frame, the connection ended
    due_ns: int = 0  # not before
    slice_ms: int = 0  # bytes come over so long


class _Lane:
    # Frames that wait for one side, in their order.
    def __init__(self) -> None:
        self._frames: deque[_Frame] = deque()
        self._ready = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.timed = 0  # frames among them that have a time of their own

    def put(self, frame: _Frame) -> None:
        self._frames.append(frame)
        self.timed += bool(frame.due_ns or frame.slice_ms)
        self._ready.set()
        if len(self._frames) >= QUEUE_MAX:
            self._room.clear()

    async def room(self) -> None:
        await self._room.wait()

    async def first(self) -> _Frame:
        while not self._frames:
            self._ready.clear()
            await self._ready.wait()
        return self._frames[0]

    def remove_first(self) -> None:
        frame = self._frames.popleft()
        self.timed -= bool(frame.due_ns or frame.slice_ms)
        if len(self._frames) < QUEUE_MAX:
            self._room.set()


class Tunnel:
    """One client's socket and the one the proxy opened for it.

    Parameters
    ----------
    client : WebSocketResponse
        Prepared; answers neither pings nor closing frames by itself.
    transport : Transport
        Below it.
    venue : ClientWebSocketResponse
        As `client`.
    path : str
        What the client asked for.
    plan : FaultPlan
        What goes wrong.
    clock : Clock
        For everything that lasts.
    oversize_bytes : int
        What an oversized frame is padded to.
    """

    def __init__(
        self,
        client: Client,
        transport: asyncio.Transport,
        venue: Venue,
        path: str,
        plan: FaultPlan,
        clock: Clock,
        oversize_bytes: int,
    ) -> None:
        self._client = client
        self._transport = transport
        self._venue = venue
        self._path = path
        self._plan = plan
        self._clock = clock
        self._oversize_bytes = oversize_bytes
        self._to_client, self._to_venue = _Lane(), _Lane()
        self._held: dict[str, tuple[_Frame, asyncio.TimerHandle]] = {}
        self._stalled_ns: dict[str, int] = {}  # by stream, when its silence ends
        self._blocked_ns = 0  # nothing passes before
        self._over = asyncio.Event()
        self._strikes: dict[str, Callable[[Fault, str, _Frame], None]] = {
            "drop": lambda _fault, _stream, _frame: None,
            "duplicate": self._duplicate,
            "reorder": self._hold,
            "delay": self._delay,
            "corrupt": self._corrupt,
            "stall": self._stall,
            "half_open": self._block,
            "reset": self._reset,
            "slice": self._slice,
            "oversize": self._inflate,
        }

    @property
    def is_quiet(self) -> bool:
        """Whether nothing that a fault began is still going on."""
        now_ns = self._clock.now_ns()
        return not (
            self._held
            or self._to_client.timed
            or now_ns < self._blocked_ns
            or any(now_ns < until_ns for until_ns in self._stalled_ns.values())
        )

    async def run(self) -> None:
        """Pass frames until both sides have closed, or one of them is gone."""
        writers = [
            asyncio.create_task(self._write(self._to_client, self._client), name="to client"),
            asyncio.create_task(self._write(self._to_venue, self._venue), name="to venue"),
        ]
        readers = [
            asyncio.create_task(self._read(self._venue, self._to_client, self._meet), name="from venue"),
            asyncio.create_task(
                self._read(self._client, self._to_venue, self._to_venue.put), name="from client"
            ),
        ]
        over = asyncio.create_task(self._over.wait(), name="over")
        try:
            done, rest = await asyncio.wait({*writers, over}, return_when=asyncio.FIRST_COMPLETED)
            # One closing frame has passed: the other side answers it, or takes too long.
            if over not in done and len(rest) == 2:
                await asyncio.wait(rest, timeout=CLOSE_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            for task in (*writers, *readers):
                if task.done():
                    task.result()
        finally:
            self._end((*writers, *readers, over))
            await asyncio.gather(*writers, *readers, over, return_exceptions=True)

    def cut(self) -> None:
        """End both connections without a word."""
        self._transport.abort()
        self._over.set()

    def _end(self, tasks: tuple[asyncio.Task[Any], ...]) -> None:
        for task in tasks:
            task.cancel()
        for _, timer in self._held.values():
            timer.cancel()
        self._held.clear()
        # What was written still arrives, but nobody waits for a client that does not read.
        self._transport.close()
        asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self._transport.abort)
        # The library would say goodbye; below it the connection just ends.
        with suppress(OSError), _twin(self._venue) as twin:
            if twin is not None:
                twin.shutdown(socket.SHUT_RDWR)

    async def _read(
        self,
        source: Client | Venue,
        lane: _Lane,
        put: Callable[[_Frame], None],
    ) -> None:
        while True:
            await lane.room()
            message = await source.receive()
            if message.type in _DATA:
                put(_Frame(message.data, message.type))
            elif message.type in _CONTROL:
                lane.put(_Frame(message.data, message.type))
            else:
                if source is self._client and self._clock.now_ns() < self._blocked_ns:
                    self._over.set()  # the client gave a silent connection up
                lane.put(_closing(message))
                return

    async def _write(self, lane: _Lane, sink: Client | Venue) -> None:
        while True:
            frame = await lane.first()
            await self._wait_until(frame.due_ns)
            if frame.opcode is WSMsgType.CLOSED:
                self._over.set()
                return
            try:
                if frame.slice_ms:
                    await self._dribble(frame)
                else:
                    await sink.send_frame(frame.payload, frame.opcode)
            except ConnectionError:  # gone while this frame was on its way
                self._over.set()
                return
            lane.remove_first()
            if frame.opcode is WSMsgType.CLOSE:
                return

    async def _wait_until(self, due_ns: int) -> None:
        while (left_ns := max(due_ns, self._blocked_ns) - self._clock.now_ns()) > 0:
            await asyncio.sleep(left_ns / NS_PER_S)

    async def _dribble(self, frame: _Frame) -> None:
        data = wire_of(frame.payload, frame.opcode)
        count = min(max(frame.slice_ms // SLICE_MS, SLICES_MIN), len(data))
        begun_ns = self._clock.now_ns()
        for i in range(count):
            await self._wait_until(begun_ns + i * frame.slice_ms * NS_PER_MS // count)
            if self._transport.is_closing():
                raise ConnectionResetError("the client is gone")
            self._transport.write(data[i * len(data) // count : (i + 1) * len(data) // count])

    def _meet(self, frame: _Frame) -> None:
        # Nobody asks what a frame is while nothing is going wrong.
        if not (self._plan.is_waiting or self._held or self._stalled_ns):
            self._to_client.put(frame)
            return
        stream = stream_of(frame.payload)
        if stream in self._stalled_ns:
            if self._clock.now_ns() < self._stalled_ns[stream]:
                return
            del self._stalled_ns[stream]
        fault = self._plan.strike(self._path, stream, stream in self._held)
        if fault is None:
            self._pass(stream, frame)
        else:
            self._strikes[fault.kind](fault, stream, frame)

    def _pass(self, stream: str, *frames: _Frame) -> None:
        for frame in frames:
            self._to_client.put(frame)
        self._release(stream)

    def _release(self, stream: str) -> None:
        if stream in self._held:
            frame, timer = self._held.pop(stream)
            timer.cancel()
            self._to_client.put(frame)

    def _duplicate(self, _: Fault, stream: str, frame: _Frame) -> None:
        self._pass(stream, frame, frame)

    def _hold(self, fault: Fault, stream: str, frame: _Frame) -> None:
        wait_s = (fault.duration_ms or HELD_MAX_MS) * NS_PER_MS / NS_PER_S
        timer = asyncio.get_running_loop().call_later(wait_s, self._release, stream)
        self._held[stream] = frame, timer

    def _delay(self, fault: Fault, stream: str, frame: _Frame) -> None:
        frame.due_ns = self._ends_ns(fault)
        self._pass(stream, frame)

    def _corrupt(self, _: Fault, stream: str, frame: _Frame) -> None:
        self._pass(stream, _Frame(self._plan.damaged(frame.payload, stream), frame.opcode))

    def _stall(self, fault: Fault, stream: str, _: _Frame) -> None:
        self._stalled_ns[stream] = self._ends_ns(fault)

    def _block(self, fault: Fault, stream: str, frame: _Frame) -> None:
        self._blocked_ns = max(self._blocked_ns, self._ends_ns(fault))
        self._pass(stream, frame)

    def _slice(self, fault: Fault, stream: str, frame: _Frame) -> None:
        frame.slice_ms = fault.duration_ms
        self._pass(stream, frame)

    def _inflate(self, _: Fault, stream: str, frame: _Frame) -> None:
        # White space after a value is legal: its size is all that is wrong with it.
        self._pass(stream, _Frame(frame.payload.ljust(self._oversize_bytes), frame.opcode))

    def _reset(self, _fault: Fault, _stream: str, _frame: _Frame) -> None:
        with _twin(self._transport) as twin:
            if twin is not None:
                twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()
        self._over.set()

    def _ends_ns(self, fault: Fault) -> int:
        return self._clock.now_ns() + fault.duration_ms * NS_PER_MS


def wire_of(payload: bytes, opcode: WSMsgType) -> bytes:
    """One whole unmasked frame as RFC 6455 writes it."""
    head, size = 0x80 | int(opcode), len(payload)
    if size < 126:
        return struct.pack("!BB", head, size) + payload
    if size < 1 << 16:
        return struct.pack("!BBH", head, 126, size) + payload
    return struct.pack("!BBQ", head, 127, size) + payload


def _closing(message: Any) -> _Frame:
    if message.type is not WSMsgType.CLOSE:
        return _Frame(b"", WSMsgType.CLOSED)
    if not message.data:
        return _Frame(b"", WSMsgType.CLOSE)  # 1005: it said no code
    return _Frame(struct.pack("!H", message.data) + (message.extra or "").encode(), WSMsgType.CLOSE)


@contextmanager
def _twin(
    owner: asyncio.Transport | Venue,
) -> Iterator[socket.socket | None]:
    # The connection's socket under a second descriptor: the loop's own gives no way to its options.
    own = owner.get_extra_info("socket")
    if own is None or own.fileno() < 0:
        yield None
        return
    with socket.socket(fileno=os.dup(own.fileno())) as twin:
        yield twin
