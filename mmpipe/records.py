"""Every record that crosses a process or reaches disk.

One declaration each; read by key, in Python and in kernels (`rec["best_bid_px"]`). The first field
of a ring record is `seq`, the commit word of its slot: the ring stamps it at publication (sequence
numbers start at 1) and nobody else writes it. `ts_ns` is the monotonic time the record was made;
`cause_seq` is the record it answers and `cause_ts_ns` the receive time of the market event at the
root, so `ts_ns - cause_ts_ns` is tick-to-here at every stage. Prices are quote units per base unit,
quantities base units; NaN is never a valid price, size or parameter. Sizes are multiples of 64 B.

    EVENT 64 ─▶ SNAPSHOT 832 ─▶ FORECAST 1024 (holds its SNAPSHOT) ─▶ INTENT 128 ─▶ venue ─▶ REPORT 128
"""

import numpy as np

DEPTH_LEVELS = 10  # levels per side in a SNAPSHOT
OFI_LAGS = 4  # earlier 500 ms windows of order-flow imbalance
REGIMES = 4
SYMBOLS_MAX = 64
COUNTERS = 40  # slots in HEARTBEAT.counters, >= number of Counter members
PARAMS_COUNT = 18  # number of Param members
SIGNALS = 8  # slots by Signal, >= number of its members
MARKOUTS = 8  # slots by MARKOUT_HORIZONS_S
MARKOUT_HORIZONS_S = (0.1, 0.5, 1.0, 3.0, 5.0, 10.0, 30.0, 60.0)

Field = tuple[str, str | np.dtype] | tuple[str, str, tuple[int, ...]]


def record(itemsize: int, *fields: Field) -> np.dtype:
    """A record dtype of a stated size; aligned, so that numba reads fields with plain loads."""
    dtype = np.dtype(list(fields), align=True)
    assert dtype.itemsize == itemsize, f"{dtype.itemsize} B, not {itemsize} B: {fields[:3]}"
    return dtype


EVENT = record(
    64,
    ("seq", "i8"),  # commit word; an EVENT is its own cause
    ("local_ts_ns", "i8"),  # monotonic, when the frame was received
    ("exch_ts_ns", "i8"),  # venue wall clock; 0 where the venue gives none; TIMER: our wall clock
    ("remote_seq", "i8"),  # venue's sequence or trade id; FUNDING: next settlement, wall ns; STATUS: limit_ns
    ("px", "f8"),  # price; FUNDING: rate per 8 h, fraction
    ("qty", "f8"),  # absolute quantity after the change; TRADE: size
    ("px_tick", "i8"),  # px on the instrument's finest grid
    ("kind", "u1"),  # EventKind
    ("side", "i1"),  # Side; TRADE: aggressor
    ("level", "u1"),  # 0 = best, where the venue numbers levels; STATUS: FeedState
    ("venue", "u1"),  # Venue
    ("symbol", "u2"),  # index into the configured symbols; TIMER: 0
    ("flags", "u2"),  # EventFlag
)

SNAPSHOT = record(
    832,
    ("seq", "i8"),
    ("ts_ns", "i8"),  # event time: local_ts_ns of the EVENT that triggered it
    ("cause_seq", "i8"),  # EVENT.seq
    ("cause_ts_ns", "i8"),  # EVENT.local_ts_ns
    ("exch_ts_ns", "i8"),  # of the maker venue's last message, wall ns
    ("symbol", "u2"),
    ("trigger", "u1"),  # Trigger
    ("regime", "u1"),  # Regime, the most probable
    ("book_valid", "u1"),  # 1: two-sided, uncrossed, after a BOOK_CLEAR of this generation
    ("maker_feed", "u1"),  # FeedState
    ("lead_feed", "u1"),  # FeedState
    ("trade_side", "i1"),  # aggressor of the trade that triggered it, 0 otherwise
    ("best_bid_px", "f8"),  # 0 when book_valid is 0, as all prices here
    ("best_ask_px", "f8"),
    ("best_bid_tick", "i8"),
    ("best_ask_tick", "i8"),
    ("mid_px", "f8"),
    ("spread_bps", "f8"),  # > 0
    ("microprice_px", "f8"),  # Stoikov's: where the mid is expected to go, given touch imbalance and spread
    ("imbalance", "f8"),  # (bid - ask) / (bid + ask) over DEPTH_LEVELS, -1 to 1
    ("bid_depth_qty", "f8", (DEPTH_LEVELS,)),
    ("ask_depth_qty", "f8", (DEPTH_LEVELS,)),
    ("bid_offset_tick", "i4", (DEPTH_LEVELS,)),  # ticks behind the best, >= 0
    ("ask_offset_tick", "i4", (DEPTH_LEVELS,)),
    ("bid_age_ms", "f4", (DEPTH_LEVELS,)),  # since the venue last confirmed the level; -1: unseen, not empty
    ("ask_age_ms", "f4", (DEPTH_LEVELS,)),
    ("ofi_500ms", "f8"),  # order-flow imbalance, base units, > 0 buying (Cont et al. 2014)
    ("ofi_2s", "f8"),
    ("ofi_500ms_lags", "f8", (OFI_LAGS,)),  # the windows before, newest first
    ("trade_sign_run_length", "i4"),  # signed: +3 = three buys in a row
    ("trades_in_2s", "i4"),
    ("vwap_direction", "f8"),  # signed traded qty over traded qty in 2 s, -1 to 1
    ("buy_intensity_per_s", "f8"),  # exponentially weighted arrivals of aggressors
    ("sell_intensity_per_s", "f8"),
    ("sigma_ewma_bps", "f8"),  # volatility of the mid per sqrt(s), exponentially weighted
    ("sigma_1m_bps", "f8"),  # realised over the last minute, per sqrt(min)
    ("regime_probs", "f8", (REGIMES,)),  # sum 1
    ("toxic_buy_prob", "f8"),  # an aggressive buyer now is informed (poisons our ask)
    ("toxic_sell_prob", "f8"),  # an aggressive seller now is informed (poisons our bid)
    ("toxicity", "u1"),  # Toxicity of the worse side
    ("toxicity_pad", "u1", (7,)),
    ("lead_mid_px", "f8"),  # 0 while the lead feed was never live
    ("lead_divergence_bps", "f8"),  # lead over maker, the slow basis removed; > 0: lead is higher
    ("lead_age_ns", "i8"),  # since the lead's last quote
    ("book_age_ns", "i8"),  # since the maker last confirmed its touch
    ("book_limit_ns", "i8"),  # its contract: nothing is quoted on an older touch; 0: none yet
    ("funding_rate_8h", "f8"),  # fraction; > 0: longs pay
    ("next_funding_ts_ns", "i8"),  # wall ns
    ("inventory_lots", "i8"),  # our position as last reported
    ("inventory_qty", "f8"),
    ("bid_queue_rank", "f8"),  # share of the level ahead of our bid, 0 to 1; -1: no order
    ("ask_queue_rank", "f8"),
    ("bid_queue_value_bps", "f8"),  # expected edge of joining the touch, by models.queue_value
    ("ask_queue_value_bps", "f8"),
    ("last_trade_px", "f8"),  # 0 before the first trade
    ("last_trade_qty", "f8"),
    ("trades_seen", "i8"),  # since start
    ("book_generation", "i8"),  # BOOK_CLEARs after a gap or reconnect
    ("made_ts_ns", "i8"),  # when features published it; for latency only, nothing decides by it
    ("models_id", "i8"),  # first 8 bytes of the digest over the artefacts in force; 0: all built in
    ("mlofi_500ms", "f8"),  # multi-level OFI over the mean depth of a level, weighted over 5 levels
    ("mlofi_500ms_lags", "f4", (OFI_LAGS,)),  # the windows before, newest first
    ("hawkes_asymmetry", "f8"),  # (buy - sell) / (buy + sell) of self-exciting intensities, -1 to 1
    ("vpin", "f8"),  # volume-synchronised share of one-sided flow, 0 to 1; slow
    ("lead_imbalance", "f8"),  # (bid - ask) / (bid + ask) at the lead's touch, -1 to 1; 0: no lead
    ("bid_queue_rank_std", "f4"),  # uncertainty of the rank; 0 without an order
    ("ask_queue_rank_std", "f4"),
    ("bid_queue_value_std_bps", "f4"),  # posterior uncertainty of the expected edge
    ("ask_queue_value_std_bps", "f4"),
    ("pad", "u1", (32,)),
)

FORECAST = record(
    1024,
    ("seq", "i8"),
    ("ts_ns", "i8"),
    ("cause_seq", "i8"),  # SNAPSHOT.seq
    ("cause_ts_ns", "i8"),  # EVENT.local_ts_ns at the root
    ("symbol", "u2"),
    ("pad_symbol", "u1", (6,)),
    ("reasons", "i8"),  # bit set: 1 << Reason for Reason < 63
    ("target_lots", "i8"),  # inventory wanted
    ("target_std_lots", "f8"),  # its standard deviation
    ("alpha_bps", "f8"),  # expected mid move over the prediction horizon
    ("alpha_std_bps", "f8"),
    ("lead_lag_skew_bps", "f8"),  # part of alpha expected before the target can be reached
    ("p_edge_bid", "f8"),  # P(edge > 0) of a fill at our bid
    ("p_edge_ask", "f8"),
    ("signal_weights", "f4", (SIGNALS,)),  # by Signal; 0: gated
    ("signals_bps", "f4", (SIGNALS,)),  # expected mid move of each alone, before its weight
    ("change_bps", "f4"),  # size of the divergence the CUSUM bank says began, > 0 up; 0: none
    ("lead_beta", "f4"),  # in force: bps of maker move per bp of divergence
    ("made_ts_ns", "i8"),  # when alpha published it; for latency only, nothing decides by it
    ("pad", "u1", (8,)),
    ("snapshot", SNAPSHOT),  # the one it judged, one copy per hop
)

INTENT = record(
    128,
    ("seq", "i8"),  # journal sequence
    ("ts_ns", "i8"),
    ("cause_seq", "i8"),  # FORECAST.seq
    ("cause_ts_ns", "i8"),
    ("order_id", "i8"),  # ours: epoch << 32 | counter; the venue sees it as cloid
    ("oid", "i8"),  # the venue's; 0 before the ack
    ("px_tick", "i8"),
    ("qty_lots", "i8"),
    ("mid_px", "f8"),  # at decision
    ("queue_value_bps", "f8"),  # that justified the order
    ("fill_prob", "f8"),
    ("predicted_edge_bps", "f8"),
    ("predicted_uncertainty_bps", "f8"),
    ("depth_bps", "f8"),  # distance from the mid
    ("symbol", "u2"),
    ("reason", "u2"),  # Reason
    ("kind", "u1"),  # IntentKind
    ("side", "i1"),
    ("tif", "u1"),  # Tif
    ("reduce_only", "u1"),
    ("pad", "u1", (8,)),
)

ANSWER = record(
    128,
    ("seq", "i8"),  # order of arrival in this session
    ("ts_ns", "i8"),  # received
    ("exch_ts_ns", "i8"),  # venue wall clock
    ("order_id", "i8"),  # ours; 0: an order this pipeline did not place
    ("oid", "i8"),
    ("tid", "i8"),  # FILL
    ("px_tick", "i8"),  # of the fill or of the order
    ("qty_lots", "i8"),  # of the fill, of the order's remainder, or the signed POSITION
    ("fee_cash", "i8"),  # FILL
    ("kind", "u1"),  # AnswerKind
    ("side", "i1"),
    ("symbol", "u2"),  # SYMBOLS_MAX: the whole session
    ("reason", "u2"),  # Reason
    ("maker_fill", "u1"),
    ("pad", "u1", (49,)),
)

REPORT = record(
    128,
    ("seq", "i8"),
    ("ts_ns", "i8"),
    ("cause_seq", "i8"),  # FORECAST.seq of the decision
    ("cause_ts_ns", "i8"),
    ("order_id", "i8"),
    ("oid", "i8"),
    ("tid", "i8"),  # FILL: the venue's trade id
    ("fee_cash", "i8"),  # FILL: paid, 1e-8 quote units; negative: rebate
    ("px_tick", "i8"),
    ("qty_lots", "i8"),  # FILL: of this fill; otherwise of the order
    ("position_lots", "i8"),  # after this report
    ("mid_px", "f8"),  # when the report was made
    ("decision_mid_px", "f8"),  # when the order was decided
    ("maker_ev_bps", "f4"),  # MODE: expected value of making, of taking
    ("taker_ev_bps", "f4"),
    ("kind", "u1"),  # ReportKind
    ("side", "i1"),
    ("mode", "u1"),  # Mode after this report
    ("prev_mode", "u1"),
    ("reason", "u2"),  # Reason
    ("symbol", "u2"),
    ("maker_fill", "u1"),  # FILL: 1 passive, 0 aggressive
    ("pad", "u1", (7,)),
)

PARAMS = record(
    64,
    ("seq", "i8"),
    ("ts_ns", "i8"),
    ("cause_seq", "i8"),  # LABEL.seq of the newest observation
    ("value", "f8"),
    ("std", "f8"),  # posterior standard deviation
    ("observations", "i8"),
    ("param", "u2"),  # Param
    ("symbol", "u2"),
    ("tier", "u1"),  # 0 configured, 1 learned
    ("pad", "u1", (11,)),
)

LABEL = record(
    192,
    ("seq", "i8"),
    ("ts_ns", "i8"),  # when the label resolved
    ("cause_seq", "i8"),  # SNAPSHOT.seq, or tid of the fill
    ("cause_ts_ns", "i8"),  # when the labelled thing happened
    ("horizon_ns", "i8"),  # 0: nobody saw the mid then, and moves and edges are NaN
    ("mid_px", "f8"),  # at the start
    ("move_bps", "f8"),  # mid move over the horizon, signed up
    ("predicted_edge_bps", "f8"),  # SHADOW_QUOTE: queue value at the join
    ("predicted_std_bps", "f8"),  # SHADOW_QUOTE: posterior uncertainty of that value
    ("realized_edge_bps", "f8"),  # spread captured - side * mid move after the fill, fees off
    ("realized_as_bps", "f8"),  # -side * mid move from decision to horizon after the fill; > 0 adverse
    ("predicted_fill_prob", "f8"),
    ("fill_factor", "f8"),  # SHADOW_QUOTE: what sets the fill hazard of its place (`fill_survival`)
    ("expected_fills", "f8"),  # SHADOW_QUOTE: that hazard over `wait_ns`, before FILL_PROB_SCALE
    ("depth_bps", "f8"),  # distance of the quote from the mid, > 0 behind it
    ("wait_ns", "i8"),  # join to fill, or to the horizon
    ("queue_rank", "f8"),  # SHADOW_QUOTE: share of the level ahead at the join, 0 to 1
    ("ahead_qty", "f8"),  # SHADOW_QUOTE: resting ahead at the join, base units
    ("markouts_bps", "f4", (MARKOUTS,)),  # side * mid move since just before the fill; NaN: not seen
    ("kind", "u1"),  # LabelKind
    ("side", "i1"),
    ("filled", "u1"),  # TRADE: 1 it was toxic
    ("toxicity", "u1"),  # Toxicity at the start
    ("symbol", "u2"),
    ("regime", "u1"),
    ("outcome", "u1"),  # Outcome of a shadow quote
    ("level", "i1"),  # SHADOW_QUOTE: steps before the best at the join, -1 to 1
    ("pad", "u1", (7,)),
)

PREDICTION = record(
    128,
    ("seq", "i8"),
    ("ts_ns", "i8"),
    ("cause_seq", "i8"),  # SNAPSHOT.seq, joined with LABEL.cause_seq at the horizon
    ("alpha_bps", "f8"),
    ("alpha_std_bps", "f8"),
    ("divergence_bps", "f8"),  # regressor of the lead-lag coefficient
    ("signals_bps", "f8", (SIGNALS,)),  # regressors of the signal weights, by Signal
    ("symbol", "u2"),
    ("pad", "u1", (14,)),
)

EXTERNAL_SIGNAL = record(
    64,
    ("seq", "i8"),
    ("ts_ns", "i8"),  # when it was accepted
    ("prediction_id", "i8"),  # the user's or ours, > 0
    ("model", "i8"),  # number of the model in this run, from 0
    ("horizon_ns", "i8"),  # > 0; its effect fades to nothing until then
    ("direction", "f8"),  # -1 (down) to 1 (up)
    ("confidence", "f8"),  # that the direction is right, 0 to 1
    ("symbol", "u2"),
    ("pad", "u1", (6,)),
)

FILL_CONTEXT = record(
    1024,
    ("seq", "i8"),
    ("ts_ns", "i8"),
    ("cause_seq", "i8"),  # FORECAST.seq of the decision
    ("cause_ts_ns", "i8"),
    ("tid", "i8"),
    ("order_id", "i8"),
    ("predicted_edge_bps", "f8"),
    ("predicted_uncertainty_bps", "f8"),
    ("depth_bps", "f8"),
    ("queue_rank", "f8"),
    ("fill_prob", "f8"),
    ("symbol", "u2"),
    ("side", "i1"),
    ("mode", "u1"),
    ("pad", "u1", (100,)),
    ("snapshot", SNAPSHOT),  # of the decision
)

COMMAND = record(
    64,
    ("seq", "i8"),
    ("ts_ns", "i8"),
    ("value", "f8"),  # unused by PAUSE and RESUME
    ("symbol", "u2"),  # SYMBOLS_MAX: all
    ("kind", "u1"),  # CommandKind
    ("venue", "u1"),  # Venue; RESYNC only
    ("reason", "u2"),  # Reason
    ("pad", "u1", (34,)),
)

HEARTBEAT = record(
    448,
    ("seq", "i8"),
    ("ts_ns", "i8"),  # of the last duty cycle
    ("pid", "i8"),
    ("started_ts_ns", "i8"),
    ("records_in", "i8"),
    ("records_out", "i8"),
    ("rss_bytes", "i8"),
    ("core", "i2"),  # -1: not pinned
    ("ready", "u1"),
    ("pad", "u1", (5,)),
    ("counters", "i8", (COUNTERS,)),  # index: Counter
    ("pad_end", "u1", (64,)),
)

KILL = record(
    64,
    ("seq", "i8"), ("ts_ns", "i8"),
    ("latched", "u1"), ("pad_latched", "u1"),
    ("reason", "u2"),  # Reason
    ("pad", "u1", (44,)),
)  # fmt: skip

LEASE = record(
    64,
    ("seq", "i8"), ("ts_ns", "i8"),
    ("expires_ts_ns", "i8"),  # nothing is sent after this
    ("epoch", "i8"),  # of the risk daemon's life
    ("pad", "u1", (32,)),
)  # fmt: skip

INSTRUMENT = record(
    64,
    ("asset", "i8"),  # the venue's asset index
    ("size_decimals", "i8"),
    ("ticks_per_unit", "i8"),
    ("tick_px", "f8"),
    ("lot_qty", "f8"),
    ("min_notional_cash", "i8"),
    ("symbol", "u2"),
    ("pad", "u1", (14,)),
)
