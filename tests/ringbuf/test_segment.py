"""Segments: made, found, refused by name, outliving their readers, removed when orphaned."""

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ringbuf import Producer, Segment, SegmentNotFound, SegmentRefused, layout, unlink_orphans
from ringbuf.layout import KIND_CELL, KIND_COUNTERS
from tests.ringbuf.memory import RECORD, ROOT, fresh_name, rows, run_python

FOLDER = Path("/dev/shm")
DECLARE = (
    "import numpy as np, os, signal\n"
    "from ringbuf import *\n"
    "from tests.ringbuf.memory import RECORD\n"
)  # fmt: skip


@pytest.fixture
def name() -> Iterator[str]:
    made = fresh_name()
    yield made
    (FOLDER / made).unlink(missing_ok=True)


@pytest.fixture
def ring(name: str) -> Iterator[Segment]:
    segment = Segment.create(name, RECORD, 8)
    yield segment
    segment.close()
    segment.unlink()


def refusal(name: str, dtype: np.dtype = RECORD, kind: int = layout.KIND_RING) -> SegmentRefused:
    with pytest.raises(SegmentRefused) as caught:
        Segment.attach(name, dtype, kind)
    assert caught.value.name == name
    assert name in str(caught.value)
    return caught.value


def test_what_one_mapping_writes_the_other_reads(ring: Segment) -> None:
    other = Segment.attach(ring.name, RECORD)
    ring.slots["px"] = np.arange(8)
    assert other.slots["px"].tolist() == list(range(8))
    assert len(other.slots) == 8
    assert other.epoch == ring.epoch > 0
    assert other.owner.pid == os.getpid()
    assert other.owner.alive
    assert not other.stop_requested
    ring.request_stop()
    assert other.stop_requested
    other.close()


def test_a_new_segment_is_zeroed_private_and_fully_reserved(ring: Segment) -> None:
    status = (FOLDER / ring.name).stat()
    assert status.st_mode & 0o777 == 0o600
    assert status.st_blocks * 512 >= status.st_size == layout.HEADER_BYTES + 8 * 64
    assert not ring.slots.view(np.int64).any()
    assert ring.base % 4096 == 0


def test_a_large_segment_asks_for_huge_pages_and_is_all_there(name: str) -> None:
    before = resident_shared_bytes()
    segment = Segment.create(name, RECORD, 1 << 16)
    size = segment.words.nbytes
    assert size > 4 << 20
    assert resident_shared_bytes() - before >= size - (
        1 << 20
    )  # no page is left for the first record to touch
    # The mapping says that it may have huge pages; whether it gets them is the system's decision.
    flags = next(part for part in smaps_of(name) if part.startswith("VmFlags"))
    assert "hg" in flags.split() or not Path("/sys/kernel/mm/transparent_hugepage").exists()
    segment.close()


def resident_shared_bytes() -> int:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("RssShmem"))


def smaps_of(name: str) -> list[str]:
    lines = Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines()
    first = next(index for index, line in enumerate(lines) if name in line)
    return lines[first : first + 30]


def test_local_memory_behaves_alike_without_a_file() -> None:
    before = set(os.listdir(FOLDER))
    segment = Segment.local(RECORD, 8)
    segment.slots["qty"] = 3.0
    assert segment.owner.alive
    assert set(os.listdir(FOLDER)) == before
    segment.unlink()
    segment.close()


def test_a_taken_name_is_refused_and_left_alone(ring: Segment) -> None:
    ring.slots["px"] = 7.0
    with pytest.raises(SegmentRefused, match="taken"):
        Segment.create(ring.name, RECORD, 8)
    assert Segment.attach(ring.name, RECORD).slots["px"][0] == 7.0


@pytest.mark.parametrize("bad", ["", "a/b", "x" * 251])
def test_what_cannot_be_a_name_is_refused(bad: str) -> None:
    with pytest.raises(SegmentRefused, match="name"):
        Segment.create(bad, RECORD, 8)


def test_wrong_slots_are_refused_before_anything_is_made(name: str) -> None:
    with pytest.raises(SegmentRefused, match="power of two"):
        Segment.create(name, RECORD, 6)
    assert not (FOLDER / name).exists()


def test_a_missing_segment_is_named(name: str) -> None:
    with pytest.raises(SegmentNotFound, match=name):
        Segment.attach(name, RECORD)


def test_another_record_layout_is_refused(ring: Segment) -> None:
    renamed = np.dtype([("seq", "i8"), ("bid", "f8"), ("qty", "f8"), ("rest", "i8", (5,))], align=True)
    assert refusal(ring.name, renamed).what == "dtype"


def test_another_kind_is_refused(ring: Segment, name: str) -> None:
    error = refusal(ring.name, RECORD, KIND_CELL)
    assert (error.what, error.found, error.expected) == ("kind", "ring", "cell")
    assert refusal(ring.name, np.dtype(np.int64), KIND_COUNTERS).what == "dtype"


@pytest.mark.parametrize("size", [0, 100, layout.HEADER_BYTES, layout.HEADER_BYTES + 64])
def test_a_truncated_file_is_refused_not_a_bus_error(ring: Segment, size: int) -> None:
    os.truncate(FOLDER / ring.name, size)
    assert refusal(ring.name).what == "size"
    os.truncate(FOLDER / ring.name, layout.HEADER_BYTES + 8 * 64)


@pytest.mark.parametrize(
    ("at", "what"),
    [
        (layout.AT_MAGIC, "magic"),
        (layout.AT_LAYOUT_VERSION, "layout version"),
        (layout.AT_KIND, "kind"),
        (layout.AT_STRIDE, "stride"),
        (layout.AT_SLOT_COUNT, "slot count"),
        (layout.AT_DTYPE_DIGEST, "dtype"),
        (layout.AT_COMMIT, "commit protocol"),
    ],
)
@pytest.mark.parametrize("byte", [0, 3, 7])
def test_any_flipped_byte_of_the_description_is_refused(ring: Segment, at: int, what: str, byte: int) -> None:
    ring.words.view(np.uint8)[at + byte] ^= 0x11
    assert refusal(ring.name).what == what


def test_a_slot_count_that_does_not_fit_the_file_is_refused(ring: Segment) -> None:
    ring.words[layout.AT_SLOT_COUNT // 8] = 16
    assert refusal(ring.name).what == "size"


def test_a_half_made_segment_has_no_magic(name: str) -> None:
    (FOLDER / name).touch(0o600)
    os.truncate(FOLDER / name, layout.HEADER_BYTES + 8 * 64)
    assert refusal(name).what == "magic"


def test_a_mode_open_to_others_is_refused(ring: Segment) -> None:
    (FOLDER / ring.name).chmod(0o666)
    error = refusal(ring.name)
    assert (error.what, error.found, error.expected) == ("mode", "0o666", "0o600")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_segment_of_another_user_is_refused(ring: Segment) -> None:
    os.chown(FOLDER / ring.name, 12345, -1)
    assert refusal(ring.name).what == "owner"


def test_a_planted_link_is_refused_and_not_followed(ring: Segment, name: str) -> None:
    link = fresh_name()
    (FOLDER / link).symlink_to(FOLDER / ring.name)
    try:
        assert refusal(link).what == "file"
        with pytest.raises(SegmentRefused, match="taken"):
            Segment.create(link, RECORD, 8)
    finally:
        (FOLDER / link).unlink()


def test_a_planted_fifo_is_refused_without_blocking(name: str) -> None:
    os.mkfifo(FOLDER / name, 0o600)
    assert refusal(name).what == "file"


def test_views_survive_close(ring: Segment) -> None:
    other = Segment.attach(ring.name, RECORD)
    view, producer = other.slots[2:4], Producer(other)
    ring.slots["px"] = 5.0
    other.close()
    other.close()
    gc.collect()
    assert view["px"].tolist() == [5.0, 5.0]
    assert producer.push(rows(1.0)) == 1
    assert len(other.slots) == 0


def test_closing_gives_the_memory_back(ring: Segment) -> None:
    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count(ring.name)

    other = Segment.attach(ring.name, RECORD)
    view = other.slots
    both = mapped()
    other.close()
    assert mapped() == both
    del view
    gc.collect()
    assert mapped() == both - 1


def test_nothing_is_left_open_and_nothing_printed_at_exit(ring: Segment) -> None:
    code = DECLARE + (
        f"kept = Segment.attach({ring.name!r}, RECORD)\n"
        "view = kept.slots[1:]\n"
        f"closed = Segment.attach({ring.name!r}, RECORD)\n"
        "other = closed.slots\n"
        "closed.close()\n"
        "import sys; sys.cycle = [kept, view, sys]\n"
        "print('end')\n"
    )
    done = run_python(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_a_segment_opens_no_lasting_descriptor(ring: Segment) -> None:
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    held = [Segment.attach(ring.name, RECORD) for _ in range(10)]
    assert len(os.listdir("/proc/self/fd")) <= before + len(held)  # mmap keeps one of its own each
    held.clear()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), signal.SIGKILL)"])
def test_a_reader_that_exits_or_is_killed_does_not_remove_the_segment(ring: Segment, end: str) -> None:
    # One parent, two children that share its resource tracker: the case of cpython #82300.
    child = DECLARE + f"Segment.attach({ring.name!r}, RECORD)\n{end}\n"
    code = f"import subprocess, sys\nfor _ in range(2): subprocess.run([sys.executable, '-c', {child!r}])\n"
    done = run_python(code + "print('end')")
    assert done.stdout == "end\n"
    assert done.stderr == ""
    assert Segment.attach(ring.name, RECORD).epoch == ring.epoch


def test_a_failing_attach_does_not_remove_the_segment(ring: Segment) -> None:
    code = DECLARE + (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1, 1))\n"
        f"try:\n    Segment.attach({ring.name!r}, RECORD)\nexcept (OSError, MemoryError):\n    os._exit(7)\n"
    )
    assert run_python(code).returncode == 7
    assert (FOLDER / ring.name).exists()


def test_one_running_process_per_side(ring: Segment) -> None:
    code = DECLARE + f"Producer(Segment.attach({ring.name!r}, RECORD))\nprint('taken', flush=True)\ninput()\n"
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "taken\n"
    with pytest.raises(SegmentRefused, match=f"producer is running process {child.pid}"):
        Producer(ring)
    child.kill()
    child.communicate()
    Producer(ring)
    assert ring.producer.pid == os.getpid()
    assert ring.producer.generation == 2


def test_only_orphans_are_removed(name: str) -> None:
    prefix = fresh_name() + "."
    dead = DECLARE + f"Segment.create({prefix + 'dead'!r}, RECORD, 8)\nos.kill(os.getpid(), signal.SIGKILL)\n"
    run_python(dead)
    mine = Segment.create(prefix + "mine", RECORD, 8)
    foreign = FOLDER / (prefix + "foreign")
    foreign.write_bytes(b"somebody's")
    foreign.chmod(0o600)
    strange = Segment.create(prefix + "strange", RECORD, 8)
    strange.words[layout.AT_OWNER_PID_SPACE // 8] += 1
    strange.words[layout.AT_OWNER_PID // 8] = 2**22 + 1
    try:
        assert unlink_orphans(prefix) == [prefix + "dead"]
        assert unlink_orphans(prefix) == []
        assert foreign.exists()
        assert (FOLDER / mine.name).exists()
        assert (FOLDER / strange.name).exists()
    finally:
        foreign.unlink()
        mine.unlink()
        strange.unlink()


def test_an_orphan_half_made_is_removed(name: str) -> None:
    segment = Segment.create(name, RECORD, 8)
    segment.words[layout.AT_MAGIC // 8] = 0
    assert unlink_orphans(name) == []
    segment.words[layout.AT_OWNER_START // 8] += 1  # a pid that was reused
    assert unlink_orphans(name) == [name]


def test_an_empty_prefix_is_refused() -> None:
    with pytest.raises(ValueError, match="prefix"):
        unlink_orphans("")
