"""The work of the features stage: EVENTs in, SNAPSHOTs and LABELs out, one compiled call per batch.

Book, features and models meet here and not in `mmpipe.features`, because a SNAPSHOT carries what the models
say at the touch, and models may import features but not the other way round.

    EVENT ─▶ book ─▶ touch ─▶ ofi, volatility ─┐
       └───▶ flow ─▶ toxicity ─────────────────┼─▶ SNAPSHOT (on trade, on a change of the best, on TIMER)
    REPORT ─▶ queue rank, inventory, markouts ─┘      └─▶ shadow quotes, pending labels ─▶ LABEL
"""

from typing import Any, Final

import numpy as np

from mmpipe.book import l2, queue_rank
from mmpipe.config import (
    Config,
    ExecutionConfig,
    FeaturesConfig,
    FeedConfig,
    ToxicityConfig,
    settings_dtype,
)
from mmpipe.enums import (
    Counter,
    EventFlag,
    EventKind,
    FeedState,
    LabelKind,
    Param,
    Trigger,
    Venue,
)
from mmpipe.features import flow, lead, ofi, pending_labels, regime, shadow_quotes, volatility
from mmpipe.models import state_snapshot, toxicity
from mmpipe.models.lead_market import on_lead
from mmpipe.models.market_state import MarketState, Settings, new_settings, new_state
from mmpipe.models.own_orders import join_queue, take_report
from mmpipe.models.parameters import prior_values, take_params
from mmpipe.models.quarantine import crossed_since, end_quarantine
from mmpipe.models.shadow_joins import join_all
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
_MID_MOVE: Final = int(LabelKind.MID_MOVE)
_EVENTS: Final = int(Counter.EVENTS)
_SNAPSHOTS: Final = int(Counter.SNAPSHOTS)
_LABELS: Final = int(Counter.LABELS)
_SHADOWS: Final = int(Counter.SHADOW_QUOTES)
_CROSSED: Final = int(Counter.CROSSED_BOOKS)
_GAPS: Final = int(Counter.GAPS)
_BAD: Final = int(Counter.BAD_NUMBER)


class SnapshotEngine:
    """State and buffers of the features stage.

    Parameters
    ----------
    config : Config
        Windows, thresholds, fees.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Grid of each symbol.

    Attributes
    ----------
    counters : ndarray of int64, shape (len(Counter),)
        EVENTS, SNAPSHOTS, LABELS, SHADOW_QUOTES, CROSSED_BOOKS, GAPS, BAD_NUMBER, PARAMS_APPLIED.
    """

    def __init__(self, config: Config, instruments: np.ndarray) -> None:
        self._state = new_state(prior_values(config), instruments)
        self._settings = new_settings(config)
        self._snapshots = np.zeros(EVENTS_MAX * len(instruments), SNAPSHOT)
        self._labels = np.zeros(LABELS_MAX, LABEL)
        self._resyncs = np.zeros(2 * len(instruments), COMMAND)
        self._counts = np.zeros(3, np.int64)  # snapshots, labels, resyncs of the last call
        self.counters = np.zeros(len(Counter), np.int64)
        self._drain = entry(drain, *self._arguments(np.zeros(0, EVENT), 0))

    def _arguments(self, events: np.ndarray, next_seq: int) -> tuple[Any, ...]:
        return (
            self._state,
            self._settings,
            events,
            next_seq,
            self._snapshots,
            self._labels,
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

    def labels(self) -> np.ndarray:
        """LABEL rows resolved by the last `on_events`, a view of the engine's buffer."""
        return self._labels[: self._counts[1]]

    def resyncs(self) -> np.ndarray:
        """COMMAND rows of the last `on_events`: books that stayed crossed and must begin anew."""
        return self._resyncs[: self._counts[2]]

    def on_reports(self, reports: np.ndarray) -> None:
        """REPORT rows: our position, our place in the queues, our fills."""
        for row in reports:
            if int(row["symbol"]) < len(self._state.symbols):
                take_report(self._state, row)

    def on_params(self, rows: np.ndarray) -> None:
        """PARAMS rows: learned parameters that replace the priors; a value that is not finite is refused."""
        take_params(self._state.params, rows, self.counters)


@kernel
def drain(
    state: MarketState,
    settings: Settings,
    events: np.ndarray,
    next_seq: int,
    snapshots: np.ndarray,
    labels: np.ndarray,
    resyncs: np.ndarray,
    counts: np.ndarray,
    counters: np.ndarray,
) -> None:
    """Take a batch of events into all states; snapshots and labels are counted in `counts`.

    Parameters
    ----------
    state, settings : MarketState, Settings
        Changed in place; read only.
    events : (n,) EVENT
        In order.
    next_seq : int
        Sequence number of the first snapshot.
    snapshots, labels, resyncs : (·,) SNAPSHOT, (·,) LABEL, (·,) COMMAND
        Filled from index 0.
    counts : (3,) int64
        Rows written to each.
    counters : (len(Counter),) int64
        Added to.
    """
    counts[0] = 0
    for index in range(len(events)):
        event = events[index]
        kind = int(event["kind"])
        counters[_EVENTS] += 1
        if kind == _TIMER:
            for symbol in range(len(state.symbols)):
                _on_timer(state, settings, symbol, event, next_seq, snapshots, labels, counts, counters)
                end_quarantine(state, settings, symbol, event["local_ts_ns"], resyncs, counts)
        elif int(event["symbol"]) >= len(state.symbols):
            counters[_BAD] += 1
        elif int(event["venue"]) == _LEAD:
            if on_lead(state, event, counters):
                symbol = int(event["symbol"])
                state_snapshot.write(snapshots[counts[0]], state, settings, symbol, _ON_BBO, event)
                counts[0] += 1
        else:
            _on_maker(state, settings, event, snapshots, counts, counters)
    counters[_SNAPSHOTS] += counts[0]
    counters[_LABELS] += counts[1]


@kernel
def _on_timer(
    state: MarketState,
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
    book = state.books[symbol]
    ofi.advance(state.ofis[symbol], ts_ns)
    flow.advance(state.flows[symbol], ts_ns, features["intensity_halflife_s"])
    volatility.advance(state.volatilities[symbol], ts_ns, features["sigma_halflife_s"])
    toxicity.advance(state.toxicities[symbol], ts_ns, settings.toxicity)
    sigma_bps = volatility.sigma_ewma_bps(state.volatilities[symbol])
    baseline_bps = state.params[symbol, BASELINE]
    regime.on_timer(state.regimes[symbol], ts_ns, sigma_bps, baseline_bps, settings.features)
    out = snapshots[counts[0]]
    state_snapshot.write(out, state, settings, symbol, _ON_TIMER, event)
    if out["mid_px"] > 0.0:
        mid_px = out["mid_px"]
        lead.on_timer(state.leads[symbol], mid_px, ts_ns, features["basis_halflife_s"])
        horizon_ns = features["label_horizon_ms"] * 1_000_000
        ends, pending = state.pending_ends[symbol], state.pendings[symbol]
        count = pending_labels.resolve(ends, pending, ts_ns, mid_px, horizon_ns, symbol, labels, counts[1])
        counts[1] = shadow_quotes.resolve(
            state.shadows[symbol],
            ts_ns,
            mid_px,
            settings.execution[0]["maker_fee_bps"],
            settings.features,
            symbol,
            labels,
            count,
        )
        _expect_mid_move(ends, pending, out, next_seq + counts[0])
        if ts_ns >= state.symbols[symbol]["next_shadow_ts_ns"] and l2.is_valid(book):
            state.symbols[symbol]["next_shadow_ts_ns"] = ts_ns + features["shadow_interval_ms"] * 1_000_000
            counters[_SHADOWS] += join_all(state, settings, symbol, out, next_seq + counts[0])
    counts[0] += 1


@kernel
def _on_maker(
    state: MarketState,
    settings: Settings,
    event: np.void,
    snapshots: np.ndarray,
    counts: np.ndarray,
    counters: np.ndarray,
) -> None:
    kind, symbol = int(event["kind"]), int(event["symbol"])
    own = state.symbols[symbol]
    if kind == _TRADE:
        if _on_trade(state, settings, event, counters):
            state_snapshot.write(snapshots[counts[0]], state, settings, symbol, _ON_TRADE, event)
            counts[0] += 1
    elif kind == _STATUS:
        own["maker_feed"], own["book_limit_ns"] = event["level"], event["remote_seq"]
    elif kind == _FUNDING:
        if abs(event["px"]) < 1.0:
            own["funding_rate_8h"], own["next_funding_ts_ns"] = event["px"], event["remote_seq"]
        else:
            counters[_BAD] += 1
    else:
        if kind == _GAP:
            counters[_GAPS] += 1
            own["maker_feed"] = _GAPPED
            ofi.forget_touch(state.ofis[symbol])
        if not l2.apply(state.books[symbol], event):
            counters[_BAD] += 1
            return
        if l2.judge(state.books[symbol], event):
            counters[_CROSSED] += 1
        if (int(event["flags"]) & _LAST) == 0:
            return
        own["crossed_ts_ns"] = crossed_since(state.books[symbol], own["crossed_ts_ns"], event["local_ts_ns"])
        if _on_touch(state, settings, symbol, event):
            state_snapshot.write(snapshots[counts[0]], state, settings, symbol, _ON_BBO, event)
            counts[0] += 1


@kernel
def _on_trade(state: MarketState, settings: Settings, event: np.void, counters: np.ndarray) -> bool:
    side, qty, px = int(event["side"]), event["qty"], event["px"]
    if not (0.0 < qty < np.inf and 0.0 < px < np.inf) or not (side == 1 or side == -1):
        counters[_BAD] += 1
        return False
    if (int(event["flags"]) & _HISTORY) != 0:
        return False
    symbol, ts_ns, tick = int(event["symbol"]), event["local_ts_ns"], int(event["px_tick"])
    flows, book = state.flows[symbol], state.books[symbol]
    log_size_ratio = np.log(qty) - flows["typical_log_qty"] if flows["trades_seen"] > 0 else 0.0
    flow.on_trade(flows, ts_ns, side, px, qty, settings.features[0]["intensity_halflife_s"])
    bids, asks = 0.0, 0.0
    for back in range(1, 6):
        bids += book["qty"][0, book["count"][0] - back] if book["count"][0] >= back else 0.0
        asks += book["qty"][1, book["count"][1] - back] if book["count"][1] >= back else 0.0
    imbalance = (bids - asks) / (bids + asks) if bids + asks > 0.0 else 0.0
    run = flows["run_length"]
    llr = toxicity.trade_llr(side, run, log_size_ratio, imbalance, settings.toxicity)
    toxicity.on_trade(state.toxicities[symbol], ts_ns, side, llr, settings.toxicity)
    queue_rank.on_trade(state.queues[symbol, 1 if side > 0 else 0], -side, tick, qty)
    shadow_quotes.on_trade(state.shadows[symbol], ts_ns, side, tick, qty)
    return True


@kernel
def _on_touch(state: MarketState, settings: Settings, symbol: int, event: np.void) -> bool:
    # True when the best quotes changed in price or quantity.
    book, own, ts_ns = state.books[symbol], state.symbols[symbol], event["local_ts_ns"]
    if not l2.is_valid(book):
        changed = own["bid_tick"] != 0
        own["bid_tick"] = own["ask_tick"] = 0
        return changed
    bid_tick, ask_tick = l2.best_tick(book, 1), l2.best_tick(book, -1)
    bid_qty = book["qty"][0, book["count"][0] - 1]
    ask_qty = book["qty"][1, book["count"][1] - 1]
    for index in range(2):
        queue = state.queues[symbol, index]
        if queue["order_id"] != 0:
            queue_rank.on_level(queue, l2.qty_at(book, 1 - 2 * index, queue["tick"]))
    if (
        bid_tick == own["bid_tick"]
        and ask_tick == own["ask_tick"]
        and bid_qty == own["bid_qty"]
        and ask_qty == own["ask_qty"]
    ):
        return False
    ofi.on_touch(state.ofis[symbol], ts_ns, bid_tick, bid_qty, ask_tick, ask_qty)
    mid_px = (bid_tick + ask_tick) * state.instruments[symbol]["tick_px"] / 2.0
    volatility.on_mid(state.volatilities[symbol], ts_ns, mid_px, settings.features[0]["sigma_halflife_s"])
    shadow_quotes.on_touch(state.shadows[symbol], ts_ns, bid_tick, ask_tick)
    own["bid_tick"], own["ask_tick"], own["bid_qty"], own["ask_qty"] = bid_tick, ask_tick, bid_qty, ask_qty
    return True


@kernel
def _expect_mid_move(ends: np.void, pending: np.ndarray, snapshot: np.void, seq: int) -> None:
    item = pending[pending_labels.append(ends, pending)]
    item["ts_ns"], item["cause_seq"], item["kind"], item["side"] = snapshot["ts_ns"], seq, _MID_MOVE, 0
    item["px"], item["mid_px"] = snapshot["mid_px"], snapshot["mid_px"]
    item["fee_bps"], item["predicted_edge_bps"] = 0.0, 0.0
    item["toxicity"], item["regime"] = snapshot["toxicity"], snapshot["regime"]


def _example_state() -> tuple[MarketState, Settings]:
    sections = (FeaturesConfig, ToxicityConfig, ExecutionConfig, FeedConfig)
    settings = Settings(*(np.zeros(1, settings_dtype(section)) for section in sections))
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
        np.zeros(1, COMMAND),
        np.zeros(3, np.int64),
        np.zeros(len(Counter), np.int64),
    )


@example(join_queue)
def _join_queue_example() -> tuple[object, ...]:
    return (_example_state()[0], 0, 1, 1, 1, 1.0)
