import json
from pathlib import Path

from stages.latch import Latch


def test_a_latch_survives_and_only_a_reset_with_a_reason_removes_it(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "x.kill"
    assert Latch(path).reason == ""
    Latch(path).set("LIMIT_LOSS", 5)
    again = Latch(path)
    assert again.reason == "LIMIT_LOSS"
    again.reset("looked at it", 9)
    assert Latch(path).reason == ""
    audit = json.loads(path.with_suffix(".audit").read_text(encoding="utf-8"))
    assert (audit["was"], audit["because"], audit["wall_ns"]) == ("LIMIT_LOSS", "looked at it", 9)


def test_an_unreadable_latch_is_a_latch(tmp_path: Path) -> None:
    path = tmp_path / "x.kill"
    path.write_text("{broken", encoding="utf-8")
    assert Latch(path).reason == "OPERATOR"
