"""Alpha's learners against known truth and against the clock: the CUSUM bank, levels, the gate of signals.

Delays of the bank are measured on standard-normal innovations with a shift from the first one on, as in
Page's table; what a call takes is measured inside compiled code.
"""

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from mmpipe.alpha import changepoint, run_length
from mmpipe.alpha.changepoint import BANK, WINSOR, alarm_thresholds
from mmpipe.alpha.run_length import LEVEL, PRIOR
from mmpipe.config import PriorsConfig
from mmpipe.enums import Signal
from mmpipe.learning.signal_value import SignalValue
from ringbuf.jit import kernel

RUN_LENGTH: Final = 10_000.0
# Mean delays of an exact bank at that run length, by shift in standard deviations.
PUBLISHED_DELAYS: Final = {0.5: 61.8, 1.0: 17.3, 2.0: 5.0, 3.0: 2.6, 4.0: 1.7}
TOLERANCE: Final = 0.10
RUNS: Final = 4_000
BUDGETS_NS: Final = {"cusum_bank": 500.0, "level": 50_000.0}  # per move of the lead; per second and symbol
NS_PER_S: Final = 1_000_000_000


@kernel
def heard_after(banks: np.ndarray, innovations: np.ndarray, thresholds: np.ndarray) -> int:
    """Observations until the first bank alarms, -1: it does not."""
    for index in range(len(innovations)):
        z = min(max(innovations[index], -WINSOR), WINSOR)
        if changepoint.observe(banks[0], z, innovations[index], thresholds) != 0.0:
            return index + 1
    return -1


@kernel
def level_ages(levels: np.ndarray, values: np.ndarray, priors: np.ndarray, ages: np.ndarray) -> None:
    """Most probable age of the level after each value."""
    for index in range(len(values)):
        ages[index] = run_length.observe(levels[0], values[index], priors[0])


def mean_delay(shift: float, runs: int, seed: int) -> float:
    """Mean observations until a shift is heard, standard deviations; shift 0: between false alarms."""
    thresholds, rng = alarm_thresholds(RUN_LENGTH), np.random.default_rng(seed)
    banks, total, alarms, chunk = np.zeros(1, BANK), 0, 0, 100_000 if shift == 0.0 else 2_000
    while alarms < runs:
        heard = heard_after(banks, rng.standard_normal(chunk) + shift, thresholds)
        total += heard if heard > 0 else chunk
        alarms += heard > 0
        if heard > 0:
            banks[:] = 0
    return total / alarms


def gate_rates(priors: PriorsConfig, seconds: int, seed: int) -> dict[str, bool]:
    """Which signals are in force after moves made of the lead, noise, and the opposite of the order flow."""
    value, rng = SignalValue(priors, 1800e9), np.random.default_rng(seed)
    for second in range(1, seconds + 1):
        signals = rng.standard_normal(len(Signal))
        move = 0.8 * signals[Signal.LEAD_LAG] - 0.5 * signals[Signal.ORDER_FLOW] + rng.standard_normal()
        value.add(signals, move, 1.0, second * NS_PER_S)
        value.weights(second * NS_PER_S)
    return {signal.name.lower(): bool(value.open[signal]) for signal in Signal}


def cases(rounds: int) -> dict[str, dict[str, Any]]:
    """Every case by name: what was found, what was expected, and whether that holds.

    Parameters
    ----------
    rounds : int
        Repetitions of what is timed; delays take RUNS runs.
    """
    found: dict[str, dict[str, Any]] = {}
    for shift, expected in PUBLISHED_DELAYS.items():
        delay = mean_delay(shift, RUNS, seed=1)
        ok = abs(delay - expected) <= TOLERANCE * expected
        found[f"cusum_delay_{shift}sd"] = {"observations": delay, "expected": expected, "ok": ok}
    length = mean_delay(0.0, 400, seed=2)
    ok = abs(length - RUN_LENGTH) <= 2 * TOLERANCE * RUN_LENGTH
    found["cusum_run_length"] = {"observations": length, "expected": RUN_LENGTH, "ok": ok}
    found["level_change"] = _level_case()
    priors = PriorsConfig(**{name: 0.5 for name in PriorsConfig.__struct_fields__})
    force = gate_rates(priors, 1_200, seed=3)
    expected_force = {signal.name.lower(): signal is Signal.LEAD_LAG for signal in Signal}
    found["gate"] = {"in_force": force, "expected": expected_force, "ok": force == expected_force}
    for name, (call, count) in _timed().items():
        call()
        nanoseconds = min(_elapsed_ns(call) for _ in range(max(rounds, 1))) / count
        found[name] = {
            "ns": nanoseconds,
            "budget_ns": BUDGETS_NS[name],
            "ok": nanoseconds <= BUDGETS_NS[name],
        }
    return found


def rows(scale: float, seed: int) -> list[dict[str, Any]]:
    """The cases with a known truth as lines of the report; a delay's interval is two standard errors."""
    runs = max(int(RUNS * scale), 100)
    found = []
    for shift, expected in PUBLISHED_DELAYS.items():
        delay = mean_delay(shift, runs, seed + 1)
        spread = 2.0 * delay / runs**0.5  # a waiting time spreads by its mean at the most
        ok = abs(delay - expected) <= TOLERANCE * expected + spread * (runs < RUNS)
        found.append(_row(f"cusum/shift_{shift:g}_sd/delay", delay, spread, runs, ok))
    level = _level_case()
    found.append(_row("level/delay_after_a_change", level["observations"], 0.0, 1, level["ok"]))
    priors = PriorsConfig(**{name: 0.5 for name in PriorsConfig.__struct_fields__})
    force = gate_rates(priors, 1_200, seed + 3)
    right = sum(force[signal.name.lower()] == (signal is Signal.LEAD_LAG) for signal in Signal)
    found.append(_row("gate/signals_judged_right", right, 0.0, len(Signal), right == len(Signal)))
    return found


def _row(case: str, value: float, spread: float, count: int, ok: bool) -> dict[str, Any]:
    interval = [float(value - spread), float(value + spread)]
    return {"case": case, "value": float(value), "interval": interval, "n": count, "ok": bool(ok)}


def _level_case() -> dict[str, Any]:
    rng = np.random.default_rng(4)
    values = np.concatenate([rng.normal(0.0, 0.5, 300), rng.normal(3.0, 0.5, 60)])
    ages = np.zeros(len(values), np.int64)
    level_ages(np.zeros(1, LEVEL), values, level_prior(1 / 600.0, 0.0, 0.05, 2.0, 0.5), ages)
    heard = int(np.argmax(ages[300:] < 100)) + 1
    ok = bool(ages[299] == 300 and heard <= 3 and ages[-1] == 60)
    return {"observations": heard, "expected": 3, "ok": ok}


def level_prior(hazard: float, mean: float, kappa: float, shape: float, scale: float) -> np.ndarray:
    """PRIOR of shape (1,)."""
    prior = np.zeros(1, PRIOR)
    prior[0] = (hazard, mean, kappa, shape, scale)
    return prior


def _timed() -> dict[str, tuple[Callable[[], object], int]]:
    rng = np.random.default_rng(5)
    innovations, thresholds = rng.standard_normal(10_000), np.full(changepoint.SCALES, 1e9)
    values, ages = rng.standard_normal(2_000), np.zeros(2_000, np.int64)
    prior = level_prior(1 / 600.0, 0.0, 0.05, 2.0, 2.0)
    return {
        "cusum_bank": (lambda: heard_after(np.zeros(1, BANK), innovations, thresholds), 10_000),
        "level": (lambda: level_ages(np.zeros(1, LEVEL), values, prior, ages), 2_000),
    }


def _elapsed_ns(call: Callable[[], object]) -> int:
    begin_ns = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - begin_ns
