"""Real arguments for every kernel: a market is played in plain Python and each call is written down.

Started as a process of its own with the compiler off (`NUMBA_DISABLE_JIT=1`), where a kernel is the function
itself and kernels call each other through their modules: there a recorder can stand between. It plays
recorded frames through the line with the simulated exchange, and blocks of the embedded one.

    NUMBA_DISABLE_JIT=1 python -m bench.kernel_arguments EVENTS.npy OUT.pickle
"""

import importlib
import pickle
import pkgutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from loguru import logger

import mmpipe
import ringbuf
import stages
from mmpipe import config as configuration
from mmpipe.replay.source import Recording, instrument_of
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
        settings, _, _ = embedded_settings(config)
        assert settings is not None
        exchange = Exchange(settings, 1)
        for block in range(BLOCKS):
            exchange.run_block(START_MS + BLOCK_MS * block)


def main(events_file: str, out_file: str) -> None:
    """Play, and write what was kept."""
    logger.remove()
    modules = load_everything()
    kept = record_calls(modules)
    for play in _plays(np.load(events_file)):
        play()
    Path(out_file).write_bytes(pickle.dumps(kept))


def _plays(events: np.ndarray) -> Iterator[Callable[[], None]]:
    yield lambda: play_recording(events)
    yield play_blocks


if __name__ == "__main__":
    # Under its own name, so that what is pickled here is found by who reads it.
    importlib.import_module("bench.kernel_arguments").main(*sys.argv[1:])
