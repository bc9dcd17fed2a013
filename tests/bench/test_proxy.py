"""The proxy's bench runs, checks its answers and reports every case."""

from bench.proxy import CASES, measure, running


def test_every_case_is_measured() -> None:
    with running() as urls:
        rows = measure(urls, rounds=1, count=200, trips=20)
    assert [row["case"] for row in rows] == [
        f"{what}/{case}" for what in ("frames", "round_trip") for case in CASES
    ]
    assert all(row["ours"]["p50"] > 0.0 for row in rows)
