"""From a command to the end of its process: what it raises becomes one line and an exit code.

0 done, 130 ended by a signal before it was done, and otherwise the code of the error (`mmpipe.errors`).
"""

import sys
from collections.abc import Callable
from typing import NoReturn

from mmpipe import interrupts
from mmpipe.errors import MmpipeError
from ringbuf.errors import RingbufError


def end_well(command: Callable[[], object]) -> None:
    """Run a command; Python's words about what went wrong never reach its user."""
    try:
        interrupts.raise_once()
        command()
    except interrupts.Interrupted as end:
        _refuse(str(end), interrupts.EXIT_CODE)
    except MmpipeError as error:
        _refuse(str(error), error.exit_code)
    except RingbufError as error:
        _refuse(str(error), 1)
    except OSError as error:
        # What was not foreseen where it happened: a full disk, a permission, a folder that went away.
        where = f"{error.filename}: " if error.filename else ""
        _refuse(f"{where}{error.strerror or error}; is there room, and may it be read and written?", 1)
    finally:
        interrupts.ignore()


def _refuse(text: str, exit_code: int) -> NoReturn:
    interrupts.ignore()
    sys.stderr.write(f"mmpipe: {text}\n")
    sys.exit(exit_code)
