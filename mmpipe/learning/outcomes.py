"""Predictions and fills that wait for what came of them, and the rows that are kept of both.

A PREDICTION waits for the MID_MOVE label of the SNAPSHOT it was made on, a FILL_CONTEXT for the
FILL_MARKOUT of its trade id. Both arrive on rings of their own, so either may be lost or late: what waits
is bounded, the oldest goes first and is counted. Nothing is written here; a `Row` names its table.
"""

from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np

from mmpipe.enums import LabelKind

PENDING_MAX: Final = 65_536  # an hour of one symbol's predictions at 10 per second, and more

LABEL_COLUMNS: Final = (
    *("cause_seq", "ts_ns", "cause_ts_ns", "horizon_ns", "wait_ns", "move_bps", "predicted_edge_bps"),
    *("realized_edge_bps", "realized_as_bps", "predicted_fill_prob", "depth_bps", "side", "filled"),
    *("toxicity", "regime", "symbol"),
)
CONTEXT_COLUMNS: Final = (
    *("tid", "symbol", "side", "order_id", "mode", "queue_rank", "fill_prob", "depth_bps"),
    *("predicted_edge_bps", "predicted_uncertainty_bps"),
)
FILL_COLUMNS: Final = (
    *("tid", "symbol", "side", "order_id", "ts_ns", "px_tick", "qty_lots", "fee_cash", "maker_fill"),
)

T = TypeVar("T")


class Row(NamedTuple):
    """One row for a table of the database; an existing row of the same key gets these columns."""

    table: str
    columns: dict[str, int | float | str | bytes | None]


class Prediction(NamedTuple):
    """What was expected of the mid after a SNAPSHOT."""

    made_ts_ns: int
    alpha_bps: float
    alpha_std_bps: float
    divergence_bps: float
    signals_bps: np.ndarray  # by Signal


class FillExpectation(NamedTuple):
    """What was expected of a fill when its order was decided."""

    made_ts_ns: int
    predicted_edge_bps: float
    predicted_uncertainty_bps: float


class Pending(Generic[T]):
    """Expectations by (symbol, key), each handed out once.

    Attributes
    ----------
    lost_count : int
        Expectations dropped because too many waited.
    """

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, int], T] = {}
        self.lost_count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, symbol: int, key: int, expectation: T) -> None:
        """Wait for the outcome of `key`; a repeated key replaces the earlier expectation."""
        self._waiting[symbol, key] = expectation
        if len(self._waiting) > PENDING_MAX:
            del self._waiting[next(iter(self._waiting))]
            self.lost_count += 1

    def take(self, symbol: int, key: int) -> T | None:
        """The expectation of `key`, which no longer waits; None if there was none."""
        return self._waiting.pop((symbol, key), None)


def label_row(label: np.void) -> Row:
    """A LABEL record as a row of table `labels`."""
    return Row("labels", {"kind": LabelKind(int(label["kind"])).name, **_columns(label, LABEL_COLUMNS)})


def scored_row(kind: str, label: np.void, expected: Prediction | FillExpectation) -> Row:
    """A prediction with what came of it, as a row of table `predictions`."""
    made_ts_ns, predicted_bps, std_bps = expected[:3]
    fill = kind == "fill_edge"
    realized = label["realized_edge_bps"] if fill else label["move_bps"]
    columns: dict[str, Any] = {
        "kind": kind,
        "symbol": int(label["symbol"]),
        "cause_seq": int(label["cause_seq"]),
        "made_ts_ns": made_ts_ns,
        "horizon_ns": int(label["horizon_ns"]),
        "predicted_bps": predicted_bps,
        "std_bps": std_bps,
        "realized_bps": float(realized),
        "realized_edge_bps": float(label["realized_edge_bps"]) if fill else None,
        "realized_as_bps": float(label["realized_as_bps"]) if fill else None,
        "scored_ts_ns": int(label["ts_ns"]),
    }
    return Row("predictions", columns)


def context_row(context: np.void) -> Row:
    """The decision behind a fill, as columns of its row in table `fills`."""
    return Row("fills", {**_columns(context, CONTEXT_COLUMNS), "snapshot": context["snapshot"].tobytes()})


def markout_row(label: np.void) -> Row:
    """What came of a fill, as columns of its row in table `fills`."""
    columns = _columns(label, ("symbol", "side", "realized_edge_bps", "realized_as_bps", "horizon_ns"))
    columns["tid"] = int(label["cause_seq"])
    columns["toxicity"] = int(label["toxicity"])
    return Row("fills", columns)


def fill_row(report: np.void) -> Row:
    """The fill itself, from a FILL REPORT (an ANSWER of that kind has the same fields)."""
    return Row("fills", _columns(report, FILL_COLUMNS))


def _columns(record: np.void, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: record[name].item() for name in names}
