"""Where the virtual quotes join, what the models expect of them then, and what becomes of them.

At the best and one step behind and before it, on both sides, every interval and in every mode: a pipeline
that stands aside goes on learning. Every other round joins at the back of the queue, as an order sent now
would; the rounds between take a place further ahead, as an order sent earlier would hold, because what the
place in the queue is worth cannot be learned from the back alone.
"""

from typing import Final

import numpy as np

from mmpipe.book import l2
from mmpipe.enums import FeedState, LabelKind
from mmpipe.features import markouts, pending_labels, shadow_quotes
from mmpipe.models.fill_survival import expected_fills, fill_factor, fill_prob
from mmpipe.models.market_state import Settings
from mmpipe.models.model_inputs import write_place, write_state
from mmpipe.models.queue_value import queue_value
from mmpipe.units import tick_step
from ringbuf.jit import kernel

_LIVE: Final = int(FeedState.LIVE)
_SHADOW_QUOTE: Final = int(LabelKind.SHADOW_QUOTE)
STEPS: Final = 3  # one step behind the best, the best, one step before it
PLACES: Final = (1.0, 0.5, 1.0, 0.2)  # share of the level ahead, by round


@kernel
def join_all(state: np.ndarray, settings: Settings, symbol: int, snapshot: np.void, seq: int) -> int:
    """Join best and best plus and minus one step on both sides.

    Parameters
    ----------
    state, settings : (symbols,) MARKET, Settings
        Shadows of `symbol` are changed; the rest is read.
    symbol : int
        Whose book, which must be valid.
    snapshot : SNAPSHOT record
        Of this moment.
    seq : int
        Its sequence number.

    Returns
    -------
    int
        Virtual quotes that joined.
    """
    joined = 0
    ends = state[symbol]["shadow_ends"]
    place = PLACES[ends["rounds"] % len(PLACES)]
    ends["rounds"] += 1
    for side in (1, -1):
        best = snapshot["best_bid_tick"] if side > 0 else snapshot["best_ask_tick"]
        other = snapshot["best_ask_tick"] if side > 0 else snapshot["best_bid_tick"]
        step = tick_step(best, state[symbol]["instrument"]["ticks_per_unit"])
        for level in range(-1, STEPS - 1):
            tick = best + side * level * step
            if tick > 0 and side * (other - tick) > 0:
                index = _join(state, settings, symbol, side, tick, place, snapshot)
                if index >= 0:
                    shadow = state[symbol]["shadows"][index]
                    shadow["cause_seq"], shadow["level"], shadow["step"] = seq, level, step
                    joined += 1
    return joined


@kernel
def settle(
    state: np.ndarray, settings: Settings, symbol: int, ts_ns: int, labels: np.ndarray, count: int
) -> int:
    """Turn into LABELs what is due at a TIMER: predictions, virtual quotes, fills.

    Parameters
    ----------
    state, settings : (symbols,) MARKET, Settings
        What waits for `symbol` is changed; the rest is read.
    symbol, ts_ns : int
        Whose, and now.
    labels : (n,) LABEL
        Written from `count` on; what finds no room waits for the next call.
    count : int
        Labels already in `labels`.

    Returns
    -------
    int
        Labels now in `labels`.
    """
    features, path, first = settings.features[0], state[symbol]["mid_path"], count
    seen = state[symbol]["own"]["maker_feed"] == _LIVE
    label_ns = features["label_horizon_ms"] * 1_000_000
    horizon_ns = features["shadow_horizon_ms"] * 1_000_000
    fee_bps = settings.execution[0]["maker_fee_bps"]
    waiting, pending = state[symbol]["pending_ends"], state[symbol]["pendings"]
    ends, shadows = state[symbol]["shadow_ends"], state[symbol]["shadows"]
    fill_ends, fills = state[symbol]["fill_ends"], state[symbol]["fills"]
    count = pending_labels.resolve(waiting, pending, path, seen, ts_ns, label_ns, symbol, labels, count)
    count = shadow_quotes.harvest(
        ends, shadows, fill_ends, fills, path, ts_ns, horizon_ns, fee_bps, symbol, labels, count
    )
    horizons_ns = (label_ns, _edge_ns(settings))
    count = markouts.resolve(fill_ends, fills, path, seen, ts_ns, horizons_ns, symbol, labels, count)
    _expect_fills(settings.models, labels, first, count)
    return count


@kernel
def flush(state: np.ndarray, settings: Settings, ts_ns: int, labels: np.ndarray, counts: np.ndarray) -> None:
    """Nothing more will come: label what waits as far as it is known.

    Parameters
    ----------
    state, settings : (symbols,) MARKET, Settings
        What waits is changed; the rest is read.
    ts_ns : int
        Now, not before the last event.
    labels : (n,) LABEL
        Filled from index 0.
    counts : (3,) int64
        Labels at index 1; as many as `labels` has room for: more may be waiting for the next call.
    """
    counts[1] = 0
    label_ns = settings.features[0]["label_horizon_ms"] * 1_000_000
    for symbol in range(len(state)):
        shadow_quotes.censor(state[symbol]["shadow_ends"], state[symbol]["shadows"], ts_ns)
        count = settle(state, settings, symbol, ts_ns, labels, counts[1])
        horizons_ns = (label_ns, _edge_ns(settings))
        counts[1] = markouts.finish(
            state[symbol]["fill_ends"], state[symbol]["fills"], ts_ns, horizons_ns, symbol, labels, count
        )
        _expect_fills(settings.models, labels, count, counts[1])


@kernel
def _expect_fills(models: np.ndarray, labels: np.ndarray, first: int, stop: int) -> None:
    # How many fills the model in force expected of each virtual quote for as long as it waited.
    for index in range(first, stop):
        label = labels[index]
        if label["kind"] == _SHADOW_QUOTE:
            wait_s = label["wait_ns"] * 1e-9
            label["expected_fills"] = expected_fills(models, label["fill_factor"], wait_s)


@kernel
def _edge_ns(settings: Settings) -> int:
    return int(settings.labels[0]["horizon_s"] * 1e9)


@kernel
def _join(
    state: np.ndarray, settings: Settings, symbol: int, side: int, tick: int, place: float, snapshot: np.void
) -> int:
    mid_px = snapshot["mid_px"]
    depth_bps = side * (mid_px - tick * state[symbol]["instrument"]["tick_px"]) / mid_px * 1e4
    level_qty, _ = l2.level_at(state[symbol]["book"], side, tick)
    if not level_qty >= 0.0:
        return -1  # what rests there is not shown
    rank = place if level_qty > 0.0 else 0.0
    edge_bps, std_bps, prob, factor = _expect(
        state, settings, symbol, side, depth_bps, rank, level_qty, snapshot
    )
    if not (abs(edge_bps) < np.inf and 0.0 <= std_bps < np.inf and 0.0 <= prob <= 1.0):
        return -1
    index = shadow_quotes.join(
        state[symbol]["shadow_ends"], state[symbol]["shadows"], state[symbol]["book"], side, tick, place
    )
    if index >= 0:
        shadow = state[symbol]["shadows"][index]
        shadow["joined_ts_ns"], shadow["mid_px"], shadow["depth_bps"] = snapshot["ts_ns"], mid_px, depth_bps
        shadow["own_qty"] = settings.features[0]["shadow_usdc"] / mid_px
        shadow["predicted_edge_bps"], shadow["predicted_std_bps"] = edge_bps, std_bps
        shadow["predicted_fill_prob"], shadow["fill_factor"] = prob, factor
        shadow["toxicity"], shadow["regime"] = snapshot["toxicity"], snapshot["regime"]
    return index


@kernel
def _expect(
    state: np.ndarray,
    settings: Settings,
    symbol: int,
    side: int,
    depth_bps: float,
    rank: float,
    level_qty: float,
    snapshot: np.void,
) -> tuple[float, float, float, float]:
    # The one place where a virtual quote asks the models: edge, its uncertainty, fill probability, and what
    # sets its fill hazard.
    params, inputs = state[symbol]["params"], state[symbol]["inputs"][0 if side > 0 else 1]
    write_state(inputs, snapshot, side)
    write_place(inputs, depth_bps, rank, rank * level_qty * snapshot["mid_px"])
    fee_bps, verdict = settings.execution[0]["maker_fee_bps"], int(snapshot["toxicity"])
    edge_bps, std_bps = queue_value(settings.models, inputs, verdict, fee_bps, params)
    horizon_s = settings.features[0]["shadow_horizon_ms"] * 1e-3
    prob = fill_prob(settings.models, inputs, horizon_s, params)
    return edge_bps, std_bps, prob, fill_factor(settings.models, inputs, params)
