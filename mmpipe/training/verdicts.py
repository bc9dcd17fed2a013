"""Which criteria an evaluated set passes, as trained and as the line runs it, and why not."""

from typing import Any, Final

ECE_MAX: Final = 0.03
EARLIER_MS_MIN: Final = 50.0
HORIZONS: Final = ("0.5", "1", "3")
SKILL: Final = "skill > 0, interval excludes 0"
CALIBRATED: Final = f"ECE <= {ECE_MAX}"
RANKED: Final = "rank correlation > 0, interval excludes 0"
LIKELIER: Final = "log-likelihood over one state > 0, interval excludes 0"

Report = dict[str, Any]
Found = tuple[bool, str]  # whether it passes, and the figures


def verdicts_of(name: str, found: Report) -> list[Report]:
    """Rows {set, model, criterion, ok, why, line_ok, line_why} of one set.

    Parameters
    ----------
    name : str
        Of the set.
    found : dict
        Of `evaluate_set`.
    """
    line, rows = found["line"], []

    def add(model: str, criterion: str, trained: Found, running: Found) -> None:
        rows.append(
            {
                "set": name, "model": model, "criterion": criterion, "ok": trained[0], "why": trained[1],
                "line_ok": running[0], "line_why": running[1],
            }
        )  # fmt: skip

    pairs = [("toxicity", found["toxicity"], line["toxicity"])]
    for horizon in HORIZONS:
        scores = found["fill_survival"].get(horizon, found["fill_survival"])
        running = line["fill_survival"].get(horizon, line["fill_survival"])
        pairs.append((f"fill survival {horizon} s", scores, running))
    for model, scores, running in pairs:
        add(model, SKILL, _skill(scores), _skill(running))
        add(model, CALIBRATED, _calibrated(scores), _calibrated(running))
    refused = found.get("refused", {}).get("queue_value")
    add("queue value", RANKED, _rank(found["queue_value"], refused), _rank(line["queue_value"], None))
    # Running estimates: what is judged is what the line runs.
    resting, regime = _rest(found["microprice"]), _regime(found["regime"])
    add("microprice", SKILL, resting, resting)
    add("regime", LIKELIER, regime, regime)
    if found["lead_lag"].get("earlier_ms") is not None:
        earlier = _earlier(found["lead_lag"])
        add("lead-lag", f"{EARLIER_MS_MIN:.0f} ms before a 3-sigma threshold", earlier, earlier)
    return rows


def between(interval: list[float] | None) -> str:
    """An interval as text."""
    return f" [{interval[0]:+.3f}, {interval[1]:+.3f}]" if interval else ""


def _skill(scores: Report) -> Found:
    if not scores.get("n"):
        return False, str(scores.get("why_not"))
    skill, interval = scores["skill"], scores["skill_interval"]
    if skill is None or interval is None:
        return False, "too few outcomes of one kind, or too short, for an interval"
    why = f"skill {skill:+.3f}{between(interval)}, n {scores['n']}"
    if interval[0] > 0.0:
        return True, why
    happened = round(scores["rate"] * scores["n"])
    before = f" after {scores['toxic_train']} in the training part" if "toxic_train" in scores else ""
    why += f"; {happened} outcomes{before}, rate {scores['rate']:.3f} where {scores['said']:.3f} was said"
    if skill > 0.0:
        why += "; the test part is too short to tell it from 0"
    elif abs(scores["said"] - scores["rate"]) > ECE_MAX:
        why += "; the level of the market changed"
    return False, why


def _calibrated(scores: Report) -> Found:
    if not scores.get("n"):
        return False, str(scores.get("why_not"))
    ece, noise = scores["ece"], scores["ece_noise"]
    why = f"ECE {ece:.3f}"
    if noise:
        why += f", of a perfect forecast {noise[0]:.3f} (95 %: below {noise[1]:.3f})"
    if not ece <= ECE_MAX:
        drift = abs(scores["said"] - scores["rate"])
        cause = "the level" if drift > 0.7 * ece else "shape"
        why += f"; {cause}: said {scores['said']:.3f}, came {scores['rate']:.3f}"
        if noise and ece <= noise[1]:
            why += "; so few independent outcomes cannot tell it from a perfect one"
    return ece <= ECE_MAX, why


def _rank(scores: Report, refused: str | None) -> Found:
    decides = f"; built in, for {refused}" if refused else ""
    if not scores.get("n"):
        return False, str(scores.get("why_not")) + decides
    value, interval = scores["rank_corr"], scores["interval"]
    if value is None or interval is None:
        return False, f"too short for an interval, or a constant value{decides}"
    why = f"rank correlation {value:+.3f}{between(interval)}, n {scores['n']}"
    ok = interval[0] > 0.0
    if not ok:
        why += "; it points the other way" if interval[1] < 0.0 else "; too little to tell it from noise"
    return ok, why + decides


def _rest(scores: Report) -> Found:
    if not scores.get("n"):
        return False, str(scores.get("why_not"))
    skill, interval = scores["mid"]["skill"], scores["mid"]["interval"]
    rival = scores["weighted_mid"]
    if skill is None or interval is None or rival["skill"] is None:
        return False, "too short for an interval, or a mid that never moved"
    why = (
        f"squared error after {scores['horizon_s']:g} s against the mid {skill:+.4f} "
        f"[{interval[0]:+.4f}, {interval[1]:+.4f}], against the weighted mid {rival['skill']:+.4f}, "
        f"n {scores['n']}"
    )
    if not interval[0] > 0.0:
        why += "; it overshoots" if skill < 0.0 else "; moves of ten seconds drown it: too short to tell"
    return interval[0] > 0.0, why


def _regime(scores: Report) -> Found:
    if not scores.get("n"):
        return False, str(scores.get("why_not"))
    gain, interval = scores["gain_nats"], scores["interval"]
    if gain is None or interval is None:
        return False, "too short for an interval"
    built_in = scores.get("built_in", {}).get("gain_nats")
    why = f"{gain:+.3f}{between(interval)} nats a move, mean dwell {scores['dwell_s']:.1f} s, n {scores['n']}"
    why += f" (built in {built_in:+.3f})" if built_in is not None else ""
    if not interval[0] > 0.0:
        why += "; the widths of the first part do not hold in the second"
    return interval[0] > 0.0, why


def _earlier(found: Report) -> Found:
    why = (
        f"{found['earlier_ms']:.1f} ms earlier (median of {found['both_heard']} moves both heard, of "
        f"{found['n']}); heard {found['signal_heard']:.0%} and {found['threshold_heard']:.0%}; "
        f"{found['lead']} leads by {found['lead_ms']} ms at the greatest correlation"
    )
    return found["earlier_ms"] >= EARLIER_MS_MIN, why
