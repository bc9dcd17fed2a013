"""Shared by all tests: Hypothesis profiles, the recorded market data, cleanliness of /dev/shm."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile(
    "default", deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("quick", deadline=None, max_examples=15, derandomize=True)
settings.load_profile("default")


@pytest.fixture(scope="session")
def market_data() -> Path:
    """Folder of recorded market data; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("MMPIPE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recorded market data at {folder}; set MMPIPE_DATA to run this test")
    return folder


@pytest.fixture
def runtime_base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """XDG_RUNTIME_DIR of this test alone; short, as the path of a socket has a limit a tmp_path may pass."""
    with tempfile.TemporaryDirectory(prefix="mmpipe-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


@pytest.fixture(autouse=True, scope="session")
def _nothing_left_in_shared_memory() -> Iterator[None]:
    mine = f"mmpipe.{os.getuid()}.test-{os.getpid()}"
    yield
    left = [path.name for path in Path("/dev/shm").glob(f"{mine}*")]
    assert left == [], f"segments left behind: {left}"
