"""Fits of queue value and fill survival against simulations whose truth is known."""

from typing import Any, Final

import numpy as np

from mmpipe.enums import ModelKind
from mmpipe.models.model_inputs import FEATURE_NAMES, INPUTS
from mmpipe.models.weights import built_in_models, with_arrays
from mmpipe.training.fit_queue_value import fit_queue_value
from mmpipe.training.hazards import Hazard, events, exposures, fit_hazard, incidence
from mmpipe.training.live_models import losses_all
from tests.oracles import two_queues

ORDERS: Final = 20_000
Z_MAX: Final = 2.5
LABELS: Final = 5_000
SIGN_ACCURACY_MIN: Final = 0.99
CLEAR_TICKS: Final = 0.05  # a value closer to nothing has no sign to get right
QUEUE_MAX: Final = 12
EDGES_S: Final = np.array([0.0, 0.5, 1.0, 3.0, 10.0])
PATIENCE_S: Final = 6.0
DEPTH_TICKS: Final = 0.5

Rows = list[dict[str, Any]]
INDEX: Final = {name: index for index, name in enumerate(FEATURE_NAMES)}


def rows(scale: float, seed: int) -> Rows:
    """All cases on a share of the full samples."""
    return [*hazard_rows(int(ORDERS * scale), seed), *queue_value_rows(int(LABELS * scale), seed)]


def row(case: str, value: float, spread: float, count: int, ok: bool) -> dict[str, Any]:
    """One line of the report; the interval is two standard errors."""
    return {
        "case": case, "value": value, "interval": [value - 2.0 * spread, value + 2.0 * spread], "n": count,
        "ok": bool(ok),
    }  # fmt: skip


def true_hazards() -> tuple[Hazard, Hazard]:
    """Hazards of fill and adverse move that the orders are drawn from."""
    ones, unknown = np.ones(len(EDGES_S) - 1), np.zeros((6, 6))
    fill = Hazard(np.log([0.6, 0.4, 0.3, 0.2]), np.array([-0.8, 0.5]), unknown, ones)
    return fill, Hazard(np.log([0.1, 0.15, 0.2, 0.2]), np.array([0.0, 0.7]), unknown, ones)


def drawn_orders(
    truth: tuple[Hazard, Hazard], count: int, seed: int, patience_s: float = PATIENCE_S
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs of orders, how long they waited (s), and what ended them: 1 fill, 2 adverse, 0 censored."""
    rng = np.random.default_rng(seed)
    inputs = np.stack([rng.uniform(0.0, 1.0, count), rng.normal(size=count)], axis=1)
    waits, causes = np.full(count, EDGES_S[-1]), np.zeros(count, dtype=int)
    alive = np.ones(count, dtype=bool)
    for k in range(len(EDGES_S) - 1):
        rates = [np.exp(h.base[k] + h.gains[k] * (inputs @ h.weights)) for h in truth]
        total = rates[0] + rates[1]
        spent = rng.exponential(1.0 / total)
        ends = alive & (spent < EDGES_S[k + 1] - EDGES_S[k])
        waits[ends] = EDGES_S[k] + spent[ends]
        causes[ends] = np.where(rng.uniform(size=count) < rates[0] / total, 1, 2)[ends]
        alive &= ~ends
    cancelled = rng.exponential(patience_s, count)
    return inputs, np.minimum(waits, cancelled), np.where(cancelled < waits, 0, causes)


def hazard_rows(count: int, seed: int) -> Rows:
    """Largest error of a coefficient in standard errors, and of the chance of a fill at three horizons."""
    truth = true_hazards()
    inputs, waits, causes = drawn_orders(truth, count, seed)
    exposure, free, ones = exposures(waits, EDGES_S), np.zeros(2, dtype=bool), np.ones(len(EDGES_S) - 1)
    found = tuple(
        fit_hazard(inputs, exposure, events(waits, causes == cause, EDGES_S), np.zeros(2), free, ones)
        for cause in (1, 2)
    )
    errors = np.concatenate([
        np.concatenate((fit.base - real.base, fit.weights - real.weights)) / np.sqrt(np.diag(fit.covariance))
        for fit, real in zip(found, truth, strict=True)
    ])  # fmt: skip
    worst = float(np.abs(errors).max())
    out = [row("hazards/largest_error_in_standard_errors", worst, 0.0, count, worst <= Z_MAX)]
    fresh, fates, ended = drawn_orders(truth, count, seed + 1, 1e12)
    for horizon_s in (0.5, 1.0, 3.0):
        came = float(((ended == 1) & (fates <= horizon_s)).mean())
        said = float(incidence((found[0], found[1]), fresh, EDGES_S, horizon_s).mean())
        spread = float(np.sqrt(2.0 * came * (1.0 - came) / count))
        case = f"hazards/chance_error/{horizon_s:g}_s"
        out.append(row(case, said - came, spread, count, abs(said - came) <= Z_MAX * spread))
    return out


def queue_value_rows(count: int, seed: int) -> Rows:
    """How often the sign of a place's value is right, and how far off it is in ticks."""
    rng = np.random.default_rng(seed)
    inputs, edges = drawn_fills(rng, count)
    ts_ns = np.arange(count) * 1_000_000_000
    fitted = fit_queue_value(inputs, DEPTH_TICKS - edges, ts_ns, ts_ns + 1, seed)
    models = with_arrays(built_in_models(), ModelKind.QUEUE_VALUE, fitted.form, fitted.arrays)
    places = all_places()
    exact = np.array([two_queues.edge_given_fill()[place] for place in places])
    out = np.zeros((len(places), 2))
    losses_all(models, np.array([inputs_of(*place) for place in places]), out)
    said = DEPTH_TICKS - out[:, 0]
    clear = np.abs(exact) >= CLEAR_TICKS
    right = float((np.sign(said) == np.sign(exact))[clear].mean())
    spread = float(np.sqrt(right * (1.0 - right) / clear.sum()))
    off = float(np.sqrt(np.mean((said - exact) ** 2)))
    return [
        row("queue_value/sign_accuracy", right, spread, int(clear.sum()), right >= SIGN_ACCURACY_MIN),
        row("queue_value/rmse_ticks", off, 0.0, count, off <= 0.12),
    ]


def all_places() -> list[tuple[int, int, int]]:
    """(ahead, behind, ask) of queues up to QUEUE_MAX orders, ours counted."""
    totals = range(1, QUEUE_MAX + 1)
    return [(ahead, total - 1 - ahead, ask) for total in totals for ahead in range(total) for ask in totals]


def inputs_of(ahead: int, behind: int, ask: int) -> np.ndarray:
    """What the model is shown of a place, by FEATURE_NAMES."""
    bid = ahead + behind + 1
    found = np.zeros(INPUTS)
    found[INDEX["depth_bps"]] = found[INDEX["half_spread_bps"]] = DEPTH_TICKS
    found[INDEX["queue_rank"]], found[INDEX["log_ahead_notional"]] = ahead / bid, np.log1p(ahead)
    found[INDEX["touch_imbalance"]] = (bid - ask) / (bid + ask)
    found[INDEX["log_own_depth"]], found[INDEX["log_other_depth"]] = np.log1p(bid), np.log1p(ask)
    return found


def drawn_fills(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and realised edges (ticks) of orders that filled, from places drawn evenly."""
    places, inputs, edges = all_places(), [], []
    while len(edges) < count:
        place = places[int(rng.integers(len(places)))]
        edge = two_queues.simulated(rng, *place)
        if np.isfinite(edge):
            inputs.append(inputs_of(*place))
            edges.append(edge)
    return np.array(inputs), np.array(edges)
