"""The folder of a run's sockets."""

from pathlib import Path

import pytest

from mmpipe.errors import UsageError
from stages.context import RUNTIME_DIR_BYTES_MAX, runtime_dir


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def test_the_folder_is_ours_alone(base: Path) -> None:
    path = runtime_dir("main")
    assert path == base / "mmpipe" / "main"
    assert path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("instance", ["", "..", "../x", "a/b", "/tmp"])
def test_a_name_that_leads_elsewhere_is_refused(base: Path, instance: str) -> None:
    with pytest.raises(UsageError, match="--instance"):
        runtime_dir(instance)
    assert list(base.iterdir()) == []


def test_a_folder_too_long_for_its_sockets_is_refused_before_it_is_made(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = RUNTIME_DIR_BYTES_MAX - len("/mmpipe/main")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(base / ("x" * room)))
    with pytest.raises(UsageError, match="XDG_RUNTIME_DIR"):
        runtime_dir("main")
    assert list(base.iterdir()) == []
