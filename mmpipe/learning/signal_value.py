"""What each signal of alpha is worth: its weight, and whether it adds anything at all.

Weights are those of a linear regression of the mid move on the signals in force, with a normal prior around
the configured ones and evidence that fades. The worth of a signal is measured on moves that were not learned
from yet: by how much the squared error of the prediction is smaller with it than without it, the others
refitted each time,

    value = (y - m_without s)^2 - (y - m_with s)^2,   bps^2

with an interval of confidence. A signal is in force while the lower bound of its value is above nothing.
To come in it needs the bound of OPEN_SDS, to go out that of CLOSE_SDS falls to nothing: in between it
stays what it is. One changes at a time, and what the others are worth beside the new company is measured
anew: of two signals that say the same, one stays. Weights are between nothing and WEIGHT_MAX, so one that
works against its meaning is worth nothing.

References
----------
West, Harrison, "Bayesian Forecasting and Dynamic Models", 1997, ch. 4 and 6 (discounting); Dawid,
"Statistical theory: the prequential approach", JRSS A 1984, for judging before learning.
"""

from typing import Any, Final

import numpy as np

from mmpipe.config import PriorsConfig
from mmpipe.enums import Param, Signal
from mmpipe.learning.bayes import Evidence

COUNT: Final = len(Signal)
WEIGHTS: Final = tuple(Param[f"SIGNAL_WEIGHT_{signal.name}"] for signal in Signal)
WEIGHT_MAX: Final = 2.0
WEIGHT_PRIOR_STD: Final = 0.5  # a configured weight is believed to about this
OBSERVATIONS_MIN: Final = 100  # independent ones before a signal is gated, or let in
OPEN_SDS: Final = 2.58  # two-sided 99 %: it is looked at every second
CLOSE_SDS: Final = 1.0
MOVE_RMS_MAX: Final = 5.0  # one jump must not decide what a signal is worth
NOISE_PRIOR_SHARE: Final = 10.0  # observations the first guess of the noise is worth
NOISE_PRIOR_SQ: Final = 1.0  # bps^2
REFIT_SHARE: Final = 1.0  # independent observations between two fits


class SignalValue:
    """Evidence about the signals of one symbol.

    Parameters
    ----------
    priors : PriorsConfig
        Configured weights; a signal with one is in force until it is measured.
    halflife_ns : float
        Time after which an observation weighs half.
    """

    def __init__(self, priors: PriorsConfig, halflife_ns: float) -> None:
        self._prior = np.array([float(getattr(priors, param.name.lower())) for param in WEIGHTS])
        self._halflife_ns = halflife_ns
        self._fit = Evidence(COUNT * COUNT + COUNT + 1)  # s s^T, s y, y^2
        self._worth = Evidence(2 * COUNT)  # value, value^2
        self._open = self._prior > 0.0
        self._rms_sq = NOISE_PRIOR_SQ
        self._unfitted = 0.0
        self._refit(0)

    @property
    def open(self) -> np.ndarray:
        """Which signals are in force, shape (len(Signal),) bool."""
        return self._open

    def add(self, signals_bps: np.ndarray, move_bps: float, share: float, ts_ns: int) -> None:
        """A mid move after signals: judged by what is known, then learned from.

        Parameters
        ----------
        signals_bps : ndarray of float64, shape (len(Signal),)
            Finite.
        move_bps : float
            Of the mid over the horizon.
        share : float
            How much of an independent observation it is, in (0, 1].
        ts_ns : int
            When it was known.
        """
        bound = MOVE_RMS_MAX * self._rms_sq**0.5
        move = min(max(move_bps, -bound), bound)
        error_sq = (move - self._mean @ signals_bps) ** 2
        value = ((move - self._changed @ signals_bps) ** 2 - error_sq) * np.where(self._open, 1.0, -1.0)
        self._worth.add(np.concatenate([value, value**2]), share, ts_ns, self._halflife_ns)
        square = np.outer(signals_bps, signals_bps).ravel()
        # The bound follows the moves as they are, or a first quiet minute would cut them for good.
        sums = np.concatenate([square, signals_bps * move, [min(move_bps**2, 4.0 * bound**2)]])
        self._fit.add(sums, share, ts_ns, self._halflife_ns)
        self._unfitted += share
        if self._unfitted >= REFIT_SHARE:
            self._unfitted = 0.0
            self._refit(ts_ns)

    def weights(self, now_ns: int) -> list[tuple[Param, float, float, int]]:
        """Judge, then parameter, weight in force, its standard deviation and its sample of each signal."""
        if self._gate(now_ns):
            self._refit(now_ns)
        count = round(self._fit.at(now_ns, self._halflife_ns).observations)
        return [
            (param, float(value), float(std), count)
            for param, value, std in zip(WEIGHTS, self._mean, self._std, strict=True)
        ]

    def worth(self, now_ns: int) -> tuple[np.ndarray, np.ndarray]:
        """Value of each signal and its standard error, bps^2; no evidence is a value of 0 ± inf."""
        sums = self._worth.at(now_ns, self._halflife_ns)
        if not sums.weight > 0.0:
            return np.zeros(COUNT), np.full(COUNT, np.inf)
        mean = sums.values[:COUNT] / sums.weight
        variance = np.maximum(sums.values[COUNT:] / sums.weight - mean**2, 0.0)
        return mean, np.sqrt(variance / max(sums.observations, 1e-9))

    def state(self) -> dict[str, Any]:
        """Evidence and gates as plain numbers, for `restore`."""
        return {"fit": self._fit.state(), "worth": self._worth.state(), "open": self._open.tolist()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over `state()`.

        Raises
        ------
        ValueError
            The sums are of another size: the signals were others.
        """
        if len(state["open"]) != COUNT:
            raise ValueError(f"{COUNT} signals expected, the state has {len(state['open'])}")
        self._fit.restore(state["fit"])
        self._worth.restore(state["worth"])
        self._open = np.array(state["open"], bool)
        self._refit(0)

    def _gate(self, now_ns: int) -> bool:
        # True when a signal came in or went out.
        if not self._worth.at(now_ns, self._halflife_ns).observations >= OBSERVATIONS_MIN:
            return False
        mean, error = self.worth(now_ns)
        # Where a signal says nothing its value is exactly nothing, and so is the error.
        bound = mean - np.where(self._open, CLOSE_SDS, OPEN_SDS) * error
        going, coming = self._open & ~(bound > 0.0), ~self._open & (bound > 0.0)
        if going.any():
            changed = int(np.argmin(np.where(going, mean, np.inf)))
        elif coming.any():
            changed = int(np.argmax(np.where(coming, mean, -np.inf)))
        else:
            return False
        self._open = self._open.copy()
        self._open[changed] = not self._open[changed]
        self._worth = Evidence(2 * COUNT)
        return True

    def _refit(self, now_ns: int) -> None:
        sums = self._fit.at(now_ns, self._halflife_ns)
        square = sums.values[: COUNT * COUNT].reshape(COUNT, COUNT)
        product, total = sums.values[COUNT * COUNT : -1], float(sums.values[-1])
        self._rms_sq = (NOISE_PRIOR_SQ * NOISE_PRIOR_SHARE + total) / (NOISE_PRIOR_SHARE + sums.weight)
        precision = np.eye(COUNT) / WEIGHT_PRIOR_STD**2 + square / self._rms_sq
        pull = self._prior / WEIGHT_PRIOR_STD**2 + product / self._rms_sq
        self._mean, self._std = _weights(precision, pull, self._open)
        self._changed = np.zeros((COUNT, COUNT))  # by signal: the weights if it came in, or went out
        for signal in range(COUNT):
            other = self._open.copy()
            other[signal] = not other[signal]
            self._changed[signal] = _weights(precision, pull, other)[0]


def _weights(precision: np.ndarray, pull: np.ndarray, used: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Posterior mean and standard deviation of the weights in use; the rest are nothing.
    mean, std = np.zeros(COUNT), np.full(COUNT, WEIGHT_PRIOR_STD)
    if used.any():
        covariance = np.linalg.inv(precision[np.ix_(used, used)])
        mean[used] = np.clip(covariance @ pull[used], 0.0, WEIGHT_MAX)
        std[used] = np.sqrt(np.diag(covariance))
    return mean, std
