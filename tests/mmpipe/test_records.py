import numpy as np
import pytest

from mmpipe import boards, enums, records

DTYPES = {
    name: dtype
    for name, dtype in (vars(records) | vars(boards)).items()
    if name.isupper() and isinstance(dtype, np.dtype)
}


@pytest.mark.parametrize("name", DTYPES)
def test_records_are_aligned_without_hidden_gaps(name: str) -> None:
    dtype = DTYPES[name]
    end = 0
    for field in dtype.names or ():
        kind, offset = dtype.fields[field][:2]  # type: ignore[index]  # structured
        assert offset == end, f"unwritten padding before {field}"
        end = offset + kind.itemsize
    assert end == dtype.itemsize
    assert dtype.itemsize % 64 == 0


@pytest.mark.parametrize("name", sorted(set(DTYPES) - {"INSTRUMENT"}))
def test_ring_records_begin_with_the_commit_word(name: str) -> None:
    assert DTYPES[name].names[0] == "seq"  # type: ignore[index]  # structured
    assert DTYPES[name]["seq"] == np.int64


def test_sizes_are_those_of_the_design() -> None:
    assert records.EVENT.itemsize == 64
    assert records.SNAPSHOT.itemsize <= 832
    assert records.FORECAST.itemsize <= 1024
    assert records.REPORT.itemsize == 128


def test_tables_of_codes_fit_their_records() -> None:
    assert len(enums.Counter) <= records.COUNTERS
    assert len(enums.Param) == records.PARAMS_COUNT
    assert len(enums.Mode) == boards.MODES
    assert len(enums.ModelKind) == boards.MODEL_KINDS
    assert len(enums.SignalRefusal) == boards.SIGNAL_REFUSALS
    assert len(enums.Signal) <= records.SIGNALS
    assert len(records.MARKOUT_HORIZONS_S) == records.MARKOUTS
    assert len(enums.Regime) == records.REGIMES
    assert max(enums.Reason) < 2**16
