"""VPIN: how one-sided the flow was in the last 50 equal lots of volume, 0 to 1; a slow feature.

    VPIN = sum |buys - sells| / sum volume   over the last BUCKETS buckets that were filled

Time passes by volume: a bucket is as much as trades in `vpin_bucket_s` on average, fixed when it is opened,
so that it adapts to a busier or quieter market. A trade that is larger than what is left goes on in the
next buckets. The aggressor's side is known here; nothing is classified by price changes as in the paper.

References
----------
Easley, López de Prado, O'Hara, "Flow toxicity and liquidity in a high-frequency world" (2012), section 1.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

BUCKETS: Final = 50
BUCKETS_MIN: Final = 5  # below, one bucket alone would decide
LN2: Final = 0.6931471805599453

VPIN = np.dtype(
    [
        ("vpin", "f8"),
        ("filled", "i8"),  # buckets ever
        ("bucket_qty", "f8"),  # of the open bucket; 0: none yet
        ("open_qty", "f8"),  # traded in the open bucket
        ("open_signed_qty", "f8"),  # buys - sells there
        ("one_sided_qty", "f8", (BUCKETS,)),  # |buys - sells| of each filled bucket
        ("volume_qty", "f8", (BUCKETS,)),
        ("recent_qty", "f8"),  # traded, faded with the half-life
        ("ts_ns", "i8"),  # of the last trade; 0: none yet
        ("first_ts_ns", "i8"),
    ],
    align=True,
)


@kernel
def on_trade(state: np.void, ts_ns: int, side: int, qty: float, settings: np.ndarray) -> None:
    """Take one trade.

    Parameters
    ----------
    state : VPIN record
        Changed in place.
    ts_ns : int
        Receive time.
    side : int
        Of the aggressor, +1 or -1.
    qty : float
        Base units, > 0.
    settings : (1,) settings of FeaturesConfig
        Bucket and half-life of the volume.
    """
    if state["ts_ns"] == 0:
        state["ts_ns"] = state["first_ts_ns"] = ts_ns
    halflife_s = settings[0]["vpin_volume_halflife_s"]
    state["recent_qty"] *= np.exp(-LN2 * max(ts_ns - state["ts_ns"], 0) * 1e-9 / halflife_s)
    state["recent_qty"] += qty
    state["ts_ns"] = max(ts_ns, state["ts_ns"])
    if state["bucket_qty"] == 0.0:
        state["bucket_qty"] = _next_bucket_qty(state, settings)
    left_qty, closed = qty, 0
    while left_qty > 0.0 and closed < BUCKETS:
        taken_qty = min(left_qty, state["bucket_qty"] - state["open_qty"])
        state["open_qty"] += taken_qty
        state["open_signed_qty"] += side * taken_qty
        left_qty -= taken_qty
        if not (state["open_qty"] < state["bucket_qty"]):
            _close_bucket(state)
            state["bucket_qty"] = _next_bucket_qty(state, settings)
            closed += 1
    if closed > 0:
        _judge(state)


@kernel
def _next_bucket_qty(state: np.void, settings: np.ndarray) -> float:
    # Average volume per second, whatever share of the half-life has been seen, times the seconds.
    bucket_s, halflife_s = settings[0]["vpin_bucket_s"], settings[0]["vpin_volume_halflife_s"]
    elapsed_s = (state["ts_ns"] - state["first_ts_ns"]) * 1e-9
    seen_s = halflife_s / LN2 * (1.0 - np.exp(-LN2 * elapsed_s / halflife_s))
    return state["recent_qty"] * min(bucket_s / max(seen_s, bucket_s), 1.0)


@kernel
def _close_bucket(state: np.void) -> None:
    at = state["filled"] % BUCKETS
    state["one_sided_qty"][at] = abs(state["open_signed_qty"])
    state["volume_qty"][at] = state["open_qty"]
    state["filled"] += 1
    state["open_qty"] = state["open_signed_qty"] = 0.0


@kernel
def _judge(state: np.void) -> None:
    if state["filled"] < BUCKETS_MIN:
        return
    one_sided_qty, volume_qty = 0.0, 0.0
    for index in range(min(state["filled"], BUCKETS)):
        one_sided_qty += state["one_sided_qty"][index]
        volume_qty += state["volume_qty"][index]
    if volume_qty > 0.0:
        state["vpin"] = min(one_sided_qty / volume_qty, 1.0)
