"""The bench of the decision path: it checks its answers, and one that is wrong is named."""

import numpy as np
import pytest

from bench import decision_path
from bench.decision_path import WrongAnswer
from ringbuf.jit import JIT_ENABLED

pytestmark = pytest.mark.skipif(not JIT_ENABLED, reason="times compiled code")


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return decision_path.inputs_of(decision_path.made_scenes())


def test_trees_that_are_not_the_boosters_are_named(rows: np.ndarray) -> None:
    forms, booster = decision_path.made_models(rows)
    assert decision_path.check_walker(forms["trees"], booster, rows) <= decision_path.TOLERANCE
    forms["trees"]["tree_leaves"][0, 3] += 1e-6
    with pytest.raises(WrongAnswer, match="differ by"):
        decision_path.check_walker(forms["trees"], booster, rows)


def test_a_decision_that_is_not_the_best_of_its_parts_is_named(
    rows: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms, _ = decision_path.made_models(rows)
    scenes, rules = decision_path.made_scenes()[:32], decision_path.rules_of()
    decision_path.check_decision(forms["trees"], scenes, rules)
    real = decision_path.queue_value
    monkeypatch.setattr(decision_path, "queue_value", lambda *args: (-real(*args)[0], 0.0))
    with pytest.raises(WrongAnswer, match="decision 0 took candidate"):
        decision_path.check_decision(forms["trees"], scenes, rules)


def test_every_model_is_measured_and_judged() -> None:
    made = decision_path.measure(1)
    judged = {item["case"]: item for item in decision_path.judge(made)}
    assert {row["case"] for row in made} - set(judged) == {
        "decision/in_jit", "predict/100_trees_from_python",
    }  # fmt: skip
    assert judged["decision/from_python"]["limit_p50_us"] == 6.0
    single = made[-1]
    assert single["ratio"]["lightgbm"] > 1.0
    assert single["max_error"] <= 1e-9
    slow = [{**row, "ours": {"p50": float("nan"), "p99": 0.0}} for row in made]
    assert not any(item["ok"] for item in decision_path.judge(slow))
