"""The table says what was measured, with intervals over seeds, and fails where a target is missed."""

import numpy as np
import pytest

from mmpipe.training.scenario_report import Seen, interval, scenario_report

INF = np.inf
# ms, orders, prints, ms since the cascade before, ms it ran
SOON, LATE, NEVER, BRIEF = (
    [100.0, 2.0, 6.0, INF, 4_000.0], [900.0, 9.0, 30.0, 3_500.0, 4_000.0],
    [INF, INF, INF, INF, 4_000.0], [INF, INF, INF, INF, 20.0],
)  # fmt: skip
QUICK, SLOW = [0.0, 20.0, INF, 300.0, 4.0], [200.0, 220.0, 240.0, 300.0, -5.0]
FACTS = {"scenarios": ["cascade"], "seeds": 2, "seconds": 60.0, "profile": "brisk"}


def seen(delays: list[list[float]], wrong: int, signals: list[list[float]], cascade_bps: float) -> Seen:
    values = {
        "cascade": np.full(10, cascade_bps), "calm": np.full(10, 1.0),
        "cascade_realised": np.full(4, -50.0), "calm_realised": np.full(4, 3.0),
    }  # fmt: skip
    return Seen(
        "cascade",
        np.array(delays).reshape(-1, 5),
        np.array([1_000, 3, wrong]),
        np.array(signals).reshape(-1, 5),
        values,
    )


def rows_of(*all_seen: Seen) -> dict[str, dict[str, object]]:
    return {row["measure"]: row for row in scenario_report(all_seen, FACTS)["rows"]}


def test_good_models_pass() -> None:
    report = scenario_report([seen([SOON, BRIEF], 1, [QUICK] * 3, -4.0)] * 2, FACTS)
    rows = {row["measure"]: row for row in report["rows"]}
    assert {name for name, row in rows.items() if not row["ok"]} == {"toxicity delay, prints"}
    assert rows["toxicity delay, trades"]["value"] == 2.0
    assert rows["toxicity delay, trades"]["n"] == 2, "what is over at once is not judged"
    assert "2 more were over" in rows["toxicity delay, trades"]["why"]
    assert rows["toxicity false alarms per trade"]["value"] == 0.001
    assert rows["lead-lag delay with the venue's, ms"]["value"] == 20.0
    # The threshold never fired: the lead over the maker's own move counts.
    assert rows["lead-lag before a threshold, ms"]["value"] == 280.0
    assert "-50.00 bps over 8 prints" in rows["queue value in cascade, attacked side, bps"]["why"]


def test_bad_models_fail_and_say_why() -> None:
    report = scenario_report(
        [seen([LATE, NEVER, NEVER], 2, [SLOW, [INF, INF, 20.0, 300.0, 3.0]], 2.0)], FACTS
    )
    rows = {row["measure"]: row for row in report["rows"]}
    assert {name for name, row in rows.items() if row["ok"]} == {
        "queue value in calm, both sides, bps",
        "queue value in calm, both sides, share > 0",
    }
    assert not report["ok"]
    assert rows["toxicity delay, ms"]["value"] is None, "half of them never"
    assert rows["toxicity delay, ms"]["why"].startswith("2 of 3 cascades never called Toxic")
    assert "1 without a signal" in rows["lead-lag delay, ms"]["why"]


def test_what_a_scenario_does_not_show_has_no_row() -> None:
    calm = seen([], 0, [], 1.0)
    calm.values["cascade"] = np.zeros(0)
    assert set(rows_of(calm)) == {
        "toxicity false alarms per trade",
        "queue value in calm, both sides, bps",
        "queue value in calm, both sides, share > 0",
    }


def test_an_interval_draws_whole_seeds() -> None:
    rng = np.random.default_rng(7)
    values = rng.normal(10.0, 1.0, 30)
    groups = [np.full(50, value) for value in values]
    low, high = interval(groups, lambda rows: float(rows.mean()))
    assert low is not None
    assert high is not None
    # Rows of one seed hang together: there are 30 of them, not 1,500.
    assert (low + high) / 2.0 == pytest.approx(values.mean(), abs=0.1)
    assert (high - low) / 2.0 == pytest.approx(1.96 * values.std() / np.sqrt(30), rel=0.15)
    assert interval(groups[:1], lambda rows: float(rows.mean())) == [groups[0][0], groups[0][0]]
