"""System calls from kernels: answers, errors as numbers, sleeping and waking across threads."""

import errno
import os
import threading
import time

import numpy as np
import pytest

from ringbuf.atomics import address_of
from ringbuf.jit import kernel
from ringbuf.syscalls import FUTEX_32, can_wait_on_words, step_aside, syscall, wait_for_words, wake_word

SYS_GETPPID = 173 if os.uname().machine == "aarch64" else 110
NO_SUCH_CALL = 9_999
waiting = pytest.mark.skipif(not can_wait_on_words(), reason="this system cannot wait for several words")


@kernel
def ask_system(number: int) -> int:
    return syscall(number, 0, 0, 0, 0, 0)


def deadline(after_s: float) -> np.ndarray:
    return np.array(divmod(time.monotonic_ns() + int(after_s * 1e9), 10**9), np.int64)


def test_an_answer_is_the_systems_and_an_error_a_negated_number() -> None:
    assert ask_system(SYS_GETPPID) == os.getppid()
    assert ask_system(NO_SUCH_CALL) == -errno.ENOSYS
    assert step_aside() is None


@waiting
def test_a_word_that_differs_is_not_slept_on_and_a_deadline_ends_the_sleep() -> None:
    word = np.array([7], np.int64)
    waiters = np.array([8, address_of(word), FUTEX_32], np.int64)
    until = deadline(30.0)
    assert wait_for_words(address_of(waiters), 1, address_of(until)) == -errno.EAGAIN
    waiters[0], until = 7, deadline(0.01)
    assert wait_for_words(address_of(waiters), 1, address_of(until)) == -errno.ETIMEDOUT


@waiting
def test_any_of_several_words_wakes_the_sleeper() -> None:
    words = np.array([1, 1], np.int64)
    first = address_of(words)
    waiters = np.array([(1, first, FUTEX_32), (1, first + 8, FUTEX_32)], np.int64).reshape(-1)
    until, answers = deadline(30.0), []
    sleeper = threading.Thread(
        target=lambda: answers.append(wait_for_words(address_of(waiters), 2, address_of(until)))
    )
    wait_for_words(address_of(waiters), 2, address_of(deadline(0.0)))  # compiled before the clock runs
    assert wake_word(first) == 0
    sleeper.start()
    give_up_s = time.monotonic() + 20.0
    while wake_word(first + 8) == 0:
        assert time.monotonic() < give_up_s
    sleeper.join()
    assert answers == [1]  # which of them
