"""Nanoseconds per call of every kernel, from within compiled code and from Python.

    arguments   from a market played in plain Python (`kernel_arguments`), so that each call does real work
    in-jit      a compiled loop of calls; arguments are read and results written to memory in each round,
                with a barrier the compiler does not move them across; an empty loop is subtracted
    python      the same call through numba's dispatcher

Every kernel must give what its own Python source gives on the same arguments, or the bench ends with 1.
Kernels of `ringbuf` that take addresses are measured over a ring of 64 B records, a writing one together with
the reading one that makes room again. What the market did not reach is listed.

    python bench/kernels.py [--json FILE] [--rounds N] [--only TEXT]
"""

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import decision_path, harness, latency_compute
from bench.kernel_arguments import Call, Row, copied, load_everything
from bench.ring_ours import now_ns
from ringbuf import CellReader, CellWriter, Consumer, Observer, Producer, Segment, jit
from ringbuf.atomics import lowered
from ringbuf.layout import CELL_SLOTS, KIND_CELL

PER_LOOP = 1_000  # calls on one copy of the arguments, where they stay as they are
SINGLE_CALLS = 100  # copies, and one call on each, where they do not
PYTHON_CALLS = 50
RELATIVE = 1e-9
SLOTS = 1024
RECORD = np.dtype([("seq", "i8"), ("words", "i8", (7,))])
# Over a ring of 64 B records that is left as it was; see `ring_rows` for the names.
RING_CALLS = {
    "push + pop": "push(ring, address, 1); pop(ring, address, 1)",
    "claim + publish + peek + release": "claim(ring, 1); publish(ring, 1); peek(ring, 1); release(ring, 1)",
    "push_rows + pop_rows": "push_rows(ring, row); pop_rows(ring, row)",
    "claim + publish_rows": "claim(ring, 1); publish_rows(ring, 1); peek(ring, 1); release(ring, 1)",
    "is_ready": "sink[0] = is_ready(ring)",
    "slot_address": "sink[0] = slot_address(ring, 77)",
    "address_of": "sink[0] = address_of(words)",
    "wake, nobody asleep": "wake(ring)",
    "wake_word, nobody asleep": "wake_word(address)",
    "wake_anyhow, nobody asleep": "wake_anyhow(ring)",
    "recover_producer": "recover_producer(ring)",
    "recover_consumer": "recover_consumer(ring)",
    "observe": "observe(ring, 0, address, 1)",
    "observe_words": "observe_words(ring, 0, words)",
    "any_ready, one ring": "sink[0] = any_ready(bases)",
    "announce + take_back": "announce(bases, 1); take_back(bases)",
    "spin, one round": "spin(bases, 1)",
    "yield_until_ready, one round": "yield_until_ready(bases, 1)",
    "step_aside": "step_aside()",
    "cell_write + cell_read": "cell_write(cell, words); cell_read(cell, 0, words)",
    "recover_writer": "recover_writer(cell)",
}


def _emit_clobber(builder: Any, values: Any) -> None:
    builder.asm(ir.FunctionType(ir.VoidType(), []), "", "~{memory}", [], True)


@lowered(_emit_clobber, types.void)
def clobber() -> None:
    """All memory may have changed: what was read before is read again."""


class WrongAnswer(Exception):
    """A compiled kernel and its source disagree."""


def captured(folder: Path) -> dict[str, Call]:
    """Arguments of every kernel that a few seconds of the embedded market reach."""
    market = latency_compute.capture()
    _, messages = latency_compute.decode_frames(market)
    (folder / "captured").write_bytes(pickle.dumps((messages, market.instruments)))
    command = [sys.executable, "-m", "bench.kernel_arguments", str(folder / "captured"), str(folder / "kept")]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, timeout=300, env=environment, cwd=ROOT)
    kept: dict[str, Call] = pickle.loads((folder / "kept").read_bytes())
    return {name: call for name, call in kept.items() if not _takes_addresses(name)}


def _takes_addresses(name: str) -> bool:
    # Addresses mean nothing in another process.
    return name.startswith("ringbuf.") and not name.startswith("ringbuf.histogram.")


def called(arguments: tuple[Any, ...]) -> list[Any]:
    """Fresh copies as Python passes them."""
    return [value.array.copy()[0] if isinstance(value, Row) else copied(value) for value in arguments]


def check(name: str, fn: Any, call: Call) -> None:
    """Compare what the compiled kernel returns and changes with what its source did in plain Python.

    Raises
    ------
    WrongAnswer
        They differ by more than `RELATIVE`.
    """
    arguments = called(call.arguments)
    result = fn(*arguments)
    expected = [now if now is not None else was for was, now in zip(call.arguments, call.after, strict=True)]
    if not _equal(result, call.result) or not all(map(_equal, arguments, expected)):
        raise WrongAnswer(f"{name}: compiled and plain Python disagree")


def _equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, Row):
        expected = expected.array[0]
    if isinstance(found, tuple):
        # Parts of a tuple that did not change are not repeated.
        return all(b is None or _equal(a, b) for a, b in zip(found, expected, strict=True))
    if isinstance(found, np.ndarray | np.void) and found.dtype.names:
        return all(_equal(found[name], expected[name]) for name in found.dtype.names)
    if found is None or expected is None:
        return found is expected
    return bool(np.allclose(found, expected, rtol=RELATIVE, atol=0.0, equal_nan=True))


def loop_of(fn: Any, arguments: tuple[Any, ...], result: Any) -> Callable[..., Any]:
    """A compiled loop of calls; numbers and records are passed as arrays, and read in each round."""
    names = [f"a{index}" for index in range(len(arguments))]
    passed = [
        f"{name}[0]" if isinstance(value, Row) or _is_number(value) else name
        for name, value in zip(names, arguments, strict=True)
    ]
    count = len(result) if isinstance(result, tuple) else int(_is_number(result))
    keep = {0: "{call}", 1: "sink[0] = {call}"}.get(count) if not isinstance(result, tuple) else None
    if keep is None:
        keep = "r = {call}; " + "; ".join(f"sink[{i}] = r[{i}]" for i in range(count))
    body = keep.format(call=f"fn({', '.join(passed)})")
    return _loop(", ".join(names), body, {"fn": fn})


def _loop(names: str, body: str, known: dict[str, Any]) -> Callable[..., Any]:
    source = (
        f"def loop({names}{', ' if names else ''}sink, stamp, count):\n"
        " begin_ns = now_ns(stamp)\n"
        " for _ in range(count):\n"
        f"  {body}\n"
        "  clobber()\n"
        " return now_ns(stamp) - begin_ns\n"
    )
    scope: dict[str, Any] = {"__name__": "bench.generated", "clobber": clobber, "now_ns": now_ns, **known}
    exec(compile(source, "<bench>", "exec"), scope)
    compiled: Callable[..., Any] = jit.kernel(scope["loop"])
    return compiled


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int | float | np.generic) and not isinstance(value, np.void)


def _memory(value: Any) -> Any:
    if isinstance(value, Row):
        return value.array.copy()
    return np.array([value]) if _is_number(value) else copied(value)


class Timer:
    """Times compiled loops; what an empty one takes is subtracted."""

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._sink, self._stamp = np.zeros(8), np.zeros(2, np.int64)
        empty = _loop("", "pass", {})
        self._empty_ns = {
            calls: min(self.run(empty, [], calls) for _ in range(100)) for calls in (1, PER_LOOP)
        }

    def run(self, loop: Callable[..., Any], values: list[Any], calls: int) -> float:
        """ns per call."""
        return float(loop(*values, self._sink, self._stamp, calls)) / calls

    def in_jit_ns(self, fn: Any, call: Call) -> list[float]:
        """ns per call, one number per round.

        What changes its arguments is called once on each of many copies: again and again on the same ones
        it would do something else, or run over the end of what it fills.
        """
        loop = loop_of(fn, call.arguments, call.result)
        changes = any(_changed(now) for now in call.after)
        calls, copies = (1, SINGLE_CALLS) if changes else (PER_LOOP, 3)
        self.run(loop, [_memory(value) for value in call.arguments], 1)
        medians = []
        for _ in range(self._rounds):
            taken = []
            for _ in range(copies):
                values = [_memory(value) for value in call.arguments]
                taken.append(self.run(loop, values, calls) - self._empty_ns[calls])
            medians.append(max(float(np.median(taken)), 0.0))
        return medians

    def ring_ns(self, loop: Callable[..., Any], arguments: tuple[Any, ...]) -> list[float]:
        """The same for what leaves its arguments as they were."""
        self.run(loop, list(arguments), 1)
        return [self.run(loop, list(arguments), 10 * PER_LOOP) for _ in range(self._rounds)]


def _changed(now: Any) -> bool:
    return any(map(_changed, now)) if isinstance(now, tuple) else now is not None


def from_python_ns(fn: Any, arguments: tuple[Any, ...], rounds: int) -> list[float]:
    """ns per call through the dispatcher, one number per round."""
    times = []
    for _ in range(rounds):
        best = float("inf")
        for _ in range(PYTHON_CALLS):
            values = called(arguments)
            begin_ns = time.perf_counter_ns()
            fn(*values)
            best = min(best, time.perf_counter_ns() - begin_ns)
        times.append(best)
    return times


def ring_rows(timer: Timer, only: str) -> tuple[list[dict[str, Any]], set[str]]:
    """The kernels that take addresses, in groups that leave the ring as it was; and which they are."""
    from ringbuf import atomics, cell, idle, ring_kernels, ring_observe, syscalls

    segment, kept = Segment.local(RECORD, SLOTS), Segment.local(RECORD, CELL_SLOTS, KIND_CELL)
    ends = Producer(segment), Consumer(segment), CellWriter(kept), CellReader(kept), Observer(segment)
    words, row, bases = np.zeros(8, np.int64), np.zeros(1, RECORD), np.array([segment.base])
    scope = {
        **vars(atomics),
        **vars(cell),
        **vars(idle),
        **vars(ring_kernels),
        **vars(ring_observe),
        **vars(syscalls),
    }
    arguments = (segment.base, kept.base, words.ctypes.data, words, row, bases)
    names = "ring, cell, address, words, row, bases"
    rows, covered = [], set()
    for label, body in RING_CALLS.items():
        used = {name for name in scope if f"{name}(" in body and callable(scope[name])}
        modules = {getattr(getattr(scope[name], "py_func", None), "__module__", "") for name in used}
        covered |= {f"{module}.{name}" for module in modules for name in used}
        if only and only not in f"ringbuf {label}":
            continue
        loop = _loop(names, body, {name: scope[name] for name in used})
        times = timer.ring_ns(loop, arguments)
        rows.append(harness.row(f"ringbuf/{label}", harness.percentiles(times, "ns"), {}))
    del ends
    return rows, covered


def measure(
    kept: dict[str, tuple[Any, ...]], rounds: int, only: str
) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of all kernels whose name holds `only`, and those that were not reached.

    Raises
    ------
    WrongAnswer
        A kernel disagrees with its source.
    """
    timer = Timer(rounds)
    rows, covered = ring_rows(timer, only)
    names = [name for name in sorted(jit._kernels) if not name.startswith("bench")]
    missing = []
    for name in names:
        if name not in kept:
            # What begins with an underscore there is part of what is measured over a ring.
            inner = _takes_addresses(name) and name.split(".")[-1].startswith("_")
            missing += [name] if name not in covered and only in name and not inner else []
            continue
        if only not in name:
            continue
        fn, call = jit._kernels[name], kept[name]
        check(name, fn, call)
        within = timer.in_jit_ns(fn, call)
        outside = from_python_ns(fn, call.arguments, rounds)
        row = harness.row(f"kernel/{name}", harness.percentiles(within, "ns"), {})
        rows.append({**row, "python": harness.percentiles(outside, "ns")})
    return rows, missing


def show_models(rows: list[dict[str, Any]], judged: list[dict[str, Any]]) -> None:
    """Print the models of the decision path beside their budgets."""
    verdicts = {item["case"]: item for item in judged}
    for row in rows:
        ours, item = row["ours"], verdicts.get(row["case"])
        text = f"{row['case']:40s} p50 {ours['p50']:>8,.3f} us  p99 {ours['p99']:>8,.3f} us"
        if item:
            text += (
                f"  <= {item['limit_p50_us']:g} / {item['limit_p99_us']:g} {'ok' if item['ok'] else 'OVER'}"
            )
        for name, ratio in row["ratio"].items():
            text += f"  {name} {row['peers'][name]['p50']:.1f} us, x {ratio:.1f}"
            text += f"; differ by {row['max_error']:.1g}"
        print(text)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; 1 if a kernel gave a wrong answer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="write bench-kernels/1 to this file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="part of the names")
    options = parser.parse_args(arguments)
    load_everything()
    with tempfile.TemporaryDirectory() as folder:
        kept = captured(Path(folder))
    models: list[dict[str, Any]] = []
    try:
        rows, missing = measure(kept, options.rounds, options.only)
        if options.only in "decision_path":
            models = decision_path.measure(options.rounds)
    except (WrongAnswer, decision_path.WrongAnswer) as error:
        print(f"WRONG {error}")
        return 1
    for row in sorted(rows, key=lambda row: row["ours"]["p50"]):
        python = f"{row['python']['p50']:>10,.0f}" if "python" in row else " " * 10
        print(f"{row['case']:72s} {row['ours']['p50']:>10,.1f} ns in-jit {python} ns from Python")
    print(f"{len(rows)} measured, {len(missing)} not reached by this market: {', '.join(missing) or 'none'}")
    judged = decision_path.judge(models)
    show_models(models, judged)
    harness.report(
        "kernels", options.rounds, [*models, *rows], options.json, not_reached=missing, budget=judged
    )
    return 0 if all(item["ok"] for item in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
