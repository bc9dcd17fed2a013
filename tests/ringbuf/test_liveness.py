"""Liveness: pid and start time name a process for good, zombies are dead."""

import os
import subprocess
import sys

from ringbuf.liveness import is_alive, pid_space, process_start_time

NO_SUCH_PID = 2**22 + 1  # beyond the largest pid Linux gives


def test_this_process_is_alive_under_its_own_start_time_only() -> None:
    start = process_start_time(os.getpid())
    assert start is not None
    assert is_alive(os.getpid(), start)
    assert not is_alive(os.getpid(), start + 1)


def test_an_unknown_pid_is_dead() -> None:
    assert process_start_time(NO_SUCH_PID) is None
    assert not is_alive(NO_SUCH_PID, 0)


def test_a_zombie_is_dead_although_it_has_a_pid() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = process_start_time(child.pid)
    assert start is not None
    assert is_alive(child.pid, start)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, not yet reaped
    os.kill(child.pid, 0)  # which still finds it
    assert not is_alive(child.pid, start)
    child.communicate()
    assert not is_alive(child.pid, start)


def test_a_command_name_with_blanks_and_parentheses_is_read(tmp_path: os.PathLike) -> None:
    program = os.path.join(tmp_path, "a) R (b")
    os.symlink("/bin/sleep", program)
    child = subprocess.Popen([program, "60"])
    try:
        start = process_start_time(child.pid)
        assert start is not None
        assert start >= (process_start_time(os.getpid()) or 0)
        assert is_alive(child.pid, start)
    finally:
        child.kill()
        child.wait()


def test_the_pid_space_is_the_namespace() -> None:
    assert str(pid_space()) in os.readlink("/proc/self/ns/pid")
