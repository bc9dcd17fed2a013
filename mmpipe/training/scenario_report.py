"""The table of a simulated evaluation: many seeds of labelled scenarios, each target with value and reason.

An interval is the middle 95 % of the statistic over seeds drawn again with replacement: what happens within
one market hangs together, seeds do not.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mmpipe.config import Config
from mmpipe.provenance import provenance
from mmpipe.training.scenario_events import ScenarioMarket, scenario_market
from mmpipe.training.scenario_measures import (
    alarm_counts,
    cascade_delays,
    signal_delays,
    touch_values,
)
from mmpipe.training.scenario_run import look

SCHEMA: Final = "evaluate-scenarios/1"
LEAD_LAG: Final = "lead-lag"  # the scenario whose lead moves are judged
DRAWS: Final = 1_000
TAILS: Final = (2.5, 97.5)
TRADES_MAX, DELAY_MS_MAX, ALARMS_MAX = 3.0, 500.0, 0.001
SIGNAL_MS_MAX, HEAD_START_MS_MIN = 150.0, 50.0
RIGHT_SHARE_MIN: Final = 0.9  # of ticks whose queue value has its sign right

Statistic = Callable[[np.ndarray], float]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was measured in one market.

    Attributes
    ----------
    scenario : str
        Its name.
    delays, alarms, signals : ndarray
        See `cascade_delays`, `alarm_counts`, `signal_delays`; `signals` is empty but in LEAD_LAG.
    values : dict of ndarray
        See `touch_values`.
    """

    scenario: str
    delays: np.ndarray
    alarms: np.ndarray
    signals: np.ndarray
    values: dict[str, np.ndarray]


def observe(market: ScenarioMarket, config: Config) -> Seen:
    """Run the models over a market and measure them; a lead move counts when it is worth a maker's fee."""
    looks = look(market, config)
    moves_bps = config.execution.maker_fee_bps if market.scenario == LEAD_LAG else np.inf
    return Seen(
        market.scenario,
        cascade_delays(market, looks),
        alarm_counts(market, looks),
        signal_delays(market, looks, moves_bps),
        touch_values(market, looks),
    )


def observe_all(
    scenarios: Sequence[str], seeds: Sequence[int], seconds: float, profile: str, config: Config
) -> Iterator[Seen]:
    """Measure every scenario with every seed, one market after the other."""
    coins = tuple(symbol.coin for symbol in config.symbol)
    leads = tuple(symbol.lead for symbol in config.symbol)
    for scenario in scenarios:
        for seed in seeds:
            yield observe(scenario_market(scenario, seed, seconds, coins, leads, profile), config)


def scenario_report(seen: Sequence[Seen], facts: dict[str, Any]) -> dict[str, Any]:
    """`evaluate-scenarios/1`.

    Parameters
    ----------
    seen : sequence of Seen
        One per market.
    facts : dict
        What was asked for: scenarios, seeds, seconds, profile.

    Returns
    -------
    dict
        JSON values. `rows` are what there is a target for in the scenarios run; a value of None is infinite:
        it never happened in at least that share of the cases.
    """
    rows = [*_toxicity_rows(seen), *_signal_rows(seen), *_value_rows(seen)]
    return {"schema": SCHEMA, **provenance(), **facts, "rows": rows, "ok": all(row["ok"] for row in rows)}


def _toxicity_rows(seen: Sequence[Seen]) -> Iterator[dict[str, Any]]:
    # What is over before the deadline is no cascade: a single holder was liquidated.
    groups = [delays for one in seen if len(delays := one.delays[one.delays[:, 4] > DELAY_MS_MAX])]
    if groups:
        every = np.concatenate(groups)
        brief = sum(len(one.delays) for one in seen) - len(every)
        missed = int(np.isinf(every[:, 0]).sum())
        again = every[np.isfinite(every[:, 3])]
        why = (
            f"{missed} of {len(every)} cascades never called Toxic, {int((every[:, 2] == 0.0).sum())} before "
            f"their first forced print; {len(again)} began seconds after another; {brief} more were over "
            f"within {DELAY_MS_MAX:g} ms and are not judged"
        )
        for name, column, limit in (
            ("toxicity delay, trades", 1, TRADES_MAX),
            ("toxicity delay, ms", 0, DELAY_MS_MAX),
            ("toxicity delay, prints", 2, TRADES_MAX),
        ):
            yield _row(name, f"median < {limit:g}", groups, _median(column), _below(limit), why)
    alarms = [one.alarms[None, :] for one in seen]
    total = np.sum([one.alarms for one in seen], axis=0)
    if total[0]:
        why = f"{total[1]} alarms in {total[0]} calm prints; the market proved {total[1] - total[2]} right"
        yield _row(
            "toxicity false alarms per trade", f"<= {ALARMS_MAX:g}", alarms,
            lambda rows: float(rows[:, 2].sum() / max(rows[:, 0].sum(), 1)), lambda v: v <= ALARMS_MAX, why,
        )  # fmt: skip


def _signal_rows(seen: Sequence[Seen]) -> Iterator[dict[str, Any]]:
    groups = [one.signals for one in seen if len(one.signals)]
    if not groups:
        return
    every = np.concatenate(groups)
    late, plain = int(np.isinf(every[:, 1]).sum()), int(np.isinf(every[:, 2]).sum())
    why = (
        f"{len(every)} lead moves of {np.median(np.abs(every[:, 4])):.1f} bps (median), {late} without a "
        f"signal; the maker's mid follows after {np.median(every[:, 3]):g} ms (median)"
    )
    for name, column in (("lead-lag delay, ms", 0), ("lead-lag delay with the venue's, ms", 1)):
        yield _row(name, f"p95 < {SIGNAL_MS_MAX:g}", groups, _p95(column), lambda v: v < SIGNAL_MS_MAX, why)
    why = (
        f"a 3-sigma threshold never fired on {plain} moves; where it was later than the maker's own "
        "move, or never, the lead over that move counts"
    )
    yield _row(
        "lead-lag before a threshold, ms", f"median >= {HEAD_START_MS_MIN:g}", groups, _head_start_ms,
        lambda v: v >= HEAD_START_MS_MIN, why,
    )  # fmt: skip


def _head_start_ms(rows: np.ndarray) -> float:
    useful = rows[np.isfinite(rows[:, 1]) & np.isfinite(np.minimum(rows[:, 2], rows[:, 3]))]
    if not len(useful):
        return -np.inf
    return float(np.median(np.minimum(useful[:, 2], useful[:, 3]) - useful[:, 1]))


def _value_rows(seen: Sequence[Seen]) -> Iterator[dict[str, Any]]:
    for phase, sign, where in (("cascade", -1.0, "attacked side"), ("calm", 1.0, "both sides")):
        groups = [one.values[phase] for one in seen if len(one.values[phase])]
        if not groups:
            continue
        realised = np.concatenate([one.values[f"{phase}_realised"] for one in seen])
        truth = f"{realised.mean():+.2f} bps over {len(realised)} prints" if len(realised) else "no print"
        why = f"what a fill there was worth after 5 s, before the fee: {truth}"
        name, word = f"queue value in {phase}, {where}", "<" if sign < 0.0 else ">"
        yield _row(
            f"{name}, bps", f"median {word} 0", groups, lambda rows: float(np.median(rows)),
            _signed(sign), why,
        )  # fmt: skip
        yield _row(
            f"{name}, share {word} 0", f">= {RIGHT_SHARE_MIN:g}", groups,
            _share_of(sign), lambda v: v >= RIGHT_SHARE_MIN, why,
        )  # fmt: skip


def _row(
    name: str,
    target: str,
    groups: Sequence[np.ndarray],
    statistic: Statistic,
    passes: Callable[[float], bool],
    why: str,
) -> dict[str, Any]:
    value = statistic(np.concatenate(groups))
    return {
        "measure": name, "target": target, "value": _finite(value), "interval": interval(groups, statistic),
        "n": sum(map(len, groups)), "ok": bool(passes(value)), "why": why,
    }  # fmt: skip


def interval(groups: Sequence[np.ndarray], statistic: Statistic) -> list[float | None]:
    """Middle 95 % of a statistic over groups drawn again with replacement, the same for the same groups."""
    rng = np.random.default_rng(0)
    draws = [
        statistic(np.concatenate([groups[i] for i in rng.integers(0, len(groups), len(groups))]))
        for _ in range(DRAWS if len(groups) > 1 else 1)
    ]
    return [_finite(float(v)) for v in np.percentile(draws, TAILS, method="inverted_cdf")]


def _median(column: int) -> Statistic:
    # Of infinite values too, without arithmetic between them.
    return lambda rows: float(np.percentile(rows[:, column], 50.0, method="inverted_cdf"))


def _p95(column: int) -> Statistic:
    return lambda rows: float(np.percentile(rows[:, column], 95.0, method="inverted_cdf"))


def _below(limit: float) -> Callable[[float], bool]:
    return lambda value: value < limit


def _signed(sign: float) -> Callable[[float], bool]:
    return lambda value: sign * value > 0.0


def _share_of(sign: float) -> Statistic:
    return lambda rows: float((sign * rows > 0.0).mean())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
