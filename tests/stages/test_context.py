"""The folder of a run's sockets."""

from pathlib import Path

import pytest

from mmpipe.errors import UsageError
from stages.context import RUNTIME_DIR_BYTES_MAX, runtime_dir


def test_the_folder_is_ours_alone(runtime_base: Path) -> None:
    path = runtime_dir("main")
    assert path == runtime_base / "mmpipe" / "main"
    assert path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("instance", ["", "..", "../x", "a/b", "/tmp"])
def test_a_name_that_leads_elsewhere_is_refused(runtime_base: Path, instance: str) -> None:
    with pytest.raises(UsageError, match="--instance"):
        runtime_dir(instance)
    assert list(runtime_base.iterdir()) == []


def test_a_folder_too_long_for_its_sockets_is_refused_before_it_is_made(
    runtime_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = RUNTIME_DIR_BYTES_MAX - len("/mmpipe/main")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime_base / ("x" * room)))
    with pytest.raises(UsageError, match="XDG_RUNTIME_DIR"):
        runtime_dir("main")
    assert list(runtime_base.iterdir()) == []
