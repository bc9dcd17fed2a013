"""Writes one SNAPSHOT from the state of its symbol; every field finite, zeros where the book is not valid."""

from typing import Final

import numpy as np

from mmpipe.book import l2
from mmpipe.book.queue_rank import rank
from mmpipe.enums import FeedState, Trigger
from mmpipe.features import flow, lead, ofi, regime, volatility
from mmpipe.models.market_state import MarketState, Settings
from mmpipe.models.queue_value import queue_value_bps
from ringbuf.jit import kernel

DEPTH: Final = 10
LAGS: Final = 4
UNKNOWN_BPS: Final = -1e4  # a queue value that is not known is certainly not an edge
NS_PER_MS: Final = 1e6
_TRADE: Final = int(Trigger.TRADE)
_LIVE: Final = int(FeedState.LIVE)


@kernel
def write(
    out: np.void, state: MarketState, settings: Settings, symbol: int, trigger: int, event: np.void
) -> None:
    """Fill a SNAPSHOT record; `seq` and padding are left alone.

    Parameters
    ----------
    out : SNAPSHOT record
        Written in whole.
    state : MarketState
        Read only.
    settings : Settings
        Fees.
    symbol, trigger : int
        Whose, and why (Trigger).
    event : EVENT record
        The cause; its receive time is the time of the snapshot.
    """
    ts_ns = event["local_ts_ns"]
    out["ts_ns"], out["cause_seq"], out["cause_ts_ns"] = ts_ns, event["seq"], ts_ns
    out["symbol"], out["trigger"] = symbol, trigger
    out["trade_side"] = event["side"] if trigger == _TRADE else 0
    _write_symbol(out, state, symbol, ts_ns)
    _write_flow(out, state, symbol)
    _write_lead(out, state, symbol, ts_ns)
    _write_levels(out, state, symbol, ts_ns)
    _write_touch(out, state, symbol)
    _write_own(out, state, settings, symbol)


@kernel
def _write_symbol(out: np.void, state: MarketState, symbol: int, ts_ns: int) -> None:
    own, book = state.symbols[symbol], state.books[symbol]
    out["maker_feed"] = own["maker_feed"]
    out["exch_ts_ns"] = book["exch_ts_ns"]
    out["book_age_ns"] = max(ts_ns - book["message_ts_ns"], 0) if book["message_ts_ns"] > 0 else ts_ns
    out["book_limit_ns"] = own["book_limit_ns"]
    out["funding_rate_8h"], out["next_funding_ts_ns"] = own["funding_rate_8h"], own["next_funding_ts_ns"]
    out["inventory_lots"] = own["inventory_lots"]
    out["inventory_qty"] = own["inventory_lots"] * state.instruments[symbol]["lot_qty"]
    out["book_generation"] = book["generation"]
    out["book_valid"] = 1 if l2.is_valid(book) and own["maker_feed"] == _LIVE else 0


@kernel
def _write_flow(out: np.void, state: MarketState, symbol: int) -> None:
    flows, ofis, toxic = state.flows[symbol], state.ofis[symbol], state.toxicities[symbol]
    out["ofi_500ms"] = ofi.window(ofis, 0, ofi.WINDOW_BUCKETS)
    out["ofi_2s"] = ofi.window(ofis, 0, ofi.LONG_BUCKETS)
    for lag in range(LAGS):
        out["ofi_500ms_lags"][lag] = ofi.window(ofis, (lag + 1) * ofi.WINDOW_BUCKETS, ofi.WINDOW_BUCKETS)
    out["trade_sign_run_length"] = flows["run_length"]
    out["trades_in_2s"] = flow.trades_in_window(flows)
    out["vwap_direction"] = flow.vwap_direction(flows)
    out["buy_intensity_per_s"], out["sell_intensity_per_s"] = flows["buy_per_s"], flows["sell_per_s"]
    out["last_trade_px"], out["last_trade_qty"] = flows["last_px"], flows["last_qty"]
    out["trades_seen"] = flows["trades_seen"]
    out["sigma_ewma_bps"] = volatility.sigma_ewma_bps(state.volatilities[symbol])
    out["sigma_1m_bps"] = volatility.sigma_1m_bps(state.volatilities[symbol])
    out["regime"] = regime.most_probable(state.regimes[symbol])
    for index in range(regime.STATES):
        out["regime_probs"][index] = state.regimes[symbol]["probs"][index]
    out["toxic_buy_prob"], out["toxic_sell_prob"] = toxic["buy_prob"], toxic["sell_prob"]
    out["toxicity"] = toxic["verdict"]


@kernel
def _write_lead(out: np.void, state: MarketState, symbol: int, ts_ns: int) -> None:
    leads = state.leads[symbol]
    out["lead_feed"] = leads["state"]
    out["lead_mid_px"] = lead.mid(leads)
    out["lead_age_ns"] = max(ts_ns - leads["quote_ts_ns"], 0) if leads["quote_ts_ns"] > 0 else ts_ns


@kernel
def _write_levels(out: np.void, state: MarketState, symbol: int, ts_ns: int) -> None:
    book = state.books[symbol]
    for level in range(DEPTH):
        for index in range(2):
            qty, offset, age_ms = 0.0, 0, 0.0
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
def _write_touch(out: np.void, state: MarketState, symbol: int) -> None:
    book = state.books[symbol]
    bid_tick, ask_tick = 0, 0
    bid_px, ask_px, mid_px, spread_bps, micro_px, imbalance = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if out["book_valid"] == 1:
        tick_px = state.instruments[symbol]["tick_px"]
        bid_tick, ask_tick = l2.best_tick(book, 1), l2.best_tick(book, -1)
        bid_px, ask_px = bid_tick * tick_px, ask_tick * tick_px
        mid_px = (bid_px + ask_px) / 2.0
        spread_bps = (ask_px - bid_px) / mid_px * 1e4
        bid_qty, ask_qty = out["bid_depth_qty"][0], out["ask_depth_qty"][0]
        micro_px = (bid_px * ask_qty + ask_px * bid_qty) / (bid_qty + ask_qty)
        bids, asks = 0.0, 0.0
        for level in range(DEPTH):
            bids += out["bid_depth_qty"][level]
            asks += out["ask_depth_qty"][level]
        imbalance = (bids - asks) / (bids + asks)
    out["best_bid_tick"], out["best_ask_tick"] = bid_tick, ask_tick
    out["best_bid_px"], out["best_ask_px"], out["mid_px"] = bid_px, ask_px, mid_px
    out["spread_bps"], out["microprice_px"], out["imbalance"] = spread_bps, micro_px, imbalance
    out["lead_divergence_bps"] = lead.divergence_bps(state.leads[symbol], mid_px)


@kernel
def _write_own(out: np.void, state: MarketState, settings: Settings, symbol: int) -> None:
    queues, toxic = state.queues[symbol], state.toxicities[symbol]
    book = state.books[symbol]
    bid_rank = rank(queues[0], l2.qty_at(book, 1, queues[0]["tick"]))
    ask_rank = rank(queues[1], l2.qty_at(book, -1, queues[1]["tick"]))
    out["bid_queue_rank"], out["ask_queue_rank"] = bid_rank, ask_rank
    bid_value, ask_value = UNKNOWN_BPS, UNKNOWN_BPS
    if out["mid_px"] > 0.0:
        fee_bps = settings.execution[0]["maker_fee_bps"]
        bid_at = bid_rank if bid_rank >= 0.0 and queues[0]["tick"] == out["best_bid_tick"] else 1.0
        ask_at = ask_rank if ask_rank >= 0.0 and queues[1]["tick"] == out["best_ask_tick"] else 1.0
        half_bps, sigma_bps, verdict = out["spread_bps"] / 2.0, out["sigma_1m_bps"], toxic["verdict"]
        params = state.params[symbol]
        bid_value = queue_value_bps(half_bps, bid_at, toxic["sell_prob"], verdict, sigma_bps, fee_bps, params)
        ask_value = queue_value_bps(half_bps, ask_at, toxic["buy_prob"], verdict, sigma_bps, fee_bps, params)
    out["bid_queue_value_bps"] = bid_value if abs(bid_value) < np.inf else UNKNOWN_BPS
    out["ask_queue_value_bps"] = ask_value if abs(ask_value) < np.inf else UNKNOWN_BPS
