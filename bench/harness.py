"""What every bench shares: pairs of pinned processes, interleaved rounds, percentiles, one file format.

A bench measures contestants in turn, round after round, and reports medians over the rounds: on a machine
that others use, only what was measured side by side can be compared. The file is `bench-NAME/1`: ratios are
ours over the peer in speed, so above 1 we are faster.
"""

import json
import math
import os
import pickle
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mmpipe.provenance import provenance
from ringbuf import Segment

PAIR_TIMEOUT_S = 120.0


def two_cores() -> tuple[int, int]:
    """Two cores this process may use, the same one twice if there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[1 % len(cores)]


def pin(core: int) -> None:
    """Keep this process on one core."""
    os.sched_setaffinity(0, {core})


def in_child(work: Callable[[], Any], core: int) -> Callable[[], Any]:
    """Start `work` in a forked process on `core`; calling the result waits for what it returned.

    Only for processes without threads or event loops: the child shares nothing but what is mapped shared.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reader)
            pin(core)
            signal.alarm(int(PAIR_TIMEOUT_S))  # a child whose parent died must not stay
            with os.fdopen(writer, "wb") as file:
                pickle.dump(work(), file)
            status = 0
        except BaseException as error:
            os.write(2, f"bench child: {type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(status)
    os.close(writer)

    def result() -> Any:
        with os.fdopen(reader, "rb") as file:
            answer = file.read()
        _, status = os.waitpid(pid, 0)
        if status != 0 or not answer:
            raise RuntimeError(f"the other process of a pair ended with status {status}: its check failed")
        return pickle.loads(answer)

    return result


@contextmanager
def rings(record: np.dtype, slots: int, count: int) -> Iterator[list[Segment]]:
    """Fresh rings in shared memory that are gone afterwards, whatever happens."""
    made: list[Segment] = []
    try:
        for _ in range(count):
            made.append(Segment.create(f"mmpipe-bench.{os.getpid()}.{time.monotonic_ns()}", record, slots))
        yield made
    finally:
        for ring in made:
            ring.unlink()


def interleave(
    contestants: Sequence[tuple[str, Callable[[], Any]]], rounds: int, say: Callable[[str], None]
) -> dict[str, list[Any]]:
    """Run every contestant once per round, in turn; what each returned, by name.

    Parameters
    ----------
    contestants : sequence of (name, callable)
        In the order they take turns.
    rounds : int
        How often.
    say : callable
        Told about the progress.
    """
    results: dict[str, list[Any]] = {name: [] for name, _ in contestants}
    for number in range(1, rounds + 1):
        begin_s = time.monotonic()
        for name, measure in contestants:
            results[name].append(measure())
        say(f"round {number}/{rounds} in {time.monotonic() - begin_s:.1f} s")
    return results


def percentiles(values: Any, unit: str) -> dict[str, Any]:
    """`{"p50", "p99", "unit"}` of many measurements."""
    array = np.asarray(values, float)
    return {
        "p50": _short(float(np.quantile(array, 0.5))),
        "p99": _short(float(np.quantile(array, 0.99))),
        "unit": unit,
    }


def median_over_rounds(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One summary of the same measurement in several rounds: the median of each number."""
    unit = rounds[0]["unit"]
    keys = [key for key in rounds[0] if key != "unit"]
    return {**{key: _short(float(np.median([r[key] for r in rounds]))) for key in keys}, "unit": unit}


def speed_ratio(ours: dict[str, Any], peer: dict[str, Any]) -> float:
    """How much faster we are: peer's duration over ours, or our rate over the peer's."""
    faster, slower = (ours, peer) if str(ours["unit"]).endswith("/s") else (peer, ours)
    return _short(faster["p50"] / slower["p50"]) if slower["p50"] else math.inf


def row(case: str, ours: dict[str, Any], peers: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One line of the file: a case, our numbers, each peer's, and the ratios."""
    return {
        "case": case,
        "ours": ours,
        "peers": peers,
        "ratio": {name: speed_ratio(ours, peer) for name, peer in peers.items()},
    }


def report(name: str, rounds: int, rows: list[dict[str, Any]], path: Path | None, **more: Any) -> None:
    """Print the machine, and write the file `bench-NAME/1` when a path was given."""
    content = {"schema": f"bench-{name}/1", **provenance(), "rounds": rounds, "rows": rows, **more}
    machine = content["machine"]
    print(
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, numba {machine['numba']}, "
        f"load {os.getloadavg()[0]:.1f}; {rounds} rounds, medians"
    )
    if path is not None:
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(f"written to {path}")


def _short(value: float) -> float:
    return float(f"{value:.4g}")
