"""Memory ordering: what the compiler makes of each atomic, with plain loads as the negative control."""

import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ringbuf.atomics import (
    address_of,
    copy_bytes,
    fence_acquire,
    fence_release,
    fence_seq_cst,
    load_acquire_i64,
    load_relaxed_i64,
    pause,
    store_relaxed_i64,
    store_release_i64,
)
from ringbuf.jit import JIT_ENABLED, kernel
from tests.ringbuf.memory import run_python

compiled_only = pytest.mark.skipif(not JIT_ENABLED, reason="looks at machine code; the compiler is off")

STARTED, FLAG = 0, 1
ROUNDS = 2_000_000_000


@kernel
def wait_acquire(words: np.ndarray, rounds: int) -> bool:
    base = address_of(words)
    store_release_i64(base + 8 * STARTED, 1)
    seen = 0
    while seen == 0 and rounds > 0:
        seen = load_acquire_i64(base + 8 * FLAG)
        rounds -= 1
    return seen != 0


@kernel
def wait_plain(words: np.ndarray, rounds: int) -> bool:
    store_release_i64(address_of(words) + 8 * STARTED, 1)
    seen = 0
    while seen == 0 and rounds > 0:
        seen = words[FLAG]
        rounds -= 1
    return seen != 0


@kernel
def every_atomic(words: np.ndarray, copy: np.ndarray) -> int:
    base = address_of(words)
    store_release_i64(base, 7)
    fence_release()
    store_relaxed_i64(base + 8, 9)
    fence_seq_cst()
    pause()
    fence_acquire()
    copy_bytes(address_of(copy), base, 16)
    return load_acquire_i64(address_of(copy)) + load_relaxed_i64(address_of(copy) + 8)


def loop_bodies(fn: Any) -> list[str]:
    # Basic blocks of the optimised code that can reach themselves.
    ir = next(iter(fn.inspect_llvm().values()))
    bodies = []
    for function in re.findall(r"^define .*?^}", ir, re.MULTILINE | re.DOTALL):
        texts = re.split(r"\n(?=[\w.]+:)", function)
        blocks = {text.split(":")[0]: text for text in texts[1:]}
        follow = {name: set(re.findall(r"label %([\w.]+)", text)) for name, text in blocks.items()}
        for name, text in blocks.items():
            reached: set[str] = set()
            todo = set(follow[name])
            while todo:
                block = todo.pop()
                reached.add(block)
                todo |= follow.get(block, set()) - reached
            if name in reached:
                bodies.append(text)
    return bodies


def test_words_arrive_with_and_without_the_compiler() -> None:
    words, copy = np.zeros(4, np.int64), np.zeros(4, np.int64)
    assert every_atomic(words, copy) == 16
    assert words.tolist() == copy.tolist() == [7, 9, 0, 0]


@compiled_only
def test_an_acquire_load_stays_in_its_loop_and_a_plain_one_is_hoisted() -> None:
    words = np.zeros(2, np.int64)
    assert not wait_acquire(words, 2)
    assert not wait_plain(words, 2)
    assert any("load atomic" in body for body in loop_bodies(wait_acquire))
    assert not any(re.search(r"\bload\b", body) for body in loop_bodies(wait_plain))


@compiled_only
@pytest.mark.parametrize(("waiter", "sees"), [(wait_acquire, True), (wait_plain, False)])
def test_a_waiting_kernel_sees_the_change_only_through_an_atomic(waiter: Any, sees: bool) -> None:
    waiter(np.ones(2, np.int64), 1)  # compile before the clock runs
    words = np.zeros(2, np.int64)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(waiter(words, ROUNDS)))
    thread.start()
    while words[STARTED] == 0:
        pass
    words[FLAG] = 1
    thread.join(60)
    assert answers == [sees]


ASSEMBLY = """
from ringbuf import idle, ring_kernels
from numba import int64
for name in ("claim", "publish", "peek", "release", "push", "pop", "wake"):
    fn = getattr(ring_kernels, name)
    fn.compile((int64,) * fn.py_func.__code__.co_argcount)
    print("KERNEL", name)
    print(next(iter(fn.inspect_asm().values())))
idle.announce.compile((int64[::1], int64))
print("KERNEL announce")
print("\\tmfence" if "fence seq_cst" in next(iter(idle.announce.inspect_llvm().values())) else "")
"""


@compiled_only
def test_the_fast_path_holds_no_locked_instruction(tmp_path: Path) -> None:
    # A cache of its own: numba cannot show code that it loaded from one.
    done = run_python(ASSEMBLY, MMPIPE_CACHE=str(tmp_path))
    assert done.returncode == 0, done.stderr
    locked = re.compile(r"^\s+(lock|mfence|xchg|dmb\s+ish\b)", re.MULTILINE)
    listings = dict(part.split("\n", 1) for part in done.stdout.split("KERNEL ")[1:])
    assert len(listings) == 8
    # (`announce` is judged before code generation: its array argument is counted by locked instructions.)
    # Both sides of a sleep need the fence: without either one a wake-up is lost once in a blue moon.
    assert [name for name, listing in listings.items() if locked.search(listing)] == ["wake", "announce"]


@compiled_only
def test_on_aarch64_they_become_ldar_stlr_and_dmb() -> None:
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    try:
        machine = llvm.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(opt=2)
    except RuntimeError as error:
        pytest.skip(f"this llvmlite cannot emit aarch64 code: {error}")
    source = """
        target triple = "aarch64-unknown-linux-gnu"
        define i64 @f(ptr %a) {
          store atomic i64 7, ptr %a release, align 8
          fence seq_cst
          %v = load atomic i64, ptr %a acquire, align 8
          ret i64 %v
        }"""
    ours = every_atomic_ir()
    for instruction in ("store atomic i64", "fence seq_cst", "load atomic i64", "acquire", "release"):
        assert instruction in ours
    code = machine.emit_assembly(llvm.parse_assembly(source))
    assert re.search(r"\bstlr\b", code)
    assert re.search(r"\bldapr\b|\bldar\b", code)
    assert re.search(r"\bdmb\s+ish\b", code)


def every_atomic_ir() -> str:
    words = np.zeros(4, np.int64)
    every_atomic(words, words.copy())
    compiled: Any = every_atomic
    return "\n".join(compiled.inspect_llvm().values())
