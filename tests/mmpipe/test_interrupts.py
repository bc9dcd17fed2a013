"""One signal is one exception, one line and one exit code, whatever the program does at that moment."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60.0


def ended(script: str, number: int = signal.SIGINT, times: int = 1) -> tuple[int, str]:
    """Run a script until it says "now" on stdout, signal it, and return its exit code and all it said."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", textwrap.dedent(script)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said == "now\n", said
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.01)  # two signals at once would be one
        said, _ = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
        process.wait()
    return process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_during_the_imports_it_is_one_line_and_130(number: signal.Signals) -> None:
    script = """
        import time
        from mmpipe import interrupts
        interrupts.leave_at_once()
        print("now")
        time.sleep(60)
    """
    assert ended(script, number) == (130, f"mmpipe: ended by {number.name}\n")


def test_a_command_cleans_up_and_a_second_signal_does_not_break_that() -> None:
    script = """
        import time
        from mmpipe.program import end_well
        def command():
            try:
                print("now")
                time.sleep(60)
            finally:
                end = time.monotonic() + 0.5
                while time.monotonic() < end:
                    time.sleep(0.01)
                print("clean")
        end_well(command)
    """
    assert ended(script, signal.SIGINT, times=5) == (130, "clean\nmmpipe: ended by SIGINT\n")


def test_a_signal_waits_for_the_end_of_what_must_not_be_cut() -> None:
    script = """
        import time
        from mmpipe import interrupts
        from mmpipe.program import end_well
        def command():
            with interrupts.held():
                print("now")
                while not interrupts.asked():
                    time.sleep(0.01)
                print("whole")
            print("never")
        end_well(command)
    """
    assert ended(script, signal.SIGTERM) == (130, "whole\nmmpipe: ended by SIGTERM\n")


def test_one_that_falls_into_a_destructor_is_raised_again() -> None:
    # Python prints and forgets what a destructor raises.
    script = """
        import time
        from mmpipe.program import end_well
        class Slow:
            def __del__(self):
                print("now")
                time.sleep(60)
        def command():
            slow = Slow()
            del slow
            time.sleep(60)
        end_well(command)
    """
    assert ended(script) == (130, "mmpipe: ended by SIGINT\n")


def test_one_that_is_swallowed_is_raised_again() -> None:
    script = """
        import time
        from mmpipe.program import end_well
        def command():
            for attempt in range(3):
                try:
                    print("now" if not attempt else "again")
                    time.sleep(60)
                except BaseException:
                    pass
            time.sleep(60)
        end_well(command)
    """
    assert ended(script) == (130, "again\nagain\nmmpipe: ended by SIGINT\n")


def test_who_ends_in_order_is_told_and_nothing_is_raised() -> None:
    script = """
        import time
        from mmpipe import interrupts
        from mmpipe.program import end_well
        def command():
            interrupts.note_only(lambda: print("told"))
            print("now")
            while not interrupts.asked():
                time.sleep(0.01)
            time.sleep(0.2)
            print("in order")
        end_well(command)
    """
    assert ended(script, times=3) == (0, "told\nin order\n")


def test_what_the_system_refuses_is_one_line() -> None:
    script = "from mmpipe.program import end_well\nend_well(lambda: open('/absent/file'))\n"
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert answer.returncode == 1
    assert answer.stderr.startswith("mmpipe: /absent/file: No such file or directory")
    assert len(answer.stderr.splitlines()) == 1


def test_signals_until_the_very_end_change_nothing() -> None:
    # Python takes its handlers down before its modules: what comes then would kill it with another code.
    script = """
        import atexit, time
        from mmpipe.program import end_well
        atexit.register(time.sleep, 0.3)
        def command():
            print("now")
            time.sleep(60)
        end_well(command)
    """
    assert ended(script, signal.SIGTERM, times=60) == (130, "mmpipe: ended by SIGTERM\n")
