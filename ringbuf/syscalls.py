"""System calls of kernels: to sleep on a word of shared memory, to wake who does, to step aside.

As raw instructions, so that they can be cached with the kernel and cost no pointer to a C library. Linux on
x86-64 and aarch64. An answer below zero is a negated errno; `errno` itself is not set.

`futex_waitv` (Linux 5.16) waits for several words at once, which a stage with several inputs needs; where
the system does not have it, or forbids it, `can_wait_on_words` says so and the caller sleeps on a doorbell.
"""

import ctypes
import errno
import os
import platform
from typing import Any, Final

from llvmlite import ir
from numba.core import types

from ringbuf.atomics import lowered
from ringbuf.jit import kernel

_AARCH64: Final = platform.machine() == "aarch64"
SYS_SCHED_YIELD: Final = 124 if _AARCH64 else 24
SYS_FUTEX: Final = 98 if _AARCH64 else 202
SYS_FUTEX_WAITV: Final = 449
FUTEX_WAKE: Final = 1
FUTEX_32: Final = 2  # size of the word, in the flags of a waiter; not private: other processes wake it
CLOCK_MONOTONIC: Final = 1

_I64 = ir.IntType(64)
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _emit_syscall(builder: Any, values: Any) -> Any:
    kind = ir.FunctionType(_I64, [_I64] * 6)
    if _AARCH64:
        text = "svc 0"
        constraints = "={x0},{x8},{x0},{x1},{x2},{x3},{x4},~{memory}"
    else:
        text = "syscall"
        constraints = "={rax},{rax},{rdi},{rsi},{rdx},{r10},{r8},~{rcx},~{r11},~{memory}"
    return builder.asm(kind, text, constraints, values, True)


@lowered(_emit_syscall, types.int64, *[types.int64] * 6)
def syscall(number: int, first: int, second: int, third: int, fourth: int, fifth: int) -> int:
    """Enter the kernel with up to five arguments; its answer, or a negated errno."""
    arguments = (ctypes.c_long(int(value)) for value in (first, second, third, fourth, fifth))
    answer = _libc.syscall(ctypes.c_long(int(number)), *arguments)
    return -ctypes.get_errno() if answer == -1 else answer


@kernel
def wake_word(address: int) -> int:
    """Wake one process that sleeps on the word at `address`; how many woke."""
    return syscall(SYS_FUTEX, address, FUTEX_WAKE, 1, 0, 0)


@kernel
def wait_for_words(waiters: int, count: int, deadline: int) -> int:
    """Sleep until one of several words is woken or is not what it should be.

    Parameters
    ----------
    waiters : int
        Address of `count` times three int64: expected value, address of the word, `FUTEX_32`.
    count : int
        1 to 128.
    deadline : int
        Address of two int64, seconds and nanoseconds of the monotonic clock.

    Returns
    -------
    int
        Below zero at the deadline, after a signal, or if a word differed at once.
    """
    return syscall(SYS_FUTEX_WAITV, waiters, count, 0, deadline, CLOCK_MONOTONIC)


@kernel
def step_aside() -> None:
    """Let another process of this core run first (sched_yield)."""
    syscall(SYS_SCHED_YIELD, 0, 0, 0, 0, 0)


def can_wait_on_words() -> bool:
    """Whether this system lets a process sleep on several words."""
    if os.uname().sysname != "Linux":
        return False
    # No waiters at all is an invalid argument where the call is known.
    ctypes.set_errno(0)
    answer = _libc.syscall(ctypes.c_long(SYS_FUTEX_WAITV), None, 0, 0, None, ctypes.c_long(CLOCK_MONOTONIC))
    return answer == -1 and ctypes.get_errno() == errno.EINVAL
