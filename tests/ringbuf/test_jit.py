"""Compilation: the cache cannot go stale, examples fix the types, frozen means frozen."""

import os
import shutil
from pathlib import Path

import pytest

from ringbuf import jit
from tests.ringbuf.memory import ROOT, run_python

pytestmark = pytest.mark.skipif(not jit.JIT_ENABLED, reason="about the compiler, which is off")

CALLEE = """
from ringbuf.jit import kernel
SCALE = {scale}
@kernel
def scaled(x):
    return SCALE * x
"""
CALLER = """
import numpy as np
from ringbuf.jit import kernel, example
from mmpipe.callee import scaled
@kernel
def total(values, offset):
    s = offset
    for i in range(len(values)):
        s += scaled(values[i])
    return s
@example(total)
def _total_example():
    return (np.zeros(1), 1.5)
"""
RUN = """
import numpy as np
from mmpipe.caller import total
from ringbuf.jit import warm
report = warm(freeze=True)
print(total(np.array([1.0, 2.0]), 0.5), report.kernel_count, report.compiled_count)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree of its own: ringbuf, and an mmpipe of two kernels in two files."""
    source = tmp_path / "src"
    shutil.copytree(ROOT / "ringbuf", source / "ringbuf", ignore=shutil.ignore_patterns("__pycache__"))
    package = source / "mmpipe"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "caller.py").write_text(CALLER)
    (package / "callee.py").write_text(CALLEE.format(scale=2.0))
    return source


def run(tree: Path, code: str = RUN, **environment: str) -> list[str]:
    done = run_python(code, cwd=tree, MMPIPE_CACHE=str(tree / "cache"), **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_second_process_compiles_nothing(tree: Path) -> None:
    first, second = run(tree), run(tree)
    assert first[0] == second[0] == "6.5"
    assert int(first[2]) > 0
    assert int(second[2]) == 0


def test_editing_a_callee_in_another_file_changes_the_result(tree: Path) -> None:
    assert run(tree)[0] == "6.5"
    (tree / "mmpipe" / "callee.py").write_text(CALLEE.format(scale=100.0))
    assert run(tree)[0] == "300.5"


def test_numba_switches_have_caches_of_their_own(tree: Path) -> None:
    run(tree)
    assert int(run(tree, NUMBA_BOUNDSCHECK="1")[2]) > 0
    assert run(tree, NUMBA_DISABLE_JIT="1") == ["6.5", run(tree)[1], "0"]


def test_only_the_newest_caches_stay_and_foreign_folders_are_left_alone(tree: Path) -> None:
    cache = tree / "cache"
    for age in range(6):
        old = cache / f"{age:032x}"
        old.mkdir(parents=True)
        os.utime(old, (1_000_000 - age, 1_000_000 - age))
    (cache / "photographs").mkdir()
    run(tree)
    names = {path.name for path in cache.iterdir()}
    assert "photographs" in names
    kept = names - {"photographs"}
    assert len(kept) == jit.KEPT_CACHES
    assert {f"{age:032x}" for age in range(3)} <= kept


def test_numba_imported_first_still_uses_our_cache(tree: Path) -> None:
    run(tree, "import numba\n" + RUN)
    assert int(run(tree)[2]) == 0


def test_frozen_kernels_refuse_other_types_inner_ones_too(tree: Path) -> None:
    code = RUN + (
        "\nfrom mmpipe.callee import scaled\n"
        "for call in (lambda: total(np.zeros(1, np.int64), 0.5), lambda: scaled('x')):\n"
        "    try:\n        call()\n        print('accepted')\n"
        "    except TypeError:\n        print('refused')\n"
    )
    for _ in range(2):  # compiled, then loaded from the cache, where the inner kernel has no signature
        assert run(tree, code)[-2:] == ["refused", "refused"]


def test_warming_without_freezing_thaws(tree: Path) -> None:
    code = RUN + "\nwarm(freeze=False)\nprint(total(np.ones(1, np.int64), 0.5))\n"
    assert run(tree, code)[-1] == "2.5"


def test_an_example_that_does_not_fit_is_named(tree: Path) -> None:
    (tree / "mmpipe" / "caller.py").write_text(CALLER.replace("(np.zeros(1), 1.5)", "('text', 1.5, 2)"))
    done = run_python(RUN, cwd=tree, MMPIPE_CACHE=str(tree / "cache"))
    assert "kernel mmpipe.caller.total does not compile" in done.stderr
    assert "_total_example" in done.stderr


def test_the_cache_root_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MMPIPE_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert jit.cache_root() == tmp_path / "own"
    monkeypatch.delenv("MMPIPE_CACHE")
    assert jit.cache_root() == tmp_path / "xdg" / "mmpipe" / "numba"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert jit.cache_root() == Path.home() / ".cache" / "mmpipe" / "numba"


def test_the_digest_knows_switches_but_not_its_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = jit.source_digest()
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/elsewhere")
    assert jit.source_digest() == plain
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "yes")
    assert jit.source_digest() != plain


def test_a_kernel_inside_a_function_is_refused() -> None:
    def inner(x: int) -> int:
        return x

    with pytest.raises(TypeError, match="module level"):
        jit.kernel(inner)
