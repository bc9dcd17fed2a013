"""The learner beside a market that is captured: what a line would have published, and what was in force when.

The learner's own engine (`mmpipe.learning.engine`) hears the labels of the features stage as they resolve and
publishes once per interval; features take what it publishes. So models are shown in training what a line will
show them, and are judged with the parameters a line would have had: an outcome moves them after its forecast
was made and its horizon has passed, never before.

    events ─▶ SnapshotEngine ─ LABEL ─▶ LearningEngine ─ PARAMS ─▶ SnapshotEngine, and `Learned`
"""

from dataclasses import dataclass

import numpy as np

from mmpipe.clock import NS_PER_MS, NS_PER_S
from mmpipe.config import Config
from mmpipe.enums import LabelKind
from mmpipe.learning.engine import LearningEngine
from mmpipe.models.parameters import prior_values

VIRTUAL = (LabelKind.SHADOW_QUOTE, LabelKind.SHADOW_MARKOUTS)


@dataclass(frozen=True, slots=True)
class Learned:
    """Parameters by the time they were published, the priors first.

    Attributes
    ----------
    ts_ns : ndarray of int64, shape (k,)
        In order; the first is before everything.
    values : ndarray of float64, shape (k, symbols, PARAMS_COUNT)
        Index Param.
    """

    ts_ns: np.ndarray
    values: np.ndarray

    def in_force(self, ts_ns: np.ndarray, symbols: np.ndarray) -> np.ndarray:
        """Parameters of each moment, shape (n, PARAMS_COUNT): what was published before it."""
        found: np.ndarray = self.values[np.searchsorted(self.ts_ns, ts_ns, side="left") - 1, symbols]
        return found


class LineLearner:
    """Hears labels, publishes when due, and keeps what it published.

    Parameters
    ----------
    config : Config
        `[learning]`, `[priors]`, and the intervals of features.
    symbols : int
        Markets of the recording.
    heard_ms : int or None
        Time between two rounds of virtual quotes of a line, ms: of a denser capture so much is heard; None:
        all of it.
    """

    def __init__(self, config: Config, symbols: int, heard_ms: int | None) -> None:
        dense_ms = config.features.shadow_interval_ms
        self._engine = LearningEngine(config)
        self._interval_ns = int(config.learning.publish_interval_s * NS_PER_S)
        self._heard_ns = (heard_ms or dense_ms) * NS_PER_MS
        self._dense_ns = dense_ms * NS_PER_MS
        self._ts_ns = [np.iinfo(np.int64).min]
        self._values = [np.tile(prior_values(config), (symbols, 1))]
        self.due_ns = 0

    def hear(self, labels: np.ndarray, now_ns: int) -> np.ndarray:
        """Take LABELs that resolved, and say what is to be published now: PARAMS, mostly none."""
        virtual = np.isin(labels["kind"], VIRTUAL)
        early = labels["cause_ts_ns"] % self._heard_ns < self._dense_ns
        self._engine.on_labels(labels[~virtual | early])
        self._engine.drain_rows()
        rows = self._engine.params(now_ns)
        if len(rows):
            self.due_ns = now_ns + self._interval_ns
            values = self._values[-1].copy()
            values[rows["symbol"], rows["param"]] = rows["value"]
            self._ts_ns.append(now_ns)
            self._values.append(values)
        return rows

    def learned(self) -> Learned:
        """Everything that was published so far."""
        return Learned(np.array(self._ts_ns), np.array(self._values))
