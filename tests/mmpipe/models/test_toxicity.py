"""Informed flow: evidence, the exact posterior, verdicts with hysteresis and dwell, calibration, refusals."""

import itertools
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe import config as configuration
from mmpipe.config import settings_row
from mmpipe.enums import ModelKind, Param, Toxicity
from mmpipe.models import toxicity
from mmpipe.models.market_state import new_settings
from mmpipe.models.model_set import load_model_set
from mmpipe.models.trade_features import INPUTS, TOXICITY_INPUTS
from mmpipe.records import PARAMS_COUNT
from tests.mmpipe.models import made_models

CONFIG = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml")
SETTINGS = settings_row(CONFIG.toxicity)
WEIGHTS = toxicity.built_in_weights(CONFIG.toxicity)
AGAINST = CONFIG.toxicity.llr_against
MS = 1_000_000
START = 1_000_000 * MS


def identity() -> np.ndarray:
    params = np.zeros(PARAMS_COUNT)
    params[Param.TOXICITY_SLOPE] = 1.0
    return params


def inputs_of(**named: float) -> np.ndarray:
    return np.array([named.get(name, 0.0) for name in TOXICITY_INPUTS])


def feed(rows: np.ndarray, trades: list[tuple[int, float]], every_ms: int = 50, at: int = 0) -> list[int]:
    # (side, nats) one after another
    verdicts = []
    for step, (side, llr) in enumerate(trades):
        ts_ns = START + (at + step * every_ms) * MS
        toxicity.on_trade(rows[0], ts_ns, side, llr, WEIGHTS, True, SETTINGS, identity())
        verdicts.append(int(rows["verdict"][0]))
    return verdicts


def test_evidence_of_a_hand_made_aggressor() -> None:
    line = toxicity.pack_weights(
        np.arange(1.0, INPUTS + 1.0), np.full(INPUTS, 0.5), np.full(INPUTS, 2.0), 1.0, -0.5, -1.0, 0.0
    )
    inputs = np.full(INPUTS, 0.5)
    assert toxicity.trade_llr(inputs, line) == pytest.approx(1.5)  # bias less prior log-odds
    inputs[1] += 0.2
    assert toxicity.trade_llr(inputs, line) == pytest.approx(1.7)
    assert toxicity.trade_llr(inputs + 1e6, line) == toxicity.LLR_MAX


def test_every_built_in_weight_is_the_key_of_its_input() -> None:
    for index, name in enumerate(TOXICITY_INPUTS):
        assert WEIGHTS[toxicity.FIRST_WEIGHT + index] == getattr(CONFIG.toxicity, f"llr_{name}")
    assert WEIGHTS[toxicity.LLR_AGAINST] == AGAINST


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_evidence_that_is_no_number_is_none(bad: float) -> None:
    assert toxicity.trade_llr(inputs_of(log_size=bad), WEIGHTS) == 0.0


def test_a_run_of_large_sells_through_a_thin_book_is_toxic_within_three() -> None:
    rows = np.zeros(1, toxicity.TOXICITY)
    usual = float(toxicity.trade_llr(inputs_of(), WEIGHTS))
    feed(rows, [(1, usual), (-1, usual), (1, usual)])
    attack = [
        inputs_of(log_size=1.8, depth_change=-1.0, swept=1.0, divergence=6.0, run_length=run, flow_slow=3.0)
        for run in range(3)
    ]
    verdicts = feed(rows, [(-1, float(toxicity.trade_llr(each, WEIGHTS))) for each in attack], at=150)
    assert verdicts[-1] == Toxicity.TOXIC
    assert rows["toxic_side"][0] == -1
    assert rows["sell_prob"][0] > 0.8
    assert rows["buy_prob"][0] < 0.01  # poisons only the attacked side


def test_usual_flow_stays_benign() -> None:
    rows = np.zeros(1, toxicity.TOXICITY)
    usual = float(toxicity.trade_llr(inputs_of(), WEIGHTS))
    assert max(feed(rows, [(1 - 2 * (step % 2), usual) for step in range(500)])) == Toxicity.BENIGN


def exact(trades: list[tuple[int, int, float]], hazard: float, halflife_s: float) -> tuple[float, float]:
    # Posterior by the sum over all paths of states: 0 benign, 1 toxic-buy, 2 toxic-sell.
    weights = np.zeros(3)
    for path in itertools.product(range(3), repeat=len(trades)):
        weight, before = 1.0, 0
        for state, (gap_ms, side, llr) in zip(path, trades, strict=True):
            stay = 0.5 ** (gap_ms * 1e-3 / halflife_s) if before else 0.0
            benign = 1.0 if before == 0 else 1.0 - stay
            chances = [benign * (1.0 - hazard), benign * hazard / 2.0, benign * hazard / 2.0]
            if before:
                chances[before] += stay
            likelihoods = [1.0, np.exp(llr if side > 0 else AGAINST), np.exp(llr if side < 0 else AGAINST)]
            weight *= chances[state] * likelihoods[state]
            before = state
        weights[path[-1]] += weight
    return weights[1] / weights.sum(), weights[2] / weights.sum()


@given(
    st.lists(
        st.tuples(st.integers(1, 3_000), st.sampled_from([1, -1]), st.floats(-6.0, 6.0)),
        min_size=1,
        max_size=7,
    )
)
@settings(max_examples=60, deadline=None)
def test_beliefs_are_the_exact_posterior(trades: list[tuple[int, int, float]]) -> None:
    rows, ts_ns = np.zeros(1, toxicity.TOXICITY), START
    for gap_ms, side, llr in trades:
        ts_ns += gap_ms * MS
        toxicity.on_trade(rows[0], ts_ns, side, llr, WEIGHTS, True, SETTINGS, identity())
    hazard, halflife_s = CONFIG.toxicity.hazard_per_trade, CONFIG.toxicity.decay_halflife_s
    buy, sell = exact(trades, hazard, halflife_s)
    assert rows["buy_belief"][0] == pytest.approx(buy, abs=1e-9)
    assert rows["sell_belief"][0] == pytest.approx(sell, abs=1e-9)
    assert rows["buy_prob"][0] == rows["buy_belief"][0]  # identity until something was learned


def test_belief_does_not_look_ahead() -> None:
    # A smoother would change the belief of a trade when the next ones are known.
    early, late = np.zeros(1, toxicity.TOXICITY), np.zeros(1, toxicity.TOXICITY)
    feed(early, [(-1, 1.5)] * 3)
    then = early.copy()
    feed(late, [(-1, 1.5)] * 3)
    assert then == late
    assert exact([(50, -1, 1.5)] * 3, 0.002, CONFIG.toxicity.decay_halflife_s)[1] != pytest.approx(
        exact([(50, -1, 1.5)] * 6, 0.002, CONFIG.toxicity.decay_halflife_s)[1], abs=1e-3
    )


def test_a_further_row_revises_the_aggressor_and_does_not_count_twice() -> None:
    rows, once = np.zeros(1, toxicity.TOXICITY), np.zeros(1, toxicity.TOXICITY)
    feed(rows, [(1, 1.0), (-1, 0.5)])
    feed(once, [(1, 1.0), (-1, 0.5)])
    for llr in (0.2, 1.0, 3.0):
        first = llr == 0.2
        toxicity.on_trade(rows[0], START + 100 * MS, -1, llr, WEIGHTS, first, SETTINGS, identity())
    toxicity.on_trade(once[0], START + 100 * MS, -1, 3.0, WEIGHTS, True, SETTINGS, identity())
    assert rows == once


def test_a_toxic_verdict_dwells_and_then_leaves_with_time() -> None:
    rows = np.zeros(1, toxicity.TOXICITY)
    feed(rows, [(-1, 4.0)] * 4)
    assert rows["verdict"][0] == Toxicity.TOXIC
    since_ns = int(rows["toxic_since_ts_ns"][0])
    toxicity.advance(rows[0], since_ns + (CONFIG.toxicity.dwell_ms - 1) * MS, WEIGHTS, SETTINGS, identity())
    assert rows["verdict"][0] == Toxicity.TOXIC
    toxicity.advance(rows[0], since_ns + 15_000 * MS, WEIGHTS, SETTINGS, identity())
    assert rows["verdict"][0] == Toxicity.BENIGN
    assert rows["toxic_side"][0] == 0


def test_between_the_thresholds_a_verdict_stays_what_it_was() -> None:
    rows = np.zeros(1, toxicity.TOXICITY)
    rows["ts_ns"], rows["sell_belief"] = START, 0.6
    toxicity.advance(rows[0], START, WEIGHTS, SETTINGS, identity())
    assert rows["verdict"][0] == Toxicity.NORMAL
    rows["verdict"], rows["toxic_side"], rows["toxic_since_ts_ns"] = Toxicity.TOXIC, -1, START - 5_000 * MS
    toxicity.advance(rows[0], START, WEIGHTS, SETTINGS, identity())
    assert rows["verdict"][0] == Toxicity.TOXIC


def test_after_its_longest_dwell_a_verdict_has_to_be_earned_anew() -> None:
    rows, steps = np.zeros(1, toxicity.TOXICITY), CONFIG.toxicity.dwell_max_ms // 50 + 20
    verdicts = feed(rows, [(-1, 2.5)] * steps)
    first = verdicts.index(Toxicity.TOXIC)
    released = first + CONFIG.toxicity.dwell_max_ms // 50
    assert set(verdicts[first:released]) == {Toxicity.TOXIC}
    assert verdicts[released] != Toxicity.TOXIC
    assert verdicts[released + 5] == Toxicity.TOXIC  # the flow is still informed, and says so again


def test_the_verdict_turns_with_the_flow() -> None:
    rows = np.zeros(1, toxicity.TOXICITY)
    feed(rows, [(-1, 4.0)] * 4)
    feed(rows, [(1, 5.0)] * 6, at=200)
    assert rows["verdict"][0] == Toxicity.TOXIC
    assert rows["toxic_side"][0] == 1


@given(st.lists(st.tuples(st.sampled_from([1, -1]), st.floats(-6.0, 6.0)), max_size=60))
@settings(max_examples=60, deadline=None)
def test_beliefs_are_probabilities_and_mirror(trades: list[tuple[int, float]]) -> None:
    rows, mirror = np.zeros(1, toxicity.TOXICITY), np.zeros(1, toxicity.TOXICITY)
    feed(rows, trades)
    feed(mirror, [(-side, llr) for side, llr in trades])
    buy, sell = float(rows["buy_belief"][0]), float(rows["sell_belief"][0])
    assert min(buy, sell) >= 0.0
    assert buy + sell <= 1.0 + 1e-12
    assert mirror["buy_belief"][0] == pytest.approx(sell, abs=1e-12)
    assert mirror["verdict"][0] == rows["verdict"][0]


def test_calibration_maps_the_logit_and_leaves_the_verdict_alone() -> None:
    assert toxicity.calibrated(0.8, 1.0, 0.0) == 0.8
    assert toxicity.calibrated(0.8, 0.5, -1.0) == pytest.approx(1.0 / (1.0 + np.exp(1.0) / 2.0))
    assert toxicity.calibrated(0.999, 0.0, -2.0) == pytest.approx(toxicity.calibrated(1e-6, 0.0, -2.0))
    assert 0.0 < toxicity.calibrated(0.0, 1.0, 0.5) < toxicity.calibrated(1.0, 1.0, 0.5) < 1.0
    rows, params = np.zeros(1, toxicity.TOXICITY), identity()
    feed(rows, [(-1, 4.0)] * 4)
    params[Param.TOXICITY_SLOPE], params[Param.TOXICITY_INTERCEPT] = 0.0, -2.0
    toxicity.advance(rows[0], int(rows["ts_ns"][0]), WEIGHTS, SETTINGS, params)
    assert rows["buy_prob"][0] == rows["sell_prob"][0] == pytest.approx(1.0 / (1.0 + np.exp(2.0)))
    assert rows["verdict"][0] == Toxicity.TOXIC


def test_what_is_said_of_an_aggressor_is_his_own_evidence_where_aggressors_were_fitted() -> None:
    fitted, ones = np.zeros(INPUTS), np.ones(INPUTS)
    weights = toxicity.pack_weights(fitted, fitted, ones, -2.0, -2.0, -1.0, 0.0)

    def said(llr: float) -> float:
        return float(1.0 / (1.0 + np.exp(2.0 - llr)))

    rows, believed = np.zeros(1, toxicity.TOXICITY), np.zeros(1, toxicity.TOXICITY)
    for step, (side, llr) in enumerate([(-1, 4.0), (-1, 4.0), (-1, 4.0), (1, 0.5), (-1, 0.25)]):
        for state, chosen in ((rows[0], weights), (believed[0], WEIGHTS)):
            ts_ns = START + step * MS
            toxicity.on_trade(state, ts_ns, side, llr, chosen, True, SETTINGS, identity())
        own = "buy" if side > 0 else "sell"
        assert rows[f"{own}_forecast"][0] == rows[f"{own}_prob"][0] == pytest.approx(said(llr), rel=1e-12)
        assert believed[f"{own}_forecast"][0] == believed[f"{own}_belief"][0]
    # The verdict is on the beliefs, which are the same.
    for name in ("verdict", "toxic_side", "buy_belief", "sell_belief"):
        assert rows[name] == believed[name]
    assert rows["verdict"][0] == Toxicity.TOXIC
    params = identity()
    params[Param.TOXICITY_SLOPE], params[Param.TOXICITY_INTERCEPT] = 0.5, 1.0
    after_ns = START + 4 * MS + int(CONFIG.toxicity.decay_halflife_s * 1e9)
    toxicity.advance(rows[0], after_ns, weights, SETTINGS, params)
    assert rows["sell_forecast"][0] == pytest.approx(said(0.125), abs=1e-4)
    assert rows["sell_prob"][0] == pytest.approx(1.0 / (1.0 + np.exp(-(0.5 * (0.125 - 2.0) + 1.0))), abs=1e-4)


def test_an_artefact_speaks_of_the_aggressor_and_the_built_in_weights_of_his_side(tmp_path: Path) -> None:
    zeros, ones = np.zeros(INPUTS), np.ones(INPUTS)
    numbers = {"bias": -1.0, "prior_log_odds": -2.0, "llr_against": -0.5}
    arrays = {"weights": ones, "means": zeros, "scales": ones}
    arrays |= {name: np.array([number]) for name, number in numbers.items()}
    made_models.write(tmp_path / "toxicity.npz", ModelKind.TOXICITY, "logistic", arrays)
    for path, slope in (("", 1.0), (str(tmp_path / "toxicity.npz"), 0.0)):
        chosen = load_model_set(msgspec.structs.replace(CONFIG.models, toxicity=path))
        weights = new_settings(CONFIG, chosen).toxicity_weights
        assert weights[toxicity.SLOPE_MET] == slope


@pytest.mark.parametrize(
    ("change", "value"), [("weights", np.full(INPUTS, np.nan)), ("weights", np.zeros(3)),
                          ("scales", np.zeros(INPUTS)), ("llr_against", 0.5), ("bias", float("inf"))]
)  # fmt: skip
def test_weights_that_cannot_be_are_refused(change: str, value: object) -> None:
    parts = {
        "weights": np.zeros(INPUTS), "means": np.zeros(INPUTS), "scales": np.ones(INPUTS),
        "bias": 0.0, "prior_log_odds": 0.0, "llr_against": -1.0, "slope_met": 0.0,
    }  # fmt: skip
    with pytest.raises(ValueError, match="train it again"):
        toxicity.pack_weights(**{**parts, change: value})  # type: ignore[arg-type]  # the wrong ones on purpose
