"""Measures on hand-made markets whose answer is counted on fingers."""

import numpy as np
import pytest

from mmpipe.clock import NS_PER_MS, NS_PER_S
from mmpipe.enums import EventKind, Toxicity, Trigger
from mmpipe.records import EVENT, INSTRUMENT
from mmpipe.training import scenario_measures as measures
from mmpipe.training.scenario_events import CASCADE, Phase, ScenarioMarket
from mmpipe.training.scenario_run import LOOK

BLOCK_NS = 20 * NS_PER_MS
START_NS = 1_000 * NS_PER_S
SECONDS = 40


def at(ms: float) -> int:
    """Time of so many ms after twenty seconds of market, when everything is warm."""
    return START_NS + 20 * NS_PER_S + round(ms * NS_PER_MS)


def market(
    trades: list[tuple[float, int]], cascades: list[tuple[float, float]], moves: list[tuple[float, float]]
) -> ScenarioMarket:
    """One symbol: prints (ms, side), cascades (ms from, ms to) of sells, moves of the lead (ms, bps)."""
    blocks = START_NS + BLOCK_NS * np.arange(SECONDS * 50, dtype=np.int64)
    maker, lead = np.zeros(len(trades), EVENT), np.zeros(len(blocks), EVENT)
    maker["kind"], lead["venue"] = EventKind.TRADE, 1
    maker["exch_ts_ns"] = maker["local_ts_ns"] = [at(ms) for ms, _ in trades]
    maker["side"] = [side for _, side in trades]
    lead["local_ts_ns"] = lead["exch_ts_ns"] = blocks
    rows = np.zeros(len(cascades), CASCADE)
    rows["side"] = -1
    rows["start_ts_ns"] = [at(start) for start, _ in cascades]
    rows["end_ts_ns"] = [at(end) for _, end in cascades]
    log_px = np.log(100.0) + np.sum([(blocks >= at(ms)) * bps * 1e-4 for ms, bps in moves], axis=0)
    phases = (Phase("calm", START_NS, START_NS + SECONDS * NS_PER_S),)
    px = np.exp(np.broadcast_to(log_px, blocks.shape))[:, None]
    return ScenarioMarket("made", 1, np.zeros(1, INSTRUMENT), (maker, lead), phases, rows, blocks, px)


def looks(count: int, **fields: object) -> np.ndarray:
    """LOOK rows of a book at 100 with a spread of 2 bps; times in ms as in `at`."""
    rows = np.zeros(count, LOOK)
    rows["mid_px"], rows["spread_bps"], rows["trigger"] = 100.0, 2.0, Trigger.TRADE
    for name, values in fields.items():
        rows[name] = values
    rows["ts_ns"] = [at(ms) for ms in np.broadcast_to(fields["ts_ns"], count).tolist()]  # type: ignore[arg-type]  # numbers
    return rows


def toxic_from(row: int, trades: list[tuple[float, int]]) -> np.ndarray:
    """One look per print; sellers are called informed from `row` on."""
    said = looks(len(trades), ts_ns=[ms for ms, _ in trades], trade_side=[side for _, side in trades])
    said["trade_index"] = 1 + np.arange(len(trades))
    said["toxicity"][row:], said["toxic_sell_prob"][row:] = Toxicity.TOXIC, 0.9
    return said


# A calm buy and sell; then an order of three prints, one of two, and single ones.
TRADES = [
    (-500.0, 1),
    (-400.0, -1),
    (0, -1),
    (0, -1),
    (0, -1),
    (20, -1),
    (20, -1),
    (60, -1),
    (90, 1),
    (120, -1),
]


@pytest.mark.parametrize(
    ("row", "ms", "orders", "prints"),
    [
        (2, 0.0, 1, 1),
        (4, 0.0, 1, 3),
        (5, 20.0, 2, 4),
        (7, 60.0, 3, 6),
        (9, 120.0, 5, 8),
        (0, 0.0, 0, 0),
        (10, np.inf, np.inf, np.inf),
    ],
)
def test_the_delay_counts_from_the_first_forced_print(
    row: int, ms: float, orders: float, prints: float
) -> None:
    scene = market(TRADES, [(0.0, 150.0)], [])
    delays = measures.cascade_delays(scene, toxic_from(row, TRADES))
    np.testing.assert_array_equal(delays, [[ms, orders, prints, np.inf, 150.0]])


def test_a_verdict_on_the_other_side_is_none() -> None:
    said = toxic_from(2, TRADES)
    said["toxic_buy_prob"], said["toxic_sell_prob"] = 0.9, 0.1
    assert np.isinf(measures.cascade_delays(market(TRADES, [(0.0, 150.0)], []), said)[0, 0])


def test_a_cascade_after_another_knows_how_long_after() -> None:
    trades = [*TRADES, (9_000.0, -1)]
    delays = measures.cascade_delays(
        market(trades, [(0.0, 150.0), (9_000.0, 9_000.0)], []), toxic_from(10, trades)
    )
    np.testing.assert_array_equal(delays[1], [0.0, 1.0, 1.0, 8_850.0, 0.0])


def test_alarms_are_counted_and_judged_by_what_the_mid_did() -> None:
    # Two alarms of buyers, at 0 and at 3,000 ms; only after the second does the mid go up beyond the trade.
    ms = np.arange(0.0, 6_000.0, 100.0)
    said = looks(len(ms), ts_ns=ms, trade_side=1, trade_px=100.01, toxic_buy_prob=0.9)
    said["toxicity"][[0, 1, 30, 31]] = Toxicity.TOXIC
    said["mid_px"][35:] = 100.05
    np.testing.assert_array_equal(measures.alarm_counts(market([], [], []), said), [60, 2, 1])
    # In a cascade and shortly after it nothing is a false alarm; before the models are warm neither.
    np.testing.assert_array_equal(measures.alarm_counts(market([], [(-100.0, 2_000.0)], []), said), [0, 0, 0])
    said["ts_ns"] -= 16 * NS_PER_S
    np.testing.assert_array_equal(measures.alarm_counts(market([], [], []), said), [0, 0, 0])


def test_values_are_those_of_the_attacked_side_and_of_calm_ticks() -> None:
    ms = np.arange(-2_000.0, 12_000.0, 100.0)
    said = looks(len(ms), ts_ns=ms, trigger=Trigger.TIMER, bid_value_bps=1.0, ask_value_bps=2.0)
    during = (ms >= 0.0) & (ms <= 1_000.0)
    said["bid_value_bps"][during] = -3.0
    values = measures.touch_values(market([], [(0.0, 1_000.0)], []), said)
    np.testing.assert_array_equal(values["cascade"], np.full(11, -3.0))
    calm = (ms < 0.0) | (ms > 6_000.0)
    np.testing.assert_array_equal(np.sort(values["calm"]), np.repeat([1.0, 2.0], calm.sum()))


def test_what_a_fill_was_worth_is_the_mid_five_seconds_on() -> None:
    said = looks(3, ts_ns=[0.0, 4_000.0, 6_000.0], trade_side=[-1, 1, 1], trade_px=[99.9, 100.1, 100.1])
    said["mid_px"] = [100.0, 99.0, 98.0]
    # A seller hit a bid at 99.9 and the mid was 99 after 5 s; what comes after the end is not known.
    np.testing.assert_allclose(
        measures.realised_bps(said, said), [(99.0 - 99.9) / 99.0 * 1e4, np.nan, np.nan]
    )


def test_lead_moves_stand_alone_and_begin_where_they_do() -> None:
    scene = market([], [], [(0.0, 3.0), (2_000.0, -1.0), (2_040.0, -1.5), (2_060.0, -0.1), (2_500.0, 4.0)])
    moves = measures.lead_moves(scene, 0, 2.0)
    np.testing.assert_allclose(
        moves[:, 0], [1_000, 1_100]
    )  # the one at 2,500 ms comes too soon after another
    np.testing.assert_allclose(moves[:, 1], [3.0, -2.5])


def test_signal_threshold_and_follower_are_timed_from_the_move() -> None:
    ms = np.arange(-9_000.0, 2_000.0, 20.0)
    said = looks(len(ms), ts_ns=ms, trigger=Trigger.BBO, signal_bps=0.3)
    said["divergence_bps"] = np.where(np.arange(len(ms)) % 2, 0.5, -0.5)  # of deviation 0.5
    said["divergence_bps"][ms >= 0.0] = 1.2
    said["divergence_bps"][ms >= 100.0] = 2.5
    said["signal_bps"][ms >= 40.0] = 0.5
    said["mid_px"][ms >= 300.0] = 100.0 * np.exp(2e-4)
    delays = measures.signal_delays(market([], [], [(0.0, 2.5)]), said, 2.0)
    np.testing.assert_allclose(delays, [[40.0, 40.0, 100.0, 300.0, 2.5]])
    said["signal_bps"] = 0.3  # leans the right way, but says nothing new
    assert np.isinf(measures.signal_delays(market([], [], [(0.0, 2.5)]), said, 2.0)[0, 0])


def test_the_threshold_is_that_of_its_own_past() -> None:
    rng = np.random.default_rng(1)
    said = looks(5_000, ts_ns=np.arange(5_000) * 20.0, divergence_bps=rng.normal(7.0, 2.0, 5_000))
    sides = measures.threshold_sides(said)
    assert (sides[1_000:] != 0).mean() == pytest.approx(0.0027, abs=0.002)
    said["divergence_bps"][4_000] = 7.0 - 9.0
    assert measures.threshold_sides(said)[4_000] == -1
