"""What `bench/ring.py` measures the ring against from the interpreter, each behind the same two ends.

A channel is made before the fork; afterwards one process asks it for `writer()` and the other for
`reader()`: functions that send one message and that wait for one. Every message is `record_bytes` long and
begins with its number, which the reader gets back.
"""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Protocol

import faster_fifo
import numpy as np

from bench.ring_ours import SLOTS, record_dtype
from ringbuf import Consumer, Producer, Segment

Send = Callable[[int], None]
Receive = Callable[[], int]

_names = iter(range(1 << 30))


class Channel(Protocol):
    """A way from one process to another."""

    def writer(self) -> Send: ...

    def reader(self) -> Receive: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


class RingChannel:
    """Our ring, one record per call: `push` on one side, `pop` on the other."""

    def __init__(self, record_bytes: int) -> None:
        self._dtype = record_dtype(record_bytes)
        self._segment = Segment.create(f"mmpipe-bench.{os.getpid()}.{next(_names)}", self._dtype, SLOTS)

    def writer(self) -> Send:
        """Copies a row into the ring."""
        producer, row = Producer(self._segment), np.zeros(1, self._dtype)
        number_of, push = row["words"], producer.push

        def send(number: int) -> None:
            number_of[0, 0] = number
            while push(row) == 0:
                pass

        return send

    def reader(self) -> Receive:
        """Copies the record out."""
        consumer, row = Consumer(self._segment), np.zeros(1, self._dtype)
        pop, number_of = consumer.pop, row["words"].item

        def receive() -> int:
            while pop(row) == 0:
                pass
            return number_of(0)

        return receive

    def flush(self) -> None:
        """Everything is there already."""

    def close(self) -> None:
        """Remove the segment."""
        self._segment.unlink()


class QueueChannel:
    """A queue of byte strings: faster-fifo, or that of multiprocessing."""

    def __init__(self, queue: Any, record_bytes: int) -> None:
        self._queue = queue
        self._rest = bytes(record_bytes - 8)

    def writer(self) -> Send:
        """Puts one byte string."""
        put, rest = self._queue.put, self._rest
        return lambda number: put(number.to_bytes(8, "little") + rest)

    def reader(self) -> Receive:
        """Gets one byte string."""
        get = self._queue.get
        return lambda: int.from_bytes(get()[:8], "little")

    def flush(self) -> None:
        """Before the writing process ends: multiprocessing sends in a thread of its own."""
        self._queue.close()
        if hasattr(self._queue, "join_thread"):
            self._queue.join_thread()

    def close(self) -> None:
        """Let go of it."""
        self._queue.close()


class ZmqChannel:
    """pyzmq, PUSH to PULL over a local socket."""

    def __init__(self, record_bytes: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._address = f"ipc://{self._folder.name}/socket"
        self._rest = bytes(record_bytes - 8)

    def writer(self) -> Send:
        """Binds and pushes."""
        import zmq

        self._context = zmq.Context()
        socket = self._context.socket(zmq.PUSH)
        socket.bind(self._address)
        rest = self._rest
        return lambda number: socket.send(number.to_bytes(8, "little") + rest)

    def reader(self) -> Receive:
        """Connects and pulls."""
        import zmq

        socket = zmq.Context().socket(zmq.PULL)
        socket.connect(self._address)
        return lambda: int.from_bytes(socket.recv()[:8], "little")

    def flush(self) -> None:
        """Before the writing process ends: a thread of zmq's own sends."""
        self._context.destroy(linger=5_000)

    def close(self) -> None:
        """Remove the socket's folder."""
        self._folder.cleanup()


class IceoryxChannel:
    """iceoryx2 publish and subscribe through shared memory, polled; loses nothing."""

    def __init__(self, record_bytes: int) -> None:
        import ctypes

        self._name = f"mmpipe-bench-{os.getpid()}-{next(_names)}"
        self._kind = type(
            "Record", (ctypes.Structure,), {"_fields_": [("words", ctypes.c_int64 * (record_bytes // 8))]}
        )

    def _service(self) -> Any:
        import iceoryx2

        iceoryx2.set_log_level(iceoryx2.LogLevel.Error)
        node = iceoryx2.NodeBuilder.new().create(iceoryx2.ServiceType.Ipc)
        builder = node.service_builder(iceoryx2.ServiceName.new(self._name)).publish_subscribe(self._kind)
        return node, builder.enable_safe_overflow(False).subscriber_max_buffer_size(64).open_or_create()

    def writer(self) -> Send:
        """Publishes one loaned sample."""
        import iceoryx2

        node, service = self._service()
        strategy = iceoryx2.BackpressureStrategy.RetryUntilDelivered
        publisher = service.publisher_builder().backpressure_strategy(strategy).create()
        while service.dynamic_config.number_of_subscribers == 0:
            time.sleep(0.001)
        record = self._kind()

        def send(number: int, _node: Any = node) -> None:
            record.words[0] = number
            publisher.loan_uninit().write_payload(record).send()

        return send

    def reader(self) -> Receive:
        """Looks for a sample until there is one."""
        node, service = self._service()
        subscriber = service.subscriber_builder().create()

        def receive(_node: Any = node) -> int:
            sample = subscriber.receive()
            while sample is None:
                sample = subscriber.receive()
            return int(sample.payload().contents.words[0])

        return receive

    def flush(self) -> None:
        """Everything is there already."""

    def close(self) -> None:
        """Nothing stays: the service goes with its last user."""


def make_channels(record_bytes: int) -> dict[str, Callable[[], Channel]]:
    """Makers of every channel that can run here, by name; ours first."""
    context = multiprocessing.get_context("fork")
    makers: dict[str, Callable[[], Channel]] = {
        "ours": lambda: RingChannel(record_bytes),
        "faster_fifo": lambda: QueueChannel(faster_fifo.Queue(SLOTS * (record_bytes + 64)), record_bytes),
        "mp_queue": lambda: QueueChannel(context.Queue(SLOTS), record_bytes),
    }
    if find_spec("zmq"):
        makers["zmq_ipc"] = lambda: ZmqChannel(record_bytes)
    if find_spec("iceoryx2"):
        makers["iceoryx2"] = lambda: IceoryxChannel(record_bytes)
    return makers
