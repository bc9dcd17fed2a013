"""Traffic that proves itself: every word of a record follows from its number, and readers check it.

Run as `python -m tests.rings.traffic <role> <arguments>`, it is the other process of these tests.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from ringbuf import CellWriter, Consumer, Doorbell, Idle, Producer, Segment
from ringbuf.atomics import address_of, load_constant_i64, load_relaxed_i64, pause, store_relaxed_i64
from ringbuf.cell import cell_write
from ringbuf.jit import kernel
from ringbuf.layout import AT_CLAIMED, AT_SLOT_COUNT, AT_STRIDE, HEADER_BYTES, KIND_CELL, KIND_COUNTERS
from ringbuf.ring_kernels import claim, peek, publish, push, release, slot_address
from ringbuf.ring_observe import observe

RECORD_BYTES = (64, 256)  # one size of each commit protocol
PRIME = 1_000_003
IDLE_ROUNDS = 200  # fruitless looks before a kernel returns, so that Python can yield the core
# Longer than a time slice: who shares one core with the writer must be interrupted while it observes.
OBSERVE_ROUNDS = 1_000_000

# State of a side: words of one int64 array.
DONE, RANDOM, ERRORS, DUPLICATES, LAST = 0, 1, 2, 3, 4
STATE_WORDS = 8

READY = b"\0"


def record(record_bytes: int = 64) -> np.dtype:
    """A record of so many bytes."""
    return np.dtype([("seq", "i8"), ("words", "i8", (record_bytes // 8 - 1,))])


RECORD = record()


@kernel
def next_random(state: np.ndarray) -> int:
    """Xorshift (Marsaglia 2003), 0 to 2^31 - 1."""
    x = state[RANDOM]
    x ^= (x << 13) & 0xFFFFFFFF
    x ^= x >> 17
    x ^= (x << 5) & 0xFFFFFFFF
    state[RANDOM] = x
    return x & 0x7FFFFFFF


@kernel
def stall(state: np.ndarray, one_in: int = 512, pauses: int = 400) -> None:
    """Once in 512 calls, do nothing for some microseconds."""
    if next_random(state) % one_in == 0:
        for _ in range(next_random(state) % pauses):
            pause()


@kernel
def words_of(base: int) -> int:
    """Words of a record of this ring."""
    return load_constant_i64(base + AT_STRIDE) // 8


@kernel
def write_body(address: int, number: int, words: int) -> None:
    for word in range(1, words):
        store_relaxed_i64(address + 8 * word, number * PRIME + word)


@kernel
def body_is_whole(address: int, number: int, words: int) -> bool:
    wrong = 0
    for word in range(1, words):
        wrong += load_relaxed_i64(address + 8 * word) != number * PRIME + word
    return wrong == 0


@kernel
def produce(base: int, state: np.ndarray, last: int, batch_max: int, row: np.ndarray) -> bool:
    """Write records up to number `last`, in place or by copy, in random batches; True when done."""
    fruitless = 0
    while state[DONE] < last and fruitless < IDLE_ROUNDS:
        wanted = min(1 + next_random(state) % batch_max, last - state[DONE])
        if next_random(state) % 4 == 0:
            for word in range(1, len(row)):
                row[word] = (state[DONE] + 1) * PRIME + word
            count = push(base, address_of(row), 1)
        else:
            _, count = claim(base, wanted)
            for i in range(count):
                write_body(slot_address(base, state[DONE] + i), state[DONE] + 1 + i, len(row))
            publish(base, count)
        state[DONE] += count
        fruitless = 0 if count else fruitless + 1
        stall(state)
    return state[DONE] >= last


@kernel
def consume(base: int, state: np.ndarray, last: int, batch_max: int) -> bool:
    """Read records up to number `last`, count every one that is torn or out of order; True when done."""
    fruitless = 0
    while state[DONE] < last and fruitless < IDLE_ROUNDS:
        _, count = peek(base, 1 + next_random(state) % batch_max)
        if count == 0:
            fruitless += 1
            pause()
            continue
        fruitless = 0
        count = 1 + next_random(state) % count
        for i in range(count):
            number = state[DONE] + 1 + i
            address = slot_address(base, number - 1)
            if load_relaxed_i64(address) != number or not body_is_whole(address, number, words_of(base)):
                state[ERRORS] += 1
        release(base, count)
        state[DONE] += count
        stall(state)
    return state[DONE] >= last


@kernel
def observe_oldest(base: int, state: np.ndarray, last: int, row: np.ndarray) -> bool:
    """Read all there is, and each time also observe the very slot that the writer overwrites next."""
    fruitless = 0
    target = address_of(row)
    while state[DONE] < last and fruitless < OBSERVE_ROUNDS:
        _, count = peek(base, 1 << 20)
        release(base, count)
        state[DONE] += count
        fruitless = 0 if count else fruitless + 1
        oldest = load_relaxed_i64(base + AT_CLAIMED) - load_relaxed_i64(base + AT_SLOT_COUNT)
        if oldest >= 0:
            seen, missed, _ = observe(base, oldest, target, 1)
            if seen and not body_is_whole(target, row[0], len(row)):
                state[ERRORS] += 1
            state[DUPLICATES] += seen
            state[LAST] += missed
    return state[DONE] >= last


@kernel
def consume_once_more(base: int, state: np.ndarray, last: int, batch_max: int) -> bool:
    """Read like `consume`, but tell a record that came again by its `seq`; state outlives the process."""
    fruitless = 0
    while state[LAST] < last and fruitless < IDLE_ROUNDS:
        first, count = peek(base, 1 + next_random(state) % batch_max)
        fruitless += 1
        for i in range(count):
            address = base + HEADER_BYTES + (first + i) * 8 * words_of(base)
            seq = load_relaxed_i64(address)
            if not body_is_whole(address, seq, words_of(base)) or seq > state[LAST] + 1:
                state[ERRORS] += 1
            elif seq <= state[LAST]:
                state[DUPLICATES] += 1
            else:
                store_relaxed_i64(address_of(state) + 8 * LAST, seq)
            fruitless = 0
            stall(
                state, 64, 100_000
            )  # to a millisecond, so that a kill finds it within a batch on one core too
        release(base, count)
    return state[LAST] >= last


def new_state(seed: int, done: int = 0) -> np.ndarray:
    state = np.zeros(STATE_WORDS, np.int64)
    state[RANDOM], state[DONE] = seed * 2 + 1, done
    return state


def until(step: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Call `step` until it is True, giving the core away in between."""
    deadline_s = time.monotonic() + timeout_s
    while not step():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not done after {timeout_s} s")
        os.sched_yield()


def run_producer(plan: str, timeout_s: str) -> None:
    """Write through one ring after the other: `plan` is name:bytes:count:batch:seed,…"""
    for part in plan.split(","):
        name, record_bytes, count, batch, seed = part.split(":")
        producer = Producer(Segment.attach(name, record(int(record_bytes))))
        base, state, row = producer.base, new_state(int(seed)), np.zeros(int(record_bytes) // 8, np.int64)
        step = partial(produce, base, state, int(count), int(batch), row)
        until(step, float(timeout_s))


def run_killed_producers(name: str, record_bytes: str, kills: str) -> None:
    """Start a writer, kill it at a random moment, again and again; let the last one finish the lap."""
    dtype = record(int(record_bytes))
    row = np.zeros(dtype.itemsize // 8, np.int64)
    rehearsal = Producer(Segment.local(dtype, 8))  # compiles before anybody is killed
    produce(rehearsal.base, new_state(1), 1, 1, row)

    def work(round_number: int, tell: int) -> None:
        producer = Producer(Segment.attach(name, dtype))
        state = new_state(round_number, producer.head)
        os.write(tell, READY)
        while True:
            produce(producer.base, state, 1 << 60, 64, row)

    _kill_repeatedly(work, int(kills), random.Random(5))
    print(Producer(Segment.attach(name, dtype)).head, flush=True)


def run_killed_consumers(name: str, record_bytes: str, state_name: str, kills: str) -> None:
    """Start a reader, kill it at a random moment, again and again; its state lies in counters."""
    dtype = record(int(record_bytes))
    counters = Segment.attach(state_name, np.dtype(np.int64), KIND_COUNTERS).slots
    rehearsal = Consumer(Segment.local(dtype, 8))
    consume_once_more(rehearsal.base, new_state(1), 1, 1)

    def work(round_number: int, tell: int) -> None:
        consumer = Consumer(Segment.attach(name, dtype))
        counters[RANDOM] = round_number * 2 + 1
        os.write(tell, READY)
        while True:
            consume_once_more(consumer.base, counters, 1 << 60, 64)

    _kill_repeatedly(work, int(kills), random.Random(6))
    print("done", flush=True)


def _kill_repeatedly(work: Callable[[int, int], None], kills: int, chance: random.Random) -> None:
    # Forked from a warm process without threads: a new interpreter per kill would take a second each.
    for round_number in range(1, kills + 1):
        ready, tell = os.pipe()
        child = os.fork()
        if child == 0:
            work(round_number, tell)
        os.read(ready, 1)
        deadline_s = time.monotonic() + chance.uniform(0.0, 0.01)
        while time.monotonic() < deadline_s:
            os.sched_yield()
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(ready)
        os.close(tell)


@kernel
def write_cells(base: int, words: np.ndarray, version: int, count: int) -> int:
    """Overwrite a cell `count` times without a pause; the last version."""
    for _ in range(count):
        version += 1
        for word in range(1, len(words)):
            words[word] = version * PRIME + word
        cell_write(base, words)
    return version


def run_cell_writer(name: str, record_bytes: str) -> None:
    """Overwrite a cell as fast as the machine can until asked to stop."""
    segment = Segment.attach(name, record(int(record_bytes)), KIND_CELL)
    CellWriter(segment)
    words, version = np.zeros(int(record_bytes) // 8, np.int64), 0
    while not segment.stop_requested:
        version = write_cells(segment.base, words, version, 1_000)
    print(version, flush=True)


def run_echo(there: str, back: str, bell: str, peer_bell: str, rounds: str, on: str) -> None:
    """Answer each record with one, sleeping in between on the words of the rings or on the bell."""
    own = Doorbell.open(bell)
    consumer = Consumer(Segment.attach(there, RECORD))
    producer = Producer(Segment.attach(back, RECORD), Doorbell.open(peer_bell))
    idle, row = Idle("park", [consumer], own), np.zeros(1, RECORD)
    idle.on_words = on == "words"
    for _ in range(int(rounds)):
        while len(consumer.peek(1)) == 0:
            idle.wait(10.0)
        consumer.release(1)
        producer.push(row)


ROLES = {
    "producer": run_producer,
    "killed-producers": run_killed_producers,
    "killed-consumers": run_killed_consumers,
    "cell-writer": run_cell_writer,
    "echo": run_echo,
}

if __name__ == "__main__":
    ROLES[sys.argv[1]](*sys.argv[2:])
