"""Work on independent parts, a process each as far as there are cores; results are in order of the parts.

    caller ─ part ─▶ worker (spawned, deaf to signals) ─ result ─▶ caller

A worker owns nothing that outlives it but files in the caller's own temporary folder, so the caller may kill
it at any moment: when it is itself interrupted, and when a part fails. When the caller is gone, it ends.
"""

import os
import signal
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context, parent_process
from typing import Any, TypeVar

from mmpipe.errors import DataError
from mmpipe.interrupts import SIGNALS, held

Part = TypeVar("Part")


def side_by_side(
    work: Callable[[Part], Any], parts: Sequence[Part], done: Callable[[int], None]
) -> list[Any] | None:
    """Results of all parts in their order, or None where one core or one part leaves nothing to share.

    Parameters
    ----------
    work : callable
        Of a module; takes a part, which is copied to a worker, as what comes back is.
    parts : sequence
        Independent of each other.
    done : callable
        Told the index of each part that is ready.

    Raises
    ------
    DataError
        A worker ended before its part was ready; and whatever `work` raises.
    """
    workers = min(len(os.sched_getaffinity(0)), len(parts))
    if workers < 2:
        return None
    with tempfile.TemporaryDirectory(prefix="mmpipe-workers-") as folder:
        pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin, initargs=(folder,))
        try:
            futures = _started(pool, work, parts)
            for future in as_completed(futures):
                future.result()
                done(futures[future])
            return [future.result() for future in futures]
        except BrokenProcessPool as error:
            raise DataError("a worker ended before its set was ready; is there memory left?") from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in active_children():
                worker.kill()
                worker.join()


def _started(
    pool: ProcessPoolExecutor, work: Callable[[Part], Any], parts: Sequence[Part]
) -> dict[Future[Any], int]:
    # Workers inherit the mask: a signal to the whole group is the caller's business, from their first moment.
    with held():
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            return {pool.submit(work, part): index for index, part in enumerate(parts)}
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(folder: str) -> None:
    tempfile.tempdir = folder
    threading.Thread(target=_end_with_caller, daemon=True).start()


def _end_with_caller() -> None:
    caller = parent_process()
    if caller is not None:
        caller.join()
        os._exit(1)
