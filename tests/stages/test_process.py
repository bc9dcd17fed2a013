"""Which core a stage gets: its own where there is one to spare, else a shared one, isolated ones first."""

import os
from pathlib import Path

import pytest

from mmpipe.enums import StageId
from stages import process, topology
from stages.process import place_line_stage, usable_cores


def places(cores: list[int], isolated: list[int]) -> list[int]:
    found = [place_line_stage(stage, cores, isolated) for stage in topology.LINE]
    assert len({own for _, own in found}) == 1
    assert found[0][1] == (len({core for core, _ in found}) == len(topology.LINE))
    return [core for core, _ in found]


def test_few_cores_are_shared_and_many_are_not() -> None:
    assert places([0], []) == [0] * 5
    assert places([0, 1], []) == [1] * 5
    assert places([0, 1, 2, 3, 4], []) == [4] * 5
    assert places([0, 1, 2, 3, 4, 5], []) == [1, 2, 3, 4, 5]


def test_isolated_cores_go_first() -> None:
    assert places([0, 1, 2], [1]) == [1] * 5
    assert places(list(range(8)), [6, 7]) == [6, 7, 1, 2, 3]
    assert places(list(range(8)), [3, 4, 5, 6, 7]) == [3, 4, 5, 6, 7]


def test_the_kernels_list_of_isolated_cores_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    core = min(before)
    listing = tmp_path / "isolated"
    listing.write_text(f"{core},4000-4001\n")  # the last two no machine of ours has
    monkeypatch.setattr(process, "ISOLATED", listing)
    assert process._isolated_cores() == [core]
    assert usable_cores() == sorted(before)
    listing.write_text("\n")
    assert process._isolated_cores() == []
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize("stage", topology.LINE)
def test_a_stage_of_the_line_is_where_its_neighbours_are_or_alone(stage: StageId) -> None:
    core, own = place_line_stage(stage, usable_cores(), [])
    assert core in usable_cores()
    assert own == (len(usable_cores()) > len(topology.LINE))
