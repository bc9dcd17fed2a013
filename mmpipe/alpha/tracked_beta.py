"""A coefficient that is tracked: how far the maker moves per unit of something that is known before.

    y = beta x + noise,   beta returns to a slow value b:   beta - b ← (beta - b) 2^(-dt / halflife)

A scalar Kalman filter with one observation per horizon, so that no two share a part of the path. The noise
is the mean square of the innovations until now: each is judged by what was known before it.

References
----------
Harvey, "Forecasting, structural time series models and the Kalman filter", 1989, ch. 3.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

BETA_MAX: Final = 2.0
NOISE_OBSERVATIONS: Final = 100.0  # horizons over which the noise is averaged
_LATE_SHARE: Final = 0.5  # of a horizon an outcome may be late and still be its outcome

BETA = np.dtype(
    [
        ("value", "f8"),
        ("variance", "f8"),
        ("noise_sq", "f8"),  # bps^2
        ("observations", "i8"),
        ("x", "f8"),  # of the outcome that is waited for
        ("mid_px", "f8"),  # then; 0: none is waited for
        ("ts_ns", "i8"),
    ],
    align=True,
)


@kernel
def begin(beta: np.void, slow: float, slow_std: float, noise_bps: float) -> None:
    """Start from the slow value.

    Parameters
    ----------
    beta : BETA record
        Overwritten.
    slow, slow_std : float
        The value it returns to, and how far it strays from it.
    noise_bps : float
        Expected noise, bps, > 0.
    """
    beta["value"], beta["variance"] = slow, slow_std * slow_std
    beta["noise_sq"], beta["observations"] = noise_bps * noise_bps, 0
    beta["mid_px"] = 0.0


@kernel
def track(
    beta: np.void, x: float, mid_px: float, ts_ns: int, horizon_ns: int, halflife_s: float, slow: float,
    slow_std: float,
) -> None:  # fmt: skip
    """At a TIMER: judge the outcome that is due, then wait for that of what is known now.

    Parameters
    ----------
    beta : BETA record
        Changed in place.
    x : float
        Regressor now, bps; 0: nothing to learn from this horizon.
    mid_px : float
        Of the maker, > 0; 0 or NaN: the outcome is lost.
    ts_ns, horizon_ns : int
        Now, and how far ahead an outcome lies.
    halflife_s : float
        Of the return to `slow`.
    slow, slow_std : float
        The value it returns to, and how far it strays from it.
    """
    if not mid_px > 0.0:
        beta["mid_px"] = 0.0
        return
    elapsed_ns = ts_ns - beta["ts_ns"]
    if beta["mid_px"] > 0.0:
        if elapsed_ns < horizon_ns:
            return
        if elapsed_ns <= (1.0 + _LATE_SHARE) * horizon_ns:
            move_bps = (mid_px - beta["mid_px"]) / beta["mid_px"] * 1e4
            keep = 2.0 ** (-elapsed_ns * 1e-9 / halflife_s)
            beta["value"] = slow + keep * (beta["value"] - slow)
            beta["variance"] = keep * keep * beta["variance"] + (1.0 - keep * keep) * slow_std * slow_std
            learn(beta, beta["x"], move_bps)
    beta["x"], beta["mid_px"], beta["ts_ns"] = x, mid_px, ts_ns


@kernel
def learn(beta: np.void, x: float, y: float) -> None:
    """One outcome: y followed x.

    Parameters
    ----------
    beta : BETA record
        Changed in place; `value` stays within BETA_MAX.
    x, y : float
        bps; x = 0 teaches the noise only.
    """
    innovation = y - beta["value"] * x
    spread_sq = x * x * beta["variance"] + beta["noise_sq"]
    gain = x * beta["variance"] / spread_sq
    beta["value"] = min(max(beta["value"] + gain * innovation, -BETA_MAX), BETA_MAX)
    beta["variance"] *= beta["noise_sq"] / spread_sq
    beta["observations"] += 1
    weight = 1.0 / min(beta["observations"] + 1.0, NOISE_OBSERVATIONS)
    # What the coefficient's own doubt adds to an innovation is not noise.
    beta["noise_sq"] += weight * (innovation * innovation * beta["noise_sq"] / spread_sq - beta["noise_sq"])
