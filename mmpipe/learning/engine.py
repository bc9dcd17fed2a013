"""The learning engine: outcomes in, parameters and rows out; it writes nothing and reads no clock.

Every label moves the evidence of its symbol (`parameters.py`), is joined with the prediction it answers
(`outcomes.py`) and becomes a row. A parameter is published as learned (tier 1) once enough independent
observations stand behind it, and as configured (tier 0) before, or after its evidence has faded again.
"""

import json
from collections import deque
from typing import Any, Final, NamedTuple

import numpy as np

from mmpipe.clock import NS_PER_S
from mmpipe.config import Config
from mmpipe.enums import Counter, LabelKind, Outcome, Param, ReportKind, Toxicity
from mmpipe.learning.markout_totals import BlockMean, MarkoutTotals, fill_markouts_row
from mmpipe.learning.outcomes import (
    FillExpectation,
    Pending,
    Prediction,
    Row,
    context_row,
    fill_row,
    label_row,
    markout_row,
    scored_row,
)
from mmpipe.learning.parameters import NS_PER_MIN, Estimate, SymbolParameters, prior_of
from mmpipe.learning.signal_value import WEIGHTS
from mmpipe.records import PARAMS

STATE_VERSION: Final = 1
STATE_KEY: Final = "parameters"  # row of table model_state
TRADE_ROW_EVERY: Final = 20  # TRADE labels per row of table `labels`
STATE_EVERY: Final = 10  # publications between two saved states
VALUES_KEPT: Final = 256  # published values remembered, to undo the one in force at a join two minutes ago
UNDONE: Final = (Param.QUEUE_VALUE_BIAS_BPS,)  # contained in what it is learned from


class Loop(NamedTuple):
    """A feedback loop: which parameters it moves and who consumes them."""

    params: tuple[Param, ...]
    consumer: str


LOOPS: Final = {
    "lead_lag_beta": Loop((Param.LEAD_LAG_BETA, Param.LEAD_LAG_NOISE_BPS), "alpha.lead_lag"),
    "adverse_selection": Loop(
        (
            Param.ADVERSE_SELECTION_BENIGN_BPS,
            Param.ADVERSE_SELECTION_NORMAL_BPS,
            Param.ADVERSE_SELECTION_TOXIC_BPS,
        ),
        "features.queue_value, execution.queue_value",
    ),
    "kappa": Loop((Param.KAPPA_PER_BPS,), "execution.quoting"),
    "fill_prob": Loop((Param.FILL_PROB_SCALE,), "execution.fill_survival, features.fill_survival"),
    "toxicity": Loop((Param.TOXICITY_SLOPE, Param.TOXICITY_INTERCEPT), "features.toxicity"),
    "sigma_baseline": Loop((Param.SIGMA_BASELINE_BPS,), "features.regime"),
    "queue_value_bias": Loop((Param.QUEUE_VALUE_BIAS_BPS,), "features.queue_value, execution.queue_value"),
    "signal_value": Loop(WEIGHTS, "alpha.ensemble"),
}


class LearningEngine:
    """Turns outcomes into PARAMS and database rows.

    Parameters
    ----------
    config : Config
        Symbols, `[learning]` and `[priors]`.

    Attributes
    ----------
    counters : ndarray of int64, shape (len(Counter),)
        PREDICTIONS, LABELS, SCORED, FILLS, PARAMS_PUBLISHED, BAD_NUMBER.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._coins = [symbol.coin for symbol in config.symbol]
        halflife_ns = config.learning.decay_halflife_min * NS_PER_MIN
        fill_halflife_ns = config.learning.fill_halflife_s * NS_PER_S
        self._symbols = [SymbolParameters(config.priors, halflife_ns, fill_halflife_ns) for _ in self._coins]
        self._predictions: Pending[Prediction] = Pending()
        self._fills: Pending[FillExpectation] = Pending()
        self._last_move_ts_ns = [0] * len(self._coins)
        self._last_trade_ts_ns = [0] * len(self._coins)
        self._in_force = {
            (symbol, param): deque([(0, prior_of(config.priors, param))], maxlen=VALUES_KEPT)
            for symbol in range(len(self._coins))
            for param in UNDONE
        }
        self._markouts = MarkoutTotals()
        self._residuals = [BlockMean(int(config.labels.horizon_s * NS_PER_S)) for _ in self._coins]
        self._published: dict[tuple[int, Param], float] = {}
        self._publish_due_ns = 0
        self._publications = 0
        self._label_seq = 0
        self._inputs = dict.fromkeys(LOOPS, 0)
        self._updates = dict.fromkeys(LOOPS, 0)
        self._updated_ts_ns = dict.fromkeys(LOOPS, 0)
        self._now_ns = 0
        self._rows: list[Row] = []
        self.counters = np.zeros(len(Counter), np.int64)

    def on_predictions(self, rows: np.ndarray) -> None:
        """PREDICTION records, which wait for the label of their SNAPSHOT."""
        for row in rows:
            made, symbol = int(row["ts_ns"]), int(row["symbol"])
            numbers = (float(row["alpha_bps"]), float(row["alpha_std_bps"]), float(row["divergence_bps"]))
            signals = row["signals_bps"].copy()
            if not self._sound(symbol, (*numbers, *signals)):
                continue
            self.counters[Counter.PREDICTIONS] += 1
            self._predictions.add(symbol, int(row["cause_seq"]), Prediction(made, *numbers, signals))

    def on_labels(self, rows: np.ndarray) -> None:
        """LABEL records: each moves its symbol's evidence and becomes a row."""
        for row in rows:
            known = int(row["kind"]) in set(LabelKind) and int(row["toxicity"]) in set(Toxicity)
            numbers: tuple[str, ...] = (
                "predicted_edge_bps",
                "predicted_fill_prob",
                "depth_bps",
                "expected_fills",
            )
            if row["horizon_ns"] > 0:  # otherwise nobody saw what came of it
                numbers += ("move_bps", "realized_edge_bps", "realized_as_bps")
            if not known or not self._sound(int(row["symbol"]), tuple(float(row[name]) for name in numbers)):
                self.counters[Counter.BAD_NUMBER] += not known
                continue
            self.counters[Counter.LABELS] += 1
            self._label_seq = max(self._label_seq, int(row["seq"]))
            if row["kind"] == LabelKind.TRADE:
                self._on_trade(row)
                continue
            if row["kind"] == LabelKind.SHADOW_MARKOUTS:
                self._on_shadow_markouts(row)
                continue
            if row["kind"] == LabelKind.FILL_MARKOUTS:
                self._rows.append(fill_markouts_row(row))
                continue
            self._rows.append(label_row(row))
            if row["kind"] == LabelKind.MID_MOVE:
                self._on_mid_move(row)
            elif row["kind"] == LabelKind.SHADOW_QUOTE:
                self._on_shadow_quote(row)
            elif row["kind"] == LabelKind.FILL_MARKOUT and row["horizon_ns"] > 0:
                self._on_markout(row)

    def on_fill_contexts(self, rows: np.ndarray) -> None:
        """FILL_CONTEXT records, which wait for the markout of their trade id."""
        for row in rows:
            numbers = (float(row["predicted_edge_bps"]), float(row["predicted_uncertainty_bps"]))
            if not self._sound(int(row["symbol"]), numbers):
                continue
            expectation = FillExpectation(int(row["ts_ns"]), *numbers)
            self._fills.add(int(row["symbol"]), int(row["tid"]), expectation)
            self._rows.append(context_row(row))

    def on_reports(self, rows: np.ndarray) -> None:
        """REPORT records; fills become rows, everything else is of no use here."""
        for row in rows[rows["kind"] == int(ReportKind.FILL)]:
            self.counters[Counter.FILLS] += 1
            self._rows.append(fill_row(row))

    def params(self, now_ns: int) -> np.ndarray:
        """PARAMS records to publish at `now_ns`.

        Returns
        -------
        ndarray of PARAMS, shape (n,)
            Every parameter of every symbol once per publishing interval, otherwise none; `seq` is left
            to the ring.
        """
        self._now_ns = max(self._now_ns, now_ns)
        if now_ns < self._publish_due_ns:
            return np.zeros(0, PARAMS)
        self._publish_due_ns = now_ns + int(self._config.learning.publish_interval_s * NS_PER_S)
        out = np.zeros(len(self._symbols) * len(Param), PARAMS)
        out["ts_ns"], out["cause_seq"] = now_ns, self._label_seq
        for symbol, learned in enumerate(self._symbols):
            for param, estimate in learned.estimates(now_ns).items():
                self._publish(out[symbol * len(Param) + param], symbol, param, estimate)
        self.counters[Counter.PARAMS_PUBLISHED] += len(out)
        self._rows += self._markouts.rows()
        self._publications += 1
        if self._publications % STATE_EVERY == 0:
            self._rows.append(self.state_row(now_ns))
        return out

    def drain_rows(self) -> list[Row]:
        """Rows for the database since the last call."""
        rows, self._rows = self._rows, []
        return rows

    def state(self) -> dict[str, Any]:
        """All evidence as plain JSON values, by coin."""
        parameters = {coin: part.state() for coin, part in zip(self._coins, self._symbols, strict=True)}
        return {"version": STATE_VERSION, "symbols": parameters, "markouts": self._markouts.state()}

    def state_row(self, now_ns: int) -> Row:
        """`state()` as the row of table `model_state` that a restart reads."""
        saved = json.dumps(self.state())
        return Row("model_state", {"key": STATE_KEY, "json": saved, "updated_ts_ns": now_ns})

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`; coins it does not know start from the priors.

        Raises
        ------
        ValueError
            Another version, or sums of another size: delete the database or keep the old program.
        """
        if state.get("version") != STATE_VERSION:
            raise ValueError(f"learned state has version {state.get('version')}, not {STATE_VERSION}")
        for coin, part in zip(self._coins, self._symbols, strict=True):
            part.restore(state["symbols"].get(coin, {}))
        self._markouts.restore(state.get("markouts", []))  # a state from before there were any

    def loops(self) -> dict[str, dict[str, Any]]:
        """Each feedback loop: records in, changes published, consumer, seconds since the last change."""
        return {
            name: {
                "inputs": self._inputs[name],
                "updates": self._updates[name],
                "consumer": loop.consumer,
                "age_s": self._age_s(name),
            }
            for name, loop in LOOPS.items()
        }

    def _age_s(self, name: str) -> float | None:
        if not self._updates[name]:
            return None
        return (self._now_ns - self._updated_ts_ns[name]) / NS_PER_S

    def _sound(self, symbol: int, numbers: tuple[float, ...]) -> bool:
        if symbol < len(self._symbols) and bool(np.isfinite(numbers).all()):
            return True
        self.counters[Counter.BAD_NUMBER] += 1
        return False

    def _on_mid_move(self, label: np.void) -> None:
        symbol, ts_ns, horizon_ns = int(label["symbol"]), int(label["ts_ns"]), int(label["horizon_ns"])
        if not horizon_ns > 0:
            self.counters[Counter.BAD_NUMBER] += 1
            return
        # Labels every 100 ms of moves over 1 s share most of their path: each is a tenth of an observation.
        gap_ns = ts_ns - self._last_move_ts_ns[symbol]
        share = min(max(gap_ns / horizon_ns, 0.0), 1.0)
        if not share > 0.0:
            return
        self._last_move_ts_ns[symbol] = ts_ns
        move_bps = float(label["move_bps"])
        self._inputs["sigma_baseline"] += 1
        self._symbols[symbol].add_move(move_bps, horizon_ns, share, ts_ns)
        expected = self._predictions.take(symbol, int(label["cause_seq"]))
        if expected is None:
            return
        self._inputs["lead_lag_beta"] += 1
        self._inputs["signal_value"] += 1
        self._symbols[symbol].add_divergence(expected.divergence_bps, move_bps, share, ts_ns)
        self._symbols[symbol].add_signals(expected.signals_bps, move_bps, share, ts_ns)
        self._score("mid_move", label, expected)

    def _on_shadow_quote(self, label: np.void) -> None:
        symbol, ts_ns, wait_ns = int(label["symbol"]), int(label["ts_ns"]), int(label["wait_ns"])
        filled, toxicity = bool(label["filled"]), int(label["toxicity"])
        expected_fills = float(label["expected_fills"])
        censored = label["outcome"] == Outcome.CANCELLED
        if wait_ns > 0 and expected_fills > 0.0 and not censored:
            self._inputs["kappa"] += 1
            self._inputs["fill_prob"] += 1
            depth = float(label["depth_bps"])
            self._symbols[symbol].add_quote(depth, wait_ns / NS_PER_S, filled, expected_fills, ts_ns)
        if filled and label["horizon_ns"] > 0:
            self._inputs["adverse_selection"] += 1
            self._symbols[symbol].add_markout(toxicity, float(label["realized_as_bps"]), ts_ns)

    def _on_trade(self, label: np.void) -> None:
        # One row in TRADE_ROW_EVERY: a crash has hundreds of aggressors a second, and `inputs` counts all.
        symbol, at_ns, horizon_ns = int(label["symbol"]), int(label["cause_ts_ns"]), int(label["horizon_ns"])
        said = float(label["predicted_fill_prob"])
        if not (horizon_ns > 0 and 0.0 <= said <= 1.0):
            self.counters[Counter.BAD_NUMBER] += 1
            return
        gap_ns = at_ns - self._last_trade_ts_ns[symbol]
        self._last_trade_ts_ns[symbol] = max(at_ns, self._last_trade_ts_ns[symbol])
        share = min(max(gap_ns / horizon_ns, 0.0), 1.0)
        if self._inputs["toxicity"] % TRADE_ROW_EVERY == 0:
            self._rows.append(label_row(label))
        self._inputs["toxicity"] += 1
        self._symbols[symbol].add_trade(said, bool(label["filled"]), share, int(label["ts_ns"]))

    def _on_markout(self, label: np.void) -> None:
        symbol = int(label["symbol"])
        self._inputs["adverse_selection"] += 1
        markout_bps = float(label["realized_as_bps"])
        self._symbols[symbol].add_markout(int(label["toxicity"]), markout_bps, int(label["ts_ns"]))
        self._rows.append(markout_row(label))
        expected = self._fills.take(symbol, int(label["cause_seq"]))
        if expected is not None:
            self._score("fill_edge", label, expected)

    def _score(self, kind: str, label: np.void, expected: Prediction | FillExpectation) -> None:
        self.counters[Counter.SCORED] += 1
        self._rows.append(scored_row(kind, label, expected))

    def _on_shadow_markouts(self, label: np.void) -> None:
        self._markouts.add(label)
        if not label["horizon_ns"] > 0:
            return
        symbol, joined_ns = int(label["symbol"]), int(label["cause_ts_ns"])
        self._inputs["queue_value_bias"] += 1
        bias_bps = self._value_at(symbol, Param.QUEUE_VALUE_BIAS_BPS, joined_ns)
        residual_bps = float(label["realized_edge_bps"] - label["predicted_edge_bps"]) + bias_bps
        mean_bps = self._residuals[symbol].add(residual_bps, joined_ns + int(label["wait_ns"]))
        if mean_bps is not None:
            self._symbols[symbol].add_residual(mean_bps, int(label["ts_ns"]))

    def _value_at(self, symbol: int, param: Param, ts_ns: int) -> float:
        # The prediction already contained the value in force; learning its residual would chase itself.
        values = self._in_force[symbol, param]
        return next((value for since_ns, value in reversed(values) if since_ns <= ts_ns), values[0][1])

    def _publish(self, out: np.void, symbol: int, param: Param, estimate: Estimate) -> None:
        learning = self._config.learning
        learned = learning.enabled and estimate.observations >= learning.min_observations
        value = estimate.value if learned else prior_of(self._config.priors, param)
        out["param"], out["symbol"], out["tier"] = param, symbol, int(learned)
        out["value"], out["std"], out["observations"] = value, estimate.std, estimate.observations
        if self._published.get((symbol, param)) == value:
            return
        first = (symbol, param) not in self._published
        self._published[symbol, param] = value
        now_ns = int(out["ts_ns"])
        self._rows.append(self._param_row(out, param))
        if param in UNDONE:
            self._in_force[symbol, param].append((now_ns, value))
        if not first or learned:
            name = next(name for name, loop in LOOPS.items() if param in loop.params)
            self._updates[name] += 1
            self._updated_ts_ns[name] = now_ns

    def _param_row(self, out: np.void, param: Param) -> Row:
        columns = {
            name: out[name].item() for name in ("ts_ns", "symbol", "value", "std", "observations", "tier")
        }
        return Row("params", {"param": param.name.lower(), **columns})
