"""Floods through the real path of the feed: socket, connection, decoder, gate, ring, reader.

    sender ══ WebSockets ══▶ Connection ▶ decoder ▶ EventGate ▶ ring ══▶ reader
    core B                   core A, this process                       core B

The sender keeps to its plan and stamps what it hands to the kernel; a message's lag is from that stamp to the
moment the reader has its rows. Nothing may be lost: every message arrives unchanged, every row the decoders
make of them in memory comes out of the ring, in its order, and no stream is marked gapped.
"""

import asyncio
import multiprocessing
import os
import random
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import uvloop
from websockets.asyncio.server import ServerConnection, serve

from bench import harness, wire_plan
from bench.wire_plan import Line, Plan
from mmpipe.clock import NS_PER_MS, NS_PER_S, MonotonicClock
from mmpipe.config import Config, load
from mmpipe.enums import EventFlag, FeedState
from mmpipe.records import EVENT
from mmpipe.venue.connection import Connection, Endpoint
from mmpipe.venue.port import DEPTH_ROWS_MAX
from ringbuf import Consumer, Idle, Producer, Segment
from stages.event_gate import EventGate

ROOT = Path(__file__).resolve().parent.parent
RATE = 20_000  # messages per second
SPEED = 50.0
START_S = 120.0  # for two interpreters to import and make their plan
STALL_S = 10.0  # without a message: lost
SEND_EVERY_S = 0.001
NS_PER_US = 1e3


class Lost(Exception):
    """Something that was sent did not come out at the other end."""


class Sent(NamedTuple):
    """What the sender did: ns stamp of each message, and how late against the plan it was."""

    stamps_ns: np.ndarray
    late_ns: np.ndarray


class Drained(NamedTuple):
    """What the reader saw: rows, their digest, whether without a hole; per message received and read, ns."""

    rows: int
    digest: int
    in_order: bool
    received_ns: np.ndarray
    drained_ns: np.ndarray


class Taken(NamedTuple):
    """What the receiver saw: per line the times of receipt, whether its text was unchanged; what it cost."""

    received_ns: list[np.ndarray]
    unchanged: bool
    gaps: int
    dropped: int
    refused: int
    reconnects: int
    cpu_s: float
    wall_s: float


def flood(seconds: float, rate: int, is_real: bool | None = None, slots: int = 0) -> dict[str, Any]:
    """The row `wire/flood`; raises `Lost`. `slots` of the ring, 0: as configured."""
    return _run("wire/flood", partial(wire_plan.flood, int(seconds * rate), rate, is_real), slots)


def burst(speed: float, is_real: bool | None = None, slots: int = 0) -> dict[str, Any]:
    """The row `wire/burst`; otherwise as `flood`."""
    return _run("wire/burst", partial(wire_plan.burst, speed, is_real), slots)


def digest_of(rows: np.ndarray, before: int = 0) -> int:
    """Tells rows apart that differ in price, size or stamp; the same whatever the batches they come in."""
    words = rows["px_tick"] * 31 + (rows["qty"] * 1e8).astype(np.int64) * 7 + rows["remote_seq"]
    return (before + int(words.sum())) % (1 << 64)  # the sum of a batch wraps around


def _run(case: str, plan_of: Callable[[], Plan], slots: int) -> dict[str, Any]:
    plan = plan_of()
    config = load(ROOT / "pipeline.toml")
    cores, before = harness.two_cores(), os.sched_getaffinity(0)
    with (
        harness.rings(EVENT, slots or config.rings.event_slots, 1) as (segment,),
        _beside(_send, cores[1], plan_of) as sender,
        _beside(_drain, cores[1], segment.name) as reader,
    ):
        _answer(reader, "the reader")
        os.sched_setaffinity(0, {cores[0]})
        try:
            taken = uvloop.run(_receive(plan, sender, Producer(segment), config))
        finally:
            os.sched_setaffinity(0, before)
        sent = Sent(*_answer(sender, "the sender's stamps"))
        reader.send("end")
        drained = Drained(*_answer(reader, "what the reader saw"))
    _check(plan, taken, drained)
    return _row(case, plan, sent, taken, drained)


@contextmanager
def _beside(work: Callable[..., None], core: int, argument: Any) -> Iterator[Any]:
    # A process of its own; the near end of a pipe to it.
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=work, args=(far, core, argument), daemon=True)
    process.start()
    far.close()
    try:
        yield near
    finally:
        near.close()
        process.terminate()
        process.join(START_S)


def _answer(pipe: Any, what: str) -> Any:
    if not pipe.poll(START_S):
        raise Lost(f"{what} did not come within {START_S:.0f} s")
    try:
        return pipe.recv()
    except EOFError:
        raise Lost(f"{what} did not come: its process ended; see its error above") from None


def _send(pipe: Any, core: int, plan_of: Callable[[], Plan]) -> None:
    harness.pin(core)
    pipe.send(tuple(uvloop.run(_serve(pipe, plan_of()))))


async def _serve(pipe: Any, plan: Plan) -> Sent:
    sockets: dict[int, ServerConnection] = {}
    complete, over = asyncio.Event(), asyncio.Event()

    async def stay(socket: ServerConnection) -> None:
        assert socket.request is not None
        sockets[int(socket.request.path.strip("/"))] = socket
        if len(sockets) == len(plan.lines):
            complete.set()
        await over.wait()

    async with serve(stay, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        pipe.send(server.sockets[0].getsockname()[1])
        async with asyncio.timeout(START_S):
            await complete.wait()
        sent = await _play(plan, [sockets[index] for index in range(len(plan.lines))])
        await asyncio.to_thread(pipe.recv)  # the receiver has all of it
        over.set()
    return sent


async def _play(plan: Plan, sockets: list[ServerConnection]) -> Sent:
    # Straight into the transports: the sender shall not be the bottleneck.
    wires = [iter([_on_the_wire(frame) for frame in line.frames]) for line in plan.lines]
    order, stamps_ns = plan.order.tolist(), np.zeros(len(plan.order), np.int64)
    begin_ns, done = time.monotonic_ns(), 0
    while done < len(order):
        now_ns = time.monotonic_ns()
        due = int(np.searchsorted(plan.due_ns, now_ns - begin_ns, "right"))
        batch: list[list[bytes]] = [[] for _ in wires]
        for line in order[done:due]:
            batch[line].append(next(wires[line]))
        stamps_ns[done:due] = time.monotonic_ns()
        for socket, parts in zip(sockets, batch, strict=True):
            if parts:
                socket.transport.write(b"".join(parts))
        done = due
        await asyncio.sleep(SEND_EVERY_S)
    return Sent(stamps_ns, stamps_ns - begin_ns - plan.due_ns)


def _on_the_wire(frame: bytes) -> bytes:
    # RFC 6455, 5.2: a final text frame without mask.
    size = len(frame)
    if size < 126:
        return bytes((0x81, size)) + frame
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + frame
    return b"\x81\x7f" + size.to_bytes(8, "big") + frame


def _drain(pipe: Any, core: int, name: str) -> None:
    harness.pin(core)
    consumer = Consumer(Segment.attach(name, EVENT))
    idle, rows = Idle("yield", [consumer], None), np.zeros(4_096, EVENT)
    total = digest = 0
    in_order, received, drained = True, [], []
    pipe.send("ready")
    while True:
        count = consumer.pop(rows)
        if count == 0:
            if pipe.poll():
                break
            idle.wait(0.02)
            continue
        some, now_ns = rows[:count], time.monotonic_ns()
        in_order &= bool((some["seq"] == np.arange(total + 1, total + 1 + count)).all())
        total, digest = total + count, digest_of(some, digest)
        ends = some["local_ts_ns"][(some["flags"] & int(EventFlag.LAST)) != 0]
        received.append(ends)
        drained.append(np.full(len(ends), now_ns))
    pipe.send((total, digest, in_order, np.concatenate(received), np.concatenate(drained)))


class _Receiver:
    # One line's end in the receiver: what feed does with a frame, and a note of it.
    def __init__(self, line: Line, url: str, gate: EventGate, rows: np.ndarray, config: Config) -> None:
        self.decoder = line.decoder()
        self.received_ns = np.zeros(len(line.frames), np.int64)
        self.count = self.crc = 0
        self.state = FeedState.GAPPED
        self._gate, self._rows = gate, rows
        draw = random.Random(1)
        endpoint = Endpoint(url, (), b"", awaits_first=False)
        self.connection = Connection(
            endpoint, config.feed, MonotonicClock(), draw, self._on_frame, self._on_state
        )

    def _on_frame(self, frame: bytes, local_ts_ns: int) -> bool:
        count = self.decoder.decode(frame, local_ts_ns, self._rows)
        if count:
            self._gate.publish(self._rows[:count])
        if self.count < len(self.received_ns):
            self.received_ns[self.count] = local_ts_ns
        self.crc = zlib.crc32(frame, self.crc)
        self.count += 1
        return True

    def _on_state(self, state: FeedState) -> None:
        self.state = state


async def _receive(plan: Plan, sender: Any, ring: Producer, config: Config) -> Taken:
    gate = EventGate(ring, config.feed.full_ring_wait_ms * NS_PER_MS, MonotonicClock())
    rows = np.zeros(DEPTH_ROWS_MAX, EVENT)
    port = await asyncio.to_thread(_answer, sender, "the sender's port")
    lines = [
        _Receiver(line, f"ws://127.0.0.1:{port}/{index}", gate, rows, config)
        for index, line in enumerate(plan.lines)
    ]
    stop, wanted = asyncio.Event(), len(plan.order)
    begin_ns, begin_cpu_s = time.monotonic_ns(), time.process_time()
    tasks = [asyncio.create_task(line.connection.run(stop)) for line in lines]
    seen, seen_ns = 0, begin_ns
    while seen < wanted and time.monotonic_ns() - seen_ns < STALL_S * NS_PER_S:
        await asyncio.sleep(0.02)
        count = sum(line.count for line in lines)
        if count > seen:
            seen, seen_ns = count, time.monotonic_ns()
    wall_s, cpu_s = (seen_ns - begin_ns) / NS_PER_S, time.process_time() - begin_cpu_s
    reconnects = sum(line.connection.reconnects for line in lines)
    stop.set()
    await asyncio.gather(*tasks)
    sender.send("received")
    return Taken(
        [line.received_ns for line in lines],
        all(line.crc == _crc(its.frames) for line, its in zip(lines, plan.lines, strict=True)),
        gate.gaps,
        gate.dropped,
        sum(int(line.decoder.counters.sum()) for line in lines),
        reconnects,
        cpu_s,
        wall_s,
    )


def _crc(frames: list[bytes]) -> int:
    value = 0
    for frame in frames:
        value = zlib.crc32(frame, value)
    return value


def _expected(plan: Plan) -> tuple[int, int, int]:
    # Rows, their digest and refusals of the same messages decoded in memory.
    out, total, digest, refused = np.zeros(DEPTH_ROWS_MAX, EVENT), 0, 0, 0
    for line in plan.lines:
        decoder = line.decoder()
        for frame in line.frames:
            rows = out[: decoder.decode(frame, 1, out)]
            total, digest = total + len(rows), digest_of(rows, digest)
        refused += int(decoder.counters.sum())
    return total, digest, refused


def _check(plan: Plan, taken: Taken, drained: Drained) -> None:
    rows, digest, refused = _expected(plan)
    received = sum(int((times > 0).sum()) for times in taken.received_ns)
    found = {
        "messages received": (received, len(plan.order)),
        "text unchanged": (taken.unchanged, True),
        "reconnects": (taken.reconnects, 0),
        "gaps": (taken.gaps, 0),
        "events dropped": (taken.dropped, 0),
        "messages refused": (taken.refused, refused),
        "rows read": (drained.rows, rows),
        "digest of the rows": (drained.digest, digest),
        "rows in order": (drained.in_order, True),
    }
    wrong = [f"{name} {is_}, should be {should}" for name, (is_, should) in found.items() if is_ != should]
    if wrong:
        raise Lost("; ".join(wrong))


def _row(case: str, plan: Plan, sent: Sent, taken: Taken, drained: Drained) -> dict[str, Any]:
    received_ns = np.zeros(len(plan.order), np.int64)
    for index, times in enumerate(taken.received_ns):
        received_ns[plan.order == index] = times
    by_time = np.argsort(received_ns)
    # Messages without rows are received and not read.
    at = by_time[np.searchsorted(received_ns[by_time], drained.received_ns)]
    assert (received_ns[at] == drained.received_ns).all(), "rows carry the time their message was received"
    span_s = float(sent.stamps_ns[-1] - sent.stamps_ns[0]) / NS_PER_S
    lag_us = {
        "ours": (drained.drained_ns - sent.stamps_ns[at]) / NS_PER_US,
        "received_us": (received_ns - sent.stamps_ns) / NS_PER_US,
        "sender_late_us": sent.late_ns / NS_PER_US,
    }
    summary = {
        name: {**harness.percentiles(values, "us"), "max": float(f"{values.max():.4g}")}
        for name, values in lag_us.items()
    }
    more = {
        "sent": len(plan.order),
        "received": int((received_ns > 0).sum()),
        "rows": drained.rows,
        "gaps": taken.gaps,
        "dropped": taken.dropped,
        "refused": taken.refused,
        "seconds": span_s,
        "messages_per_s": len(plan.order) / span_s,
        "peak_per_s": _peak(sent.stamps_ns),
        "receiver_cpu": taken.cpu_s / taken.wall_s,
        **{name: each for name, each in summary.items() if name != "ours"},
    }
    return {**harness.row(case, summary["ours"], {}), **more}


def _peak(stamps_ns: np.ndarray) -> float:
    # Most messages in a tenth of a second, per second.
    tenths = (stamps_ns - stamps_ns[0]) // (NS_PER_S // 10)
    return float(np.bincount(tenths).max()) * 10
