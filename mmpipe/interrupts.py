"""SIGINT and SIGTERM as one exception, raised once, so that what was opened is closed on the way out.

    leave_at_once()   first words of the program: nothing is open yet, a signal ends it with one line
    raise_once()      a command works: the first signal raises `Interrupted` where it stands
    note_only()       a command that ends in order by itself looks at `asked()`; nothing is raised any more
    ignore()          the command is over, its process ends
    with held():      a signal waits for the end of the block: what it opens is known before it is closed

Later signals change nothing: they neither hurry nor break the end that the first one began. Python forgets an
exception that falls into a destructor or a callback, and C code may clear one: the exception that dies before
the command has ended is raised once more.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, Final

EXIT_CODE: Final = 130  # what shells give a command that a signal ended
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
AGAIN_S: Final = 0.02  # after which a lost exception is raised once more


class _Mode(Enum):
    LEAVE = "leave"
    RAISE = "raise"
    NOTE = "note"


class _State:
    # One per process, as signals are.
    mode = _Mode.NOTE
    held = 0
    number = 0  # of the first signal; 0: none yet
    raised = False
    tell: Callable[[], None] | None = None


class Interrupted(BaseException):
    """The command was asked to end; not an error, so nothing that handles errors may swallow it."""

    def __del__(self, state: type[_State] = _State) -> None:
        if state.mode is _Mode.RAISE:
            _raise_again()  # it was swallowed: who ends a command leaves this mode first


def leave_at_once() -> None:
    """Listen from now on; a signal ends the process: for the imports of the program."""
    _State.mode = _Mode.LEAVE
    for number in SIGNALS:
        signal.signal(number, _on_signal)


def raise_once() -> None:
    """Listen from now on; the first signal raises `Interrupted` in the main thread."""
    _State.mode = _Mode.RAISE
    for number in SIGNALS:
        signal.signal(number, _on_signal)
    sys.unraisablehook = _on_unraisable
    check()


def note_only(tell: Callable[[], None] | None = None) -> None:
    """From now on a signal is only noted; the caller looks at `asked()`, or is told.

    Parameters
    ----------
    tell : callable, optional
        Called by the first signal, in the main thread; not for one that came before.
    """
    _State.mode, _State.tell = _Mode.NOTE, tell


def ignore() -> None:
    """From now on a signal is nothing: the process goes away, and Python takes its handlers down early."""
    _State.mode = _Mode.NOTE
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def asked() -> bool:
    """Whether a signal came."""
    return _State.number != 0


def check() -> None:
    """Raise if a signal came.

    Raises
    ------
    Interrupted
        One did.
    """
    if _State.number:
        _raise()


@contextmanager
def held() -> Iterator[None]:
    """Let a signal wait until the block is over; it is raised then, unless the block itself failed."""
    _State.held += 1
    try:
        yield
    finally:
        _State.held -= 1
    if _State.mode is _Mode.RAISE and not _State.raised and not _State.held:
        check()


def _raise() -> None:
    _State.raised = True
    raise Interrupted(f"ended by {signal.Signals(_State.number).name}")


def _on_signal(number: int, frame: object) -> None:
    if _State.number:
        return
    _State.number = number
    if _State.mode is _Mode.LEAVE:
        os.write(2, f"mmpipe: ended by {signal.Signals(number).name}\n".encode())
        os._exit(EXIT_CODE)
    if _State.mode is _Mode.RAISE and not _State.held:
        _raise()
    if _State.mode is _Mode.NOTE and _State.tell is not None:
        _State.tell()


def _on_unraisable(unraisable: Any) -> None:
    if not issubclass(unraisable.exc_type, Interrupted):
        sys.__unraisablehook__(unraisable)


def _raise_again() -> None:
    again = threading.Timer(AGAIN_S, _send_again)
    again.daemon = True
    again.start()


def _send_again() -> None:
    number, _State.number, _State.raised = _State.number, 0, False
    main = threading.main_thread().ident
    assert main is not None, "the main thread runs"
    signal.pthread_kill(main, number)  # to itself: a sleep there ends only by its own signal
