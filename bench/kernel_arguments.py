"""Real arguments for every kernel: a market is played in plain Python and each call is written down.

Started as a process of its own with the compiler off (`NUMBA_DISABLE_JIT=1`), where a kernel is the function
itself and kernels call each other through their modules: there a recorder can stand between. It plays
recorded frames through the line with the simulated exchange, and blocks of the embedded one.

    NUMBA_DISABLE_JIT=1 python -m bench.kernel_arguments CAPTURED.pickle OUT.pickle
"""

import importlib
import pickle
import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from loguru import logger

import mmpipe
import ringbuf
import stages
from mmpipe import config as configuration
from mmpipe.enums import AnswerKind, CommandKind, EventKind, IntentKind, Venue
from mmpipe.recording.grid import instrument_of
from mmpipe.recording.recorded import Recording
from mmpipe.records import ANSWER, COMMAND, SYMBOLS_MAX
from ringbuf import jit

ROOT = Path(__file__).resolve().parent.parent
KEPT_CALLS = frozenset({1, 2, 5, 10, 30, 100, 300})  # the last of these that happens is kept
BLOCKS = 300
BLOCK_MS = 20
START_MS = 1_700_000_000_000


def load_everything() -> list[ModuleType]:
    """Import every module of the project but its entry point."""
    modules = []
    for package in (ringbuf, mmpipe, stages):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith((".cli", ".warm")):
                modules.append(importlib.import_module(found.name))
    return modules


def copied(value: Any) -> Any:
    """A copy that lives on its own: records as `Row`, numbers as Python's."""
    if isinstance(value, np.void):
        return Row(np.array([value], value.dtype))
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, tuple):
        parts = [copied(part) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value.item() if isinstance(value, np.generic) else value


def changed(before: Any, value: Any) -> Any:
    """What an argument has become, as `copied` makes it; None where it is as it was."""
    if isinstance(before, Row):
        return None if before.array.tobytes() == value.tobytes() else copied(value)
    if isinstance(before, np.ndarray):
        return None if before.tobytes() == value.tobytes() else copied(value)
    if isinstance(before, tuple):
        return tuple(changed(old, part) for old, part in zip(before, value, strict=True))
    return None


class Call(NamedTuple):
    """One call: its arguments, what came back, and which arguments it changed to what."""

    arguments: tuple[Any, ...]
    result: Any
    after: tuple[Any, ...]


class Row:
    """A record that was passed by itself, as a one-row array."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array


def record_calls(modules: list[ModuleType]) -> dict[str, Call]:
    """Put a recorder in the place of every kernel, wherever it was imported; fills as they are called."""
    kept: dict[str, Call] = {}
    recorders = {id(fn): _recorder(name, fn, kept) for name, fn in jit._kernels.items()}
    for module in modules:
        for name, value in list(vars(module).items()):
            if callable(value) and id(value) in recorders:
                setattr(module, name, recorders[id(value)])
    return kept


def _recorder(name: str, fn: Callable[..., Any], kept: dict[str, Call]) -> Callable[..., Any]:
    calls = 0

    def call(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls not in KEPT_CALLS:
            return fn(*arguments)
        before = tuple(copied(argument) for argument in arguments)
        result = fn(*arguments)
        after = tuple(changed(old, argument) for old, argument in zip(before, arguments, strict=True))
        kept[name] = Call(before, copied(result), after)
        return result

    return call


def play_recording(events: np.ndarray) -> None:
    """The maker's part of the events through the line and the simulated exchange."""
    from mmpipe.commands.replay import replay_recording

    priced = events[events["px"] > 0.0]
    instrument = instrument_of(priced["px"], priced["qty"], 0)
    events["px_tick"] = np.round(events["px"] / instrument["tick_px"][0]).astype(np.int64)
    recording = Recording("bench", events, instrument, len(events), 0, 0)
    replay_recording(recording, configuration.load(ROOT / "pipeline.toml"))


def play_blocks() -> None:
    """Blocks of the embedded exchange, in a calm market and in a cascade."""
    from mmpipe.venue.sim.exchange import Exchange
    from stages.preflight import embedded_settings

    for scenario in ("quiet", "cascade"):
        config = configuration.load(ROOT / "pipeline.toml", {"venue.scenario": scenario})
        settings, _, _ = embedded_settings(config, trades=True)
        assert settings is not None
        exchange = Exchange(settings, 1)
        for block in range(BLOCKS):
            exchange.run_block(START_MS + BLOCK_MS * block)


def play_orders(messages: list[np.ndarray], instruments: np.ndarray) -> None:
    """Both venues' messages through the engines, then what rarely happens to orders."""
    from bench import latency_compute
    from mmpipe.execution.executor import Executor

    config = configuration.load(ROOT / "pipeline.toml")
    path = latency_compute.Decisions(latency_compute.Capture(config, instruments, []))
    for message in latency_compute.with_timers(messages, len(instruments)):
        path.take(message)
    now_ns = int(messages[-1]["local_ts_ns"][0])
    placed = np.concatenate([rows[rows["kind"] == int(IntentKind.PLACE)] for rows in path.sent])[-8:]
    restored = Executor(config, instruments, 2)
    restored.restore([placed])
    for executor in (restored, path.execution):
        executor.on_gate(False, 1 << 62)
        for number, kind in enumerate(AnswerKind):
            intent, row = placed[number % len(placed)], np.zeros(1, ANSWER)
            for name in ("order_id", "px_tick", "qty_lots", "side", "symbol"):
                row[name] = intent[name]
            row["kind"], row["oid"], row["tid"], row["ts_ns"] = int(kind), 7 + number, 1_000 + number, now_ns
            executor.on_answers(row, now_ns)
    _play_the_end(path, latency_compute.own_event(EventKind.GAP, now_ns, Venue.MAKER, 0), messages, now_ns)


def _play_the_end(path: Any, gap: np.ndarray, messages: list[np.ndarray], now_ns: int) -> None:
    # Reduce only, a gap, a kill between decision and sending, and the stop.
    path.answer(AnswerKind.SYNCED, np.zeros(1, ANSWER), now_ns)
    command = np.zeros(1, COMMAND)
    command["symbol"], command["kind"] = SYMBOLS_MAX, int(CommandKind.REDUCE)
    path.execution.on_command(command)
    for message in messages[-200:]:
        path.take(message.copy())
    command["kind"] = int(CommandKind.RESUME)
    path.execution.on_command(command)
    for message in messages[-200:]:
        snapshots = path.features.on_events(message, 1)
        if len(snapshots) == 1:
            path.execution.on_forecast(path.alpha.on_snapshots(snapshots), now_ns)
            path.execution.on_gate(True, 0)
            path.execution.still_allowed(path.execution.intents(), now_ns)
            path.execution.on_gate(False, 1 << 62)
    path.take(gap)
    path.execution.begin_stop()
    path.execution.on_timer(now_ns + 1_000_000_000)
    if not path.execution.stopped:
        path.execution.intents()


def main(captured_file: str, out_file: str) -> None:
    """Play, and write what was kept."""
    logger.remove()
    messages, instruments = pickle.loads(Path(captured_file).read_bytes())
    events = np.concatenate(messages)
    events = events[(events["venue"] == int(Venue.MAKER)) & (events["symbol"] == 0)]
    modules = load_everything()
    kept = record_calls(modules)
    play_recording(events)
    play_blocks()
    play_orders(messages, instruments)
    Path(out_file).write_bytes(pickle.dumps(kept))


if __name__ == "__main__":
    # Under its own name, so that what is pickled here is found by who reads it.
    importlib.import_module("bench.kernel_arguments").main(*sys.argv[1:])
