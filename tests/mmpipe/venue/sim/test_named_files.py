"""Files chosen by name: only those that are there, and never a path."""

import pytest

from mmpipe.errors import UsageError
from mmpipe.venue.sim.named_files import file_names, file_text


def test_names_are_those_of_the_files() -> None:
    assert file_names("profiles") == ("brisk", "hyperliquid", "instant")
    assert "block_ms = 70" in file_text("profiles", "profile", "hyperliquid")


@pytest.mark.parametrize("name", ["", "nope", "../scenarios/quiet", "brisk.toml", "/etc/passwd"])
def test_anything_else_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(UsageError, match="choose one of: brisk, hyperliquid, instant"):
        file_text("profiles", "profile", name)
