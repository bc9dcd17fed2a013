"""How soon a forecast knows that the lead has moved, against a threshold of three sigmas.

A *lead move* begins with the largest step of a window after which it is MOVE_SIGMAS of its own 100 ms returns
(known before) away from where it was at most WINDOW_MS earlier, in one direction, and no move began within
QUIET_MS. Both detectors are given the same SNAPSHOTs: the signal has heard it with the first FORECAST whose
CUSUM bank says that a change of that sign began, the plain one when the divergence first lies beyond
THRESHOLD_SIGMAS of its own mean square. What neither hears within PATIENCE_MS counts as unheard. Times are
receive times: the way from the venue is not in.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mmpipe.clock import NS_PER_MS

MOVE_SIGMAS: Final = 4.0
THRESHOLD_SIGMAS: Final = 3.0
WINDOW_MS: Final = 100
QUIET_MS: Final = 1_000
PATIENCE_MS: Final = 2_000
MEMORY: Final = 2_000  # returns, and divergences, over which sigma is averaged
WARM_UP: Final = 200  # of them before sigma is known
MOVES_MIN: Final = 5


@dataclass(frozen=True, slots=True)
class LeadTrace:
    """One entry per SNAPSHOT with both mids.

    Attributes
    ----------
    ts_ns : ndarray of int64, shape (n,)
        In order.
    lead_mid_px, divergence_bps, change_bps : ndarray of float64, shape (n,)
        Of the SNAPSHOT; of its FORECAST.
    """

    ts_ns: np.ndarray
    lead_mid_px: np.ndarray
    divergence_bps: np.ndarray
    change_bps: np.ndarray


def lead_delay(trace: LeadTrace) -> dict[str, Any]:
    """Delays of the signal and of the plain detector over the lead moves of a recording.

    Returns
    -------
    dict
        `n` moves; `signal_ms` and `threshold_ms` medians and 95 % quantiles over the moves each heard,
        `heard` shares; `earlier_ms` median of threshold less signal over moves both heard; or `why_not`.
    """
    begins = lead_moves(trace.ts_ns, trace.lead_mid_px)
    if len(begins) < MOVES_MIN:
        return {"n": len(begins), "why_not": f"{len(begins)} moves of the lead, {MOVES_MIN} are needed"}
    sigma = _running_sigma(trace.divergence_bps)
    beyond = np.sign(trace.divergence_bps) * (np.abs(trace.divergence_bps) > THRESHOLD_SIGMAS * sigma)
    signal = np.array([_heard_ms(trace.ts_ns, np.sign(trace.change_bps), row, sign) for row, sign in begins])
    plain = np.array([_heard_ms(trace.ts_ns, beyond, row, sign) for row, sign in begins])
    both = np.isfinite(signal) & np.isfinite(plain)
    earlier = plain[both] - signal[both]
    return {
        "n": len(begins),
        "signal_ms": _quantiles(signal),
        "signal_heard": round(float(np.isfinite(signal).mean()), 4),
        "threshold_ms": _quantiles(plain),
        "threshold_heard": round(float(np.isfinite(plain).mean()), 4),
        "both_heard": int(both.sum()),
        "earlier_ms": round(float(np.median(earlier)), 3) if len(earlier) else None,
    }


def lead_moves(ts_ns: np.ndarray, mid_px: np.ndarray) -> list[tuple[int, int]]:
    """Row each move of the lead begins with, and its sign."""
    changed = np.flatnonzero(np.diff(mid_px, prepend=mid_px[:1]) != 0.0)
    found: list[tuple[int, int]] = []
    square, seen, last_ns = 0.0, 0, -(10**18)
    for row in changed.tolist():
        first = int(np.searchsorted(ts_ns, ts_ns[row] - WINDOW_MS * NS_PER_MS, side="right")) - 1
        before = mid_px[max(first, 0) : row]
        if not len(before):
            continue
        move_bps = (mid_px[row] / before[0] - 1.0) * 1e4
        if seen >= WARM_UP and abs(move_bps) > MOVE_SIGMAS * square**0.5:
            if ts_ns[row] - last_ns >= QUIET_MS * NS_PER_MS:
                # The largest step of the window began it: what came before was noise.
                steps = np.abs(np.diff(mid_px[max(first, 0) : row + 1]))
                found.append((max(first, 0) + 1 + int(np.argmax(steps)), int(np.sign(move_bps))))
            last_ns = int(ts_ns[row])
        else:
            seen += 1
            square += (move_bps**2 - square) / min(seen, MEMORY)
    return found


def _heard_ms(ts_ns: np.ndarray, signs: np.ndarray, row: int, sign: int) -> float:
    stop = int(np.searchsorted(ts_ns, ts_ns[row] + PATIENCE_MS * NS_PER_MS, side="right"))
    hits = np.flatnonzero(signs[row:stop] == sign)
    return float(ts_ns[row + hits[0]] - ts_ns[row]) / NS_PER_MS if len(hits) else np.nan


def _running_sigma(values: np.ndarray) -> np.ndarray:
    # Root of the mean square of the MEMORY values before each; infinite until WARM_UP were seen.
    totals = np.concatenate(([0.0], np.cumsum(values**2)))
    rows = np.arange(len(values))
    first = np.maximum(rows - MEMORY, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        sigma = np.sqrt((totals[rows] - totals[first]) / (rows - first))
    return np.where((rows >= WARM_UP) & (sigma > 0.0), sigma, np.inf)


def _quantiles(values: np.ndarray) -> dict[str, float] | None:
    found = values[np.isfinite(values)]
    if not len(found):
        return None
    low, high = np.quantile(found, (0.5, 0.95))
    return {"p50": round(float(low), 3), "p95": round(float(high), 3)}
