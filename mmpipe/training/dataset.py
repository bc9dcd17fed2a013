"""Data sets from recordings: the kernels of the line run over them, and what they say is what models learn.

    recording ─▶ timeline (TIMER, STATUS) ─▶ SnapshotEngine ─▶ SNAPSHOT of TIMERs and trades, LABELs
    LABEL.cause_seq = SNAPSHOT.seq: what was known then, joined with what came of it

Nothing is computed a second time in another way, so a model sees in training what it will see live. The
split is by time: what resolved before the cut trains, what began after it and an embargo tests. On
Hyperliquid a trade's own block is often seen before the trade; features that look at the book there use the
block before (see `mmpipe.models.trade_features`), and labels start from the mid that was known.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from mmpipe import config as configuration
from mmpipe.alpha.forecast_engine import ForecastEngine
from mmpipe.clock import NS_PER_S
from mmpipe.config import Config
from mmpipe.enums import Trigger
from mmpipe.errors import DataError
from mmpipe.models.model_set import ModelSet
from mmpipe.models.snapshot_engine import EVENTS_MAX, MicropriceTable, SnapshotEngine
from mmpipe.models.toxic_labels import TRADE_SAMPLE
from mmpipe.recording.recorded import Recording
from mmpipe.records import LABEL, SNAPSHOT
from mmpipe.replay.timeline import timeline
from mmpipe.training.lead_delay import LeadTrace
from mmpipe.training.line_learner import Learned, LineLearner
from mmpipe.training.quote_rows import QuoteRows, quote_rows

TRAIN_SHARE: Final = 0.6
Progress = Callable[[float], None]  # told the share that is done


@dataclass(frozen=True, slots=True)
class Capture:
    """What the features stage said over one recording.

    Attributes
    ----------
    name : str
        Of the recording.
    config : Config
        In force.
    snapshots : ndarray of SNAPSHOT, shape (n,)
        Of TIMERs and trades, by `seq`.
    labels : ndarray of LABEL, shape (m,)
        All kinds, in order of resolution.
    quotes : QuoteRows
        Virtual quotes with what came of them.
    trades : ndarray of TRADE_SAMPLE, shape (k,)
        Aggressors whose mark is known: what they looked like, and whether they were toxic.
    trace : LeadTrace
        What alpha heard of the lead; empty without one.
    microprice : MicropriceTable
        Of the first market, at the end.
    learned : Learned
        Parameters that were in force.
    events_sha256 : str
        Digest of the maker's rows.
    """

    name: str
    config: Config
    snapshots: np.ndarray
    labels: np.ndarray
    quotes: QuoteRows
    trades: np.ndarray
    trace: LeadTrace
    microprice: MicropriceTable
    learned: Learned
    events_sha256: str

    @property
    def span_ns(self) -> tuple[int, int]:
        """First and last time of a snapshot, ns."""
        return int(self.snapshots["ts_ns"][0]), int(self.snapshots["ts_ns"][-1])

    def snapshots_of(self, seqs: np.ndarray) -> np.ndarray:
        """Snapshots by `seq`, shape of `seqs`; every one must be there."""
        index = np.searchsorted(self.snapshots["seq"], seqs)
        found = self.snapshots[np.minimum(index, len(self.snapshots) - 1)]
        assert (found["seq"] == seqs).all(), "a label's snapshot was not kept"
        return found


def with_keys(config: Config, changes: dict[str, Any], coins: int) -> Config:
    """A configuration for offline work: other keys, and as many symbols as the recording has markets."""
    tree = msgspec.to_builtins(config)
    tree["symbol"] = [{"coin": f"MARKET{index}", "lead": "LEAD"} for index in range(coins)]
    for dotted, value in changes.items():
        section, _, key = dotted.partition(".")
        tree[section][key] = value
    return configuration.check(tree, "training")


def merged(recording: Recording, leads: Sequence[Recording], config: Config) -> Iterator[np.ndarray]:
    """EVENT rows of a recording and its leads, with the TIMER and STATUS of a line."""
    if recording.numbered:
        if leads:
            raise DataError(f"{recording.name}: a recording of a line holds its own lead; leave out --lead")
        yield recording.events
        return
    first_ns, last_ns = (int(recording.events["local_ts_ns"][row]) for row in (0, -1))
    streams = []
    for stream in (recording.events, *(_between(lead.events, first_ns, last_ns) for lead in leads)):
        streams += [stream[stream["symbol"] == symbol] for symbol in range(len(recording.instruments))]
    yield from timeline(streams, config.feed)


def capture(
    recording: Recording,
    leads: Sequence[Recording],
    config: Config,
    progress: Progress | None = None,
    chosen: ModelSet | None = None,
    heard_ms: int | None = None,
    listening: bool = True,
) -> Capture:
    """Run the features stage over a recording, the learner beside it.

    Parameters
    ----------
    recording : Recording
        Of the maker's market(s).
    leads : sequence of Recording
        Of the lead's, on the same clock; may be empty.
    config : Config
        As `with_keys` makes it.
    progress : callable or None
        Told the share of the time that is done.
    chosen : ModelSet or None
        What decides; None: what the configuration names.
    heard_ms : int or None
        Between two rounds of virtual quotes that the learner hears, ms; None: all of them.
    listening : bool
        Also ask alpha what it hears of a lead.

    Raises
    ------
    DataError
        The recording holds no events.
    """
    if not len(recording.events):
        raise DataError(f"{recording.name}: no events")
    listening = listening and (len(leads) > 0 or recording.numbered)
    listener = _Listener(config, recording.instruments) if listening else None
    learner = LineLearner(config, len(recording.instruments), heard_ms)
    collector = _Collector(SnapshotEngine(config, recording.instruments, chosen), listener, learner)
    first_ns, last_ns = (int(recording.events["local_ts_ns"][row]) for row in (0, -1))
    for chunk in merged(recording, leads, config):
        for start in range(0, len(chunk), EVENTS_MAX):
            collector.take(chunk[start : start + EVENTS_MAX])
        if progress is not None and len(chunk):
            progress((int(chunk["local_ts_ns"][-1]) - first_ns) / max(last_ns - first_ns, 1))
    collector.finish(last_ns)
    snapshots = _joined(collector.snapshots, SNAPSHOT)
    labels = _joined(collector.labels, LABEL)
    return Capture(
        recording.name,
        config,
        snapshots,
        labels,
        quote_rows(labels, snapshots, config.labels.horizon_s),
        _joined(collector.trades, TRADE_SAMPLE),
        listener.trace() if listener is not None else LeadTrace(*(np.zeros(0) for _ in range(4))),
        collector.engine.microprice_table(0),
        learner.learned(),
        hashlib.sha256(np.ascontiguousarray(recording.events).tobytes()).hexdigest(),
    )


def _joined(parts: list[np.ndarray], dtype: np.dtype) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


class _Collector:
    # Keeps what the engine says: SNAPSHOTs of TIMERs and trades with their numbers, LABELs, aggressors.
    # What the learner publishes is in force from the next event on.
    def __init__(self, engine: SnapshotEngine, listener: "_Listener | None", learner: LineLearner) -> None:
        self.engine = engine
        self._learner = learner
        self.snapshots: list[np.ndarray] = []
        self.labels: list[np.ndarray] = []
        self.trades: list[np.ndarray] = []
        self._listener = listener
        self._next_seq = 1

    def take(self, events: np.ndarray) -> None:
        times, start = events["local_ts_ns"], 0
        while start < len(events):
            stop = start + 1 + int(np.searchsorted(times[start:], self._learner.due_ns))
            self._take(events[start:stop])
            start = stop

    def _take(self, events: np.ndarray) -> None:
        found = self.engine.on_events(events, self._next_seq)
        numbers = self._next_seq + np.arange(len(found))
        self._next_seq += len(found)
        if self._listener is not None:
            self._listener.hear(found)
        wanted = found["trigger"] != Trigger.BBO
        rows = found[wanted]
        rows["seq"] = numbers[wanted]
        self.snapshots.append(rows)
        labels = self.engine.labels().copy()
        self.labels.append(labels)
        self.engine.on_params(self._learner.hear(labels, int(events["local_ts_ns"][-1])))
        self.trades.append(self.engine.trade_samples().copy())

    def finish(self, ts_ns: int) -> None:
        # The end of a recording: what still waits is labelled as far as it is known.
        while len(found := self.engine.flush(ts_ns)):
            self.labels.append(found.copy())


class _Listener:
    # What the alpha stage would say of each snapshot of the first market, one at a time.
    def __init__(self, config: Config, instruments: np.ndarray) -> None:
        self._engine = ForecastEngine(config, instruments)
        self._rows: list[tuple[int, float, float, float]] = []

    def hear(self, snapshots: np.ndarray) -> None:
        for index in range(len(snapshots)):
            forecast = self._engine.on_snapshots(snapshots[index : index + 1])[0]
            judged = forecast["snapshot"]
            if judged["symbol"] == 0 and judged["lead_mid_px"] > 0.0 and judged["mid_px"] > 0.0:
                divergence_bps, change_bps = judged["lead_divergence_bps"], forecast["change_bps"]
                self._rows.append(
                    (
                        int(judged["ts_ns"]),
                        float(judged["lead_mid_px"]),
                        float(divergence_bps),
                        float(change_bps),
                    )
                )

    def trace(self) -> LeadTrace:
        columns = np.array(self._rows, dtype=object).reshape(-1, 4).T
        return LeadTrace(columns[0].astype(np.int64), *(column.astype(float) for column in columns[1:]))


def _between(events: np.ndarray, first_ns: int, last_ns: int) -> np.ndarray:
    # A lead that was recorded for longer than the maker says nothing about it.
    times = events["local_ts_ns"]
    return events[np.searchsorted(times, first_ns) : np.searchsorted(times, last_ns, side="right")]


@dataclass(frozen=True, slots=True)
class Split:
    """Rows that train and rows that test, by time."""

    train: np.ndarray  # bool, shape (n,)
    test: np.ndarray
    cut_ns: int


def split_by_time(
    begin_ns: np.ndarray,
    resolved_ns: np.ndarray,
    span_ns: tuple[int, int],
    embargo_s: float,
    share: float = TRAIN_SHARE,
) -> Split:
    """Cut a recording in two.

    Parameters
    ----------
    begin_ns, resolved_ns : ndarray of int64, shape (n,)
        When each row was known, and when its label was.
    span_ns : tuple of int
        First and last time of the recording.
    embargo_s : float
        Time after the cut that belongs to neither, s; at least the longest horizon.
    share : float
        Of the time that trains, 0 to 1.
    """
    assert 0.0 < share < 1.0, "the share that trains lies between 0 and 1"
    cut_ns = int(span_ns[0] + share * (span_ns[1] - span_ns[0]))
    return Split(resolved_ns <= cut_ns, begin_ns >= cut_ns + int(embargo_s * NS_PER_S), cut_ns)


def embargo_s(config: Config) -> float:
    """Longest time from a row to its label, s: a virtual quote waits, then its fill is judged."""
    longest = max(config.features.label_horizon_ms, config.labels.toxic_horizon_ms) / 1e3
    return max(config.features.shadow_horizon_ms / 1e3 + max(config.labels.horizon_s, longest), longest)
