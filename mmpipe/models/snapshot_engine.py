"""The work of the features stage: EVENTs in, SNAPSHOTs and LABELs out, one compiled call per batch.

Book, features and models meet here and not in `mmpipe.features`, because a SNAPSHOT carries what the models
say at the touch, and models may import features but not the other way round.

    EVENT ─▶ book ─▶ ofi, microprice, volatility ┐
       └───▶ flow, hawkes, vpin ─▶ toxicity ───┼─▶ SNAPSHOT (on trade, on a change of the best, on TIMER)
    REPORT ─▶ queue rank, inventory, markouts ─┘      └─▶ shadow quotes, pending labels ─▶ LABEL
"""

from typing import Any, Final, NamedTuple

import numpy as np

from mmpipe.book import l2
from mmpipe.config import (
    Config,
    ExecutionConfig,
    FeaturesConfig,
    FeedConfig,
    LabelsConfig,
    ToxicityConfig,
    settings_dtype,
)
from mmpipe.enums import (
    Counter,
    EventFlag,
    EventKind,
    FeedState,
    Param,
    Trigger,
    Venue,
)
from mmpipe.features import lead, microprice, pending_labels, regime, rolling, shadow_quotes, volatility
from mmpipe.features.regime import REGIME_MODEL
from mmpipe.models import model_board, state_snapshot, toxic_labels, toxicity
from mmpipe.models.ablation import hold_params
from mmpipe.models.lead_market import on_lead
from mmpipe.models.maker_market import on_maker
from mmpipe.models.market_state import Settings, new_settings, new_state, preset_microprice
from mmpipe.models.model_set import ModelSet, load_model_set
from mmpipe.models.own_orders import expect_fill, join_queue, part_filled, take_report
from mmpipe.models.parameters import prior_values, take_params
from mmpipe.models.quarantine import end_quarantine
from mmpipe.models.shadow_joins import flush, join_all, settle
from mmpipe.models.toxic_labels import SAMPLES_MAX, TRADE_SAMPLE
from mmpipe.models.weights import built_in_models
from mmpipe.records import COMMAND, EVENT, INSTRUMENT, LABEL, PARAMS_COUNT, SNAPSHOT
from ringbuf.jit import entry, example, kernel

EVENTS_MAX: Final = 256  # per call
LABELS_MAX: Final = 1024  # per call; what finds no room waits
BASELINE: Final = int(Param.SIGMA_BASELINE_BPS)

_TRADE: Final = int(EventKind.TRADE)
_BBO: Final = int(EventKind.BBO)
_FUNDING: Final = int(EventKind.FUNDING)
_TIMER: Final = int(EventKind.TIMER)
_GAP: Final = int(EventKind.GAP)
_STATUS: Final = int(EventKind.STATUS)
_LAST: Final = int(EventFlag.LAST)
_HISTORY: Final = int(EventFlag.HISTORY)
_LEAD: Final = int(Venue.LEAD)
_GAPPED: Final = int(FeedState.GAPPED)
_ON_TIMER: Final = int(Trigger.TIMER)
_ON_BBO: Final = int(Trigger.BBO)
_ON_TRADE: Final = int(Trigger.TRADE)
_EVENTS: Final = int(Counter.EVENTS)
_SNAPSHOTS: Final = int(Counter.SNAPSHOTS)
_LABELS: Final = int(Counter.LABELS)
_SHADOWS: Final = int(Counter.SHADOW_QUOTES)
_CROSSED: Final = int(Counter.CROSSED_BOOKS)
_GAPS: Final = int(Counter.GAPS)
_BAD: Final = int(Counter.BAD_NUMBER)
_OVERFLOWS: Final = int(Counter.WINDOW_OVERFLOWS)


class MicropriceTable(NamedTuple):
    """What the microprice says of each state of the touch, ticks over the mid, and what that rests on."""

    table_tick: np.ndarray
    step_tick: int
    updates: int
    moves: float


class SnapshotEngine:
    """State and buffers of the features stage.

    Parameters
    ----------
    config : Config
        Windows, thresholds, fees.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Grid of each symbol.
    chosen : ModelSet, optional
        What decides; None: what the configuration names.

    Attributes
    ----------
    counters : ndarray of int64, shape (len(Counter),)
        EVENTS, SNAPSHOTS, LABELS, SHADOW_QUOTES, CROSSED_BOOKS, GAPS, BAD_NUMBER, PARAMS_APPLIED,
        WINDOW_OVERFLOWS.
    """

    def __init__(self, config: Config, instruments: np.ndarray, chosen: ModelSet | None = None) -> None:
        chosen = chosen or load_model_set(config.models)
        self._without = chosen.without
        self._state = new_state(prior_values(config), instruments)
        hold_params(self._state["params"], self._without)
        self._settings = new_settings(config, chosen)
        preset_microprice(self._state, chosen)
        self._snapshots = np.zeros(EVENTS_MAX * len(instruments), SNAPSHOT)
        self._labels = np.zeros(LABELS_MAX, LABEL)
        self._resyncs = np.zeros(2 * len(instruments), COMMAND)
        self._samples = np.zeros(SAMPLES_MAX, TRADE_SAMPLE)
        self._counts = np.zeros(4, np.int64)  # snapshots, labels, resyncs, trade samples of the last call
        self.counters = np.zeros(len(Counter), np.int64)
        self._drain = entry(drain, *self._arguments(np.zeros(0, EVENT), 0))
        self._flush = entry(flush, self._state, self._settings, 0, self._labels, self._counts)

    def _arguments(self, events: np.ndarray, next_seq: int) -> tuple[Any, ...]:
        return (
            self._state,
            self._settings,
            events,
            next_seq,
            self._snapshots,
            self._labels,
            self._samples,
            self._resyncs,
            self._counts,
            self.counters,
        )

    def on_events(self, events: np.ndarray, next_seq: int) -> np.ndarray:
        """Take a batch of events.

        Parameters
        ----------
        events : ndarray of EVENT, shape (n,), n <= EVENTS_MAX
            In order; may hold several messages or a part of one.
        next_seq : int
            Sequence number the first snapshot will get from its ring.

        Returns
        -------
        ndarray of SNAPSHOT, shape (m,)
            A view of the engine's buffer, valid until the next call; `seq` is left to the ring.
        """
        assert len(events) <= EVENTS_MAX, f"at most {EVENTS_MAX} events per call, not {len(events)}"
        self._counts[1:] = 0
        self._drain(*self._arguments(events, next_seq))
        return self._snapshots[: self._counts[0]]

    def flush(self, ts_ns: int) -> np.ndarray:
        """Nothing more will come: what still waits, labelled as far as it is known.

        Parameters
        ----------
        ts_ns : int
            Now, not before the last event.

        Returns
        -------
        ndarray of LABEL, shape (n,)
            A view of the engine's buffer, valid until the next call; to be called until it is empty.
            Quotes that still rest are CANCELLED, markouts that lie ahead NaN.
        """
        self._flush(self._state, self._settings, ts_ns, self._labels, self._counts)
        self.counters[Counter.LABELS] += self._counts[1]
        return self.labels()

    def labels(self) -> np.ndarray:
        """LABEL rows resolved by the last `on_events` or `flush`, a view of the engine's buffer."""
        return self._labels[: self._counts[1]]

    def trade_samples(self) -> np.ndarray:
        """TRADE_SAMPLE rows judged by the last `on_events`, a view of the engine's buffer."""
        return self._samples[: self._counts[3]]

    def microprice_table(self, symbol: int) -> MicropriceTable:
        """The table of a symbol as it is now; zeros before its first estimate."""
        own = self._state[symbol]["microprice"]
        table_tick = own["table_tick"].copy()
        return MicropriceTable(table_tick, int(own["step_tick"]), int(own["updates"]), float(own["moves"]))

    def model_board(self, symbol: int) -> np.ndarray:
        """MODEL_BOARD row of one symbol, shape (1,); `seq` and `ts_ns` are left to the writer."""
        board = model_board.row(self._state, symbol)
        for name in ("models_id", "artefact_ids"):
            board[name] = self._settings.models[name]
        return board

    def resyncs(self) -> np.ndarray:
        """COMMAND rows of the last `on_events`: books that stayed crossed and must begin anew."""
        return self._resyncs[: self._counts[2]]

    def on_reports(self, reports: np.ndarray) -> None:
        """REPORT rows: our position, our place in the queues, our fills."""
        for row in reports:
            if int(row["symbol"]) < len(self._state):
                take_report(self._state, row)

    def on_params(self, rows: np.ndarray) -> None:
        """PARAMS rows: learned parameters that replace the priors; a value that is not finite is refused."""
        take_params(self._state["params"], rows, self.counters)
        hold_params(self._state["params"], self._without)


@kernel
def drain(
    state: np.ndarray,
    settings: Settings,
    events: np.ndarray,
    next_seq: int,
    snapshots: np.ndarray,
    labels: np.ndarray,
    samples: np.ndarray,
    resyncs: np.ndarray,
    counts: np.ndarray,
    counters: np.ndarray,
) -> None:
    """Take a batch of events into all states; snapshots and labels are counted in `counts`.

    Parameters
    ----------
    state, settings : (symbols,) MARKET, Settings
        Changed in place; read only.
    events : (n,) EVENT
        In order.
    next_seq : int
        Sequence number of the first snapshot.
    snapshots, labels, samples, resyncs : (·,) SNAPSHOT, (·,) LABEL, (·,) TRADE_SAMPLE, (·,) COMMAND
        Filled from index 0.
    counts : (4,) int64
        Snapshots, labels, resyncs and samples written.
    counters : (len(Counter),) int64
        Added to.
    """
    counts[0] = 0
    for index in range(len(events)):
        event = events[index]
        kind = int(event["kind"])
        counters[_EVENTS] += 1
        if kind == _TIMER:
            for symbol in range(len(state)):
                _judge_trades(state, settings, symbol, event, labels, samples, counts)
                _on_timer(state, settings, symbol, event, next_seq, snapshots, labels, counts, counters)
                end_quarantine(state, settings, symbol, event["local_ts_ns"], resyncs, counts)
        elif int(event["symbol"]) >= len(state):
            counters[_BAD] += 1
        elif int(event["venue"]) == _LEAD:
            if on_lead(state, event, counters):
                symbol = int(event["symbol"])
                state_snapshot.write(snapshots[counts[0]], state, settings, symbol, _ON_BBO, event)
                counts[0] += 1
        else:
            trigger = on_maker(state, settings, event, counters)
            if trigger != 0:
                symbol = int(event["symbol"])
                state_snapshot.write(snapshots[counts[0]], state, settings, symbol, trigger, event)
                if trigger == _ON_TRADE:
                    _expect_trade(state, symbol, next_seq + counts[0])
                counts[0] += 1
    counters[_SNAPSHOTS] += counts[0]
    counters[_LABELS] += counts[1]


@kernel
def _on_timer(
    state: np.ndarray,
    settings: Settings,
    symbol: int,
    event: np.void,
    next_seq: int,
    snapshots: np.ndarray,
    labels: np.ndarray,
    counts: np.ndarray,
    counters: np.ndarray,
) -> None:
    ts_ns = event["local_ts_ns"]
    features = settings.features[0]
    book = state[symbol]["book"]
    counters[_OVERFLOWS] += rolling.take_lost(state[symbol]["ofi"]) + rolling.take_lost(state[symbol]["flow"])
    microprice.on_timer(state[symbol]["microprice"], ts_ns, symbol, settings.features)
    volatility.advance(state[symbol]["volatility"], ts_ns, features["sigma_halflife_s"])
    weights, params = settings.toxicity_weights, state[symbol]["params"]
    toxicity.advance(state[symbol]["toxicity"], ts_ns, weights, settings.toxicity, params)
    sigma_bps = volatility.sigma_ewma_bps(state[symbol]["volatility"])
    baseline_bps = state[symbol]["params"][BASELINE]
    regime.on_timer(state[symbol]["regime"], ts_ns, sigma_bps, baseline_bps, settings.regime)
    out = snapshots[counts[0]]
    state_snapshot.write(out, state, settings, symbol, _ON_TIMER, event)
    counts[1] = settle(state, settings, symbol, ts_ns, labels, counts[1])
    if out["mid_px"] > 0.0:
        lead.on_timer(state[symbol]["lead"], out["mid_px"], ts_ns, features["basis_halflife_s"])
        seq = next_seq + counts[0]
        pending_labels.expect(state[symbol]["pending_ends"], state[symbol]["pendings"], out, seq)
        if ts_ns >= state[symbol]["own"]["next_shadow_ts_ns"] and l2.is_valid(book):
            state[symbol]["own"]["next_shadow_ts_ns"] = ts_ns + features["shadow_interval_ms"] * 1_000_000
            counters[_SHADOWS] += join_all(state, settings, symbol, out, seq)
    else:
        shadow_quotes.censor(state[symbol]["shadow_ends"], state[symbol]["shadows"], ts_ns)
    counts[0] += 1


@kernel
def _judge_trades(
    state: np.ndarray, settings: Settings, symbol: int, event: np.void, labels: np.ndarray,
    samples: np.ndarray, counts: np.ndarray,
) -> None:  # fmt: skip
    made = toxic_labels.resolve(
        state[symbol]["trade_pendings"],
        state[symbol]["detection"],
        state[symbol]["mid_path"],
        event["local_ts_ns"],
        settings.labels[0]["toxic_horizon_ms"] * 1_000_000,
        settings.execution[0]["maker_fee_bps"],
        symbol,
        labels,
        counts[1],
        samples,
        counts[3],
    )
    counts[1] += made
    counts[3] += made


@kernel
def _expect_trade(state: np.ndarray, symbol: int, seq: int) -> None:
    toxic_labels.expect(
        state[symbol]["trade_pendings"],
        state[symbol]["detection"],
        state[symbol]["aggressor"],
        state[symbol]["toxicity"],
        regime.most_probable(state[symbol]["regime"]),
        seq,
    )


def _example_state() -> tuple[np.ndarray, Settings]:
    sections = (FeaturesConfig, ToxicityConfig, ExecutionConfig, FeedConfig, LabelsConfig)
    rows = [np.zeros(1, settings_dtype(section)) for section in sections]
    more = [np.zeros(1, REGIME_MODEL), np.zeros(toxicity.WEIGHTS), built_in_models()]
    settings = Settings(*[*rows, *more, np.zeros(1, np.int64)])
    return new_state(np.ones(PARAMS_COUNT), np.zeros(1, INSTRUMENT)), settings


@example(drain)
def _drain_example() -> tuple[object, ...]:
    state, settings = _example_state()
    return (
        state,
        settings,
        np.zeros(1, EVENT),
        1,
        np.zeros(2, SNAPSHOT),
        np.zeros(1, LABEL),
        np.zeros(1, TRADE_SAMPLE),
        np.zeros(1, COMMAND),
        np.zeros(4, np.int64),
        np.zeros(len(Counter), np.int64),
    )


@example(join_queue)
def _join_queue_example() -> tuple[object, ...]:
    return (_example_state()[0], 0, 1, 1, 1, 1.0, True, 1)


@example(part_filled)
def _part_filled_example() -> tuple[object, ...]:
    return (_example_state()[0], 0, 1, 1.0)


@example(expect_fill)
def _expect_fill_example() -> tuple[object, ...]:
    return (_example_state()[0], 0, 1, 1, 1, 1, 1.0, 1.0)


@example(flush)
def _flush_example() -> tuple[object, ...]:
    return (*_example_state(), 1, np.zeros(1, LABEL), np.zeros(3, np.int64))
