"""The one door to numba: how a kernel is compiled, cached, warmed and frozen.

A *kernel* is a pure function of records, arrays and numbers. `kernel` compiles it (`nogil`, disk cache,
never `fastmath`: a NaN must mean something), `example` names the argument types it is called with from
Python, and `warm` compiles all of them at start and then forbids further compilation, so that nothing is
ever compiled on the hot path.

numba keys its disk cache by the file of the decorated function alone: after a callee in another file, or
a module constant, is edited, it serves stale machine code, and it ignores a changed `NUMBA_BOUNDSCHECK`.
Here the cache directory is therefore named by a digest of every source file that can end up in a kernel,
of the tool versions, the processor and every `NUMBA_*` switch; kernels defined outside those packages
(tests, benchmarks, scripts) are compiled in memory only. The directories lie under `$MMPIPE_CACHE`, else
`$XDG_CACHE_HOME/mmpipe/numba`, else `~/.cache/mmpipe/numba`.

A frozen kernel refuses a record of another dtype and a wrong number of arguments by TypeError, but numba
then converts plain numbers (a float given for an int is truncated): pass the kinds the example names.
It does not work on kernels made inside functions: they would never hit the cache.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
Factory = Callable[[], tuple[object, ...]]

HASHED_PACKAGES: Final = ("ringbuf", "mmpipe", "stages")
KEPT_CACHES: Final = 4
_DIGEST_CHARS: Final = 32
_SOURCE_ROOT: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class WarmReport:
    """What `warm` did.

    Attributes
    ----------
    kernel_count : int
        Kernels known, those only called from other kernels included.
    wall_s : float
        Time spent, seconds.
    compiled_count : int
        Signatures that were compiled because the disk cache did not have them; 0 on a warm cache.
    """

    kernel_count: int
    wall_s: float
    compiled_count: int


def source_digest() -> str:
    """Name of the cache directory: a digest of all that decides what a kernel compiles to.

    Returns
    -------
    str
        32 hexadecimal digits over path and content of every `*.py` file in `HASHED_PACKAGES` next to this
        package, the versions of Python, numba and llvmlite, the processor, and every `NUMBA_*` variable
        but `NUMBA_CACHE_DIR`.
    """
    digest = hashlib.blake2b(digest_size=_DIGEST_CHARS // 2)

    def add(part: bytes) -> None:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)

    for package in HASHED_PACKAGES:
        for path in sorted((_SOURCE_ROOT / package).rglob("*.py")):
            add(str(path.relative_to(_SOURCE_ROOT)).encode())
            add(path.read_bytes())
    for text in (sys.version, version("numba"), version("llvmlite"), _processor()):
        add(text.encode())
    for name in sorted(os.environ):
        if name.startswith("NUMBA_") and name != "NUMBA_CACHE_DIR":
            add(f"{name}={os.environ[name]}".encode())
    return digest.hexdigest()


def cache_root() -> Path:
    """Folder that holds one cache directory per source digest."""
    own = os.environ.get("MMPIPE_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mmpipe" / "numba"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line for line in lines if line.startswith(("model name", "CPU part"))]
    return platform.machine() + (models[0] if models else platform.processor())


# numba copies the variable into its config when it is imported, and reads the environment again whenever it
# compiles: both are set, so that it does not matter who imported numba first (a pytest plugin may have).
SOURCE_DIGEST: Final = source_digest()  # of what this process imports
_CACHE_DIR: Final = cache_root() / SOURCE_DIGEST
os.environ["NUMBA_CACHE_DIR"] = str(_CACHE_DIR)

import numba  # noqa: E402  (after the cache directory is set, which is the point of this module)
from numba.extending import intrinsic  # noqa: E402  (same)

_config: Any = numba.config
_config.CACHE_DIR = str(_CACHE_DIR)
JIT_ENABLED: Final = not _config.DISABLE_JIT

__all__ = [
    "HASHED_PACKAGES",
    "JIT_ENABLED",
    "KEPT_CACHES",
    "SOURCE_DIGEST",
    "WarmReport",
    "brief_kernel",
    "cache_root",
    "entry",
    "example",
    "intrinsic",
    "kernel",
    "source_digest",
    "warm",
]

_kernels: dict[str, Any] = {}
_examples: dict[str, list[tuple[Any, Factory]]] = {}


def kernel(fn: Callable[P, R]) -> Callable[P, R]:
    """Compile a module-level function that lets other threads run meanwhile when Python calls it.

    Parameters
    ----------
    fn : callable
        Pure function of records (read by key), arrays and numbers.

    Returns
    -------
    callable
        The compiled function, or `fn` itself under `NUMBA_DISABLE_JIT=1`.

    Raises
    ------
    TypeError
        If `fn` is defined inside another function.
    """
    return _compiled(fn, nogil=True)


def brief_kernel(fn: Callable[P, R]) -> Callable[P, R]:
    """`kernel` for what takes less time than giving the interpreter lock away and getting it back (50 ns).

    Not only dear: each release is an opening for another thread, which may keep the lock for milliseconds.
    """
    return _compiled(fn, nogil=False)


def _compiled(fn: Callable[P, R], nogil: bool) -> Callable[P, R]:
    if "<locals>" in fn.__qualname__:
        raise TypeError(
            f"kernel {fn.__module__}.{fn.__qualname__} is defined inside a function: "
            "move it to module level, a closure never hits the disk cache"
        )
    cached = fn.__module__.partition(".")[0] in HASHED_PACKAGES
    compiled: Callable[P, R] = numba.njit(nogil=nogil, cache=cached)(fn)
    _kernels[_name(fn)] = compiled
    return compiled


def example(fn: Callable[..., object]) -> Callable[[Factory], Factory]:
    """Register a factory of example arguments for a kernel that is called from Python.

    Parameters
    ----------
    fn : callable
        The kernel.

    Returns
    -------
    callable
        Decorator for a function without arguments that returns the argument tuple. It is called by
        `warm` only, its result is used for its types and never computed with. Several examples of one
        kernel give several signatures.
    """

    def register(factory: Factory) -> Factory:
        known = _examples.setdefault(_name(fn), [])
        known[:] = [(f, old) for f, old in known if f is fn and old.__qualname__ != factory.__qualname__]
        known.append((fn, factory))
        return factory

    return register


def entry(fn: Callable[P, R], *arguments: object) -> Callable[P, R]:
    """A kernel for arguments of these types alone, entered without looking the types up at each call.

    Parameters
    ----------
    fn : callable
        The kernel; compiled for the arguments if it is not yet.
    *arguments : object
        Examples, used for their types only.

    Returns
    -------
    callable
        Takes positional arguments. Arrays of another dtype or dimension are refused by TypeError; whether
        they are contiguous is the caller's business, and a number is converted as C would.

    Notes
    -----
    Measured: a call with two integers 250 → 60 ns, with a tuple of 14 record arrays 4.2 → 1.3 µs.
    """
    if not JIT_ENABLED:
        return fn
    compiled: Any = fn
    type_of: Any = numba.typeof
    types = tuple(type_of(value) for value in arguments)
    if types not in compiled.overloads:
        with _one_process_at_a_time():
            compiled.compile(types)
    point: Callable[P, R] = compiled.overloads[types].entry_point
    return point


def warm(freeze: bool) -> WarmReport:
    """Compile every kernel that has an example, for all modules imported so far.

    Parameters
    ----------
    freeze : bool
        True forbids any later compilation, of inner kernels too; False allows it (again).

    Returns
    -------
    WarmReport
        Counts and time.

    Raises
    ------
    TypeError
        If an example does not fit its kernel.

    Notes
    -----
    Processes that start together on a cold cache wait for the first of them, then load what it compiled.
    All but the newest `KEPT_CACHES` cache directories are removed.
    """
    start_s = time.perf_counter()
    missed_before = _missed_count()
    if JIT_ENABLED:
        with _one_process_at_a_time():
            for fn in _kernels.values():
                fn._can_compile = True
            for entries in list(_examples.values()):
                for fn, factory in entries:
                    _compile(fn, factory)
            _drop_old_caches()
        for fn in _kernels.values():
            # Not disable_compile(): it asserts a signature, which an inner kernel loaded as part of its
            # cached caller does not have.
            fn._can_compile = not freeze
    return WarmReport(len(_kernels), time.perf_counter() - start_s, _missed_count() - missed_before)


def _name(fn: Callable[..., object]) -> str:
    return f"{fn.__module__}.{fn.__qualname__}"


def _compile(fn: Any, factory: Factory) -> None:
    arguments = factory()
    type_of: Any = numba.typeof
    try:
        fn.compile(tuple(type_of(value) for value in arguments))
    except (numba.core.errors.NumbaError, TypeError, ValueError) as error:
        raise TypeError(
            f"kernel {_name(fn)} does not compile for the arguments of {_name(factory)}; "
            f"make the example match the kernel: {error}"
        ) from error


def _missed_count() -> int:
    if not JIT_ENABLED:
        return 0
    return sum(sum(fn.stats.cache_misses.values()) for fn in _kernels.values())


@contextmanager
def _one_process_at_a_time() -> Iterator[None]:
    _CACHE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock_fd = os.open(_CACHE_DIR / "warm.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock_fd)


def _drop_old_caches() -> None:
    os.utime(_CACHE_DIR)
    folders = []
    for path in _CACHE_DIR.parent.iterdir():
        name = path.name
        # Only what this module could have created: the root may be a folder shared with others.
        if len(name) == _DIGEST_CHARS and set(name) <= set("0123456789abcdef") and path != _CACHE_DIR:
            folders.append((path.stat().st_mtime_ns, path))
    for _, path in sorted(folders, reverse=True)[KEPT_CACHES - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
