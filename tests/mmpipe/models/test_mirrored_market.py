"""A market seen in a mirror: sides exchanged, prices upside down. Whatever leans must lean the other way."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.config import load
from mmpipe.enums import Counter, EventFlag, EventKind, FeedState, ReportKind
from mmpipe.models.snapshot_engine import SnapshotEngine
from mmpipe.records import EVENT, INSTRUMENT, REPORT
from mmpipe.units import lot_qty, tick_px, ticks_per_unit

CONFIG = load(Path(__file__).resolve().parents[3] / "pipeline.toml")
MS, SIZE_DECIMALS, CENTRE = 1_000_000, 4, 430_005
SWAPPED = (
    "depth_qty", "offset_tick", "age_ms", "queue_rank", "queue_rank_std",
)  # fmt: skip
SAME = (
    "trigger", "book_valid", "maker_feed", "trades_in_2s", "vpin", "trades_seen", "last_trade_qty",
    "book_age_ns", "book_generation", "ts_ns",
)  # fmt: skip
TURNED = (
    "trade_side", "imbalance", "ofi_500ms", "ofi_2s", "mlofi_500ms", "ofi_500ms_lags", "mlofi_500ms_lags",
    "trade_sign_run_length", "vwap_direction", "hawkes_asymmetry",
)  # fmt: skip
NEARLY = 2e-3  # what is relative to a price is not mirrored exactly: ticks are, and prices of them are not


def _play(rows: np.ndarray, orders: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    instrument = np.zeros(1, INSTRUMENT)
    instrument["size_decimals"], instrument["tick_px"] = SIZE_DECIMALS, tick_px(SIZE_DECIMALS)
    instrument["lot_qty"], instrument["ticks_per_unit"] = (
        lot_qty(SIZE_DECIMALS),
        ticks_per_unit(SIZE_DECIMALS),
    )
    engine, parts = SnapshotEngine(CONFIG, instrument), []
    for index in range(len(rows)):
        if index == START:
            engine.on_reports(orders)
        parts.append(engine.on_events(rows[index : index + 1], index + 1).copy())
    engine.counters[Counter.LABELS] = 0  # fills of one TIMER wait for each other, bids before asks
    return np.concatenate(parts), engine.counters.copy()


def _mirrored(rows: np.ndarray) -> np.ndarray:
    turned = rows.copy()
    turned["side"] = -rows["side"]
    priced = rows["px_tick"] > 0
    turned["px_tick"][priced] = 2 * CENTRE - rows["px_tick"][priced]
    if "px" in (rows.dtype.names or ()):
        turned["px"] = turned["px_tick"] * tick_px(SIZE_DECIMALS)
    return turned


def _row(kind: EventKind, ts_ms: int, side: int, tick: int, qty: float, flags: int = 1) -> np.ndarray:
    row = np.zeros(1, EVENT)
    row["kind"], row["side"], row["px_tick"], row["qty"], row["flags"] = kind, side, tick, qty, flags
    row["px"] = tick * tick_px(SIZE_DECIMALS)
    row["local_ts_ns"] = row["exch_ts_ns"] = (1_000_000 + ts_ms) * MS
    return row


def _start() -> list[np.ndarray]:
    status = _row(EventKind.STATUS, 0, 0, 0, 0.0)
    status["level"] = FeedState.LIVE
    rows = [status, _row(EventKind.BOOK_CLEAR, 0, 0, 0, 0.0, 0)]
    for step in range(12):
        last = EventFlag.LAST if step == 11 else 0
        rows.append(_row(EventKind.BOOK_DELTA, 0, 1, CENTRE - 5 - 10 * step, 5.0 + step, 0))
        rows.append(_row(EventKind.BOOK_DELTA, 0, -1, CENTRE + 5 + 10 * step, 6.0 + step, last))
    return rows


START = len(_start())
event = st.tuples(
    st.sampled_from([EventKind.TRADE, EventKind.BOOK_DELTA, EventKind.BBO, EventKind.TIMER, EventKind.GAP]),
    st.sampled_from([1, -1]),
    st.integers(-3, 3),
    st.integers(0, 9),
    st.sampled_from([0, 1, 30, 100, 700]),
)


def _tape(events: list[tuple[EventKind, int, int, int, int]]) -> np.ndarray:
    rows, ts_ms = _start(), 0
    for kind, side, steps, qty, wait_ms in events:
        ts_ms += wait_ms
        if kind == EventKind.GAP:
            if qty > 1:
                continue
            rows.append(_row(kind, ts_ms, 0, 0, 0.0))
            again = _start()
            for row in again:
                row["local_ts_ns"] = row["exch_ts_ns"] = (1_000_000 + ts_ms) * MS
            rows += again
        elif kind == EventKind.TIMER:
            rows.append(_row(kind, ts_ms, 0, 0, 0.0))
        else:
            tick = CENTRE - side * 5 + side * 10 * steps
            rows.append(_row(kind, ts_ms, side, tick, float(qty + (kind == EventKind.TRADE))))
    rows.append(_row(EventKind.TIMER, ts_ms + 100, 0, 0, 0.0))
    return np.concatenate(rows)


def _orders() -> np.ndarray:
    orders = np.zeros(2, REPORT)
    orders["kind"], orders["side"], orders["order_id"] = ReportKind.ACK, (1, -1), (1, 2)
    orders["px_tick"], orders["qty_lots"] = (CENTRE - 5, CENTRE + 15), (10_000, 20_000)
    orders["ts_ns"] = 1_000_000 * MS
    return orders


@given(st.lists(event, max_size=50))
@settings(max_examples=120, deadline=None)
def test_a_mirrored_market_gives_mirrored_snapshots(
    events: list[tuple[EventKind, int, int, int, int]],
) -> None:
    rows, orders = _tape(events), _orders()
    seen, counted = _play(rows, orders)
    mirror, counted_there = _play(_mirrored(rows), _mirrored(orders))
    assert len(seen) == len(mirror)
    assert counted.tobytes() == counted_there.tobytes()
    for name in SAME:
        assert np.array_equal(seen[name], mirror[name]), name
    for name in TURNED:
        assert np.array_equal(seen[name].astype(float), -mirror[name].astype(float)), name
    for name in SWAPPED:
        assert np.array_equal(seen[f"bid_{name}"], mirror[f"ask_{name}"]), name
        assert np.array_equal(seen[f"ask_{name}"], mirror[f"bid_{name}"]), name
    assert np.array_equal(seen["buy_intensity_per_s"], mirror["sell_intensity_per_s"])
    valid = seen["best_bid_tick"] > 0
    assert np.array_equal(seen["best_bid_tick"][valid], 2 * CENTRE - mirror["best_ask_tick"][valid])
    offset, there = (rows["microprice_px"] - rows["mid_px"] for rows in (seen, mirror))
    assert np.allclose(offset, -there, atol=1e-9)
    for name in ("sigma_ewma_bps", "spread_bps", "regime_probs", "sigma_1m_bps"):
        assert np.allclose(seen[name], mirror[name], rtol=NEARLY, atol=NEARLY), name
    assert np.allclose(seen["toxic_buy_prob"], mirror["toxic_sell_prob"], rtol=NEARLY, atol=NEARLY)
    assert np.allclose(seen["bid_queue_value_bps"], mirror["ask_queue_value_bps"], rtol=NEARLY, atol=0.02)
