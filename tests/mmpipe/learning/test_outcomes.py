"""Expectations meet their outcome once, and what waits is bounded."""

import numpy as np
import pytest

from mmpipe.learning import outcomes
from mmpipe.learning.outcomes import Pending
from mmpipe.records import FILL_CONTEXT, LABEL, REPORT


def test_each_expectation_is_handed_out_once_per_symbol() -> None:
    pending: Pending[str] = Pending()
    pending.add(0, 7, "a")
    pending.add(1, 7, "b")
    assert pending.take(0, 7) == "a"
    assert pending.take(0, 7) is None
    assert pending.take(1, 7) == "b"


def test_the_oldest_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "PENDING_MAX", 3)
    pending: Pending[int] = Pending()
    for key in range(5):
        pending.add(0, key, key)
    assert (len(pending), pending.lost_count) == (3, 2)
    assert [pending.take(0, key) for key in range(5)] == [None, None, 2, 3, 4]


def test_rows_carry_plain_values_of_the_record() -> None:
    label, report, context = (np.zeros(1, dtype)[0] for dtype in (LABEL, REPORT, FILL_CONTEXT))
    label["kind"], label["cause_seq"], label["realized_as_bps"] = 3, 42, 1.5
    report["tid"], report["fee_cash"] = 42, -7
    context["tid"], context["snapshot"]["mid_px"] = 42, 99.5
    rows = [outcomes.markout_row(label), outcomes.fill_row(report), outcomes.context_row(context)]
    assert all(row.table == "fills" and row.columns["tid"] == 42 for row in rows)
    assert rows[0].columns["realized_as_bps"] == 1.5
    assert rows[1].columns["fee_cash"] == -7
    assert rows[2].columns["snapshot"] == context["snapshot"].tobytes()
    assert outcomes.label_row(label).columns["kind"] == "FILL_MARKOUT"
