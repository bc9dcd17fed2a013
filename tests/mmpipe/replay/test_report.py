"""The report has the promised keys, and its digests mean what they say."""

import hashlib
import struct
from pathlib import Path

import numpy as np

from mmpipe.clock import VirtualClock
from mmpipe.config import load
from mmpipe.enums import Mode
from mmpipe.records import ANSWER, INSTRUMENT
from mmpipe.replay.engine import ReplayRun
from mmpipe.replay.report import fills_sha256, mode_occupancy, replay_report, state_sha256
from mmpipe.venue.sim.latency_model import latency_settings
from mmpipe.venue.sim.replay_exchange import ReplayExchange


def fills() -> np.ndarray:
    rows = np.zeros(3, ANSWER)
    rows["order_id"], rows["side"] = [2, 1, 1], [1, -1, 1]
    rows["px_tick"], rows["qty_lots"], rows["exch_ts_ns"] = [10, 11, 12], [5, 6, 7], [100, 100, 50]
    return rows


def test_fills_are_digested_sorted_by_time_then_order() -> None:
    packed = struct.pack("<15q", 1, 1, 12, 7, 50, 1, -1, 11, 6, 100, 2, 1, 10, 5, 100)
    want = hashlib.sha256(packed).hexdigest()[:16]
    assert fills_sha256(fills()) == want
    assert fills_sha256(fills()[::-1]) == want
    assert fills_sha256(fills()[:0]) == hashlib.sha256(b"").hexdigest()[:16]
    changed = fills()
    changed["qty_lots"][1] += 1
    assert fills_sha256(changed) != want


def test_state_digest_sees_every_array_and_its_shape() -> None:
    one, two = np.arange(4), np.arange(4).reshape(2, 2)
    assert state_sha256([one]) == state_sha256([one.copy()])
    assert len({state_sha256(parts) for parts in ([one], [two], [one, one], [one + 1], [])}) == 5


def test_mode_shares_sum_to_one_and_carry_the_modes_names() -> None:
    shares = mode_occupancy(np.array([1, 2, 0, 0, 1]))
    assert shares == {
        "Flat": 0.25,
        "Maker": 0.5,
        "TakerEntry": 0.0,
        "TakerExit": 0.0,
        "InventoryReduce": 0.25,
    }
    assert set(mode_occupancy(np.zeros(len(Mode), np.int64)).values()) == {0.0}


def test_the_promised_keys_are_there() -> None:
    instruments = np.zeros(1, INSTRUMENT)
    instruments["lot_qty"] = 0.001
    config = load(Path("pipeline.toml"))
    exchange = ReplayExchange(config, instruments, VirtualClock(), latency_settings(1, 1, 1), 3.0)
    exchange.position_lots[0], exchange.cash, exchange.fees_cash = 5, -250_000_000, 1_000_000
    line = {"state_sha256": "x", "mode_occupancy": {}, "crossed_books": 0, "compile_s": 1.5}
    report = replay_report(ReplayRun(100, 9, 2.0, 0, 10**9), exchange, instruments, line)
    promised = "schema rows wall_s rows_per_s compile_s peak_rss_mb fills fills_sha256"
    promised += " position balance fee num_trades mode_occupancy crossed_books state_sha256 parity"
    assert set(promised.split()) <= set(report)
    assert report["schema"] == "replay/1"
    assert (report["rows_per_s"], report["position"], report["balance"], report["fee"]) == (
        50.0,
        0.005,
        -2.5,
        0.01,
    )
    assert report["parity"] is None
