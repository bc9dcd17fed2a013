"""Memory ordering for kernels: loads, stores and fences on 64-bit words given by address.

The one file that owns memory ordering. A plain load in a numba loop is hoisted out of it, so a kernel that
waits for another process never sees the change; these are LLVM atomic instructions, which are neither
hoisted nor torn nor reordered against their kind. On x86-64 acquire, release and relaxed cost a plain `mov`,
only `fence_seq_cst` costs a locked instruction; on aarch64 they become `ldar`, `stlr` and `dmb`.

`acquire` and `release` order what lies around them (what was written before a release store is visible to
who reads it by an acquire load); `relaxed` is for words that one process writes and nobody orders by.

An address is an int64 of a mapped, 8-byte aligned word; nothing checks it. The Python bodies below are what
runs without the compiler (`NUMBA_DISABLE_JIT=1`): right within one process, not between two.
"""

import ctypes
import inspect
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, ParamSpec, TypeVar

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba.core import types

from ringbuf.jit import JIT_ENABLED, intrinsic, kernel

P = ParamSpec("P")
R = TypeVar("R")
Emitter = Callable[[Any, Any], Any]  # (builder, argument values) -> value, or None for void

_ALIGN = 8
_I64 = ir.IntType(64)
_X86 = llvmlite.binding.get_process_triple().startswith("x86_64")
_PAUSE = "pause" if _X86 else "yield"

# Without it LLVM aborts the process at the first inline assembly.
llvmlite.binding.initialize_native_asmparser()


def lowered(emit: Emitter, returned: Any, *arguments: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Within kernels the function becomes what `emit` builds; its Python body says what that means."""

    def emit_value(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        value = emit(builder, values)
        return context.get_dummy_value() if returned is types.void else value

    def define(typing_context: Any, *given: Any) -> Any:
        return returned(*arguments), emit_value

    def decorate(fn: Callable[P, R]) -> Callable[P, R]:
        if not JIT_ENABLED:
            return fn
        context = inspect.Parameter("typing_context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        named: Any = update_wrapper(define, fn)
        named.__signature__ = inspect.Signature([context, *inspect.signature(fn).parameters.values()])
        lowered: Callable[P, R] = intrinsic(named)
        return lowered

    return decorate


def _pointer(builder: Any, address: Any, bits: int = 64) -> Any:
    return builder.inttoptr(address, ir.IntType(bits).as_pointer())


def _load(ordering: str) -> Emitter:
    return lambda builder, values: builder.load_atomic(
        _pointer(builder, values[0]), ordering, _ALIGN, typ=_I64
    )


def _load_constant(builder: Any, values: Any) -> Any:
    value = builder.load(_pointer(builder, values[0]), align=_ALIGN, typ=_I64)
    value.set_metadata("invariant.load", builder.module.add_metadata([]))
    return value


def _store(ordering: str) -> Emitter:
    return lambda builder, values: builder.store_atomic(
        values[1], _pointer(builder, values[0]), ordering, _ALIGN
    )


def _fence(ordering: str) -> Emitter:
    return lambda builder, values: builder.fence(ordering)


def _pause(builder: Any, values: Any) -> None:
    builder.asm(ir.FunctionType(ir.VoidType(), []), _PAUSE, "~{memory}", [], True)


def _copy(builder: Any, values: Any) -> None:
    pointer = ir.IntType(8).as_pointer()
    memcpy = _declared(builder, "llvm.memcpy.p0.p0.i64", [pointer, pointer, _I64, ir.IntType(1)])
    target, source = _pointer(builder, values[0], 8), _pointer(builder, values[1], 8)
    builder.call(memcpy, [target, source, values[2], ir.Constant(ir.IntType(1), 0)])


def _prefetch(write: int) -> Emitter:
    def emit(builder: Any, values: Any) -> None:
        pointer, kind = ir.IntType(8).as_pointer(), ir.IntType(32)
        fetch = _declared(builder, "llvm.prefetch.p0", [pointer, kind, kind, kind])
        keep, of_data = ir.Constant(kind, 3), ir.Constant(kind, 1)
        builder.call(fetch, [_pointer(builder, values[0], 8), ir.Constant(kind, write), keep, of_data])

    return emit


def _demote(builder: Any, values: Any) -> None:
    if _X86:
        kind = ir.FunctionType(ir.VoidType(), [_I64])
        builder.asm(kind, "cldemote ($0)", "r,~{memory}", [values[0]], True)


def _declared(builder: Any, name: str, arguments: list[Any]) -> Any:
    kind = ir.FunctionType(ir.VoidType(), arguments)
    return builder.module.globals.get(name) or ir.Function(builder.module, kind, name)


@lowered(_load("acquire"), types.int64, types.int64)
def load_acquire_i64(address: int) -> int:
    """Word at `address`; nothing that follows is read before it."""
    return ctypes.c_int64.from_address(int(address)).value


@lowered(_load("monotonic"), types.int64, types.int64)
def load_relaxed_i64(address: int) -> int:
    """Word at `address`, in one piece, without ordering."""
    return ctypes.c_int64.from_address(int(address)).value


@lowered(_load_constant, types.int64, types.int64)
def load_constant_i64(address: int) -> int:
    """Word at `address`, which nobody changes while it is mapped: the compiler may read it once per loop."""
    return ctypes.c_int64.from_address(int(address)).value


@lowered(_store("release"), types.void, types.int64, types.int64)
def store_release_i64(address: int, value: int) -> None:
    """Write the word at `address`; all that was read or written before comes first."""
    ctypes.c_int64.from_address(int(address)).value = int(value)


@lowered(_store("monotonic"), types.void, types.int64, types.int64)
def store_relaxed_i64(address: int, value: int) -> None:
    """Write the word at `address`, in one piece, without ordering."""
    ctypes.c_int64.from_address(int(address)).value = int(value)


@lowered(_fence("acquire"), types.void)
def fence_acquire() -> None:
    """Keep what follows behind every earlier load."""


@lowered(_fence("release"), types.void)
def fence_release() -> None:
    """Keep every later store behind what precedes."""


@lowered(_fence("seq_cst"), types.void)
def fence_seq_cst() -> None:
    """Keep a later load behind an earlier store, which no acquire or release does."""


@lowered(_pause, types.void)
def pause() -> None:
    """Tell the core that this is a spin loop."""


@lowered(_copy, types.void, types.int64, types.int64, types.int64)
def copy_bytes(target: int, source: int, count: int) -> None:
    """Copy `count` bytes between addresses that do not overlap, in no particular order."""
    ctypes.memmove(int(target), int(source), int(count))


@lowered(_prefetch(1), types.void, types.int64)
def prefetch_write(address: int) -> None:
    """Ask for the line at `address`, soon to be written: a hint, never a fault."""


@lowered(_prefetch(0), types.void, types.int64)
def prefetch_read(address: int) -> None:
    """Ask for the line at `address`, soon to be read: a hint, never a fault."""


@lowered(_demote, types.void, types.int64)
def demote(address: int) -> None:
    """Move the line at `address` towards the cache all cores share, for one that waits for it.

    A hint: an x86-64 that does not know it, and any other processor, does nothing.
    """


@kernel
def address_of(words: np.ndarray) -> int:
    """Address of the first of these int64 words; pins nothing."""
    return int(np.int64(words.ctypes.data))  # signed first: uint64 and int64 would add up to a float
