"""How soon and how rightly the models judge a market whose truth is known.

Each function looks at one simulated market and returns rows or numbers; what is typical over many seeds is
for `scenario_report` to say. Times are judged against the simulation itself: the first forced trade of a
cascade, the block in which the efficient price, and with it the lead, moved.
"""

from typing import Final

import numpy as np

from mmpipe.clock import NS_PER_MS, NS_PER_S
from mmpipe.enums import Toxicity, Trigger
from mmpipe.training.scenario_events import ScenarioMarket
from mmpipe.training.scenario_run import trade_rows

CALM_PHASES: Final = frozenset({"calm", "quiet", "thin", "still", "sideways"})  # nothing is done to them
WARM_S: Final = 10.0  # typical sizes and the basis are not known before
SETTLE_S: Final = 5.0  # after a cascade the market is not calm at once
MARKOUT_S: Final = 5.0  # after a fill at which its edge is judged
FALSE_MS: Final = 1_000.0  # an alarm the market follows within this was none
SIGNAL_BPS: Final = 0.1  # smallest expected move that counts as a signal's word
MOVE_MS: Final = 100.0  # a lead move is one within this
APART_MS: Final = 1_000.0  # moves closer together cannot be told apart
THRESHOLD_SIGMA: Final = 3.0  # of the plain detector the signal is compared with
THRESHOLD_HALFLIFE_S: Final = 30.0  # of its mean and deviation; as the basis of lead and maker
_NEVER: Final = np.inf


def cascade_delays(market: ScenarioMarket, looks: np.ndarray) -> np.ndarray:
    """How long each cascade ran before the flow was called Toxic on the attacked side.

    Parameters
    ----------
    market : ScenarioMarket
        Its cascades and trades.
    looks : ndarray of LOOK
        What the models said.

    Returns
    -------
    ndarray of float64, shape (cascades, 5)
        Milliseconds, aggressors' orders and prints from the first forced trade, that one included, to the
        verdict: 0 when it stood before, infinite when it never came while the cascade ran; and the
        milliseconds from the cascade before (infinite for a symbol's first), because a new one within seconds
        goes on with a market already known to be sick; and how long it ran, milliseconds, 0 when it was a
        single liquidation.

    Notes
    -----
    An order that takes five resting ones is five prints at one time: one decision, so one trade.
    """
    rows = np.zeros((len(market.cascades), 5))
    ended_ns: dict[int, int] = {}
    for row, cascade in zip(rows, market.cascades, strict=True):
        symbol, start_ns = int(cascade["symbol"]), int(cascade["start_ts_ns"])
        end_ns = int(cascade["end_ts_ns"]) or int(market.block_ts_ns[-1])
        own = looks[looks["symbol"] == symbol]
        attacked = is_toxic(own, int(cascade["side"]))
        trades = trade_rows(market, symbol)
        first, before = np.searchsorted(trades["exch_ts_ns"], start_ns), ended_ns.get(symbol)
        # What was said when the first forced print had not come yet, then print by print.
        begun = int(np.searchsorted(own["trade_index"], first + 1))
        late = own["ts_ns"] <= end_ns + int(FALSE_MS * NS_PER_MS)
        hits = np.flatnonzero(attacked[begun:] & late[begun:])
        if begun > 0 and attacked[begun - 1]:
            row[:3] = 0.0
        elif not len(hits):
            row[:3] = _NEVER
        else:
            hit = own[begun + hits[0]]
            seen = trades[first : int(hit["trade_index"])]
            row[:3] = (hit["ts_ns"] - start_ns) / NS_PER_MS, order_count(seen), len(seen)
        row[3] = _NEVER if before is None else (start_ns - before) / NS_PER_MS
        row[4] = (end_ns - start_ns) / NS_PER_MS
        ended_ns[symbol] = end_ns
    return rows


def order_count(trades: np.ndarray) -> int:
    """Orders behind prints: those of one side at one venue time are one order's."""
    if not len(trades):
        return 0
    changes = (np.diff(trades["exch_ts_ns"]) != 0) | (np.diff(trades["side"]) != 0)
    return 1 + int(changes.sum())


def is_toxic(looks: np.ndarray, side: int) -> np.ndarray:
    """Whether informed aggressors of `side` were said to be at work, one bool per LOOK."""
    buys, sells = looks["toxic_buy_prob"], looks["toxic_sell_prob"]
    leans = buys > sells if side > 0 else sells > buys
    return (looks["toxicity"] == Toxicity.TOXIC) & leans


def alarm_counts(market: ScenarioMarket, looks: np.ndarray) -> np.ndarray:
    """Alarms while nothing was done to the market: prints, alarms, and those the market proved wrong.

    Returns
    -------
    ndarray of int64, shape (3,)
        An alarm is a beginning of TOXIC; it was wrong if a second later the mid was not beyond the last
        trade by half the spread in the aggressor's direction.
    """
    counts = np.zeros(3, np.int64)
    for symbol in range(len(market.instruments)):
        own = looks[looks["symbol"] == symbol]
        toxic = own["toxicity"] == Toxicity.TOXIC
        begins = toxic & ~np.concatenate([[False], toxic[:-1]])
        calm = is_calm(market, symbol, own["ts_ns"])
        alarms = own[begins & calm]
        later_px = mids_at(own, alarms["ts_ns"] + int(FALSE_MS * NS_PER_MS))
        side = np.where(alarms["toxic_buy_prob"] > alarms["toxic_sell_prob"], 1, -1)
        beyond_bps = side * (later_px - alarms["trade_px"]) / later_px * 1e4
        counts += (
            int(((own["trigger"] == Trigger.TRADE) & calm).sum()),
            len(alarms),
            int((~(beyond_bps >= alarms["spread_bps"] / 2.0)).sum()),
        )
    return counts


def is_calm(market: ScenarioMarket, symbol: int, ts_ns: np.ndarray) -> np.ndarray:
    """Whether each time lies in a calm phase, warmed up, with no cascade of the symbol near."""
    calm = np.zeros(len(ts_ns), bool)
    for phase in market.phases:
        if phase.name in CALM_PHASES:
            calm |= (ts_ns >= phase.start_ts_ns) & (ts_ns < phase.end_ts_ns)
    calm &= ts_ns >= market.block_ts_ns[0] + int(WARM_S * NS_PER_S)
    for cascade in market.cascades[market.cascades["symbol"] == symbol]:
        end_ns = int(cascade["end_ts_ns"]) or int(market.block_ts_ns[-1])
        calm &= (ts_ns < cascade["start_ts_ns"]) | (ts_ns > end_ns + int(SETTLE_S * NS_PER_S))
    return calm


def touch_values(market: ScenarioMarket, looks: np.ndarray) -> dict[str, np.ndarray]:
    """Queue values at the touch by labelled phase, and what fills there were really worth.

    Returns
    -------
    dict of ndarray of float64
        `cascade`: of the attacked side at each TIMER of a cascade, bps; `calm`: of both sides at each TIMER
        of calm time; `cascade_realised`, `calm_realised`: of each print in the same stretches, the markout
        of who was hit after MARKOUT_S before the fee.
    """
    parts: dict[str, list[np.ndarray]] = {
        key: [np.zeros(0)] for key in ("cascade", "calm", "cascade_realised", "calm_realised")
    }
    for symbol in range(len(market.instruments)):
        own = looks[(looks["symbol"] == symbol) & (looks["mid_px"] > 0.0)]
        ticks, prints = own[own["trigger"] == Trigger.TIMER], own[own["trigger"] == Trigger.TRADE]
        edges_bps = realised_bps(own, prints)
        calm = is_calm(market, symbol, ticks["ts_ns"])
        parts["calm"] += [ticks["bid_value_bps"][calm], ticks["ask_value_bps"][calm]]
        parts["calm_realised"].append(edges_bps[is_calm(market, symbol, prints["ts_ns"])])
        for cascade in market.cascades[market.cascades["symbol"] == symbol]:
            end_ns = int(cascade["end_ts_ns"]) or int(market.block_ts_ns[-1])
            within = (ticks["ts_ns"] >= cascade["start_ts_ns"]) & (ticks["ts_ns"] <= end_ns)
            name = "bid_value_bps" if cascade["side"] < 0 else "ask_value_bps"
            parts["cascade"].append(ticks[name][within])
            hit = (prints["ts_ns"] >= cascade["start_ts_ns"]) & (prints["ts_ns"] <= end_ns)
            parts["cascade_realised"].append(edges_bps[hit & (prints["trade_side"] == cascade["side"])])
    joined = {key: np.concatenate(values) for key, values in parts.items()}
    return {key: values[np.isfinite(values)] for key, values in joined.items()}


def realised_bps(looks: np.ndarray, prints: np.ndarray) -> np.ndarray:
    """Markout of whoever stood against each print, bps of the mid before fees; NaN past the end."""
    later_px = mids_at(looks, prints["ts_ns"] + int(MARKOUT_S * NS_PER_S))
    return -prints["trade_side"] * (later_px - prints["trade_px"]) / later_px * 1e4


def mids_at(looks: np.ndarray, ts_ns: np.ndarray) -> np.ndarray:
    """Mid in force at each time, NaN without a valid book or past the last row."""
    index = np.searchsorted(looks["ts_ns"], ts_ns, side="right") - 1
    mid_px: np.ndarray = np.where(index >= 0, looks["mid_px"][np.maximum(index, 0)], np.nan)
    past = ts_ns > (looks["ts_ns"][-1] if len(looks) else 0)
    return np.where((mid_px > 0.0) & ~past, mid_px, np.nan)


def lead_moves(market: ScenarioMarket, symbol: int, move_bps: float) -> np.ndarray:
    """Moves of the lead that stand alone: block index and size, bps, of each.

    Parameters
    ----------
    market : ScenarioMarket
        Its efficient price.
    symbol : int
        Whose lead.
    move_bps : float
        Least move within MOVE_MS.

    Returns
    -------
    ndarray of float64, shape (n, 2)
    """
    log_bps = np.log(market.efficient_px[:, symbol]) * 1e4
    block_ns = int(market.block_ts_ns[1] - market.block_ts_ns[0])
    span, apart = (max(int(ms * NS_PER_MS / block_ns), 1) for ms in (MOVE_MS, APART_MS))
    warm = int(WARM_S * NS_PER_S / block_ns)
    moves: list[tuple[int, float]] = []
    last = -apart
    for block in range(span, len(log_bps)):
        size_bps = log_bps[block] - log_bps[block - span]
        if abs(size_bps) >= move_bps:
            if block - last > apart and block >= warm and block + apart < len(log_bps):
                # The first block that went its way at all began it.
                steps = np.diff(log_bps[block - span : block + 1]) * np.sign(size_bps)
                begin = block - span + 1 + int(np.argmax(steps >= move_bps / span))
                moves.append((begin, float(size_bps)))
            last = block
    return np.array(moves).reshape(-1, 2)


def signal_delays(market: ScenarioMarket, looks: np.ndarray, move_bps: float) -> np.ndarray:
    """How soon after each lead move something was said, and how soon the maker followed.

    Parameters
    ----------
    market : ScenarioMarket
        Its lead and efficient price.
    looks : ndarray of LOOK
        What the models said.
    move_bps : float
        Least move that counts.

    Returns
    -------
    ndarray of float64, shape (moves, 5)
        Milliseconds from the arrival of the lead's event to the first FORECAST whose lead-lag signal leans
        its way by SIGNAL_BPS more than before; the same from the block of the move; to the plain detector; to
        the maker's mid having gone half the way; and the move, bps. Infinite: not within APART_MS.
    """
    rows = []
    for symbol in range(len(market.instruments)):
        own = looks[looks["symbol"] == symbol]
        threshold = threshold_sides(own)
        lead_ns = market.streams[len(market.instruments) + symbol]["local_ts_ns"]
        for begin, size_bps in lead_moves(market, symbol, move_bps):
            moved_ns, side = int(market.block_ts_ns[int(begin)]), np.sign(size_bps)
            arrived_ns = int(lead_ns[np.searchsorted(lead_ns, moved_ns)])
            start = int(np.searchsorted(own["ts_ns"], moved_ns))
            stop = int(np.searchsorted(own["ts_ns"], moved_ns + int(APART_MS * NS_PER_MS)))
            window, before = own[start:stop], own[max(start - 1, 0)]
            # A void book has no mid: the maker has not moved while nobody can say where to.
            mids_px = np.where(window["mid_px"] > 0.0, window["mid_px"], before["mid_px"])
            gone_bps = side * np.log(mids_px / before["mid_px"]) * 1e4
            hits = (
                side * (window["signal_bps"] - before["signal_bps"]) >= SIGNAL_BPS,
                threshold[start:stop] == side,
                gone_bps >= abs(size_bps) / 2.0,
            )
            said, plain, followed = (_first_ms(window["ts_ns"], hit, moved_ns) for hit in hits)
            rows.append((said - (arrived_ns - moved_ns) / NS_PER_MS, said, plain, followed, size_bps))
    return np.array(rows).reshape(-1, 5)


def threshold_sides(looks: np.ndarray) -> np.ndarray:
    """The plain detector: side of a divergence beyond THRESHOLD_SIGMA of its own past, 0 within.

    Mean and deviation are exponentially weighted by time, before the row they judge.
    """
    sides = np.zeros(len(looks), np.int64)
    mean_bps = variance = mass = 0.0
    seen_ns = 0
    for index, (ts_ns, divergence_bps) in enumerate(
        zip(looks["ts_ns"].tolist(), looks["divergence_bps"].tolist(), strict=True)
    ):
        off_bps = divergence_bps - mean_bps
        if off_bps * off_bps > THRESHOLD_SIGMA**2 * variance > 0.0:
            sides[index] = 1 if off_bps > 0.0 else -1
        elapsed_s = (ts_ns - seen_ns) / NS_PER_S if seen_ns else 0.0
        seen_ns = ts_ns
        weight = 1.0 - 0.5 ** (elapsed_s / THRESHOLD_HALFLIFE_S)
        mass += weight * (1.0 - mass)
        gain = weight / mass if mass > 0.0 else 1.0  # what was never seen has no weight
        mean_bps += gain * off_bps
        variance = (1.0 - gain) * (variance + gain * off_bps * off_bps)
    return sides


def _first_ms(ts_ns: np.ndarray, hits: np.ndarray, start_ns: int) -> float:
    return (int(ts_ns[np.argmax(hits)]) - start_ns) / NS_PER_MS if hits.any() else _NEVER
