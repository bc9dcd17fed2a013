"""Signals are in force while they are worth something: noise goes, harm goes, two of a kind keep one."""

import json

import numpy as np
import pytest

from mmpipe.config import PriorsConfig
from mmpipe.enums import Signal
from mmpipe.learning.signal_value import CLOSE_SDS, COUNT, OBSERVATIONS_MIN, WEIGHT_MAX, SignalValue

S = 1_000_000_000
HALFLIFE_NS = 1800 * S
LEAD, MICRO, FLOW, CROSS = Signal.LEAD_LAG, Signal.MICROPRICE, Signal.ORDER_FLOW, Signal.CROSS_ASSET


def priors(**weights: float) -> PriorsConfig:
    values = dict.fromkeys(PriorsConfig.__struct_fields__, 0.5)
    for signal in Signal:
        values[f"signal_weight_{signal.name.lower()}"] = weights.get(signal.name.lower(), 0.0)
    return PriorsConfig(**values)


class Taught:
    """A learner and a market whose truth is known."""

    def __init__(self, seed: int, **weights: float) -> None:
        self.value, self.rng, self.second = (
            SignalValue(priors(**weights), HALFLIFE_NS),
            np.random.default_rng(seed),
            0,
        )

    def live(
        self, seconds: int, truth: dict[Signal, float], noise: float = 1.0, same: bool = False
    ) -> dict[Signal, float]:
        weights = np.array([truth.get(signal, 0.0) for signal in Signal])
        for _ in range(seconds):
            self.second += 1
            signals = self.rng.standard_normal(COUNT)
            if same:
                signals[FLOW] = signals[MICRO]
            move = weights @ signals + noise * self.rng.standard_normal()
            self.value.add(signals, move, 1.0, self.second * S)
            found = self.value.weights(self.second * S)
        return {signal: found[signal][1] for signal in Signal}


def test_a_good_signal_stays_noise_goes_and_harm_goes() -> None:
    taught = Taught(1, lead_lag=1.0, microprice=0.3, order_flow=0.2)
    weights = taught.live(900, {LEAD: 0.8, FLOW: -0.4})
    assert weights[LEAD] == pytest.approx(0.8, abs=0.12)
    assert weights[MICRO] == 0.0
    assert weights[FLOW] == 0.0  # worth less than nothing as it is meant; never followed upside down
    assert taught.value.open.tolist() == [signal is LEAD for signal in Signal]


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_gated_whatever_the_chance(seed: int) -> None:
    taught = Taught(100 + seed, microprice=0.3)
    taught.live(OBSERVATIONS_MIN - 1, {})
    assert taught.value.open[MICRO]  # not judged by a handful
    weights = taught.live(1_000, {})
    assert weights[MICRO] < 0.05


def test_an_unproven_signal_comes_in_when_it_is_proven() -> None:
    taught = Taught(2, lead_lag=1.0)
    assert taught.live(OBSERVATIONS_MIN - 1, {LEAD: 1.0, CROSS: 0.6})[CROSS] == 0.0
    weights = taught.live(500, {LEAD: 1.0, CROSS: 0.6})
    assert weights[CROSS] == pytest.approx(0.6, abs=0.15)
    assert weights[LEAD] == pytest.approx(1.0, abs=0.15)


def test_of_two_that_say_the_same_one_stays() -> None:
    taught = Taught(3, microprice=0.5, order_flow=0.5)
    weights = taught.live(1_500, {MICRO: 0.8}, same=True)
    assert weights[MICRO] + weights[FLOW] == pytest.approx(0.8, abs=0.15)
    assert taught.value.open[MICRO] != taught.value.open[FLOW]


def test_a_signal_that_turned_bad_goes_out_again() -> None:
    taught = Taught(4, lead_lag=1.0)
    assert taught.live(300, {LEAD: 1.0})[LEAD] > 0.8
    taught.live(4 * 1800, {LEAD: -1.0})
    assert taught.value.open[LEAD] == np.False_


def test_the_gate_has_hysteresis() -> None:
    taught = Taught(5, lead_lag=1.0)
    taught.live(600, {LEAD: 1.0})
    mean, error = taught.value.worth(600 * S)
    assert mean[LEAD] - CLOSE_SDS * error[LEAD] > 0.0
    # What is between the bounds stays what it is, in or out.
    for was in (True, False):
        taught.value._open[LEAD] = was
        taught.value._worth._values[LEAD] = 2.0 * error[LEAD] * taught.value._worth._weight
        second = taught.value._worth._values[LEAD] ** 2 / taught.value._worth._weight
        taught.value._worth._values[COUNT + LEAD] = (
            second + error[LEAD] ** 2 * 600 * taught.value._worth._weight
        )
        taught.value._gate(600 * S)
        assert taught.value.open[LEAD] == was


def test_overlapping_moves_are_not_counted_ten_times() -> None:
    value = SignalValue(priors(lead_lag=1.0), HALFLIFE_NS)
    signals = np.zeros(COUNT)
    for tenth in range(1, 501):
        value.add(signals, 0.0, 0.1, tenth * S // 10)
    assert value.weights(50 * S)[LEAD][3] == pytest.approx(50, abs=2)
    assert value.open[LEAD]  # 50 independent ones are too few to judge by


def test_weights_are_bounded_and_a_jump_does_not_decide() -> None:
    taught = Taught(6, lead_lag=1.0)
    assert taught.live(400, {LEAD: 50.0})[LEAD] <= WEIGHT_MAX
    calm = Taught(7, lead_lag=1.0)
    before = calm.live(300, {LEAD: 1.0})[LEAD]
    calm.value.add(np.eye(COUNT)[LEAD], -500.0, 1.0, 301 * S)
    assert calm.value.weights(301 * S)[LEAD][1] == pytest.approx(before, abs=0.15)


def test_it_survives_a_restart_and_refuses_another_size() -> None:
    taught = Taught(8, lead_lag=1.0, microprice=0.3)
    taught.live(600, {LEAD: 0.8})
    state = json.loads(json.dumps(taught.value.state()))
    again = SignalValue(priors(lead_lag=1.0, microprice=0.3), HALFLIFE_NS)
    again.restore(state)
    assert again.open.tolist() == taught.value.open.tolist()
    assert [row[1] for row in again.weights(0)] == pytest.approx(
        [row[1] for row in taught.value.weights(600 * S)]
    )
    with pytest.raises(ValueError, match="signals expected"):
        again.restore({**state, "open": [True]})
