"""What each mode wants resting or taken, per side, as two DESIRED rows: bid first, then ask.

| mode             | side that increases         | side that reduces                                     |
|------------------|-----------------------------|-------------------------------------------------------|
| FLAT             | nothing                     | an exit at the touch while more than dust is held     |
| MAKER            | best level of positive value| the same, else an exit                                |
| TAKER_ENTRY      | takes at the touch if it leads to the target, nothing on the other side              |
| TAKER_EXIT       | nothing                     | takes, as far through the touch as urgency allows     |
| INVENTORY_REDUCE | nothing                     | an exit at the touch, inside it when urgent           |

An exit is exempt from a positive queue value unless the flow is benign, and carries the value all the same.
So while more than dust is held there is always an exit wanted, whatever the mode.
"""

from typing import Final

import numpy as np

from mmpipe.enums import Mode, Reason, Tif, Toxicity
from mmpipe.execution.quoting import choose_exit, choose_level, on_grid
from mmpipe.execution.sizing import doubt_shrink, edge_doubt_bps, lots_of_usdc, smallest_lots
from mmpipe.execution.valuation import value_level
from mmpipe.units import tick_step
from ringbuf.jit import kernel

BID: Final = 0
ASK: Final = 1

_MAKER: Final = int(Mode.MAKER)
_TAKER_ENTRY: Final = int(Mode.TAKER_ENTRY)
_TAKER_EXIT: Final = int(Mode.TAKER_EXIT)
_REDUCE: Final = int(Mode.INVENTORY_REDUCE)
_BENIGN: Final = int(Toxicity.BENIGN)
_IOC: Final = int(Tif.IOC)
_FORBIDDEN: Final = int(Reason.MODE_FORBIDS)
_AT_LIMIT: Final = int(Reason.INVENTORY_AT_LIMIT)
_TOO_SMALL: Final = int(Reason.SIZE_BELOW_MINIMUM)
_URGENT: Final = 0.5
_COLLAR_SHARE: Final = 0.9  # of the collar an urgent exit may price through: the mid may move on the way


@kernel
def want_maker_quotes(
    judgement: np.ndarray, parts: np.void, live_ticks: tuple[int, int], snapshots: np.ndarray,
    params: np.ndarray, instrument: np.ndarray, execution: np.ndarray, valuer: np.void,
    desired: np.ndarray,
) -> None:  # fmt: skip
    """Both sides as MAKER would quote them; also what the other modes' expected values are judged by.

    Parameters
    ----------
    judgement : (1,) JUDGEMENT
    parts : PARTS record
    live_ticks : tuple of int
        Where our bid and ask rest, 0: nowhere.
    snapshots : (1,) SNAPSHOT
    params : (PARAMS_COUNT,) float64
    instrument : (1,) INSTRUMENT
    execution : (1,) settings of ExecutionConfig
    valuer : VALUER record
        It was shown the market; overwritten.
    desired : (2,) DESIRED
        Written.
    """
    case, settings = judgement[0], execution[0]
    for index in range(2):
        row = desired[index]
        side = 1 - 2 * index
        row["side"] = side
        row["reduce_only"] = 0
        excess = side * (case["position_lots"] - case["target_lots"])
        away_lots = abs(excess + case["unit_lots"]) if excess + case["unit_lots"] > 0.0 else 0.0
        penalty_bps = settings["inventory_penalty_bps"] * away_lots / case["max_lots"]
        choose_level(
            row, live_ticks[index], penalty_bps, parts, snapshots, params, instrument, execution, valuer
        )
        if row["wanted"]:
            _size_quote(row, case, instrument, settings)
    _uncross(desired, instrument)


@kernel
def handle_mode(
    judgement: np.ndarray, snapshots: np.ndarray, params: np.ndarray, instrument: np.ndarray,
    execution: np.ndarray, valuer: np.void, desired: np.ndarray,
) -> None:  # fmt: skip
    """Turn the quotes of a maker into what the chosen mode wants; arguments as for `want_maker_quotes`."""
    case = judgement[0]
    mode = int(case["mode"])
    held = case["position_lots"]
    exposed = not abs(held) <= execution[0]["dust_share"] * case["max_lots"]
    exit_index = ASK if held > 0 else BID
    for index in range(2):
        desired[index]["side"] = 1 - 2 * index
        if mode != _MAKER:
            _forbid(desired[index], _FORBIDDEN if mode == _TAKER_ENTRY else int(case["reason"]))
    if mode == _TAKER_ENTRY:
        towards = BID if case["target_lots"] > held else ASK
        gap_lots = int(abs(case["target_lots"] - held))
        lots = min(gap_lots, case["unit_lots"])
        _take(desired[towards], 0.0, lots, snapshots, params, instrument, execution, valuer)
    elif not exposed or not case["sound"]:
        return
    elif mode == _TAKER_EXIT:
        row = desired[exit_index]
        row["reduce_only"] = 1
        _take(row, case["urgency"], abs(held), snapshots, params, instrument, execution, valuer)
    elif mode != _MAKER or not desired[exit_index]["wanted"]:
        row = desired[exit_index]
        benign = int(case["toxicity"]) == _BENIGN
        choose_exit(row, case["urgency"] >= _URGENT, benign, snapshots, params, instrument, execution, valuer)
        row["reduce_only"] = 1
        row["hurry"] = 1 if mode == _REDUCE else 0
        _size_exit(row, abs(held), case["unit_lots"], mode == _REDUCE, instrument)


@kernel
def reduce_only_rows(desired: np.ndarray, position_lots: int, reason: int) -> None:
    """Forbid every row that could increase the position, for `reason`; shrink the other to what is held."""
    for index in range(2):
        row = desired[index]
        held = -int(row["side"]) * position_lots
        if held <= 0:
            _forbid(row, reason)
        elif row["wanted"]:
            row["reduce_only"] = 1
            row["qty_lots"] = min(row["qty_lots"], held)


@kernel
def _forbid(row: np.void, reason: int) -> None:
    row["wanted"] = 0
    row["hurry"] = 1
    row["reduce_only"] = 0
    row["px_tick"] = row["qty_lots"] = 0
    row["reason"] = reason


@kernel
def _size_quote(row: np.void, case: np.void, instrument: np.ndarray, settings: np.void) -> None:
    side = int(row["side"])
    doubt_bps = edge_doubt_bps(case["doubt_bps"], row["queue_value_std_bps"])
    shrink = doubt_shrink(row["queue_value_bps"], doubt_bps)
    lots = lots_of_usdc(settings["order_usdc"] * shrink, case["mid_px"], instrument[0]["lot_qty"])
    room_lots = case["safe_lots"] - side * case["position_lots"]
    row["qty_lots"] = min(lots, room_lots)
    if room_lots <= 0:
        _forbid(row, _AT_LIMIT)
    elif row["qty_lots"] < smallest_lots(row["px_tick"], instrument):
        _forbid(row, _TOO_SMALL)


@kernel
def _size_exit(row: np.void, held_lots: int, unit_lots: int, all_of_it: bool, instrument: np.ndarray) -> None:
    if not row["wanted"]:
        return
    # Twice a quote's size keeps every exit below the limit of one order.
    row["qty_lots"] = min(held_lots, 2 * unit_lots if all_of_it else unit_lots)
    if row["qty_lots"] < smallest_lots(row["px_tick"], instrument):
        row["qty_lots"] = held_lots
        if held_lots < smallest_lots(row["px_tick"], instrument):
            _forbid(row, _TOO_SMALL)


@kernel
def _take(
    row: np.void, urgency: float, lots: int, snapshots: np.ndarray, params: np.ndarray,
    instrument: np.ndarray, execution: np.ndarray, valuer: np.void,
) -> None:  # fmt: skip
    # From the other side's touch, through it by a share of what the collar leaves.
    side = int(row["side"])
    snapshot = snapshots[0]
    touch = snapshot["best_ask_tick"] if side > 0 else snapshot["best_bid_tick"]
    reach_bps = urgency * _COLLAR_SHARE * execution[0]["collar_bps"]
    reach_px = snapshot["mid_px"] * (1.0 + side * reach_bps * 1e-4)
    reach = on_grid(side, int(reach_px / instrument[0]["tick_px"]), instrument)
    tick = max(touch, reach) if side > 0 else min(touch, reach)
    value_level(side, tick, -1.0, snapshots, params, instrument[0]["tick_px"], execution, valuer)
    row["wanted"] = row["hurry"] = 1
    row["tif"] = _IOC
    row["reason"] = 0
    row["px_tick"] = tick
    row["qty_lots"] = lots
    value = valuer["scratch"][0]
    row["queue_value_bps"], row["queue_value_std_bps"] = (
        value["queue_value_bps"],
        value["queue_value_std_bps"],
    )
    row["queue_rank"] = -1.0
    row["fill_prob"] = 1.0
    row["depth_bps"] = value["depth_bps"]
    row["score_bps"] = 0.0
    if tick <= 0 or lots < smallest_lots(tick, instrument):
        _forbid(row, _TOO_SMALL)


@kernel
def _uncross(desired: np.ndarray, instrument: np.ndarray) -> None:
    bid, ask = desired[BID], desired[ASK]
    if bid["wanted"] and ask["wanted"] and bid["px_tick"] >= ask["px_tick"]:
        # Both stepped inside the same gap: the less valuable one goes back.
        if ask["score_bps"] <= bid["score_bps"]:
            step = tick_step(bid["px_tick"], int(instrument[0]["ticks_per_unit"]))
            ask["px_tick"] = on_grid(-1, bid["px_tick"] + step, instrument)
        else:
            step = tick_step(ask["px_tick"], int(instrument[0]["ticks_per_unit"]))
            bid["px_tick"] = on_grid(1, ask["px_tick"] - step, instrument)
