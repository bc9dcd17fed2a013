"""Records as people and scripts read them: names instead of numbers, and which of them pass a filter.

One table says which field of which record is an enum, another which fields tell most at a glance. Nothing
here knows rings or processes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np

from mmpipe import boards, records
from mmpipe.clock import NS_PER_US
from mmpipe.enums import (
    CommandKind,
    EventKind,
    FeedState,
    LabelKind,
    Mode,
    Param,
    Reason,
    Regime,
    ReportKind,
    Side,
    Toxicity,
    Trigger,
    Venue,
)
from mmpipe.errors import UsageError

ENUMS: Final[dict[str, type[IntEnum]]] = {
    "side": Side, "trade_side": Side, "venue": Venue, "trigger": Trigger, "regime": Regime,
    "toxicity": Toxicity, "mode": Mode, "prev_mode": Mode, "reason": Reason, "bid_reason": Reason,
    "ask_reason": Reason, "maker_feed": FeedState, "lead_feed": FeedState, "market_state": FeedState,
    "stream_state": FeedState, "param": Param,
}  # fmt: skip
KINDS: Final[dict[str, type[IntEnum]]] = {
    "EVENT": EventKind, "REPORT": ReportKind, "LABEL": LabelKind, "COMMAND": CommandKind,
}  # fmt: skip
TELLING: Final[dict[str, tuple[str, ...]]] = {
    "EVENT": ("kind", "venue", "side", "px", "qty", "level"),
    "SNAPSHOT": ("trigger", "best_bid_px", "best_ask_px", "spread_bps", "imbalance", "toxicity"),
    "FORECAST": ("alpha_bps", "alpha_std_bps", "target_lots", "p_edge_bid", "p_edge_ask"),
    "REPORT": ("kind", "side", "mode", "px_tick", "qty_lots", "position_lots", "reason"),
    "PARAMS": ("param", "value", "std", "observations", "tier"),
    "LABEL": ("kind", "side", "filled", "move_bps", "predicted_edge_bps", "realized_edge_bps"),
    "EXTERNAL_SIGNAL": ("model", "direction", "confidence", "horizon_ns", "prediction_id"),
    "PREDICTION": ("alpha_bps", "alpha_std_bps", "divergence_bps"),
    "FILL_CONTEXT": ("side", "mode", "depth_bps", "predicted_edge_bps", "fill_prob", "queue_rank"),
    "COMMAND": ("kind", "reason", "value"),
    "HEARTBEAT": ("pid", "ready", "core", "records_in", "records_out", "rss_bytes"),
    "KILL": ("latched", "reason"),
    "LEASE": ("expires_ts_ns", "epoch"),
    "BOARD": ("mode", "toxicity", "bid_tick", "ask_tick", "position_lots", "target_lots", "open_orders"),
    "FEED_BOARD": ("market_state", "touch_limit_ns", "stream_state", "stream_messages"),
    "RISK_BOARD": ("paused", "reconciled", "position_lots", "open_orders", "notional_cash"),
}  # fmt: skip
CAUSES: Final = ("cause_ts_ns", "local_ts_ns", "ts_ns")  # what the age is counted from, the first there is


@dataclass(frozen=True)
class Filter:
    """Records whose field has this value pass; `path` has two names where the field lies in a SNAPSHOT."""

    path: tuple[str, ...]
    value: float

    def passes(self, rows: np.ndarray) -> np.ndarray:
        """Which rows pass, (n,) bool; NaN passes nothing."""
        found = rows
        for name in self.path:
            found = found[name]
        return np.asarray(found == self.value)


class RecordView:
    """How the records of one dtype are read.

    Parameters
    ----------
    dtype : np.dtype
        One of `mmpipe.records` or `mmpipe.boards`.
    coins : sequence of str
        The configured coins: a record's `symbol` is the index.
    """

    def __init__(self, dtype: np.dtype, coins: Sequence[str]) -> None:
        self.name = next(name for name, value in (vars(records) | vars(boards)).items() if value is dtype)
        self._dtype = dtype
        self._coins = list(coins)

    def filter(self, text: str) -> Filter:
        """What `FIELD=VALUE` means for these records.

        Raises
        ------
        UsageError
            No such field, or a value it cannot have; the message says what there is.
        """
        field, equals, value = text.partition("=")
        path, dtype = tuple(field.split(".")), self._dtype
        for name in path[:-1]:
            dtype = dtype[name] if dtype.names and name in dtype.names else np.dtype("i8")
        known = dtype.names and path[-1] in dtype.names
        if not equals or not known or dtype[path[-1]].shape or dtype[path[-1]].names:
            raise UsageError(f"filter {text!r}: {self.name} has {', '.join(_scalars(self._dtype))}")
        return Filter(path, self._number(path[-1], value.strip(), text))

    def as_json(self, row: np.void) -> dict[str, Any]:
        """Every field but padding: enums by name, the symbol by coin, what is no number as null."""
        return {name: self._value(name, row[name]) for name in _fields(row.dtype)}

    def as_line(self, row: np.void, now_ns: int) -> str:
        """Age in µs, number, symbol, and what tells most."""
        names = row.dtype.names or ()
        causes = [int(row[name]) for name in CAUSES if name in names]
        cause_ns = next((cause for cause in causes if cause > 0), causes[-1])
        symbol = str(self._value("symbol", row["symbol"])) if "symbol" in names else ""
        parts = [f"{name} {_short(self._value(name, row[name])):<10}" for name in TELLING[self.name]]
        parts += reason_names(int(row["reasons"])) if "reasons" in names else []
        age_us = (now_ns - cause_ns) / NS_PER_US
        return f"{age_us:>11,.0f} µs  #{int(row['seq']):<9} {symbol:<6} {'  '.join(parts)}"

    def _enum(self, name: str) -> type[IntEnum] | None:
        return KINDS.get(self.name) if name == "kind" else ENUMS.get(name)

    def _number(self, name: str, value: str, text: str) -> float:
        known = {coin.upper(): index for index, coin in enumerate(self._coins)} if name == "symbol" else {}
        enum = self._enum(name)
        if enum is not None:
            known = {member.name: int(member) for member in enum}
        if value.upper() in known:
            return known[value.upper()]
        there = ", ".join(known) or "numbers"
        try:
            number = float(value)
        except ValueError:
            raise UsageError(f"filter {text!r}: {name} knows {there}") from None
        if not math.isfinite(number) or (known and number not in known.values()):
            raise UsageError(f"filter {text!r}: nothing equals {value}; {name} knows {there}")
        return number

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, np.void):
            return {inner: self._value(inner, value[inner]) for inner in _fields(value.dtype)}
        if isinstance(value, np.ndarray):
            return [self._value("", item) for item in value]
        number = value.item()
        if isinstance(number, float):
            return number if math.isfinite(number) else None
        if name == "reasons":
            return reason_names(number)
        if name == "symbol":
            return self._coins[number] if number < len(self._coins) else number
        enum = self._enum(name)
        return enum(number).name if enum is not None and number in set(enum) else number


def reason_names(bits: int) -> list[str]:
    """Names of the Reasons in a set of bits, as FORECAST carries them."""
    return [reason.name for reason in Reason if reason < 63 and bits >> int(reason) & 1]


def _fields(dtype: np.dtype) -> list[str]:
    return [name for name in dtype.names or () if name != "pad" and "pad_" not in name and "_pad" not in name]


def _scalars(dtype: np.dtype) -> list[str]:
    found = []
    for name in _fields(dtype):
        inner = dtype[name]
        if inner.names:
            found += [f"{name}.{part}" for part in _fields(inner) if not inner[part].shape]
        elif not inner.shape:
            found.append(name)
    return found


def _short(value: Any) -> str:
    return f"{value:.9g}" if isinstance(value, float) else str(value)
