"""Verdicts name the figures, and what the figures say about the reason; both ways of running are judged."""

from typing import Any

from mmpipe.training.verdicts import CALIBRATED, LIKELIER, RANKED, SKILL, verdicts_of


def scores(skill: float, low: float, ece: float, noise: float) -> dict[str, Any]:
    return {
        "n": 100, "rate": 0.1, "said": 0.2, "skill": skill, "skill_interval": [low, 0.2], "ece": ece,
        "ece_noise": [noise / 2.0, noise],
    }  # fmt: skip


def found(**changes: Any) -> dict[str, Any]:
    skilled = {"skill": 0.02, "interval": [0.01, 0.03]}
    value = {"n": 100, "rank_corr": 0.1, "interval": [0.02, 0.2]}
    regime = {"n": 100, "gain_nats": 0.1, "interval": [-0.02, 0.2], "dwell_s": 5.0}
    return {
        "toxicity": scores(0.05, -0.1, 0.1, 0.02),
        "fill_survival": {"n": 0, "why_not": "no fills"},
        "queue_value": value,
        "microprice": {"n": 100, "horizon_s": 10.0, "mid": skilled, "weighted_mid": skilled},
        "regime": regime,
        "lead_lag": {"n": 0, "why_not": "no lead"},
        "line": {
            "toxicity": scores(0.1, 0.02, 0.04, 0.05),
            "fill_survival": {f"{h:g}": scores(0.1, 0.02, 0.01, 0.02) for h in (0.5, 1.0, 3.0)},
            "queue_value": {**value, "rank_corr": -0.2, "interval": [-0.3, -0.1]},
        },
        **changes,
    }


def rows(**changes: Any) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["model"], row["criterion"]): row for row in verdicts_of("x", found(**changes))}


def test_each_criterion_is_judged_as_trained_and_as_the_line_runs_it() -> None:
    skill = rows()["toxicity", SKILL]
    assert (skill["ok"], skill["line_ok"]) == (False, True)
    assert "too short to tell it from 0" in skill["why"]
    fills = rows()["fill survival 1 s", CALIBRATED]
    assert (fills["ok"], fills["why"], fills["line_ok"]) == (False, "no fills", True)
    value = rows()["queue value", RANKED]
    assert (value["ok"], value["line_ok"]) == (True, False)
    assert "points the other way" in value["line_why"]
    assert len(rows()) == 2 * 4 + 3


def test_a_calibration_error_stands_beside_what_a_perfect_forecast_would_have() -> None:
    row = rows()["toxicity", CALIBRATED]
    assert "the level: said 0.200, came 0.100" in row["why"]
    assert "cannot tell" not in row["why"]
    assert "cannot tell it from a perfect one" in row["line_why"]


def test_what_train_refuses_is_said() -> None:
    row = rows(refused={"queue_value": "two fills teach nothing"})["queue value", RANKED]
    assert "built in, for two fills teach nothing" in row["why"]


def test_running_estimates_have_one_verdict() -> None:
    microprice, regime = rows()["microprice", SKILL], rows()["regime", LIKELIER]
    assert microprice["ok"] == microprice["line_ok"] is True
    assert "against the weighted mid" in microprice["why"]
    assert regime["ok"] == regime["line_ok"] is False
    assert "mean dwell 5.0 s" in regime["why"]
