"""A live process must start in a second: what costs seconds to import stays out of it."""

import subprocess
import sys

import pytest

from stages.topology import BEATING

# numba itself looks for scipy, and takes 20 ms of it where it is installed.
HEAVY = (
    "lightgbm",
    "sklearn",
    "scipy.stats",
    "scipy.optimize",
    "plotly",
    "polars",
    "pyarrow",
    "mmpipe.training",
)


@pytest.mark.parametrize("stage", [stage.name.lower() for stage in BEATING])
def test_a_stage_imports_no_training_library(stage: str) -> None:
    code = f"import sys, stages.{stage}; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert found.stdout.strip() == "[]"
