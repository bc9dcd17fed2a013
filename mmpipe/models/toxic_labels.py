"""Which aggressors were informed, known one horizon later, and how soon the verdict knew it.

An aggressor was toxic when `labels.toxic_horizon_ms` after him the mid lies beyond the mean price he paid, in
his direction, by at least the half-spread he met plus the maker fee: whoever sold to him at that price would
have done better not to. The mid is the one in force at that very moment (`mid_path`), whenever a TIMER looks.

    aggressor ─▶ TRADE_PENDING ring ─ horizon ─▶ LABEL TRADE, TRADE_SAMPLE (for training), DETECTION

An *episode* begins with EPISODE_TRADES toxic aggressors of one side, none further apart than a quarter of the
horizon, and ends when none came for a whole one; others may trade in between. Whoever was lucky alone, up to
a horizon before informed flow began, is toxic too and begins none. Its delay is counted from its first
aggressor, in aggressors and in time, to the one after which the verdict was Toxic on that side: 1 and 0 ms
when the first sufficed, 0 when the verdict was there before him. A *false alarm* is a Toxic verdict that
ended without one toxic aggressor of its side.
"""

from typing import Final

import numpy as np

from mmpipe.enums import LabelKind, Toxicity
from mmpipe.features import mid_path
from mmpipe.models import trade_features
from mmpipe.models.trade_features import INPUTS
from ringbuf.jit import kernel

PENDING_MAX: Final = 2048  # aggressors of one symbol within a horizon; beyond, the oldest goes unjudged
SAMPLES_MAX: Final = 1024  # resolved by one call of the engine
EPISODE_TRADES: Final = 3
BURST_SHARE: Final = 4  # of the horizon, its part within which the first ones of an episode follow each other
DELAYS_MAX: Final = 64  # newest episodes whose delays are kept
_TRADE: Final = int(LabelKind.TRADE)
_TOXIC: Final = int(Toxicity.TOXIC)

TRADE_PENDING = np.dtype(
    [
        ("ts_ns", "i8"),  # of his first row
        ("cause_seq", "i8"),  # SNAPSHOT.seq of his newest row
        ("side", "i8"),
        ("mean_px", "f8"),  # he paid
        ("half_spread_px", "f8"),  # he met
        ("mid_px", "f8"),  # he met
        ("forecast", "f8"),  # that he is informed, after his newest row, before calibration
        ("prob", "f8"),  # … after calibration
        ("side_before", "i8"),  # TOXICITY.toxic_side before him
        ("side_after", "i8"),
        ("toxicity", "i8"),  # verdict after him
        ("regime", "i8"),
        ("inputs", "f8", (INPUTS,)),
    ],
    align=True,
)

TRADE_SAMPLE = np.dtype(
    [
        ("ts_ns", "i8"),  # of the aggressor
        ("symbol", "i8"),
        ("side", "i8"),
        ("toxic", "i8"),
        ("forecast", "f8"),  # that he is informed, before the learner's calibration
        ("inputs", "f8", (INPUTS,)),  # by TOXICITY_INPUTS
    ],
    align=True,
)

DETECTION = np.dtype(
    [
        ("head", "i8"),  # of the ring of TRADE_PENDING
        ("tail", "i8"),
        ("unjudged", "i8"),  # lost for want of room or of a mid
        ("judged", "i8"),
        ("toxic", "i8"),
        ("brier_sum", "f8"),
        ("brier_base_sum", "f8"),
        ("side", "i8"),  # episode under way; 0: none
        ("start_ts_ns", "i8"),
        ("last_toxic_ts_ns", "i8"),
        ("trades", "i8"),  # aggressors of both sides since it began, the first included
        ("toxic_trades", "i8"),
        ("seen_trades", "i8"),  # after so many the verdict knew; -1: not yet
        ("seen_ns", "i8"),
        ("alarm_side", "i8"),  # Toxic verdict under way; 0: none
        ("alarm_hits", "i8"),  # toxic aggressors of its side
        ("episodes", "i8"),
        ("episodes_seen", "i8"),
        ("delay_trades", "f8", (DELAYS_MAX,)),  # ring by episode; infinite: never seen
        ("delay_ns", "f8", (DELAYS_MAX,)),
        ("alarms", "i8"),
        ("false_alarms", "i8"),
    ],
    align=True,
)


@kernel
def expect(
    pendings: np.ndarray,
    detection: np.void,
    aggressor: np.void,
    toxicity: np.void,
    regime: int,
    seq: int,
) -> None:
    """Let an aggressor wait for what becomes of the mid, or revise the newest.

    Parameters
    ----------
    pendings : (PENDING_MAX,) TRADE_PENDING
        Ring of one symbol.
    detection : DETECTION record
        Its ends.
    aggressor, toxicity : AGGRESSORS record, TOXICITY record
        After the trade.
    regime : int
        Regime.
    seq : int
        SNAPSHOT.seq of this row.
    """
    if aggressor["fresh"] == 1:
        if detection["head"] - detection["tail"] == len(pendings):
            detection["tail"] += 1
            detection["unjudged"] += 1
        item = pendings[detection["head"] % len(pendings)]
        detection["head"] += 1
        item["ts_ns"], item["side"] = aggressor["ts_ns"], aggressor["side"]
        item["side_before"] = toxicity["side_before"]
        item["half_spread_px"] = trade_features.half_spread_px(aggressor)
        item["mid_px"] = (aggressor["met_px"][0] + aggressor["met_px"][1]) / 2.0
    elif detection["head"] == detection["tail"]:
        return
    else:
        item = pendings[(detection["head"] - 1) % len(pendings)]
    buys = aggressor["side"] > 0
    item["cause_seq"], item["regime"], item["toxicity"] = seq, regime, toxicity["verdict"]
    item["mean_px"] = trade_features.mean_px(aggressor)
    item["forecast"] = toxicity["buy_forecast"] if buys else toxicity["sell_forecast"]
    item["prob"] = toxicity["buy_prob"] if buys else toxicity["sell_prob"]
    item["side_after"] = toxicity["toxic_side"]
    for index in range(INPUTS):
        item["inputs"][index] = aggressor["inputs"][index]


@kernel
def resolve(
    pendings: np.ndarray,
    detection: np.void,
    path: np.void,
    ts_ns: int,
    horizon_ns: int,
    fee_bps: float,
    symbol: int,
    labels: np.ndarray,
    count: int,
    samples: np.ndarray,
    sample_count: int,
) -> int:
    """Judge the aggressors that are due, oldest first.

    Parameters
    ----------
    pendings, detection : (PENDING_MAX,) TRADE_PENDING, DETECTION record
        Of one symbol, changed in place.
    path : MID_PATH record
        Of the symbol.
    ts_ns, horizon_ns : int
        Now; age at which an aggressor is due.
    fee_bps : float
        Of a maker.
    symbol : int
        Index for labels and samples.
    labels, samples : (n,) LABEL, (m,) TRADE_SAMPLE
        Written from `count` and `sample_count` on, one of each per aggressor; what finds no room waits.

    Returns
    -------
    int
        Aggressors judged now.
    """
    made = 0
    while detection["tail"] < detection["head"]:
        item = pendings[detection["tail"] % len(pendings)]
        if ts_ns - item["ts_ns"] < horizon_ns:
            break
        if count + made >= len(labels) or sample_count + made >= len(samples):
            break
        detection["tail"] += 1
        mid_px = mid_path.mid_at(path, item["ts_ns"] + horizon_ns)
        if not (mid_px > 0.0 and item["half_spread_px"] > 0.0):
            detection["unjudged"] += 1
            continue
        beyond_px = item["side"] * (mid_px - item["mean_px"])
        needed_px = item["half_spread_px"] + fee_bps * 1e-4 * item["mean_px"]
        toxic = 1 if beyond_px >= needed_px else 0
        _write_label(labels[count + made], item, ts_ns, horizon_ns, mid_px, toxic, symbol)
        _write_sample(samples[sample_count + made], item, toxic, symbol)
        _score(detection, item, toxic)
        _follow_episode(detection, item, toxic, horizon_ns)
        _follow_alarm(detection, item, toxic)
        made += 1
    return made


@kernel
def _write_label(
    label: np.void, item: np.void, ts_ns: int, horizon_ns: int, mid_px: float, toxic: int, symbol: int
) -> None:
    side = item["side"]
    label["ts_ns"], label["cause_seq"], label["cause_ts_ns"] = ts_ns, item["cause_seq"], item["ts_ns"]
    label["horizon_ns"], label["mid_px"] = horizon_ns, item["mid_px"]
    label["move_bps"] = (mid_px - item["mid_px"]) / item["mid_px"] * 1e4
    label["depth_bps"] = side * (item["mean_px"] - item["mid_px"]) / item["mid_px"] * 1e4
    label["realized_as_bps"] = side * label["move_bps"]
    label["realized_edge_bps"] = label["depth_bps"] - label["realized_as_bps"]
    label["predicted_fill_prob"], label["filled"] = item["forecast"], toxic
    label["predicted_edge_bps"], label["predicted_std_bps"], label["wait_ns"] = 0.0, 0.0, 0
    label["queue_rank"], label["ahead_qty"] = 0.0, 0.0
    label["fill_factor"], label["expected_fills"] = 0.0, 0.0
    for index in range(len(label["markouts_bps"])):
        label["markouts_bps"][index] = 0.0
    label["kind"], label["side"], label["symbol"] = _TRADE, side, symbol
    label["toxicity"], label["regime"], label["outcome"], label["level"] = (
        item["toxicity"],
        item["regime"],
        0,
        0,
    )


@kernel
def _write_sample(sample: np.void, item: np.void, toxic: int, symbol: int) -> None:
    sample["ts_ns"], sample["symbol"], sample["side"] = item["ts_ns"], symbol, item["side"]
    sample["toxic"], sample["forecast"] = toxic, item["forecast"]
    for index in range(INPUTS):
        sample["inputs"][index] = item["inputs"][index]


@kernel
def _score(detection: np.void, item: np.void, toxic: int) -> None:
    base = (detection["toxic"] + 0.5) / (detection["judged"] + 1.0)  # known before this one
    detection["brier_sum"] += (item["prob"] - toxic) ** 2
    detection["brier_base_sum"] += (base - toxic) ** 2
    detection["judged"] += 1
    detection["toxic"] += toxic


@kernel
def _follow_episode(detection: np.void, item: np.void, toxic: int, horizon_ns: int) -> None:
    side, ts_ns = item["side"], item["ts_ns"]
    if detection["side"] != 0:
        begun = detection["toxic_trades"] >= EPISODE_TRADES
        over = ts_ns - detection["last_toxic_ts_ns"] > (horizon_ns if begun else horizon_ns // BURST_SHARE)
        if over or (toxic == 1 and side != detection["side"]):
            _end_episode(detection)
    if detection["side"] == 0 and toxic == 1:
        detection["side"], detection["start_ts_ns"] = side, ts_ns
        detection["trades"], detection["toxic_trades"] = 0, 0
        detection["seen_trades"] = 0 if item["side_before"] == side else -1
        detection["seen_ns"] = 0
    if detection["side"] == 0:
        return
    detection["trades"] += 1
    if toxic == 1:
        detection["toxic_trades"] += 1
        detection["last_toxic_ts_ns"] = ts_ns
    if detection["seen_trades"] < 0 and item["side_after"] == detection["side"]:
        detection["seen_trades"] = detection["trades"]
        detection["seen_ns"] = ts_ns - detection["start_ts_ns"]


@kernel
def _end_episode(detection: np.void) -> None:
    if detection["toxic_trades"] >= EPISODE_TRADES:
        at, seen = detection["episodes"] % DELAYS_MAX, detection["seen_trades"] >= 0
        detection["episodes"] += 1
        detection["episodes_seen"] += 1 if seen else 0
        detection["delay_trades"][at] = detection["seen_trades"] if seen else np.inf
        detection["delay_ns"][at] = detection["seen_ns"] if seen else np.inf
    detection["side"] = 0


@kernel
def _follow_alarm(detection: np.void, item: np.void, toxic: int) -> None:
    # By his coming the verdict may have changed with time, and again by him.
    _alarm_is(detection, item["side_before"])
    _alarm_is(detection, item["side_after"])
    if toxic == 1 and item["side"] == detection["alarm_side"]:
        detection["alarm_hits"] += 1


@kernel
def _alarm_is(detection: np.void, side: int) -> None:
    if side == detection["alarm_side"]:
        return
    if detection["alarm_side"] != 0 and detection["alarm_hits"] == 0:
        detection["false_alarms"] += 1
    detection["alarm_side"], detection["alarm_hits"] = side, 0
    detection["alarms"] += 1 if side != 0 else 0
