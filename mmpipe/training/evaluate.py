"""`evaluate/1`: every model on every recording, judged on time it was not fitted to, with plain verdicts."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from mmpipe.clock import NS_PER_S
from mmpipe.config import Config
from mmpipe.training.dataset import Capture, capture, embargo_s, with_keys
from mmpipe.training.judge import BLOCK_S, judge_fill_survival, judge_queue_value, judge_toxicity
from mmpipe.training.lead_delay import lead_delay
from mmpipe.training.market_sets import COVER_SHARE, Lead, MarketSet, leads_of

SCHEMA: Final = "evaluate/1"
SHADOW_INTERVAL_MS: Final = (
    250  # between virtual joins: four times as often as a line, whose market is longer
)
ECE_MAX: Final = 0.03
EARLIER_MS_MIN: Final = 50.0
HORIZONS: Final = ("0.5", "1", "3")

Report = dict[str, Any]
Say = Callable[[str, float], None]  # what is being done, and the share of all that is done


def evaluate_sets(markets: Sequence[MarketSet], config: Config, seed: int, say: Say) -> Report:
    """Judge all models on all recordings.

    Parameters
    ----------
    markets : sequence of MarketSet
        Each is a set of its own; together they are searched for leads.
    config : Config
        Horizons and fees.
    seed : int
        Of bags and resampling.
    say : callable
        Told what is being done.

    Returns
    -------
    dict
        `sets` by name, and `verdicts`: list of {set, model, criterion, ok, why}.
    """
    sets: Report = {}
    for index, market in enumerate(markets):

        def progress(what: str, share: float, index: int = index, market: MarketSet = market) -> None:
            say(f"{market.name}: {what}", (index + share) / len(markets))

        sets[market.name] = evaluate_set(market, markets, config, seed, progress)
    verdicts = [row for name, found in sets.items() for row in verdicts_of(name, found)]
    return {"sets": sets, "verdicts": verdicts, "ok": all(row["ok"] for row in verdicts)}


def evaluate_set(
    market: MarketSet, markets: Sequence[MarketSet], config: Config, seed: int, say: Say
) -> Report:
    """Judge all models on one recording."""
    say("leads", 0.0)
    leads = leads_of(market, markets)
    inputs = [lead for lead in leads if lead.cover >= COVER_SHARE][:1]
    keys = {"features.shadow_interval_ms": SHADOW_INTERVAL_MS}
    own = with_keys(config, keys, len(market.recording.instruments))
    source = capture(
        market.recording, [lead.recording() for lead in inputs], own, lambda done: say("features", 0.4 * done)
    )
    say("toxicity", 0.4)
    toxicity = judge_toxicity(source, own, seed)
    say("fill survival", 0.5)
    survival = judge_fill_survival(source, own, seed)
    say("queue value", 0.7)
    value = judge_queue_value(source, own, seed)
    say("lead", 0.9)
    first_ns, last_ns = source.span_ns
    return {
        "span_s": round((last_ns - first_ns) / NS_PER_S, 3),
        "notes": list(market.notes),
        "split": {"train_share": 0.6, "embargo_s": embargo_s(own), "block_s": BLOCK_S},
        "lead_input": inputs[0].market.name if inputs else None,
        "toxicity": toxicity,
        "fill_survival": survival,
        "queue_value": value,
        "lead_lag": _lead_lag(market, leads, inputs, source, own),
    }


def _lead_lag(
    market: MarketSet, leads: list[Lead], inputs: list[Lead], source: Capture, config: Config
) -> Report:
    if not leads and not len(source.trace.ts_ns):
        return {"n": 0, "delay": None, "why_not": "no other recording leads this market"}
    if not leads:
        return lead_delay(source.trace)
    # The market that leads most, even if it was recorded for a part of the time only.
    best = max(leads, key=lambda lead: lead.found.lead_ms)
    if not inputs or best.market is not inputs[0].market:
        source = capture(market.recording, [best.recording()], config)
    return {
        "lead": best.market.name,
        "lead_ms": best.found.lead_ms,
        "correlation": round(best.found.correlation, 4),
        **lead_delay(source.trace),
    }


def verdicts_of(name: str, found: Report) -> list[Report]:
    """Which criteria a set passes, and why it does not where it does not."""
    rows = [_skill(name, "toxicity", found["toxicity"]), _calibrated(name, "toxicity", found["toxicity"])]
    for horizon in HORIZONS:
        scores = found["fill_survival"].get(horizon, found["fill_survival"])
        rows.append(_skill(name, f"fill survival {horizon} s", scores))
        rows.append(_calibrated(name, f"fill survival {horizon} s", scores))
    rows.append(_rank(name, found["queue_value"]))
    if found["lead_lag"].get("earlier_ms") is not None:
        rows.append(_earlier(name, found["lead_lag"]))
    return rows


def _row(name: str, model: str, criterion: str, ok: bool, why: str) -> Report:
    return {"set": name, "model": model, "criterion": criterion, "ok": ok, "why": why}


def _skill(name: str, model: str, scores: Report) -> Report:
    criterion = "skill > 0, interval excludes 0"
    if not scores.get("n"):
        return _row(name, model, criterion, False, str(scores.get("why_not")))
    skill, interval = scores["skill"], scores["skill_interval"]
    if skill is None or interval is None:
        return _row(
            name, model, criterion, False, "too few outcomes of one kind, or too short, for an interval"
        )
    why = f"skill {skill:+.3f} [{interval[0]:+.3f}, {interval[1]:+.3f}], n {scores['n']}"
    if interval[0] > 0.0:
        return _row(name, model, criterion, True, why)
    happened = round(scores["rate"] * scores["n"])
    trained = scores.get("toxic_train")
    before = f" after {trained} in the training part" if trained is not None else ""
    why += f"; {happened} outcomes{before}, rate {scores['rate']:.3f} where {scores['said']:.3f} was said"
    online = scores["online"]["skill_interval"]
    if online and online[0] > 0.0:
        why += f"; calibrated online it passes ({scores['online']['skill']:+.3f})"
    elif skill > 0.0:
        why += "; the test part is too short to tell it from 0"
    elif abs(scores["said"] - scores["rate"]) > ECE_MAX:
        why += "; the level of the market changed between the parts"
    return _row(name, model, criterion, False, why)


def _calibrated(name: str, model: str, scores: Report) -> Report:
    criterion = f"ECE <= {ECE_MAX}"
    if not scores.get("n"):
        return _row(name, model, criterion, False, str(scores.get("why_not")))
    ece, online = scores["ece"], scores["online"]["ece"]
    why = f"ECE {ece:.3f}"
    if not ece <= ECE_MAX:
        drift = abs(scores["said"] - scores["rate"])
        cause = "the level changed between the parts" if drift > 0.7 * ece else "shape"
        why += f" ({cause}: said {scores['said']:.3f}, came {scores['rate']:.3f}); online {online:.3f}"
    return _row(name, model, criterion, ece <= ECE_MAX, why)


def _rank(name: str, scores: Report) -> Report:
    criterion = "rank correlation > 0, interval excludes 0"
    if not scores.get("n"):
        return _row(name, "queue value", criterion, False, str(scores.get("why_not")))
    value, interval = scores["rank_corr"], scores["interval"]
    if value is None or interval is None:
        return _row(name, "queue value", criterion, False, "too short for an interval, or a constant value")
    why = f"rank correlation {value:+.3f} [{interval[0]:+.3f}, {interval[1]:+.3f}], n {scores['n']}"
    ok = interval[0] > 0.0
    if not ok:
        turned = interval[1] < 0.0
        cause = (
            "what was learned pointed the other way later" if turned else "too little to tell it from noise"
        )
        why += f"; {cause}: fitted with {scores['notes'][-1]}"
    return _row(name, "queue value", criterion, ok, why)


def _earlier(name: str, found: Report) -> Report:
    ok = found["earlier_ms"] >= EARLIER_MS_MIN
    why = (
        f"{found['earlier_ms']:.1f} ms earlier (median of {found['both_heard']} moves both heard, of "
        f"{found['n']}); heard {found['signal_heard']:.0%} and {found['threshold_heard']:.0%}; "
        f"{found['lead']} leads by {found['lead_ms']} ms at the greatest correlation"
    )
    return _row(name, "lead-lag", f"{EARLIER_MS_MIN:.0f} ms before a 3-sigma threshold", ok, why)
