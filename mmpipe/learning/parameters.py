"""What is learned about one symbol: which observation moves which parameter, from which prior.

| parameter            | model                                        | observation                     |
|----------------------|----------------------------------------------|---------------------------------|
| lead_lag_beta, noise | line through the origin, move on divergence  | MID_MOVE with its PREDICTION    |
| adverse_selection    | mean per toxicity                            | markouts of fills, real, shadow |
| kappa                | Poisson regression on depth with exposure    | shadow quotes                   |
| fill_prob_scale      | gamma ratio of fills to the hazard waited    | shadow quotes                   |
| sigma_baseline       | root mean square of moves, per root minute   | MID_MOVE                        |
| toxicity_*           | Platt's line through the logit of P(toxic)   | TRADE                           |
| queue_value_bias     | mean of realised less predicted edge         | markouts of fills, shadow       |
| signal_weight_*      | regression on signals, gated (`signal_value`)| MID_MOVE with its PREDICTION    |
"""

from dataclasses import dataclass
from typing import Any, Final, get_args, get_type_hints

import numpy as np
from msgspec import Meta

from mmpipe.config import PriorsConfig
from mmpipe.enums import Param, Signal, Toxicity
from mmpipe.learning import platt
from mmpipe.learning.bayes import (
    DEPTH_BINS,
    Evidence,
    LinearPrior,
    Posterior,
    Sums,
    decay_posterior,
    depth_sums,
    linear_posterior,
    linear_sums,
    ratio_posterior,
)
from mmpipe.learning.signal_value import SignalValue

NS_PER_MIN: Final = 60_000_000_000
BETA_PRIOR_STD: Final = 0.25  # the configured beta is believed to about this
MEAN_PRIOR_OBSERVATIONS: Final = 10.0
MARKOUT_PRIOR_NOISE_BPS: Final = 3.0
BIAS_PRIOR_NOISE_BPS: Final = 3.0
KAPPA_PRIOR_SHAPE: Final = 4.0  # relative standard deviation one half
FILL_PRIOR_EXPECTED: Final = 100.0  # fills the prior is worth: they come in bursts
MOVE_SIGMAS_MAX: Final = 5.0  # one jump must not set what counts as normal volatility
ZERO_MEAN_PRECISION: Final = 1e12  # holds the mean move at zero: a trend is not volatility's business
OPEN_BOUND: Final = 1e-6  # closest admissible value to an excluded zero
ADVERSE: Final = {
    int(Toxicity.BENIGN): Param.ADVERSE_SELECTION_BENIGN_BPS,
    int(Toxicity.NORMAL): Param.ADVERSE_SELECTION_NORMAL_BPS,
    int(Toxicity.TOXIC): Param.ADVERSE_SELECTION_TOXIC_BPS,
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """One parameter as it would be published: value, its standard deviation, and the sample behind it."""

    value: float
    std: float
    observations: int


class SymbolParameters:
    """Evidence about the parameters of one symbol.

    Parameters
    ----------
    priors : PriorsConfig
        Values without evidence.
    halflife_ns : float
        Time after which an observation weighs half.
    fill_halflife_ns : float
        … of how often virtual quotes fill.
    """

    def __init__(self, priors: PriorsConfig, halflife_ns: float, fill_halflife_ns: float) -> None:
        self._priors = priors
        self._halflife_ns = halflife_ns
        self._own_halflife_ns = {"fill_prob": fill_halflife_ns}
        self._evidence = {
            "lead_lag": Evidence(3),
            "adverse_0": Evidence(3),
            "adverse_1": Evidence(3),
            "adverse_2": Evidence(3),
            "kappa": Evidence(3 * DEPTH_BINS),
            "fill_prob": Evidence(2),
            "sigma": Evidence(3),
            "toxicity": Evidence(platt.SUMS),
            "bias": Evidence(3),
        }
        self._signals = SignalValue(priors, halflife_ns)

    def add_move(self, move_bps: float, horizon_ns: int, share: float, ts_ns: int) -> None:
        """A mid move over `horizon_ns`: volatility."""
        per_root_min = move_bps * (NS_PER_MIN / horizon_ns) ** 0.5
        limit = MOVE_SIGMAS_MAX * self._priors.sigma_baseline_bps
        self._add("sigma", linear_sums(1.0, min(abs(per_root_min), limit)), share, ts_ns)

    def add_divergence(self, divergence_bps: float, move_bps: float, share: float, ts_ns: int) -> None:
        """A mid move after a divergence between lead and maker."""
        self._add("lead_lag", linear_sums(divergence_bps, move_bps), share, ts_ns)

    def add_signals(self, signals_bps: np.ndarray, move_bps: float, share: float, ts_ns: int) -> None:
        """A mid move after what each signal of alpha had expected, bps by Signal."""
        self._signals.add(signals_bps[: len(Signal)], move_bps, share, ts_ns)

    def add_markout(self, toxicity: int, realized_as_bps: float, ts_ns: int) -> None:
        """What a fill lost against the mid, by the toxicity it was made in."""
        self._add(f"adverse_{toxicity}", linear_sums(1.0, realized_as_bps), 1.0, ts_ns)

    def add_quote(
        self, depth_bps: float, exposure_s: float, filled: bool, expected_fills: float, ts_ns: int
    ) -> None:
        """The outcome of one quote; `expected_fills` is its hazard over the exposure, not calibrated."""
        self._add("kappa", depth_sums(depth_bps, exposure_s, filled), 1.0, ts_ns)
        self._add("fill_prob", (float(filled), expected_fills), 1.0, ts_ns)

    def add_trade(self, said: float, toxic: bool, share: float, ts_ns: int) -> None:
        """What became of an aggressor; `share` of its horizon does not overlap the one before."""
        self._add("toxicity", platt.platt_sums(said, toxic, share), 1.0, ts_ns)

    def add_residual(self, residual_bps: float, ts_ns: int) -> None:
        """Realised less predicted edge of fills, the bias in force at the prediction taken out."""
        self._add("bias", linear_sums(1.0, residual_bps), 1.0, ts_ns)

    def estimates(self, now_ns: int) -> dict[Param, Estimate]:
        """Every parameter at `now_ns`, clamped to the bounds of its configuration key."""
        found = {param: Estimate(prior_of(self._priors, param), 0.0, 0) for param in Param}

        def put(param: Param, posterior: Posterior, sums: Sums) -> None:
            low, high = BOUNDS[param]
            value = min(max(posterior.value, low), high)
            found[param] = Estimate(value, posterior.std, round(sums.observations))

        priors, sums = self._priors, self._sums("lead_lag", now_ns)
        noise = priors.lead_lag_noise_bps
        slope, residual = linear_posterior(
            sums, LinearPrior(priors.lead_lag_beta, (noise / BETA_PRIOR_STD) ** 2, noise)
        )
        put(Param.LEAD_LAG_BETA, slope, sums)
        put(Param.LEAD_LAG_NOISE_BPS, residual, sums)
        for toxicity, param in ADVERSE.items():
            sums = self._sums(f"adverse_{toxicity}", now_ns)
            prior = LinearPrior(prior_of(priors, param), MEAN_PRIOR_OBSERVATIONS, MARKOUT_PRIOR_NOISE_BPS)
            put(param, linear_posterior(sums, prior)[0], sums)
        sums = self._sums("kappa", now_ns)
        put(Param.KAPPA_PER_BPS, decay_posterior(sums, priors.kappa_per_bps, KAPPA_PRIOR_SHAPE), sums)
        sums = self._sums("fill_prob", now_ns)
        put(Param.FILL_PROB_SCALE, ratio_posterior(sums, priors.fill_prob_scale, FILL_PRIOR_EXPECTED), sums)
        sums = self._sums("sigma", now_ns)
        spread = linear_posterior(sums, LinearPrior(0.0, ZERO_MEAN_PRECISION, priors.sigma_baseline_bps))[1]
        put(Param.SIGMA_BASELINE_BPS, spread, sums)
        sums = platt.tempered(self._sums("toxicity", now_ns))
        line = platt.platt_posterior(sums, priors.toxicity_slope, priors.toxicity_intercept)
        put(Param.TOXICITY_SLOPE, line[0], sums)
        put(Param.TOXICITY_INTERCEPT, line[1], sums)
        sums = self._sums("bias", now_ns)
        offset = LinearPrior(priors.queue_value_bias_bps, MEAN_PRIOR_OBSERVATIONS, BIAS_PRIOR_NOISE_BPS)
        put(Param.QUEUE_VALUE_BIAS_BPS, linear_posterior(sums, offset)[0], sums)
        for param, value, std, count in self._signals.weights(now_ns):
            found[param] = Estimate(value, std, count)
        return found

    def state(self) -> dict[str, Any]:
        """Evidence as plain numbers, for `restore`."""
        parts = {name: evidence.state() for name, evidence in self._evidence.items()}
        return parts | {"signals": self._signals.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over `state()`; a model the state does not know starts from its prior.

        Raises
        ------
        ValueError
            A model has another size than it had.
        """
        for name, evidence in self._evidence.items():
            if name in state:
                evidence.restore(state[name])
        if "signals" in state:
            self._signals.restore(state["signals"])

    def _add(self, name: str, values: Any, share: float, ts_ns: int) -> None:
        self._evidence[name].add(values, share, ts_ns, self._own_halflife_ns.get(name, self._halflife_ns))

    def _sums(self, name: str, now_ns: int) -> Sums:
        return self._evidence[name].at(now_ns, self._own_halflife_ns.get(name, self._halflife_ns))


def prior_of(priors: PriorsConfig, param: Param) -> float:
    """The configured value of a parameter; its key is the member's name in lower case."""
    return float(getattr(priors, param.name.lower()))


def _bounds(param: Param) -> tuple[float, float]:
    hint = get_type_hints(PriorsConfig, include_extras=True)[param.name.lower()]
    metas = [meta for meta in get_args(hint)[1:] if isinstance(meta, Meta)]
    low = next((float(meta.ge) for meta in metas if meta.ge is not None), OPEN_BOUND)
    high = next(float(meta.le) for meta in metas if meta.le is not None)
    return low, high


BOUNDS: Final[dict[Param, tuple[float, float]]] = {param: _bounds(param) for param in Param}
