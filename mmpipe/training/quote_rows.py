"""Virtual quotes of a recording as rows: what a model was shown at the join, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from mmpipe.clock import NS_PER_S
from mmpipe.enums import LabelKind, Outcome
from mmpipe.models.model_inputs import DEPTH, INPUTS, write_all_inputs


@dataclass(frozen=True, slots=True)
class QuoteRows:
    """Virtual quotes in order of joining; every array has one entry each.

    Attributes
    ----------
    joined_ns : ndarray of int64
        When it joined.
    symbol : ndarray of int64
        Market of the recording.
    inputs : ndarray of float64, shape (n, INPUTS)
        By `model_inputs.FEATURE_NAMES`.
    toxicity : ndarray of int64
        Verdict at the join, Toxicity.
    outcome : ndarray of int64
        Outcome; CANCELLED is censored.
    wait_s : ndarray of float64
        Until the outcome.
    resolved_ns : ndarray of int64
        When the outcome was known.
    edge_bps : ndarray of float64
        Realised at `labels.horizon_s` after the fill, fees off; NaN where it did not fill or nobody knows.
    judged_ns : ndarray of int64
        When that edge was known.
    said_edge_bps, said_fill_prob : ndarray of float64
        What the models in force said at the join (of a fill within the shadow horizon).
    """

    joined_ns: np.ndarray
    symbol: np.ndarray
    inputs: np.ndarray
    toxicity: np.ndarray
    outcome: np.ndarray
    wait_s: np.ndarray
    resolved_ns: np.ndarray
    edge_bps: np.ndarray
    judged_ns: np.ndarray
    said_edge_bps: np.ndarray
    said_fill_prob: np.ndarray

    def __len__(self) -> int:
        return len(self.joined_ns)

    def where(self, wanted: np.ndarray) -> "QuoteRows":
        """Rows of a mask or in an order."""
        return QuoteRows(*(getattr(self, field.name)[wanted] for field in fields(self)))

    def loss_bps(self, maker_fee_bps: float) -> np.ndarray:
        """What was lost of the distance by the time the fill was judged, bps (see `models.queue_value`)."""
        loss: np.ndarray = self.inputs[:, DEPTH] - maker_fee_bps - self.edge_bps
        return loss

    def judged(self) -> "QuoteRows":
        """Fills whose edge is known."""
        return self.where(np.isfinite(self.edge_bps))


def joined(parts: Sequence[QuoteRows]) -> QuoteRows:
    """Rows of several recordings in order of joining."""
    columns = (np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(QuoteRows))
    rows = QuoteRows(*columns)
    return rows.where(np.argsort(rows.joined_ns, kind="stable"))


def quote_rows(all_labels: np.ndarray, all_snapshots: np.ndarray, horizon_s: float) -> QuoteRows:
    """Rows of all virtual quotes of a recording, of all its markets.

    Parameters
    ----------
    all_labels : ndarray of LABEL
        Of every kind.
    all_snapshots : ndarray of SNAPSHOT
        By `seq`; those of all joins are among them.
    horizon_s : float
        After which a fill is judged, `labels.horizon_s`.
    """
    labels = all_labels[all_labels["kind"] == LabelKind.SHADOW_QUOTE]
    labels = labels[np.argsort(labels["cause_ts_ns"], kind="stable")]
    snapshots = all_snapshots[np.searchsorted(all_snapshots["seq"], labels["cause_seq"])]
    assert (snapshots["seq"] == labels["cause_seq"]).all(), "the snapshot of a join was not kept"
    inputs = np.zeros((len(labels), INPUTS))
    sides = labels["side"].astype(np.int64)
    depth, rank, ahead = (np.ascontiguousarray(labels[k]) for k in ("depth_bps", "queue_rank", "ahead_qty"))
    write_all_inputs(inputs, snapshots, sides, depth, rank, ahead)
    sound = np.isfinite(inputs).all(axis=1)
    edges, judged_ns = _edges(all_labels, labels, int(horizon_s * NS_PER_S))
    rows = QuoteRows(
        labels["cause_ts_ns"].copy(),
        labels["symbol"].astype(np.int64),
        inputs,
        labels["toxicity"].astype(np.int64),
        labels["outcome"].astype(np.int64),
        labels["wait_ns"] / NS_PER_S,
        labels["cause_ts_ns"] + labels["wait_ns"],
        edges,
        judged_ns,
        labels["predicted_edge_bps"].copy(),
        labels["predicted_fill_prob"].copy(),
    )
    return rows.where(np.asarray(sound))


def _edges(all_labels: np.ndarray, labels: np.ndarray, horizon_ns: int) -> tuple[np.ndarray, np.ndarray]:
    # The markouts of a fill come much later than the fill; both name the join.
    late = all_labels[all_labels["kind"] == LabelKind.SHADOW_MARKOUTS]
    known = {_key(row): float(row["realized_edge_bps"]) for row in late}
    filled = labels["outcome"] == Outcome.FILLED
    pairs = zip(labels, filled, strict=True)
    edges = np.array([known.get(_key(row), np.nan) if hit else np.nan for row, hit in pairs])
    return edges, labels["cause_ts_ns"] + labels["wait_ns"] + horizon_ns


def _key(row: np.void) -> tuple[int, int, int]:
    return int(row["cause_seq"]), int(row["side"]), int(row["level"])
