"""The state of a running line as one dictionary, read from its shared memory without touching it.

`run/1` of the machine-readable outputs; `mmpipe status`, the live screen and `run --json` show the same.
"""

from pathlib import Path
from typing import Any

import numpy as np

from mmpipe.clock import NS_PER_MS, NS_PER_S, MonotonicClock
from mmpipe.config import Config
from mmpipe.dashboard.alpha_view import alpha_view
from mmpipe.dashboard.models_view import models_view
from mmpipe.enums import Counter, FeedState, Mode, Reason, Regime, StageId, StreamKind, Toxicity, Venue
from mmpipe.provenance import provenance
from mmpipe.records import INSTRUMENT
from mmpipe.store.database import read_loops
from mmpipe.units import usdc
from mmpipe.venue.clock_skew import UNKNOWN
from ringbuf import CellReader, Histogram, Observer, Segment
from ringbuf.histogram import quantile
from ringbuf.layout import KIND_CELL, KIND_COUNTERS, KIND_RING
from stages import topology
from stages.context import Context
from stages.ports import cell_segments, histogram_segments

TOTALS = {
    "events": (StageId.FEED, Counter.EVENTS),
    "snapshots": (StageId.FEATURES, Counter.SNAPSHOTS),
    "forecasts": (StageId.ALPHA, Counter.FORECASTS),
    "orders": (StageId.EXECUTION, Counter.ORDERS),
    "fills": (StageId.EXECUTION, Counter.FILLS),
    "labels": (StageId.FEATURES, Counter.LABELS),
    "gaps": (StageId.FEED, Counter.GAPS),
}
REFUSALS = (
    Counter.MALFORMED,
    Counter.OVERSIZED,
    Counter.BAD_NUMBER,
    Counter.OUT_OF_ORDER,
    Counter.DUPLICATES,
    Counter.CROSSED_BOOKS,
    Counter.REJECTS,
    Counter.REFUSED_BY_LIMIT,
    Counter.UNKNOWN_OUTCOMES,
    Counter.ALIEN_FILLS,
    Counter.RECONNECTS,
    Counter.MISSED,
    Counter.LATE,
    Counter.STALE,
    Counter.ASKED,
    Counter.RESYNCS,
    Counter.REPLAYED,
    Counter.LOGS_DROPPED,
)


class LineReader:
    """Attached to every cell, ring and histogram of a running instance."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.config: Config = context.config
        self.instruments: np.ndarray = np.frombuffer(bytes.fromhex(context.instruments_hex), INSTRUMENT)
        self._clock = MonotonicClock()
        prefix = topology.segment_prefix(self.config.instance.name)
        self._cells: dict[str, tuple[CellReader, np.ndarray]] = {}
        for cell in topology.CELLS:
            for name in cell_segments(cell, len(self.config.symbol)):
                reader = CellReader(Segment.attach(prefix + name, cell.dtype, KIND_CELL))
                self._cells[name] = (reader, np.zeros(1, cell.dtype))
        self._rings = {
            ring.name: Observer(Segment.attach(prefix + ring.name, ring.dtype, KIND_RING))
            for ring in topology.RINGS
        }
        self._histograms = {
            name: Histogram(Segment.attach(prefix + name, Histogram.DTYPE, KIND_COUNTERS))
            for stage in topology.HISTOGRAM_STAGES
            for name in histogram_segments(stage)
        }

    def cell(self, name: str) -> np.void:
        """The newest record of a cell; zeros before the first."""
        reader, row = self._cells[name]
        reader.read(row)
        record: np.void = row[0]
        return record

    def counters(self, before: np.ndarray | None = None) -> np.ndarray:
        """Counters of all stages, shape (stages, counters); `before`: those of earlier lives."""
        table = np.zeros((len(StageId), len(Counter)), np.int64) if before is None else before.copy()
        for stage in topology.BEATING:
            table[stage] += self.cell(topology.heartbeat_of(stage))["counters"][: len(Counter)]
        return table

    def status(self, restarts: int = 0, before: np.ndarray | None = None) -> dict[str, Any]:
        """The whole `run/1` dictionary, without what only the end of a run knows."""
        counters = self.counters(before)
        now_ns = self._clock.now_ns()
        totals = {name: int(counters[stage, counter]) for name, (stage, counter) in TOTALS.items()}
        totals["params_updates"] = int(counters[:, Counter.PARAMS_APPLIED].sum())
        totals["ring_drops"] = int(counters[:, Counter.RING_DROPS].sum())
        totals["restarts"] = restarts
        return {
            "schema": "run/1",
            **provenance(),
            "seed": self.config.venue.seed,
            "mode": self.config.venue.mode,
            "venue": self.config.venue.kind,
            "instance": self.config.instance.name,
            "run_dir": self.context.run_dir,
            "duration_s": round((self._clock.wall_ns() - self.context.started_wall_ns) / NS_PER_S, 3),
            "counters": totals,
            "refused": self._refused(counters),
            "stages": {stage.name.lower(): self._stage(stage, now_ns) for stage in topology.BEATING},
            "tick_to_order_us": self._quantiles(topology.TICK_TO_ORDER),
            "rings": {
                name: {"published": ring.head, "backlog": ring.backlog} for name, ring in self._rings.items()
            },
            "symbols": {
                symbol.coin: self._symbol(index, now_ns) for index, symbol in enumerate(self.config.symbol)
            },
            "models": models_view(self.context, self.cell, len(self.config.symbol)),
            "loops": read_loops(Path(self.context.run_dir) / "learning.db"),
            "risk": self._risk(now_ns),
        }

    def _stage(self, stage: StageId, now_ns: int) -> dict[str, Any]:
        beat = self.cell(topology.heartbeat_of(stage))
        name = stage.name.lower()
        status: dict[str, Any] = {
            "pid": int(beat["pid"]),
            "core": int(beat["core"]),
            "uptime_s": round((int(beat["ts_ns"]) - int(beat["started_ts_ns"])) / NS_PER_S, 1),
            "records_in": int(beat["records_in"]),
            "records_out": int(beat["records_out"]),
            "heartbeat_age_ms": round(max(now_ns - int(beat["ts_ns"]), 0) / NS_PER_MS, 1),
            "rss_mb": round(int(beat["rss_bytes"]) / 2**20, 1),
        }
        if stage in topology.HISTOGRAM_STAGES:
            status["work_us"] = self._quantiles(f"work_us_{name}")
            status["wait_us"] = self._quantiles(f"wait_us_{name}")
        return status

    def _quantiles(self, name: str) -> dict[str, float]:
        counts = self._histograms[name].snapshot()
        if not counts.any():
            return dict.fromkeys(("p50", "p99", "p999"), 0.0)
        return {
            key: round(quantile(counts, q) / 1e3, 2)
            for key, q in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999))
        }

    def _symbol(self, index: int, now_ns: int) -> dict[str, Any]:
        board, risk, feed = (self.cell(f"{name}.{index}") for name in ("board", "risk_board", "feed_board"))
        lot_qty, tick_px = (
            float(self.instruments["lot_qty"][index]),
            float(self.instruments["tick_px"][index]),
        )
        total_ns = max(int(board["mode_ns"].sum()), 1)
        quotable_ns = int(board["quotable_ns"])
        return {
            "mode": Mode(int(board["mode"])).name.title().replace("_", ""),
            "mode_occupancy": {
                mode.name.title().replace("_", ""): round(int(board["mode_ns"][mode]) / total_ns, 4)
                for mode in Mode
            },
            "toxicity": Toxicity(int(board["toxicity"])).name.title(),
            "toxicity_detection": detection_view(self.cell(f"model_board.{index}")),
            "virtual_quotes": _virtual_quotes(self.cell(f"model_board.{index}")),
            "market": _market(self.cell(f"model_board.{index}")),
            "mid_px": float(board["mid_px"]),
            "bid": {
                "px": round(int(board["bid_tick"]) * tick_px, 6),
                "qty": int(board["bid_lots"]) * lot_qty,
            },
            "ask": {
                "px": round(int(board["ask_tick"]) * tick_px, 6),
                "qty": int(board["ask_lots"]) * lot_qty,
            },
            "target": round(int(board["target_lots"]) * lot_qty, 8),
            "position": {
                "risk": round(int(risk["position_lots"]) * lot_qty, 8),
                "fills": round(int(board["position_lots"]) * lot_qty, 8),
                "journal": round(int(board["position_journal_lots"]) * lot_qty, 8),
            },
            "pnl": {
                "equity_change": usdc(int(board["equity_cash"])),
                "spread": usdc(int(board["spread_cash"])),
                "adverse_selection": usdc(int(board["adverse_cash"])),
                "inventory": usdc(int(board["inventory_cash"])),
                "funding": usdc(int(board["funding_cash"])),
                "fees": usdc(int(board["fees_cash"])),
            },
            "quoting_uptime_non_toxic": round(int(board["quoting_ns"]) / quotable_ns, 4)
            if quotable_ns
            else 0.0,
            "why_not": {
                "bid": {Reason(int(board["bid_reason"])).name: ""},
                "ask": {Reason(int(board["ask_reason"])).name: ""},
            },
            "open_orders": int(board["open_orders"]),
            "alpha": alpha_view(self.cell(f"alpha_board.{index}")),
            "feeds": {venue.name.lower(): _feed(feed, venue, now_ns) for venue in Venue},
        }

    def _refused(self, counters: np.ndarray) -> dict[str, int]:
        return {reason.name.lower(): int(counters[:, reason].sum()) for reason in REFUSALS}

    def _risk(self, now_ns: int) -> dict[str, Any]:
        kill, lease = self.cell("kill"), self.cell("lease")
        risk, limits = self.config.risk, {}
        boards: list[np.void] = [
            self.cell(f"risk_board.{index}").copy() for index in range(len(self.config.symbol))
        ]
        for symbol, board in zip(self.config.symbol, boards, strict=True):
            notional = usdc(int(board["notional_cash"]))
            limits[f"position_usdc.{symbol.coin}"] = {"value": notional, "limit": risk.position_usdc_max}
        gross = usdc(sum(int(board["notional_cash"]) for board in boards))
        limits["gross_usdc"] = {"value": gross, "limit": risk.gross_usdc_max}
        loss = max(0.0, -usdc(sum(int(board["equity_cash"]) for board in boards)))
        limits["loss_usdc"] = {"value": loss, "limit": risk.loss_usdc_max}
        latched = bool(kill["latched"])
        return {
            "lease_ms": round(max(0, int(lease["expires_ts_ns"]) - now_ns) / NS_PER_MS, 1),
            "epoch": int(lease["epoch"]),
            "reconciled": all(bool(board["reconciled"]) for board in boards),
            "paused": any(bool(board["paused"]) for board in boards),
            "kill": {"reason": Reason(int(kill["reason"])).name, "ts": int(kill["ts_ns"])}
            if latched
            else None,
            "limits": limits,
        }


def _feed(board: np.void, venue: Venue, now_ns: int) -> dict[str, Any]:
    touch_ns = int(board["touch_ts_ns"][venue])
    low_ns, high_ns = int(board["skew_low_ns"][venue]), int(board["skew_high_ns"][venue])
    return {
        "state": FeedState(int(board["market_state"][venue])).name.lower(),
        "age_ms": round((now_ns - touch_ns) / NS_PER_MS, 1) if touch_ns else None,
        "limit_ms": round(int(board["touch_limit_ns"][venue]) / NS_PER_MS, 1),
        "messages": int(board["stream_messages"][venue].sum()),
        "least_delay_ms": _milliseconds(int(board["least_delay_ns"][venue])),
        "skew_ms": [_milliseconds(low_ns), _milliseconds(high_ns)],  # of this clock over the venue's
        "streams": {
            kind.name.lower(): {
                "state": FeedState(int(board["stream_state"][venue, kind])).name.lower(),
                "messages": int(board["stream_messages"][venue, kind]),
                "missed": int(board["stream_missed"][venue, kind]),
                "asked": int(board["stream_asked"][venue, kind]),
                "age_ms": round((now_ns - int(board["stream_ts_ns"][venue, kind])) / NS_PER_MS, 1)
                if board["stream_ts_ns"][venue, kind]
                else None,
                "typical_ms": round(int(board["stream_typical_ns"][venue, kind]) / NS_PER_MS, 1),
                "limit_ms": round(int(board["stream_limit_ns"][venue, kind]) / NS_PER_MS, 1),
                "contracts": int(board["stream_contracts"][venue, kind]),
            }
            for kind in StreamKind
            if board["stream_state"][venue, kind] or board["stream_messages"][venue, kind]
        },
    }


def detection_view(board: np.void) -> dict[str, Any]:
    """How well and how soon informed flow is known, from a MODEL_BOARD; None where nothing was seen yet."""
    judged, episodes = int(board["trades_judged"]), int(board["episodes"])
    return {
        "trades_judged": judged,
        "trades_toxic": int(board["trades_toxic"]),
        "episodes": episodes,
        "episodes_seen": int(board["episodes_seen"]),
        "delay_trades": _delays(board, "delay_trades") if episodes else None,
        "delay_ms": _delays(board, "delay_ms") if episodes else None,
        "false_alarms": int(board["false_alarms"]),
        "brier": round(float(board["brier"]), 5) if judged else None,
        "brier_base": round(float(board["brier_base"]), 5) if judged else None,
        "calibration": {
            "slope": float(board["calibration_slope"]),
            "intercept": float(board["calibration_intercept"]),
            "signal": bool(board["calibration_slope"] > 0.0),  # False: the belief means nothing here
        },
    }


def _delays(board: np.void, name: str) -> dict[str, float | None]:
    # None: so many episodes were never seen that the verdict came in fewer than that share.
    values = {share: float(board[f"{name}_{share}"]) for share in ("p50", "p95")}
    return {share: round(value, 1) if value < np.inf else None for share, value in values.items()}


def _virtual_quotes(board: np.void) -> dict[str, Any]:
    return {
        "resting": int(board["shadows_resting"]),
        "markouts_waiting": int(board["markouts_waiting"]),
        "lost": int(board["markouts_lost"]),  # > 0: their interval is too short for their horizon
    }


def _market(board: np.void) -> dict[str, Any]:
    return {
        "regime": {regime.name.title(): round(float(board["regime_probs"][regime]), 4) for regime in Regime},
        "vpin": round(float(board["vpin"]), 4),
        "microprice_updates": int(board["microprice_updates"]),  # 0: the quantity-weighted mid
    }


def _milliseconds(value_ns: int) -> float | None:
    return round(value_ns / NS_PER_MS, 1) if abs(value_ns) < UNKNOWN else None
