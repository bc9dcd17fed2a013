"""The models on the decision path: each alone within compiled code, and all of one decision from Python.

    one decision = inputs of both sides of a SNAPSHOT
                   + 6 candidates x (value by 100 trees + chance of a fill within 0.5, 1 and 3 s) + the best
                   + toxicity of a trade + regime of a TIMER

LightGBM's own `predict` takes turns with the walker on the same trees and rows; they must agree to 1e-9, and
what the decision chooses must be what its parts say one by one. Every call sees another row.
"""

import gc
import os
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import harness
from mmpipe import config as configuration
from mmpipe.config import ToxicityConfig, settings_dtype, settings_row
from mmpipe.enums import ModelKind
from mmpipe.features import regime
from mmpipe.models import toxicity, trade_features
from mmpipe.models.fill_survival import HORIZONS, fill_probs_standard
from mmpipe.models.model_inputs import INPUTS, PLACE_COUNT, RANK, write_inputs, write_place, write_state
from mmpipe.models.parameters import prior_values
from mmpipe.models.queue_value import loss_bps_of, queue_value
from mmpipe.models.weights import (
    DIRECTIONS,
    MODELS,
    TERMS_MAX,
    built_in_models,
    leading_factor,
    with_arrays,
)
from mmpipe.records import PARAMS_COUNT, SNAPSHOT
from mmpipe.training.tree_export import export_bags
from ringbuf.jit import entry, kernel

ROOT = Path(__file__).resolve().parent.parent
BUDGETS = Path(__file__).with_name("budgets.toml")
SCENES = 512  # distinct rows
CANDIDATES = 6
TREES, BAGS = 100, 5
TOLERANCE = 1e-9
CALLS = 4_000  # from Python, per round
CHUNK = 32  # rows of a compiled loop: shorter than a time slice, far longer than reading the clock
REPEATS = 10  # of all chunks, per round
LABELS = 4_000  # rows the trees are fitted to
FIT = {
    "objective": "regression", "max_depth": 5, "num_leaves": 32, "min_data_in_leaf": 5, "verbosity": -1,
    "num_threads": 1, "deterministic": True, "use_missing": False, "seed": 3,
}  # fmt: skip

SCENE = np.dtype(
    [
        ("snapshot", SNAPSHOT),
        ("places", "f8", (CANDIDATES, 3)),  # depth_bps, rank, ahead in quote units; three of each side
        ("inputs", "f8", (2, INPUTS)),  # overwritten
        ("probs", "f8", (CANDIDATES, HORIZONS)),  # overwritten
        ("score_bps", "f8"),  # overwritten
        ("best", "i8"),  # overwritten
        ("trade", "f8", (trade_features.INPUTS,)),
        ("side", "i8"),
        ("ts_ns", "i8"),
        ("sigma_bps", "f8"),
    ],
    align=True,
)
BELIEF = np.dtype([("toxicity", toxicity.TOXICITY), ("regime", regime.REGIME)], align=True)
RULES = np.dtype(
    [
        ("toxicity", settings_dtype(ToxicityConfig)), ("weights", "f8", (toxicity.WEIGHTS,)),
        ("regime", regime.REGIME_MODEL), ("params", "f8", (PARAMS_COUNT,)), ("fee_bps", "f8"),
    ],
    align=True,
)  # fmt: skip


class WrongAnswer(Exception):
    """The walker and LightGBM, or the decision and its parts, disagree."""


@kernel
def decide_once(
    models: np.ndarray, scenes: np.ndarray, index: int, beliefs: np.ndarray, rules: np.ndarray
) -> int:
    """One decision on scene `index`; returns the number of the best candidate."""
    scene, rule = scenes[index], rules[0]
    params = rule["params"]
    llr = toxicity.trade_llr(scene["trade"], rule["weights"])
    toxicity.on_trade(
        beliefs[0]["toxicity"], scene["ts_ns"], scene["side"], llr, rule["weights"],
        True, rules["toxicity"], params,
    )  # fmt: skip
    regime.on_timer(beliefs[0]["regime"], scene["ts_ns"], scene["sigma_bps"], 8.0, rules["regime"])
    verdict = int(beliefs[0]["toxicity"]["verdict"])
    write_state(scene["inputs"][0], scene["snapshot"], 1)
    write_state(scene["inputs"][1], scene["snapshot"], -1)
    best, best_bps = -1, -np.inf
    for number in range(CANDIDATES):
        inputs, place = scene["inputs"][number % 2], scene["places"][number]
        write_place(inputs, place[0], place[1], place[2])
        value_bps, _ = queue_value(models, inputs, verdict, rule["fee_bps"], params)
        probs = scene["probs"][number]
        fill_probs_standard(models, inputs, params, probs)
        if probs[1] * value_bps > best_bps:
            best, best_bps = number, probs[1] * value_bps
    scene["best"], scene["score_bps"] = best, best_bps
    return best


@kernel
def many_decisions(models: np.ndarray, scenes: np.ndarray, beliefs: np.ndarray, rules: np.ndarray) -> float:
    total = 0.0
    for index in range(len(scenes)):
        total += decide_once(models, scenes, index, beliefs, rules)
    return total


@kernel
def many_values(models: np.ndarray, rows: np.ndarray, params: np.ndarray) -> float:
    total = 0.0
    for index in range(len(rows)):
        total += queue_value(models, rows[index], 0, 1.5, params)[0]
    return total


@kernel
def many_probs(models: np.ndarray, rows: np.ndarray, params: np.ndarray, out: np.ndarray) -> float:
    total = 0.0
    for index in range(len(rows)):
        fill_probs_standard(models, rows[index], params, out)
        total += out[1]
    return total


@kernel
def many_inputs(rows: np.ndarray, scenes: np.ndarray) -> float:
    total = 0.0
    for index in range(len(scenes)):
        write_state(rows[index], scenes[index]["snapshot"], 1)
        total += rows[index, PLACE_COUNT]
    return total


@kernel
def many_trades(scenes: np.ndarray, beliefs: np.ndarray, rules: np.ndarray) -> float:
    total, weights = 0.0, rules[0]["weights"]
    for index in range(len(scenes)):
        scene, state = scenes[index], beliefs[0]["toxicity"]
        llr = toxicity.trade_llr(scene["trade"], weights)
        toxicity.on_trade(
            state, scene["ts_ns"], scene["side"], llr, weights, True, rules["toxicity"],
            rules[0]["params"],
        )  # fmt: skip
        total += state["buy_prob"]
    return total


@kernel
def many_regimes(scenes: np.ndarray, beliefs: np.ndarray, rules: np.ndarray) -> float:
    total = 0.0
    for index in range(len(scenes)):
        state = beliefs[0]["regime"]
        regime.on_timer(state, scenes[index]["ts_ns"], scenes[index]["sigma_bps"], 8.0, rules["regime"])
        total += regime.most_probable(state)
    return total


def made_scenes() -> np.ndarray:
    """Markets that differ in all that is looked at; a new one every 100 ms."""
    chance, scenes = np.random.default_rng(5), np.zeros(SCENES, SCENE)
    market = scenes["snapshot"]
    market["mid_px"], market["lead_feed"] = 100.0, 2
    market["spread_bps"] = 0.5 + chance.random(SCENES) * 3.0
    market["microprice_px"] = 100.0 + 0.01 * chance.normal(size=SCENES)
    for name in ("bid_depth_qty", "ask_depth_qty"):
        market[name] = 1.0 + 50.0 * chance.random((SCENES, 10))
    for name in ("imbalance", "vwap_direction", "hawkes_asymmetry", "lead_imbalance"):
        market[name] = 2.0 * chance.random(SCENES) - 1.0
    for name in ("ofi_500ms", "ofi_2s", "mlofi_500ms", "lead_divergence_bps"):
        market[name] = 3.0 * chance.normal(size=SCENES)
    for name in ("toxic_buy_prob", "toxic_sell_prob", "vpin", "buy_intensity_per_s", "sell_intensity_per_s"):
        market[name] = chance.random(SCENES)
    market["sigma_ewma_bps"], market["sigma_1m_bps"] = 1.0, 5.0 + 10.0 * chance.random(SCENES)
    market["regime_probs"] = 0.25
    scenes["places"][..., 0] = market["spread_bps"][:, None] / 2.0 + chance.random((SCENES, CANDIDATES))
    scenes["places"][..., 1] = chance.random((SCENES, CANDIDATES))
    scenes["places"][..., 2] = 1e4 * chance.random((SCENES, CANDIDATES))
    scenes["trade"] = chance.normal(size=scenes["trade"].shape)
    scenes["side"] = chance.choice([1, -1], SCENES)
    scenes["ts_ns"] = 10**9 + 10**8 * np.arange(SCENES)
    scenes["sigma_bps"] = np.exp(chance.normal(size=SCENES))
    return scenes


def inputs_of(scenes: np.ndarray) -> np.ndarray:
    """Inputs of a bid of every scene, (SCENES, INPUTS)."""
    rows = np.zeros((len(scenes), INPUTS))
    for index, row in enumerate(rows):
        depth_bps, rank, notional = scenes["places"][index, 0]
        write_inputs(row, scenes["snapshot"][index : index + 1].copy(), 1, depth_bps, rank, notional / 100.0)
    return rows


def made_models(rows: np.ndarray) -> tuple[dict[str, np.ndarray], Any]:
    """MODELS of every form, and the booster whose trees the last of them has."""
    import lightgbm

    chance = np.random.default_rng(6)
    inputs = rows[chance.integers(0, len(rows), LABELS)] + 0.1 * chance.normal(size=(LABELS, INPUTS))
    target = inputs[:, 4] * inputs[:, 5] + np.maximum(inputs[:, RANK], 0.0) + chance.normal(size=LABELS)
    booster = lightgbm.train(FIT, lightgbm.Dataset(inputs, target), num_boost_round=TREES)
    root = chance.normal(size=(TERMS_MAX, DIRECTIONS))
    ones, coefs = np.ones(INPUTS), 0.1 * chance.normal(size=(2, INPUTS))
    coefs[0, :PLACE_COUNT], coefs[1, :PLACE_COUNT] = -np.abs(coefs[0, :PLACE_COUNT]), 0.0
    built_in = built_in_models()
    hazards = with_arrays(
        built_in, ModelKind.FILL_SURVIVAL, "hazards",
        {
            "ends_s": np.array([0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, np.inf]), "fill_log": np.full(8, -1.0),
            "adverse_log": np.full(8, -2.0), "fill_gains": np.ones(8), "adverse_gains": np.ones(8),
            "fill_coefs": coefs[0], "adverse_coefs": coefs[1],
            "low": -9.0 * ones, "high": 9.0 * ones,
        },
    )  # fmt: skip
    linear = {
        "pairs": chance.integers(PLACE_COUNT, INPUTS, (TERMS_MAX, 2)), "coefs": chance.normal(size=TERMS_MAX),
        "factor": leading_factor(root @ root.T), "centre": 0.0 * ones, "scale": ones, "low": -9.0 * ones,
        "high": 9.0 * ones,
    }  # fmt: skip
    trees = {**export_bags([booster]), "bags": np.array([BAGS])}
    forms = {
        "built_in": built_in,
        "linear": with_arrays(hazards, ModelKind.QUEUE_VALUE, "linear", linear),
        "trees": with_arrays(hazards, ModelKind.QUEUE_VALUE, "trees", trees),
    }
    return forms, booster


def check_walker(models: np.ndarray, booster: Any, rows: np.ndarray) -> float:
    """Largest difference to LightGBM over all rows, thresholds themselves among them.

    Raises
    ------
    WrongAnswer
        It is more than TOLERANCE.
    """
    some = rows.copy()
    for index in range(min(len(some), TREES)):
        feature, threshold = models["tree_features"][0, index, 0], models["tree_thresholds"][0, index, 0]
        some[index, feature] = threshold
    said = np.array([loss_bps_of(models, row)[0] for row in some]) * BAGS  # mean over bags of their sums
    error = float(np.abs(said - booster.predict(some)).max())
    if not error <= TOLERANCE:
        raise WrongAnswer(f"walker and LightGBM differ by {error:.3g}, more than {TOLERANCE:g}")
    return error


def check_decision(models: np.ndarray, scenes: np.ndarray, rules: np.ndarray) -> None:
    """What the decision chooses against its parts, asked one by one.

    Raises
    ------
    WrongAnswer
        Another candidate is better, or the same with another score.
    """
    scenes, beliefs = scenes.copy(), np.zeros(1, BELIEF)
    beliefs["regime"]["probs"] = regime.PRIOR
    for index in range(len(scenes)):
        best = decide_once(models, scenes, index, beliefs, rules)
        verdict, params = int(beliefs["toxicity"]["verdict"][0]), rules["params"][0]
        scores, market = [], scenes["snapshot"][index : index + 1].copy()
        for number, (depth_bps, rank, notional) in enumerate(scenes["places"][index]):
            row, probs = np.zeros(INPUTS), np.zeros(HORIZONS)
            write_inputs(row, market, 1 - 2 * (number % 2), depth_bps, rank, notional / 100.0)
            fill_probs_standard(models, row, params, probs)
            scores.append(probs[1] * queue_value(models, row, verdict, rules["fee_bps"][0], params)[0])
        if best != int(np.argmax(scores)) or not np.isclose(
            scenes["score_bps"][index], max(scores), rtol=1e-9
        ):
            raise WrongAnswer(f"decision {index} took candidate {best} of {scores}")


def rules_of() -> np.ndarray:
    """Settings, weights and parameters as configured."""
    config = configuration.load(ROOT / "pipeline.toml")
    rules = np.zeros(1, RULES)
    rules["toxicity"], rules["weights"] = (
        settings_row(config.toxicity),
        toxicity.built_in_weights(config.toxicity),
    )
    rules["regime"], rules["params"] = regime.built_in_model(config.features), prior_values(config)
    rules["fee_bps"] = config.execution.maker_fee_bps
    return rules


def measure(rounds: int) -> list[dict[str, Any]]:
    """Rows of the file; the contestants take turns.

    Raises
    ------
    WrongAnswer
        An answer was wrong.
    """
    scenes, rules, beliefs = made_scenes(), rules_of(), np.zeros(1, BELIEF)
    beliefs["regime"]["probs"] = regime.PRIOR
    rows = inputs_of(scenes)
    forms, booster = made_models(rows)
    error = check_walker(forms["trees"], booster, rows)
    check_decision(forms["trees"], scenes[:64], rules)
    params, probs = rules["params"][0].copy(), np.zeros(HORIZONS)
    loops: dict[str, tuple[Callable[..., float], tuple[Any, ...]]] = {
        "model/inputs_of_a_side": (many_inputs, (rows.copy(), scenes)),
        "model/queue_value_built_in": (many_values, (forms["built_in"], rows, params)),
        f"model/queue_value_linear_{TERMS_MAX}_terms": (many_values, (forms["linear"], rows, params)),
        f"model/queue_value_{TREES}_trees": (many_values, (forms["trees"], rows, params)),
        "model/fill_survival_built_in": (many_probs, (forms["built_in"], rows, params, probs)),
        "model/fill_survival_3_horizons": (many_probs, (forms["trees"], rows, params, probs)),
        "model/toxicity": (many_trades, (scenes, beliefs, rules)),
        "model/regime": (many_regimes, (scenes, beliefs, rules)),
        "decision/in_jit": (many_decisions, (forms["trees"], scenes, beliefs, rules)),
    }
    ask = entry(decide_once, forms["trees"], scenes, 0, beliefs, rules)
    value = entry(queue_value, forms["trees"], rows[0], 0, 1.5, params)
    contestants: list[tuple[str, Callable[[], Any]]] = [
        *((case, _in_jit(fn, arguments)) for case, (fn, arguments) in loops.items()),
        ("decision/from_python", lambda: _calls(lambda at: ask(forms["trees"], scenes, at, beliefs, rules))),
        ("ours", lambda: _calls(lambda at: value(forms["trees"], rows[at], 0, 1.5, params))),
        (
            "lightgbm",
            lambda: _calls(lambda at: booster.predict(rows[at : at + 1], num_threads=1), CALLS // 10),
        ),
    ]
    cores, collecting = os.sched_getaffinity(0), gc.isenabled()
    harness.pin(harness.two_cores()[1])
    gc.disable()
    try:
        taken = harness.interleave(contestants, rounds, lambda _: None)
    finally:
        os.sched_setaffinity(0, cores)
        if collecting:
            gc.enable()
    made = [_row(case, taken[case], {}) for case in (*loops, "decision/from_python")]
    single = _row(f"predict/{TREES}_trees_from_python", taken["ours"], {"lightgbm": taken["lightgbm"]})
    return [*made, {**single, "max_error": error}]


def _in_jit(fn: Callable[..., float], arguments: tuple[Any, ...]) -> Callable[[], np.ndarray]:
    chunks = [
        tuple(value[first : first + CHUNK] if len(value) == SCENES else value for value in arguments)
        for first in range(0, SCENES, CHUNK)
    ]

    def run() -> np.ndarray:
        fn(*arguments)
        times = np.empty((REPEATS, len(chunks)))
        for repeat in range(REPEATS):
            for index, chunk in enumerate(chunks):
                begin_ns = time.perf_counter_ns()
                fn(*chunk)
                times[repeat, index] = (time.perf_counter_ns() - begin_ns) / CHUNK
        return times.ravel()

    return run


def _calls(ask: Callable[[int], Any], count: int = CALLS) -> np.ndarray:
    times = np.empty(count)
    for call in range(count):
        at = call * 7 % SCENES
        begin_ns = time.perf_counter_ns()
        ask(at)
        times[call] = time.perf_counter_ns() - begin_ns
    return times


def _row(case: str, rounds: list[np.ndarray], peers: dict[str, list[np.ndarray]]) -> dict[str, Any]:
    def summary(taken: list[np.ndarray]) -> dict[str, Any]:
        return harness.median_over_rounds([harness.percentiles(times / 1e3, "us") for times in taken])

    return harness.row(case, summary(rounds), {name: summary(taken) for name, taken in peers.items()})


def judge(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each case beside its budget; NaN is over every budget."""
    budgets = tomllib.loads(BUDGETS.read_text(encoding="utf-8"))
    judged = []
    for row in rows:
        section, _, name = row["case"].partition("/")
        limit = budgets.get(section, {}).get(name) or budgets.get(section, {}).get("any")
        if limit is None:
            continue
        p50_us, p99_us = row["ours"]["p50"], row["ours"]["p99"]
        ok = p50_us <= limit["p50_us"] and p99_us <= limit["p99_us"]
        judged.append(
            {
                "case": row["case"], "p50_us": p50_us, "p99_us": p99_us, "limit_p50_us": limit["p50_us"],
                "limit_p99_us": limit["p99_us"], "ok": bool(ok),
            }
        )  # fmt: skip
    return judged


assert MODELS.itemsize < 1 << 18  # stays in the second-level cache
