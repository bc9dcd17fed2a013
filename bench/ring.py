"""Throughput and round trip between two processes: our ring, a C++ ring, and what else Python has.

    compiled loops     ours in kernels against `spsc_peer.cpp`, compiled on the spot where there is a compiler
    from Python        one message per call against faster-fifo, multiprocessing, pyzmq and iceoryx2

All contestants take turns, round after round; what is printed are medians over the rounds. Both sides of
every contestant are pinned to the same two cores and check every compiled record, and every message number.
"In place" writes two words of each record where it lies; "in place, every word" writes and reads all of it,
which is bounded by what the cores can move between each other.

    python bench/ring.py [--json FILE] [--rounds N] [--quick]
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import harness, ring_ours, ring_peers
from bench.ring_ours import BATCH, SLOTS, record_dtype
from ringbuf import Consumer, Producer, Segment

SIZES = (64, 256, 1024)
IN_PLACE = ("batch_in_place", "batch_every_word")
COMPILED_MESSAGES = {64: 4_000_000, 256: 4_000_000, 1024: 1_500_000}
COMPILED_TRIPS = 20_000
WARM_UP_TRIPS = 200
MESSAGES = {"ours": 100_000, "iceoryx2": 20_000, "zmq_ipc": 40_000, "faster_fifo": 40_000, "mp_queue": 20_000}
TRIPS = {"ours": 10_000, "iceoryx2": 4_000, "zmq_ipc": 2_000, "faster_fifo": 2_000, "mp_queue": 2_000}
# What this ring is expected to do at least: case, peer, ratio of speeds.
WANTED = (
    ("compiled/64B/throughput", "cpp", 1.8),
    ("compiled/256B/throughput", "cpp", 1.0),
    ("compiled/1024B/throughput", "cpp", 0.95),
    ("compiled/1024B/batch_in_place", "cpp", 1.5),
    ("compiled/64B/round_trip", "cpp", 1 / 0.9),
    ("compiled/256B/round_trip", "cpp", 1 / 0.9),
    ("compiled/1024B/round_trip", "cpp", 1 / 0.9),
    ("python/64B/throughput", "faster_fifo", 10.0),
    ("python/64B/round_trip", "faster_fifo", 50.0),
)
READY_WORD = ring_ours.READY_AT // 8


class Bench:
    """The contestants; `scale` shrinks the work of each for a quick look."""

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._cores = harness.two_cores()
        self._cpp = build_peer()
        harness.pin(self._cores[0])

    def contestants(self) -> list[tuple[str, Callable[[], Any]]]:
        """Everything that is measured, in the order of a round."""
        made: list[tuple[str, Callable[[], Any]]] = []
        for size in SIZES:
            for case in ("throughput", "batch_copied", "batch_in_place", "batch_every_word"):
                made.append((f"compiled/{size}B/{case}/ours", partial(self.ours, size, case)))
            made.append((f"compiled/{size}B/round_trip/ours", partial(self.our_trips, size)))
            if self._cpp:
                for case, mode in (
                    ("throughput", "throughput"),
                    ("batch_copied", "batch"),
                    ("round_trip", "roundtrip"),
                ):
                    made.append((f"compiled/{size}B/{case}/cpp", partial(self.cpp, size, mode)))
        if self._cpp:
            made.append(("machine/cache_line/round_trip/cpp", partial(self.cpp, 8, "pingpong")))
        for size in SIZES:
            for name, make in ring_peers.make_channels(size).items():
                made.append((f"python/{size}B/throughput/{name}", partial(self.messages, make, name)))
                made.append((f"python/{size}B/round_trip/{name}", partial(self.trips, make, name)))
        return made

    def ours(self, size: int, case: str) -> dict[str, Any]:
        """Messages per second through our ring, in compiled loops."""
        count = int(COMPILED_MESSAGES[size] * self._scale)
        with harness.rings(record_dtype(size), SLOTS, 1) as (ring,):
            result = harness.in_child(partial(_read, ring, size, case, count), self._cores[1])
            Producer(ring)
            _wait_for_reader(ring)
            begin_ns = time.monotonic_ns()
            written = _write(ring, size, case, count)
            wrong, end_ns = result()
        if wrong or written != count:
            raise RuntimeError(f"{size} B {case}: {wrong} of {count} records wrong or missing")
        return harness.percentiles([count / (end_ns - begin_ns) * 1e3], "M/s")

    def our_trips(self, size: int) -> dict[str, Any]:
        """Round trips through two of our rings, in compiled loops."""
        count = self._trip_count()
        times_ns = np.zeros(count, np.int64)
        with harness.rings(record_dtype(size), SLOTS, 2) as (there, back):
            result = harness.in_child(partial(_answer, there, back, size, count), self._cores[1])
            Producer(there), Consumer(back)
            _wait_for_reader(there)
            row, stamp = ring_ours.rows(size), np.zeros(2, np.int64)
            wrong = ring_ours.ask(there.base, back.base, row, stamp, times_ns) + result()
        if wrong:
            raise RuntimeError(f"{size} B round trip: {wrong} of {count} records wrong or missing")
        return harness.percentiles(times_ns[WARM_UP_TRIPS:], "ns")

    def cpp(self, size: int, mode: str) -> dict[str, Any]:
        """The same in C++; the program checks itself and ends with another status if a record was wrong."""
        trips = mode in ("roundtrip", "pingpong")
        count = self._trip_count() if trips else int(COMPILED_MESSAGES[size] * self._scale)
        command = [self._cpp, mode, str(size), str(count), *map(str, self._cores)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=harness.PAIR_TIMEOUT_S, check=True
        )
        numbers = [int(line) for line in done.stdout.split()]
        if trips:
            return harness.percentiles(numbers[WARM_UP_TRIPS:], "ns")
        return harness.percentiles([count / numbers[0] * 1e3], "M/s")

    def _trip_count(self) -> int:
        return max(int(COMPILED_TRIPS * self._scale), 2 * WARM_UP_TRIPS)

    def messages(self, make: Callable[[], ring_peers.Channel], name: str) -> dict[str, Any]:
        """Messages per second from the interpreter, one per call."""
        count = int(MESSAGES[name] * self._scale)
        channel, back = make(), ring_peers.RingChannel(64)
        result = harness.in_child(partial(_receive_all, channel, back, count), self._cores[1])
        send, ready = channel.writer(), back.reader()
        ready()
        begin_ns = time.monotonic_ns()
        for number in range(count):
            send(number)
        end_ns = result()
        channel.close(), back.close()
        return harness.percentiles([count / (end_ns - begin_ns) * 1e9], "1/s")

    def trips(self, make: Callable[[], ring_peers.Channel], name: str) -> dict[str, Any]:
        """Round trips from the interpreter."""
        count = int(TRIPS[name] * self._scale)
        there, back = make(), make()
        result = harness.in_child(partial(_echo, there, back, count), self._cores[1])
        send, receive = there.writer(), back.reader()
        times_ns = []
        for number in range(count):
            begin_ns = time.perf_counter_ns()
            send(number)
            answer = receive()
            times_ns.append(time.perf_counter_ns() - begin_ns)
            if answer != number:
                raise RuntimeError(f"{name}: asked {number}, got {answer}")
        result()
        there.close(), back.close()
        return harness.percentiles(times_ns[count // 20 :], "ns")


def build_peer() -> str:
    """Compile the C++ ring; its path, or "" where there is no compiler."""
    compiler = shutil.which("c++")
    if compiler is None:
        return ""
    target = Path(tempfile.mkdtemp()) / "spsc_peer"
    source = Path(__file__).with_name("spsc_peer.cpp")
    command = [compiler, "-O3", "-march=native", "-std=c++17", "-o", str(target), str(source)]
    subprocess.run(command, check=True, timeout=120)
    return str(target)


def _wait_for_reader(ring: Segment) -> None:
    while ring.words[READY_WORD] == 0:
        pass


def _write(ring: Segment, size: int, case: str, count: int) -> int:
    words, table = size // 8, ring_ours.table(ring)
    if case in IN_PLACE:
        return ring_ours.produce_in_place(ring.base, table, case == "batch_every_word", BATCH, count)
    batch = BATCH if case == "batch_copied" else 1
    return ring_ours.produce(ring.base, ring_ours.rows(size * batch), words, batch, count)


def _read(ring: Segment, size: int, case: str, count: int) -> tuple[int, int]:
    Consumer(ring)
    words, table = size // 8, ring_ours.table(ring)
    ring.words[READY_WORD] = 1
    if case in IN_PLACE:
        wrong = ring_ours.consume_in_place(ring.base, table, case == "batch_every_word", BATCH, count)
    else:
        batch = BATCH if case == "batch_copied" else 1
        wrong = ring_ours.consume(ring.base, ring_ours.rows(size * batch), words, batch, count)
    return wrong, time.monotonic_ns()


def _answer(there: Segment, back: Segment, size: int, count: int) -> int:
    Consumer(there), Producer(back)
    there.words[READY_WORD] = 1
    return ring_ours.answer(there.base, back.base, ring_ours.rows(size), count)


def _receive_all(channel: ring_peers.Channel, back: ring_peers.RingChannel, count: int) -> int:
    receive = channel.reader()
    back.writer()(0)
    for number in range(count):
        if receive() != number:
            raise RuntimeError(f"message {number} came out of order")
    return time.monotonic_ns()


def _echo(there: ring_peers.Channel, back: ring_peers.Channel, count: int) -> None:
    receive, send = there.reader(), back.writer()
    for _ in range(count):
        send(receive())
    back.flush()


def rows_of(results: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One row per case: ours, the peers, the ratios."""
    medians = {name: harness.median_over_rounds(rounds) for name, rounds in results.items()}
    rows = []
    for name, ours in medians.items():
        case, _, who = name.rpartition("/")
        if who != "ours":
            continue
        peers = {
            peer.rpartition("/")[2]: value for peer, value in medians.items() if peer.startswith(f"{case}/")
        }
        del peers["ours"]
        # What is written in place is measured against what it saves: the C++ ring that copies.
        copied = f"{case.rpartition('/')[0]}/throughput/cpp"
        if not peers and copied in medians:
            peers["cpp"] = medians[copied]
        rows.append(harness.row(case, ours, peers))
    return rows


def judge(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each wanted ratio beside the one that was measured."""
    ratios = {(row["case"], peer): ratio for row in rows for peer, ratio in row["ratio"].items()}
    return [
        {
            "case": f"{case} vs {peer}",
            "ratio": ratios[case, peer],
            "least": round(least, 3),
            "ok": ratios[case, peer] >= least,
        }
        for case, peer, least in WANTED
        if (case, peer) in ratios
    ]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; 1 if a wanted ratio was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write bench-ring/1 to this file")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the work: does it run?")
    options = parser.parse_args(arguments)
    bench = Bench(0.01 if options.quick else 1.0)
    ring_ours.compile_all(SIZES)
    before = set(os.listdir("/dev/shm"))
    results = harness.interleave(bench.contestants(), options.rounds, print)
    for left in set(os.listdir("/dev/shm")) - before:
        if left.startswith("iox2_"):  # iceoryx2 keeps one file for the next user
            os.unlink(f"/dev/shm/{left}")
    rows = rows_of(results)
    for row in rows:
        print(f"{row['case']:36s} {row['ours']['p50']:>12,.4g} {row['ours']['unit']:4s}", end=" ")
        print(
            "  ".join(
                f"{peer} {value['p50']:,.4g} (×{row['ratio'][peer]:.3g})"
                for peer, value in row["peers"].items()
            )
        )
    line = results.get("machine/cache_line/round_trip/cpp")
    machine_ns = harness.median_over_rounds(line) if line else None
    if machine_ns:
        print(f"cache line there and back between the two cores: {machine_ns['p50']:.0f} ns p50")
    wanted = judge(rows)
    for item in wanted:
        verdict = "ok  " if item["ok"] else "MISS"
        print(f"{verdict} {item['case']}: {item['ratio']:.3g}, wanted ≥ {item['least']:.3g}")
    harness.report("ring", options.rounds, rows, options.json, wanted=wanted, cache_line=machine_ns)
    return 0 if all(item["ok"] for item in wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
