"""What people and commands look at: one cell per symbol with the newest state of a stage.

Unlike the records of the line (`records`), nothing is decided by these; they are written at most a few times
a second and read by `mmpipe status`, the screen and the tests. The same rules hold: aligned, padded, unit
and range per field.
"""

from mmpipe.records import REGIMES, SIGNALS, record

MODES = 5
VENUES = 2  # number of Venue members
STREAM_KINDS = 6  # number of StreamKind members
MODEL_KINDS = 5  # number of ModelKind members
SIGNAL_REFUSALS = 9  # number of SignalRefusal members

BOARD = record(
    256,
    ("seq", "i8"),
    ("ts_ns", "i8"),
    ("symbol", "u2"),
    ("mode", "u1"),
    ("toxicity", "u1"),
    ("bid_reason", "u2"),  # Reason the bid is or is not quoted
    ("ask_reason", "u2"),
    ("bid_tick", "i8"),  # resting quote, 0: none
    ("ask_tick", "i8"),
    ("bid_lots", "i8"),
    ("ask_lots", "i8"),
    ("position_lots", "i8"),
    ("target_lots", "i8"),
    ("mid_px", "f8"),
    ("equity_cash", "i8"),  # change since start: cash + position at mid
    ("spread_cash", "i8"),  # the parts of equity_cash
    ("adverse_cash", "i8"),
    ("inventory_cash", "i8"),
    ("fees_cash", "i8"),
    ("funding_cash", "i8"),
    ("mode_ns", "i8", (MODES,)),  # time spent in each Mode
    ("quoting_ns", "i8"),  # non-toxic time with positive queue value and a live quote
    ("quotable_ns", "i8"),  # non-toxic time with positive queue value
    ("open_orders", "i8"),
    ("maker_ev_bps", "f4"),
    ("taker_ev_bps", "f4"),
    ("position_journal_lots", "i8"),  # fold over the journal
    ("models_id", "i8"),  # first 8 bytes of the digest over the artefacts execution decides by; 0: built in
    ("pad", "u1", (40,)),
)

FEED_BOARD = record(  # arrays: by Venue, and by Venue and StreamKind
    640,
    ("seq", "i8"), ("ts_ns", "i8"), ("symbol", "u2"),
    ("market_state", "u1", (VENUES,)), ("pad_state", "u1", (4,)),  # FeedState
    ("touch_ts_ns", "i8", (VENUES,)),  # when best prices were last confirmed; 0: never
    ("touch_limit_ns", "i8", (VENUES,)),  # contract: longest silence of the touch that is normal
    ("least_delay_ns", "i8", (VENUES,)),  # smallest apparent delay of late: local wall - venue's stamp
    ("skew_low_ns", "i8", (VENUES,)), ("skew_high_ns", "i8", (VENUES,)),  # local wall - venue's, bounds
    ("stream_ts_ns", "i8", (VENUES, STREAM_KINDS)),  # newest message; 0: none on this connection
    ("stream_messages", "i8", (VENUES, STREAM_KINDS)),
    ("stream_typical_ns", "i8", (VENUES, STREAM_KINDS)),  # median interval; 0: not yet measured
    ("stream_limit_ns", "i8", (VENUES, STREAM_KINDS)),
    ("stream_missed", "i4", (VENUES, STREAM_KINDS)),  # messages proved lost
    ("stream_asked", "i4", (VENUES, STREAM_KINDS)),  # times it was subscribed anew
    ("stream_contracts", "i2", (VENUES, STREAM_KINDS)),  # times its cadence was found to be another
    ("stream_state", "u1", (VENUES, STREAM_KINDS)),  # FeedState
    ("pad", "u1", (20,)),
)  # fmt: skip

RISK_BOARD = record(
    128,
    ("seq", "i8"),
    ("ts_ns", "i8"),
    ("symbol", "u2"),
    ("paused", "u1"),
    ("reconciled", "u1"),
    ("pad_flags", "u1", (4,)),
    ("position_lots", "i8"),  # from risk's own venue session
    ("open_orders", "i8"),  # at the venue, by risk's own count
    ("equity_cash", "i8"),  # account value change since start
    ("notional_cash", "i8"),  # |position| at mid
    ("fills", "i8"),
    ("pad", "u1", (64,)),
)

MODEL_BOARD = record(
    256,
    ("seq", "i8"),
    ("ts_ns", "i8"),
    ("symbol", "u2"),
    ("pad_symbol", "u1", (6,)),
    ("models_id", "i8"),  # as SNAPSHOT's
    (
        "artefact_ids",
        "i8",
        (MODEL_KINDS,),
    ),  # of each artefact, by ModelKind; 0: built in
    ("trades_judged", "i8"),  # trades whose toxic label is known
    ("trades_toxic", "i8"),
    ("episodes", "i8"),  # runs of toxic trades of one side
    ("episodes_seen", "i8"),  # … during which the verdict was Toxic on that side
    ("delay_trades_p50", "f8"),  # orders from the start of an episode to the verdict; infinite: never
    ("delay_trades_p95", "f8"),
    ("delay_ms_p50", "f8"),
    ("delay_ms_p95", "f8"),
    ("false_alarms", "i8"),  # Toxic verdicts outside any episode
    ("brier", "f8"),  # of P(toxic), mean over trades_judged
    ("brier_base", "f8"),  # of the base rate known before each trade
    ("calibration_slope", "f8"),  # in force, on the logit
    ("calibration_intercept", "f8"),
    ("vpin", "f8"),
    ("regime_probs", "f8", (REGIMES,)),
    ("shadows_resting", "i8"),
    ("markouts_waiting", "i8"),
    ("markouts_lost", "i8"),  # dropped for want of room
    ("microprice_updates", "i8"),  # times its table was estimated anew
    ("pad", "u1", (8,)),
)

ALPHA_BOARD = record(
    256,
    ("seq", "i8"),
    ("ts_ns", "i8"),
    ("symbol", "u2"),
    ("pad_symbol", "u1", (6,)),
    ("signal_weights", "f8", (SIGNALS,)),  # in force, by Signal; 0: gated
    ("lead_beta", "f8"),  # tracked
    ("lead_beta_std", "f8"),
    ("lead_lag_ms", "f8"),  # how long the maker takes to follow
    ("change_bps", "f8"),  # divergence the CUSUM bank says is under way, > 0 up
    ("changes", "i8"),  # alarms so far
    ("run_length_s", "f8"),  # since the slow level of the spread last changed
    ("external_accepted", "i8"),  # of all symbols
    ("external_refused", "i8", (SIGNAL_REFUSALS,)),  # by SignalRefusal
    ("pad", "u1", (40,)),
)
