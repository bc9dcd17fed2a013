"""Detection of informed flow on streams whose truth is known, against the optimum and two baselines.

A benign stream has fair sides, exponential gaps, lognormal sizes and a normal book imbalance toward the
trade. An informed buyer or seller makes 95 % of the sides his, trades ten times as often and three times as
large, into a book that leans two standard deviations his way: 0.50, 1.40, 0.60 and 2.00 nats a trade. Every
detector is a number per trade; it is compared at the level that one in a thousand benign trades exceeds, and
its delay is the number of informed trades until it does, the first one counted.

References
----------
Lorden, "Procedures for reacting to a change in distribution" (1971): delay ~ ln(run length) / nats.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from mmpipe.enums import Param
from mmpipe.models import toxicity
from mmpipe.models.toxicity import TOXICITY, pack_weights
from mmpipe.models.trade_features import INPUTS, TOXICITY_INPUTS
from mmpipe.records import PARAMS_COUNT
from ringbuf.jit import kernel

OWN_SIDE_PROB: Final = 0.95
GAP_RATIO: Final = 10.0  # informed trades come so much faster
SIZE_RATIO: Final = 3.0
LEAN_STD: Final = 2.0
ONSET_PROB: Final = 0.002  # per benign trade
END_PROB: Final = 0.025  # per informed trade
FALSE_SHARE: Final = 0.001
EPISODE_TRADES: Final = 150
CALM_TRADES: Final = 60  # before an episode
WINDOW: Final = 50
LAGS: Final = 4
NS_PER_S: Final = 1_000_000_000
DELAY_TRADES_MAX: Final = 3.0
SETTINGS_HALFLIFE_S: Final = 2.8  # 40 informed trades at ten a second live four seconds on average
HAZARD_COST_MAX: Final = 0.25  # trades that a hazard ten times too high or low may cost


class Stream(NamedTuple):
    """Trades in order; all arrays have shape (n,)."""

    state: np.ndarray  # 0 benign, +1 informed buying, -1 informed selling
    side: np.ndarray
    gap_s: np.ndarray
    log_size: np.ndarray
    lean: np.ndarray  # of the book toward buying, standard deviations


def stream(rng: np.random.Generator, state: np.ndarray) -> Stream:
    """Draw the trades of a path of states."""
    count, informed = len(state), state != 0
    own = rng.random(count) < OWN_SIDE_PROB
    fair = np.where(rng.random(count) < 0.5, 1, -1)
    return Stream(
        state,
        np.where(informed, np.where(own, state, -state), fair),
        rng.exponential(1.0, count) / np.where(informed, GAP_RATIO, 1.0),
        rng.normal(0.0, 1.0, count) + np.log(SIZE_RATIO) * informed,
        rng.normal(0.0, 1.0, count) + LEAN_STD * state,
    )


def chain(rng: np.random.Generator, count: int) -> np.ndarray:
    """A path of states with the rates of the truth, for training."""
    path, now = np.zeros(count, np.int64), 0
    draws, sides = rng.random(count), np.where(rng.random(count) < 0.5, 1, -1)
    for at in range(count):
        if now == 0:
            now = sides[at] if draws[at] < ONSET_PROB else 0
        elif draws[at] < END_PROB:
            now = 0
        path[at] = now
    return path


def exact_log_ratios(trades: Stream) -> np.ndarray:
    """ln p(trade | informed buying, selling) - ln p(trade | benign), shape (n, 2)."""
    ratios = np.empty((len(trades.side), 2))
    for column, state in enumerate((1, -1)):
        by_side = np.log(np.where(trades.side == state, OWN_SIDE_PROB, 1.0 - OWN_SIDE_PROB) / 0.5)
        by_gap = np.log(GAP_RATIO) - (GAP_RATIO - 1.0) * trades.gap_s
        shift = np.log(SIZE_RATIO)
        by_size = shift * trades.log_size - shift**2 / 2.0
        by_lean = LEAN_STD * state * trades.lean - LEAN_STD**2 / 2.0
        ratios[:, column] = by_side + by_gap + by_size + by_lean
    return ratios


@kernel
def exact_filter(ratios: np.ndarray, onset: float, end: float, out: np.ndarray) -> None:
    """Posterior of informed buying and selling after each trade, shape (n, 2)."""
    buy, sell = 0.0, 0.0
    for at in range(len(ratios)):
        benign = 1.0 - buy - sell
        buy_next = buy * (1.0 - end) + benign * onset / 2.0
        sell_next = sell * (1.0 - end) + benign * onset / 2.0
        rest = 1.0 - buy_next - sell_next
        buy, sell = buy_next * np.exp(ratios[at, 0]), sell_next * np.exp(ratios[at, 1])
        total = buy + sell + rest
        buy, sell = buy / total, sell / total
        out[at, 0], out[at, 1] = buy, sell


@kernel
def our_filter(
    inputs: np.ndarray,
    side: np.ndarray,
    ts_ns: np.ndarray,
    weights: np.ndarray,
    settings: np.ndarray,
    params: np.ndarray,
    states: np.ndarray,
    out: np.ndarray,
) -> None:
    """Beliefs and side of the verdict after each trade by the kernels of the line, shape (n, 3)."""
    state = states[0]
    for at in range(len(side)):
        llr = toxicity.trade_llr(inputs[at], weights)
        toxicity.on_trade(state, ts_ns[at], side[at], llr, weights, True, settings, params)
        out[at, 0], out[at, 1], out[at, 2] = state["buy_belief"], state["sell_belief"], state["toxic_side"]


def single_inputs(trades: Stream) -> np.ndarray:
    """What the line's logistic sees of each trade, by TOXICITY_INPUTS; what the truth lacks is 0."""
    inputs = np.zeros((len(trades.side), INPUTS))
    inputs[:, TOXICITY_INPUTS.index("log_size")] = trades.log_size
    inputs[:, TOXICITY_INPUTS.index("log_gap")] = np.log(np.maximum(trades.gap_s, 1e-3))
    inputs[:, TOXICITY_INPUTS.index("imbalance")] = trades.side * trades.lean
    return inputs


def logistic(inputs: np.ndarray, happened: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights and bias of a logistic regression with a ridge of one observation, by Newton."""
    rows = np.column_stack([inputs, np.ones(len(inputs))])
    line = np.zeros(rows.shape[1])
    for _ in range(40):
        probs = 1.0 / (1.0 + np.exp(-np.clip(rows @ line, -30.0, 30.0)))
        curvature = (rows.T * (probs * (1.0 - probs))) @ rows + np.eye(len(line))
        step = np.linalg.solve(curvature, rows.T @ (happened - probs) - line)
        line += step
        if np.abs(step).max() < 1e-9:
            break
    return line[:-1], float(line[-1])


def trained_weights(trades: Stream) -> np.ndarray:
    """The line's weights from a stream with its truth: the logistic, its prior taken off.

    Mirrored inputs hide whose side it is; what the side itself says is added.
    """
    inputs, own = single_inputs(trades), (trades.state == trades.side).astype(float)
    line, bias = logistic(inputs, own)
    prior = float(np.log(own.mean() / (1.0 - own.mean())))
    own_nats, other_nats = np.log(OWN_SIDE_PROB / 0.5), np.log((1.0 - OWN_SIDE_PROB) / 0.5)
    return pack_weights(
        line, np.zeros(INPUTS), np.ones(INPUTS), bias + float(own_nats), prior, float(other_nats), 0.0
    )


def lagged_inputs(trades: Stream) -> np.ndarray:
    """The baseline's inputs: order flow in the last windows and asymmetry of intensities, toward buying."""
    times = np.cumsum(trades.gap_s)
    signed = np.concatenate([[0.0], np.cumsum(trades.side * np.exp(trades.log_size))])
    columns = []
    for lag in range(LAGS):
        newest = np.searchsorted(times, times - lag, side="right")
        oldest = np.searchsorted(times, times - lag - 1.0, side="right")
        columns.append(signed[newest] - signed[oldest])
    sides = np.concatenate([[0.0], np.cumsum(trades.side)])
    for window_s in (1.0, 5.0):
        first = np.searchsorted(times, times - window_s, side="right")
        count = np.arange(1, len(times) + 1) - first
        columns += [(sides[1:] - sides[first]) / count, np.log(count)]
    return np.column_stack(columns)


Detector = Callable[[Stream], np.ndarray]


def detectors(training: Stream, settings: np.ndarray) -> dict[str, Detector]:
    """Every detector as a function of a stream to one number per trade and side, shape (n, 2)."""
    weights = trained_weights(training)
    buying = lagged_inputs(training)
    mirror = np.array([-1.0] * LAGS + [-1.0, 1.0, -1.0, 1.0])
    both = np.concatenate([buying, buying * mirror])
    truth = np.concatenate([training.state == 1, training.state == -1]).astype(float)
    line, bias = logistic(both, truth)

    def plain(trades: Stream) -> np.ndarray:
        inputs = lagged_inputs(trades)
        return np.column_stack([inputs @ line, inputs * mirror @ line]) + bias

    return {
        "optimum": lambda trades: _exact(trades, ONSET_PROB),
        "line": lambda trades: line_beliefs(trades, weights, settings, 1.0)[:, :2],
        "line/hazard_x10": lambda trades: line_beliefs(trades, weights, settings, 10.0)[:, :2],
        "line/hazard_x0.1": lambda trades: line_beliefs(trades, weights, settings, 0.1)[:, :2],
        "baseline/lagged_logistic": plain,
        "baseline/window_50": _window,
    }


def _exact(trades: Stream, onset: float) -> np.ndarray:
    out = np.zeros((len(trades.side), 2))
    exact_filter(exact_log_ratios(trades), onset, END_PROB, out)
    return out


def line_beliefs(
    trades: Stream, weights: np.ndarray, settings: np.ndarray, hazard_ratio: float
) -> np.ndarray:
    """Beliefs and verdict's side of the line's kernels after each trade, shape (n, 3)."""
    changed = settings.copy()
    changed["hazard_per_trade"] *= hazard_ratio
    params = np.zeros(PARAMS_COUNT)
    params[Param.TOXICITY_SLOPE] = 1.0
    out = np.zeros((len(trades.side), 3))
    ts_ns = NS_PER_S + np.cumsum(trades.gap_s * NS_PER_S).astype(np.int64)
    our_filter(
        single_inputs(trades), trades.side, ts_ns, weights, changed, params, np.zeros(1, TOXICITY), out
    )
    return out


def _window(trades: Stream) -> np.ndarray:
    # Signed share of the quantity of the last trades.
    qty = np.exp(trades.log_size)
    signed = np.concatenate([np.zeros(WINDOW), np.cumsum(trades.side * qty)])
    total = np.concatenate([np.zeros(WINDOW), np.cumsum(qty)])
    share = (signed[WINDOW:] - signed[:-WINDOW]) / np.maximum(total[WINDOW:] - total[:-WINDOW], 1e-12)
    return np.column_stack([share, -share])


def episodes(rng: np.random.Generator, count: int) -> Stream:
    """Calm and then an episode, again and again; each starts from a calm of its own."""
    one = np.repeat([0, 1], [CALM_TRADES, EPISODE_TRADES])
    sides = np.where(rng.random(count) < 0.5, 1, -1)
    return stream(rng, np.concatenate([one * side for side in sides]))


def delays(numbers: np.ndarray, state: np.ndarray, level: float) -> np.ndarray:
    """Informed trades until the number of their side exceeds `level`; EPISODE_TRADES where it never does."""
    own = np.where(state > 0, numbers[:, 0], numbers[:, 1]).reshape(-1, CALM_TRADES + EPISODE_TRADES)
    above = own[:, CALM_TRADES:] > level
    return np.where(above.any(axis=1), above.argmax(axis=1) + 1, EPISODE_TRADES)


def interval(values: np.ndarray) -> list[float]:
    """Mean and 1.96 of its standard errors to both sides."""
    error = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5
    return [float(values.mean()) - error, float(values.mean()) + error]


def rows(settings: np.ndarray, scale: float = 1.0, seed: int = 0) -> list[dict[str, Any]]:
    """The cases of this bench.

    Parameters
    ----------
    settings : (1,) settings of ToxicityConfig
        The line's own hazard, decay, thresholds and dwell.
    scale : float
        Share of the full sample; the tests take less.
    seed : int
        Of all that is drawn.

    Returns
    -------
    list of dict
        `case, value, interval, n, ok`; a baseline is `ok` when the line is not slower.
    """
    rng = np.random.default_rng(seed)
    settings = settings.copy()
    settings["decay_halflife_s"] = SETTINGS_HALFLIFE_S
    training = stream(rng, chain(rng, int(60_000 * scale)))
    calm = stream(rng, np.zeros(int(300_000 * scale), np.int64))
    test = episodes(rng, int(2_000 * scale))
    found: dict[str, np.ndarray] = {}
    for name, detect in detectors(training, settings).items():
        level = float(np.quantile(detect(calm).max(axis=1), 1.0 - FALSE_SHARE))
        found[name] = delays(detect(test), test.state, level)
    ours = found["line"].mean()
    made = []
    for name, values in found.items():
        ok = values.mean() <= DELAY_TRADES_MAX if name in ("optimum", "line") else ours <= values.mean()
        if "hazard" in name:
            ok = abs(values.mean() - ours) <= HAZARD_COST_MAX
        made.append(_row(f"toxicity/{name}/delay_trades", values, bool(ok)))
    return made + _verdict_rows(calm, test, trained_weights(training), settings)


def _verdict_rows(
    calm: Stream, test: Stream, weights: np.ndarray, settings: np.ndarray
) -> list[dict[str, Any]]:
    # What the line decides by: hysteresis, dwell and the configured threshold included.
    false = (line_beliefs(calm, weights, settings, 1.0)[:, 2] != 0).astype(float)
    verdicts = line_beliefs(test, weights, settings, 1.0)[:, 2]
    values = delays(np.column_stack([verdicts, -verdicts]), test.state, 0.5)
    return [
        _row("toxicity/verdict/delay_trades", values, bool(values.mean() <= DELAY_TRADES_MAX)),
        _row("toxicity/verdict/false_share", false, bool(false.mean() <= FALSE_SHARE)),
    ]


def _row(case: str, values: np.ndarray, ok: bool) -> dict[str, Any]:
    mean = float(values.mean())
    return {"case": case, "value": mean, "interval": interval(values), "n": len(values), "ok": ok}
