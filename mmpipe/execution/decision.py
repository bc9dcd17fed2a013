"""From one FORECAST to INTENTs: mark, judge, choose a mode, want quotes, move the orders.

    FORECAST ─▶ JUDGEMENT ─▶ mode ─▶ DESIRED bid, ask ─▶ limits ─▶ cancels and places

What may change at run time arrives as arguments; nothing here knows a clock, a file or a socket.
"""

from typing import Final

import numpy as np

from mmpipe.config import Config, ExecutionConfig, RiskConfig, settings_dtype, settings_row
from mmpipe.enums import Counter, FeedState, Mode, Param, Reason, ReportKind, Toxicity
from mmpipe.execution.account import mark, pay_funding
from mmpipe.execution.mode_handlers import ASK, BID, handle_mode, reduce_only_rows, want_maker_quotes
from mmpipe.execution.order_diff import diff_side
from mmpipe.execution.orders import RESTING, forget_settled
from mmpipe.execution.quoting import DESIRED, PARTS, quote_parts
from mmpipe.execution.reporting import report_symbol
from mmpipe.execution.sizing import lots_of_usdc
from mmpipe.execution.state_machine import JUDGEMENT, MODE_STATE, select_mode
from mmpipe.execution.upkeep import count_time
from mmpipe.execution.valuation import VALUER, view_market
from mmpipe.models.parameters import prior_values
from mmpipe.records import PARAMS_COUNT, SYMBOLS_MAX
from mmpipe.risk.limits import EXPOSURE
from ringbuf.jit import kernel

_LIVE: Final = int(FeedState.LIVE)
_STALE: Final = int(FeedState.STALE)
_TOXIC: Final = int(Toxicity.TOXIC)
_REDUCE: Final = int(Mode.INVENTORY_REDUCE)
_TAKER_EXIT: Final = int(Mode.TAKER_EXIT)
_MODE_REPORT: Final = int(ReportKind.MODE)
_FEED: Final = int(Reason.MAKER_FEED_NOT_LIVE)
_NO_BOOK: Final = int(Reason.NO_BOOK)
_OLD: Final = int(Reason.FORECAST_OLD)
_BASELINE: Final = int(Param.SIGMA_BASELINE_BPS)
_FORECASTS: Final = int(Counter.FORECASTS)
_SKIPPED: Final = int(Counter.SKIPPED_STALE)
_NS_PER_MS: Final = 1_000_000
_STOP_S_MIN: Final = 1.0  # a stop right after an entry would fire on the spread


# What a decision needs besides the ledger, as one record.
DESK = np.dtype(
    [
        ("states", MODE_STATE, (SYMBOLS_MAX,)),
        ("params", "f8", (SYMBOLS_MAX, PARAMS_COUNT)),  # learned or configured, index Param
        ("judgement", JUDGEMENT, (1,)),
        ("parts", PARTS, (1,)),
        ("desired", DESIRED, (2,)),  # bid, ask
        ("exposure", EXPOSURE, (1,)),
        ("execution", settings_dtype(ExecutionConfig), (1,)),
        ("risk", settings_dtype(RiskConfig), (1,)),
        ("valuer", VALUER),  # models in force and what is asked of them
    ],
    align=True,
)


def new_desk(config: Config, models: np.ndarray) -> np.ndarray:
    """A desk, (1,) DESK: the configured priors as parameters, a copy of (1,) MODELS to value places by."""
    desk: np.ndarray = np.zeros(1, DESK)
    desk["params"] = prior_values(config)
    desk["execution"], desk["risk"] = settings_row(config.execution), settings_row(config.risk)
    desk["valuer"]["models"] = models
    return desk


@kernel
def decide(
    forecasts: np.ndarray, ledgers: np.ndarray, desks: np.ndarray, block_reason: int, reduce_reason: int,
    now_ns: int, outs: np.ndarray,
) -> None:  # fmt: skip
    """Judge one FORECAST and bring the orders of its symbol in line.

    Parameters
    ----------
    forecasts : (1,) FORECAST
        Newest of its symbol, which is in range.
    ledgers : (1,) LEDGER
        Changed in place.
    desks : (1,) DESK
        Mode state is changed; parameters and settings are read, the rest is overwritten.
    block_reason : int
        Reason why nothing may be placed; NONE: placing is allowed.
    reduce_reason : int
        Reason why nothing may increase a position; NONE: it may.
    now_ns : int
        Monotonic time.
    outs : (1,) OUTGOING
        INTENT and REPORT rows are appended.
    """
    ledger, desk, out, symbol = ledgers[0], desks[0], outs[0], int(forecasts[0]["symbol"])
    forget_settled(ledger)
    snapshots = forecasts["snapshot"]
    state, case = desk["states"][symbol], desk["judgement"][0]
    instrument, params = ledger["instruments"][symbol : symbol + 1], desk["params"][symbol]
    ledger["counters"][_FORECASTS] += 1
    count_time(ledger, state, symbol, now_ns)
    age_ns = now_ns - snapshots[0]["ts_ns"]
    if not age_ns <= desk["execution"][0]["forecast_age_max_ms"] * _NS_PER_MS:
        ledger["counters"][_SKIPPED] += 1
        state["bid_reason"] = state["ask_reason"] = _OLD
        return
    state["snapshot_ts_ns"] = snapshots[0]["ts_ns"]
    _mark_to_market(ledger, symbol, snapshots[0], now_ns)
    _judge(forecasts[0], ledger, desk, now_ns)
    view_market(desk["valuer"], snapshots)
    if case["sound"]:
        live_ticks = (_live_tick(ledger, symbol, 1), _live_tick(ledger, symbol, -1))
        drift_bps = forecasts[0]["lead_lag_skew_bps"]
        excess_units = (case["position_lots"] - case["target_lots"]) / case["unit_lots"]
        quote_parts(excess_units, drift_bps, snapshots, params, desk["execution"], desk["parts"][0])
        want_maker_quotes(
            desk["judgement"], desk["parts"][0], live_ticks, snapshots, params, instrument, desk["execution"],
            desk["valuer"], desk["desired"],
        )  # fmt: skip
        _expect(case, desk["desired"], desk["execution"][0])
    case["reason"] = state["mode_reason"]
    select_mode(desk["judgement"], int(state["mode"]), desk["execution"])
    _change_mode(ledger, state, case, symbol, now_ns, out)
    handle_mode(
        desk["judgement"], snapshots, params, instrument, desk["execution"], desk["valuer"], desk["desired"]
    )
    _move_orders(forecasts, ledger, desk, block_reason, reduce_reason, now_ns, out)


@kernel
def _mark_to_market(ledger: np.void, symbol: int, snapshot: np.void, now_ns: int) -> None:
    account = ledger["accounts"][symbol]
    bid, ask = snapshot["best_bid_tick"], snapshot["best_ask_tick"]
    if snapshot["book_valid"] and 0 < bid < ask and snapshot["mid_px"] > 0.0:
        mark(account, ledger["fresh"][symbol], bid + ask, now_ns, ledger["session"]["horizon_ns"])
        account["mid_px"] = snapshot["mid_px"]
        pay_funding(account, snapshot["funding_rate_8h"], snapshot["next_funding_ts_ns"])


@kernel
def _judge(forecast: np.void, ledger: np.void, desk: np.void, now_ns: int) -> None:
    snapshot, symbol = forecast["snapshot"], int(forecast["symbol"])
    case, settings = desk["judgement"][0], desk["execution"][0]
    account, instrument = ledger["accounts"][symbol], ledger["instruments"][symbol]
    state = desk["states"][symbol]
    mid_px, lot_qty = snapshot["mid_px"], instrument["lot_qty"]
    case["now_ns"] = now_ns
    case["position_lots"] = account["position_lots"]
    case["mid_px"] = mid_px
    case["max_lots"] = lots_of_usdc(settings["max_inventory_usdc"], mid_px, lot_qty)
    case["unit_lots"] = max(lots_of_usdc(settings["order_usdc"], mid_px, lot_qty), 1)
    calm = max(snapshot["sigma_1m_bps"] / desk["params"][symbol, _BASELINE], 1.0)
    case["half_spread_bps"] = snapshot["spread_bps"] / 2.0
    case["alpha_bps"] = forecast["alpha_bps"]
    case["doubt_bps"] = forecast["alpha_std_bps"]
    case["maker_feed"] = _feed_state(snapshot, now_ns)
    case["toxicity"] = snapshot["toxicity"]
    case["regime"] = snapshot["regime"]
    case["bid_value_bps"] = case["ask_value_bps"] = np.nan
    case["maker_ev_bps"] = case["taker_ev_bps"] = np.nan
    case["patience_share"] = case["stop_share"] = 0.0
    case["target_lots"] = case["target_std_lots"] = 0.0
    case["sound"] = _is_sound(forecast, snapshot, calm, case["max_lots"])
    if not case["sound"]:
        case["max_lots"] = case["safe_lots"] = 1  # without a price every lot is too many
        return
    case["safe_lots"] = int(case["max_lots"] / calm)
    case["target_lots"] = min(max(float(forecast["target_lots"]), -case["safe_lots"]), case["safe_lots"])
    case["target_std_lots"] = forecast["target_std_lots"]
    if state["exit_ts_ns"] > 0:
        case["patience_share"] = (now_ns - state["exit_ts_ns"]) / (settings["exit_patience_ms"] * _NS_PER_MS)
    case["stop_share"] = _stop_share(account, snapshot, settings["exit_stop_sigma"], now_ns)


@kernel
def _feed_state(snapshot: np.void, now_ns: int) -> int:
    # The touch ages on the way here: what was within its contract when it was judged may not be any more.
    age_ns = now_ns - snapshot["ts_ns"] + snapshot["book_age_ns"]
    if int(snapshot["maker_feed"]) == _LIVE and not age_ns <= snapshot["book_limit_ns"]:
        return _STALE
    return int(snapshot["maker_feed"])


@kernel
def _is_sound(forecast: np.void, snapshot: np.void, calm: float, max_lots: int) -> bool:
    # `max(nan, 1.0)` may be either, so volatility is asked again.
    return (
        snapshot["book_valid"] == 1
        and 0 < snapshot["best_bid_tick"] < snapshot["best_ask_tick"]
        and 0.0 < snapshot["mid_px"] < np.inf
        and 0.0 < snapshot["spread_bps"] < np.inf
        and 0.0 <= snapshot["sigma_1m_bps"] < np.inf
        and 0.0 <= snapshot["sigma_ewma_bps"] < np.inf
        and abs(forecast["alpha_bps"]) < np.inf
        and abs(forecast["lead_lag_skew_bps"]) < np.inf
        and 0.0 <= forecast["alpha_std_bps"] < np.inf
        and 0.0 <= forecast["target_std_lots"] < np.inf
        and 1.0 <= calm < np.inf
        and max_lots > 0
    )


@kernel
def _stop_share(account: np.void, snapshot: np.void, stop_sigma: float, now_ns: int) -> float:
    held = account["position_lots"]
    if held == 0 or not account["entry_tick"] > 0.0:
        return 0.0
    mid_tick = account["mark_half_tick"] / 2.0
    adverse_bps = (account["entry_tick"] - mid_tick) / account["entry_tick"] * 1e4
    if held < 0:
        adverse_bps = -adverse_bps
    held_s = max((now_ns - account["entry_ts_ns"]) / 1e9, _STOP_S_MIN)
    # Half a spread is what entering at the touch costs at once; it is no move.
    bound_bps = stop_sigma * snapshot["sigma_ewma_bps"] * np.sqrt(held_s) + snapshot["spread_bps"]
    return max(adverse_bps, 0.0) / bound_bps


@kernel
def _expect(case: np.void, desired: np.ndarray, settings: np.void) -> None:
    # Expected value per unit of the next step towards the target: made at the best level, or taken now.
    if desired[BID]["wanted"]:
        case["bid_value_bps"] = desired[BID]["queue_value_bps"]
    if desired[ASK]["wanted"]:
        case["ask_value_bps"] = desired[ASK]["queue_value_bps"]
    gap = case["target_lots"] - case["position_lots"]
    side = 1.0 if gap > 0.0 or (gap == 0.0 and case["alpha_bps"] > 0.0) else -1.0
    row = desired[BID] if side > 0.0 else desired[ASK]
    case["taker_ev_bps"] = side * case["alpha_bps"] - case["half_spread_bps"] - settings["taker_fee_bps"]
    case["maker_ev_bps"] = 0.0
    if row["wanted"]:
        case["maker_ev_bps"] = row["fill_prob"] * (row["queue_value_bps"] + side * case["alpha_bps"])


@kernel
def _change_mode(
    ledger: np.void, state: np.void, case: np.void, symbol: int, now_ns: int, out: np.void
) -> None:
    previous, mode = int(state["mode"]), int(case["mode"])
    positive = case["bid_value_bps"] > 0.0 or case["ask_value_bps"] > 0.0
    state["mode"] = mode
    state["mode_reason"] = case["reason"]
    state["toxicity"] = case["toxicity"]
    state["target_lots"] = int(case["target_lots"])
    state["maker_ev_bps"] = case["maker_ev_bps"]
    state["taker_ev_bps"] = case["taker_ev_bps"]
    state["quotable"] = 1 if positive and int(case["toxicity"]) != _TOXIC else 0
    if mode != _REDUCE and mode != _TAKER_EXIT:
        state["exit_ts_ns"] = 0
    elif state["exit_ts_ns"] == 0:
        state["exit_ts_ns"] = now_ns
    ledger["modes"][symbol] = mode
    if mode != previous:
        report = report_symbol(ledger, symbol, _MODE_REPORT, int(case["reason"]), now_ns, out)
        report["prev_mode"] = previous
        report["maker_ev_bps"] = case["maker_ev_bps"]
        report["taker_ev_bps"] = case["taker_ev_bps"]


@kernel
def _move_orders(
    forecasts: np.ndarray, ledger: np.void, desk: np.void, block_reason: int, reduce_reason: int, now_ns: int,
    out: np.void,
) -> None:  # fmt: skip
    symbol = int(forecasts[0]["symbol"])
    state, case = desk["states"][symbol], desk["judgement"][0]
    if reduce_reason != 0:
        reduce_only_rows(desk["desired"], int(case["position_lots"]), reduce_reason)
    if block_reason == 0 and not case["sound"]:
        block_reason = _NO_BOOK
    # A stale feed places nothing but the exit it is the reason for.
    if block_reason == 0 and int(case["maker_feed"]) != _LIVE and int(case["mode"]) != _TAKER_EXIT:
        block_reason = _FEED
    mode = int(case["mode"])
    for index in range(2):
        reason = diff_side(
            ledger, forecasts, desk["desired"][index], block_reason, mode, case["doubt_bps"], desk["risk"],
            desk["execution"], desk["exposure"], now_ns, out,
        )  # fmt: skip
        if index == BID:
            state["bid_reason"] = reason
        else:
            state["ask_reason"] = reason


@kernel
def _live_tick(ledger: np.void, symbol: int, side: int) -> int:
    for at in range(ledger["active_count"]):
        order = ledger["orders"][ledger["active"][at]]
        if int(order["status"]) == RESTING and not order["cancel_wanted"]:
            if int(order["symbol"]) == symbol and int(order["side"]) == side and int(order["tif"]) == 0:
                return order["px_tick"]
    return 0
