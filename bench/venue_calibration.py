"""What a market looks like, in numbers: the same measures of a recording and of the embedded market.

    stream  (BBO rows, TRADE rows, books)  ──measure──▶ {"spread_ticks_p50": …, "trades_per_s": …, …}

A recording and a simulation are sampled alike: best quotes when they change, trades as prints merged per
block and side, and a book of twenty levels every 0.54 s.
"""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmpipe.venue.sim.block import run_blocks, simulated
from mmpipe.venue.sim.instruments import coins_of, start_table
from mmpipe.venue.sim.market import DEPTH
from mmpipe.venue.sim.matching import best_tick
from mmpipe.venue.sim.matching import depth as best_levels

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MMPIPE_DATA", ROOT.parent / "shared" / "data"))
CAPTURE = DATA / "norm" / "hl_ETH_20250904.npz"
HOLE_S = 3.0  # a longer pause of the best quotes is the recorder's, not the market's
SNAPSHOT, TRADE, BBO = 0, 2, 3
LEVELS = 20
BLOCK_MS = 70
BOOK_S = 0.54
NS_PER_S = 1e9
TICK = 0.1  # of ETH at this price


class Stream(NamedTuple):
    """A market as it was seen; times in seconds, sizes in USDC."""

    bbo: np.ndarray  # (n, 3) time, bid, ask
    trades: np.ndarray  # (n, 4) time, side, price, USDC
    depth: np.ndarray  # (n, 3) median side of: touch, five levels, twenty levels, in USDC


def measure(stream: Stream) -> dict[str, float]:
    """Statistics of a stream."""
    times, bid, ask = stream.bbo.T
    held_s = np.diff(times, append=times[-1])
    seen = held_s < HOLE_S
    spread = np.round((ask - bid) / TICK)
    mid = 0.5 * (bid + ask)
    span_s = held_s[seen].sum()
    grid = np.arange(times[0], times[-1], 1.0)
    at = np.searchsorted(times, grid, "right") - 1
    whole = (grid - times[at] < HOLE_S)[1:] & (grid - times[at] < HOLE_S)[:-1]
    returns_bps = np.diff(np.log(mid[at]))[whole] * 1e4
    trades = _merged(stream.trades)
    counts = np.histogram(trades[:, 0], grid)[0][whole]
    runs = _runs(trades[:, 1])
    numbers = {
        "spread_ticks_p50": _weighted(spread[seen], held_s[seen], 0.5),
        "spread_ticks_p90": _weighted(spread[seen], held_s[seen], 0.9),
        "spread_ticks_p99": _weighted(spread[seen], held_s[seen], 0.99),
        "spread_one_tick_share": float(held_s[seen & (spread == 1)].sum() / span_s),
        "mid_changes_per_s": float((np.diff(mid) != 0).sum() / span_s),
        "mid_1s_std_bps": float(returns_bps.std()),
        "mid_1s_still_share": float((returns_bps == 0).mean()),
        "trades_per_s": float(counts.mean()),
        "trades_per_s_fano": float(counts.var() / counts.mean()),
        "run_length_mean": float(runs.mean()),
        "run_length_p90": float(np.quantile(runs, 0.9)),
    }
    for share in (0.1, 0.5, 0.9):
        numbers[f"trade_usdc_p{round(100 * share)}"] = float(np.quantile(trades[:, 3], share))
    for name, column in (("touch", 0), ("five", 1), ("twenty", 2)):
        numbers[f"depth_{name}_usdc_p50"] = float(np.quantile(stream.depth[:, column], 0.5))
    return numbers


def simulate(phases: np.ndarray, seconds: float, seed: int) -> Stream:
    """The embedded market of one coin like ETH, sampled as the recording was."""
    coin = coins_of(("ETH",), ("ETHUSDT",))
    market, crowd, worth = simulated(seed, BLOCK_MS, phases, start_table(coin))
    market.header["ts_ns"] = int(NS_PER_S)
    bbo, trades, depth = [], [], []
    ticks_in_unit = coin[0].ticks_in_unit
    usdc = 1 / (ticks_in_unit * coin[0].lots_in_unit)
    touch, book_due_s = (0, 0), 0.0
    rows = np.zeros(LEVELS, DEPTH)
    for block in range(int(seconds * 1e3 / BLOCK_MS)):
        run_blocks(market, crowd, worth, 1, BLOCK_MS * 1_000_000)
        at_s = (block + 1) * BLOCK_MS / 1e3
        fills = market.fills[: int(market.header["fills"][0])]
        for row in fills[["side", "tick", "lots"]].tolist():
            trades.append((at_s, row[0], row[1] / ticks_in_unit, row[1] * row[2] * usdc))
        seen = best_tick(market, 0, 1), best_tick(market, 0, -1)
        if seen != touch and min(seen) > 0:
            touch = seen
            bbo.append((at_s, seen[0] / ticks_in_unit, seen[1] / ticks_in_unit))
        if at_s >= book_due_s:
            book_due_s += BOOK_S
            sides = []
            for side in (1, -1):
                count = best_levels(market, 0, side, rows)
                sides.append(rows["tick"][:count] * rows["lots"][:count] * usdc)
            depth.append([np.mean([levels[:n].sum() for levels in sides]) for n in (1, 5, LEVELS)])
    return Stream(np.array(bbo), np.array(trades, dtype=np.float64), np.array(depth))


def load_capture(path: Path = CAPTURE) -> Stream:
    """The recording the quiet scenario is fitted to.

    Raises
    ------
    SystemExit
        If it is not there, with how to get it.
    """
    if not path.is_file():
        raise SystemExit(f"no recording at {path}; set MMPIPE_DATA to a folder that has norm/{path.name}")
    rows = np.load(path)
    kind, side, px, qty = (rows[name] for name in ("type", "side", "px", "qty"))
    seconds = rows["ts_local"] / NS_PER_S
    return Stream(
        _best_quotes(seconds, rows["msg"], kind, side, px),
        _trades(rows["ts_exch"] / NS_PER_S, kind, side, px, qty),
        _depths(rows["msg"], kind, side, px * qty),
    )


class Match(NamedTuple):
    """One parameter and the statistic it answers for."""

    key: str
    statistic: str
    power: float  # the parameter is multiplied by (wanted / got) to this power


MATCHES = (
    Match("volatility_bps", "mid_1s_std_bps", 1.0),
    Match("touch_usdc", "depth_touch_usdc_p50", 1.0),
    Match("far_usdc", "depth_twenty_usdc_p50", 1.0),
    Match("noise_per_s", "trades_per_s", 1.0),
    Match("noise_usdc", "trade_usdc_p50", 0.7),
    Match("join_per_s", "spread_one_tick_share", 8.0),
)
FITTED_BY_HAND = """near_usdc, jump_share and jumps_per_s (kurtosis of the returns, share of still
seconds), view_*, limit_per_s, cancel_per_s, flee_per_s, noise_usdc_spread, noise_repeat_prob, excitation and
activity_* (autocorrelation of the counts of trades), informed_*"""


def fit(wanted: dict[str, float], phases: np.ndarray, rounds: int, seconds: float) -> dict[str, float]:
    """Parameters of a quiet market by fixed-point iteration: each answers for one statistic.

    Parameters
    ----------
    wanted : dict
        Of `measure`.
    phases : (1,) PHASE
        Where to begin; changed in place.
    rounds : int
        Iterations; the error no longer falls after four or five.
    seconds : float
        Simulated in each.
    """
    for seed in range(rounds):
        got = measure(simulate(phases, seconds, seed))
        for match in MATCHES:
            ratio = wanted[match.statistic] / got[match.statistic]
            phases[match.key] *= np.clip(ratio**match.power, 0.5, 2.0)
    return {match.key: float(phases[match.key][0]) for match in MATCHES}


def _best_quotes(
    seconds: np.ndarray, msg: np.ndarray, kind: np.ndarray, side: np.ndarray, px: np.ndarray
) -> np.ndarray:
    is_bbo = kind == BBO
    bids, asks = is_bbo & (side > 0), is_bbo & (side < 0)
    both, bid_at, ask_at = np.intersect1d(msg[bids], msg[asks], return_indices=True)
    assert len(both), "the recording has best quotes"
    return np.column_stack([seconds[bids][bid_at], px[bids][bid_at], px[asks][ask_at]])


def _trades(
    seconds: np.ndarray, kind: np.ndarray, side: np.ndarray, px: np.ndarray, qty: np.ndarray
) -> np.ndarray:
    rows = kind == TRADE
    order = np.argsort(seconds[rows], kind="stable")
    return np.column_stack([seconds[rows], side[rows], px[rows], (px * qty)[rows]])[order]


def _depths(msg: np.ndarray, kind: np.ndarray, side: np.ndarray, usdc: np.ndarray) -> np.ndarray:
    rows = np.flatnonzero(kind == SNAPSHOT)
    out = []
    for book in np.split(rows, np.flatnonzero(np.diff(msg[rows])) + 1):
        sides = [usdc[book[side[book] == s]][:LEVELS] for s in (1, -1)]
        if min(len(levels) for levels in sides) == LEVELS:
            out.append([np.mean([levels[:n].sum() for levels in sides]) for n in (1, 5, LEVELS)])
    return np.array(out)


def _merged(trades: np.ndarray) -> np.ndarray:
    # Prints of one block and side are one decision of a taker, as far as anybody can see.
    fresh = np.flatnonzero(
        (np.diff(trades[:, 0], prepend=-1.0) != 0) | (np.diff(trades[:, 1], prepend=0.0) != 0)
    )
    merged = trades[fresh].copy()
    merged[:, 3] = np.add.reduceat(trades[:, 3], fresh)
    return merged


def _runs(sides: np.ndarray) -> np.ndarray:
    ends = np.flatnonzero(np.diff(sides, append=0.0) != 0)
    return np.diff(ends, prepend=-1)


def _weighted(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    order = np.argsort(values)
    sums = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(sums, share * sums[-1])])
