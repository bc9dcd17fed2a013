"""Writes one SNAPSHOT from the state of its symbol; every field finite, zeros where the book is not valid."""

from typing import Final

import numpy as np

from mmpipe.book import l2
from mmpipe.book.queue_rank import rank, rank_std
from mmpipe.enums import FeedState, Trigger
from mmpipe.features import flow, hawkes, lead, microprice, ofi, regime, volatility
from mmpipe.models.ablation import forget
from mmpipe.models.market_state import Settings
from mmpipe.models.touch_value import write_touch_values
from ringbuf.jit import kernel

DEPTH: Final = 10
UNSEEN_MS: Final = -1.0
NS_PER_MS: Final = 1e6
_TRADE: Final = int(Trigger.TRADE)
_LIVE: Final = int(FeedState.LIVE)


@kernel
def write(
    out: np.void, state: np.ndarray, settings: Settings, symbol: int, trigger: int, event: np.void
) -> None:
    """Fill a SNAPSHOT record; `seq` and padding are left alone.

    Parameters
    ----------
    out : SNAPSHOT record
        Written in whole.
    state : (symbols,) MARKET
        Windows and intensities are moved on to the time of the event; otherwise read only.
    settings : Settings
        Fees, half-lives.
    symbol, trigger : int
        Whose, and why (Trigger).
    event : EVENT record
        The cause; its receive time is the time of the snapshot.
    """
    ts_ns = event["local_ts_ns"]
    out["ts_ns"], out["cause_seq"], out["cause_ts_ns"] = ts_ns, event["seq"], ts_ns
    out["symbol"], out["trigger"] = symbol, trigger
    out["trade_side"] = event["side"] if trigger == _TRADE else 0
    _advance(state, settings, symbol, ts_ns)
    _write_symbol(out, state, symbol, ts_ns)
    _write_order_flow(out, state, symbol)
    _write_trades(out, state, settings, symbol)
    _write_states(out, state, symbol, ts_ns)
    forget(out, settings.without[0])
    _write_lead(out, state, symbol, ts_ns)
    _write_levels(out, state, symbol, ts_ns)
    _write_touch(out, state, symbol)
    _write_own(out, state, symbol)
    write_touch_values(out, state, settings, symbol)


@kernel
def _advance(state: np.ndarray, settings: Settings, symbol: int, ts_ns: int) -> None:
    features = settings.features[0]
    ofi.advance(state[symbol]["ofi"], ts_ns)
    flow.advance(state[symbol]["flow"], ts_ns, features["intensity_halflife_s"])
    hawkes.advance(state[symbol]["hawkes"], ts_ns, settings.features)
    volatility.advance(state[symbol]["volatility"], ts_ns, features["sigma_halflife_s"])


@kernel
def _write_symbol(out: np.void, state: np.ndarray, symbol: int, ts_ns: int) -> None:
    own, book = state[symbol]["own"], state[symbol]["book"]
    out["maker_feed"] = own["maker_feed"]
    out["exch_ts_ns"] = book["exch_ts_ns"]
    out["book_age_ns"] = max(ts_ns - book["message_ts_ns"], 0) if book["message_ts_ns"] > 0 else ts_ns
    out["book_limit_ns"] = own["book_limit_ns"]
    out["funding_rate_8h"], out["next_funding_ts_ns"] = own["funding_rate_8h"], own["next_funding_ts_ns"]
    out["inventory_lots"] = own["inventory_lots"]
    out["inventory_qty"] = own["inventory_lots"] * state[symbol]["instrument"]["lot_qty"]
    out["book_generation"] = book["generation"]
    out["book_valid"] = 1 if l2.is_valid(book) and own["maker_feed"] == _LIVE else 0


@kernel
def _write_order_flow(out: np.void, state: np.ndarray, symbol: int) -> None:
    ofis, lot_qty = state[symbol]["ofi"], state[symbol]["instrument"]["lot_qty"]
    out["ofi_500ms"] = ofi.touch_lots(ofis, 0, 0) * lot_qty
    out["ofi_2s"] = ofi.touch_lots(ofis, 0, ofi.WINDOW_2S) * lot_qty
    out["mlofi_500ms"] = ofi.levels_ratio(ofis, 0)
    for lag in range(ofi.LAGS):
        out["ofi_500ms_lags"][lag] = ofi.touch_lots(ofis, lag + 1, lag + 1) * lot_qty
        out["mlofi_500ms_lags"][lag] = ofi.levels_ratio(ofis, lag + 1)


@kernel
def _write_trades(out: np.void, state: np.ndarray, settings: Settings, symbol: int) -> None:
    flows = state[symbol]["flow"]
    out["trade_sign_run_length"] = flows["run_length"]
    out["trades_in_2s"] = flow.trades_in_window(flows)
    out["vwap_direction"] = flow.vwap_direction(flows)
    out["buy_intensity_per_s"], out["sell_intensity_per_s"] = flows["buy_per_s"], flows["sell_per_s"]
    out["hawkes_asymmetry"] = hawkes.asymmetry(state[symbol]["hawkes"], settings.features)
    out["vpin"] = state[symbol]["vpin"]["vpin"]
    out["last_trade_px"], out["last_trade_qty"] = flows["last_px"], flows["last_qty"]
    out["trades_seen"] = flows["trades_seen"]


@kernel
def _write_states(out: np.void, state: np.ndarray, symbol: int, ts_ns: int) -> None:
    toxic = state[symbol]["toxicity"]
    out["sigma_ewma_bps"] = volatility.sigma_ewma_bps(state[symbol]["volatility"])
    out["sigma_1m_bps"] = volatility.sigma_1m_bps(state[symbol]["mid_path"], ts_ns)
    out["regime"] = regime.most_probable(state[symbol]["regime"])
    for index in range(regime.STATES):
        out["regime_probs"][index] = state[symbol]["regime"]["probs"][index]
    out["toxic_buy_prob"], out["toxic_sell_prob"] = toxic["buy_prob"], toxic["sell_prob"]
    out["toxicity"] = toxic["verdict"]
    out["models_id"] = state[symbol]["own"]["models_id"]


@kernel
def _write_lead(out: np.void, state: np.ndarray, symbol: int, ts_ns: int) -> None:
    leads = state[symbol]["lead"]
    out["lead_feed"] = leads["state"]
    out["lead_mid_px"] = lead.mid(leads)
    out["lead_imbalance"] = lead.imbalance(leads)
    out["lead_age_ns"] = max(ts_ns - leads["quote_ts_ns"], 0) if leads["quote_ts_ns"] > 0 else ts_ns


@kernel
def _write_levels(out: np.void, state: np.ndarray, symbol: int, ts_ns: int) -> None:
    book = state[symbol]["book"]
    for level in range(DEPTH):
        for index in range(2):
            qty, offset, age_ms = 0.0, 0, UNSEEN_MS
            position = book["count"][index] - 1 - level
            if position >= 0:
                qty = book["qty"][index, position]
                offset = book["key"][index, book["count"][index] - 1] - book["key"][index, position]
                age_ms = max(ts_ns - book["ts_ns"][index, position], 0) / NS_PER_MS
            if index == 0:
                out["bid_depth_qty"][level] = qty
                out["bid_offset_tick"][level] = offset
                out["bid_age_ms"][level] = age_ms
            else:
                out["ask_depth_qty"][level] = qty
                out["ask_offset_tick"][level] = offset
                out["ask_age_ms"][level] = age_ms


@kernel
def _write_touch(out: np.void, state: np.ndarray, symbol: int) -> None:
    book = state[symbol]["book"]
    bid_tick, ask_tick = 0, 0
    bid_px, ask_px, mid_px, spread_bps, micro_px, imbalance = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if out["book_valid"] == 1:
        tick_px = state[symbol]["instrument"]["tick_px"]
        bid_tick, ask_tick = l2.best_tick(book, 1), l2.best_tick(book, -1)
        bid_px, ask_px = bid_tick * tick_px, ask_tick * tick_px
        mid_px = (bid_px + ask_px) / 2.0
        spread_bps = (ask_px - bid_px) / mid_px * 1e4
        bid_qty, ask_qty = out["bid_depth_qty"][0], out["ask_depth_qty"][0]
        prices = state[symbol]["microprice"]
        micro_px = mid_px + tick_px * microprice.offset_tick(prices, ask_tick - bid_tick, bid_qty, ask_qty)
        imbalance = _imbalance(out, min(book["count"][0], book["count"][1], DEPTH))
    out["best_bid_tick"], out["best_ask_tick"] = bid_tick, ask_tick
    out["best_bid_px"], out["best_ask_px"], out["mid_px"] = bid_px, ask_px, mid_px
    out["spread_bps"], out["microprice_px"], out["imbalance"] = spread_bps, micro_px, imbalance
    out["lead_divergence_bps"] = lead.divergence_bps(state[symbol]["lead"], mid_px)


@kernel
def _imbalance(out: np.void, levels: int) -> float:
    # Over the levels seen on both sides: one that is not shown is not an empty one.
    bids, asks = 0.0, 0.0
    for level in range(levels):
        bids += out["bid_depth_qty"][level]
        asks += out["ask_depth_qty"][level]
    return (bids - asks) / (bids + asks)


@kernel
def _write_own(out: np.void, state: np.ndarray, symbol: int) -> None:
    queues, book = state[symbol]["queues"], state[symbol]["book"]
    bid_level_qty = l2.qty_at(book, 1, queues[0]["tick"])
    ask_level_qty = l2.qty_at(book, -1, queues[1]["tick"])
    bid_rank, ask_rank = rank(queues[0], bid_level_qty), rank(queues[1], ask_level_qty)
    out["bid_queue_rank"], out["ask_queue_rank"] = bid_rank, ask_rank
    out["bid_queue_rank_std"] = rank_std(queues[0], bid_level_qty)
    out["ask_queue_rank_std"] = rank_std(queues[1], ask_level_qty)
