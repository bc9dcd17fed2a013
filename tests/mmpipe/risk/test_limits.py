"""Every limit at its edge, one lot beyond it, and with a number that is none."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmpipe import config as configuration
from mmpipe.config import settings_row
from mmpipe.enums import IntentKind, Reason, Tif
from mmpipe.records import INSTRUMENT, INTENT
from mmpipe.risk.limits import EXPOSURE, check_order, reduces, refill

CONFIG = configuration.load(Path(__file__).resolve().parents[3] / "pipeline.toml")
RISK, EXECUTION = settings_row(CONFIG.risk), settings_row(CONFIG.execution)
MS = 1_000_000
NOW = 10**12
MID_PX, TICK_PX, LOT_QTY = 100_000.0, 0.1, 1e-5  # one lot is one USDC
TICK = 1_000_000


def check(
    exposure: dict[str, Any] | None = None, instrument: dict[str, int] | None = None, **order: Any
) -> Reason:
    intents, row, grid = np.zeros(1, INTENT), np.zeros(1, EXPOSURE), np.zeros(1, INSTRUMENT)
    values: dict[str, Any] = {
        "kind": int(IntentKind.PLACE), "side": 1, "px_tick": TICK, "qty_lots": 1_000, "mid_px": MID_PX,
        "tif": int(Tif.ALO),
    }  # fmt: skip
    for name, value in {**values, **order}.items():
        intents[name] = value
    grid["tick_px"], grid["lot_qty"], grid["ticks_per_unit"] = TICK_PX, LOT_QTY, 10
    for name, value in (instrument or {}).items():
        grid[name] = value
    row["tokens"] = 1_000.0
    for name, value in (exposure or {}).items():
        row[name] = value
    return Reason(int(check_order(intents, 0, row, grid, RISK, EXECUTION, NOW)))


COLLAR = int(CONFIG.execution.collar_bps * 1e-4 * MID_PX / TICK_PX)
ORDER, POSITION = int(CONFIG.risk.order_usdc_max), int(CONFIG.risk.position_usdc_max)
PASSIVE, GROSS = int(CONFIG.risk.passive_usdc_max), CONFIG.risk.gross_usdc_max
RESERVE, OPEN = CONFIG.risk.cancel_reserve, CONFIG.risk.open_orders_max
INTERVAL = CONFIG.risk.aggressive_interval_ms * MS

# what holds, what is one beyond it, and the reason that is given
EDGES: list[tuple[dict[str, Any], dict[str, Any], Reason]] = [
    ({"qty_lots": ORDER}, {"qty_lots": ORDER + 1}, Reason.LIMIT_ORDER_SIZE),
    (
        {"exposure": {"position_lots": POSITION - 1_000}},
        {"exposure": {"position_lots": POSITION - 999}},
        Reason.LIMIT_POSITION,
    ),
    (
        {"exposure": {"position_lots": POSITION - 3_000, "buy_lots": 2_000}},
        {"exposure": {"position_lots": POSITION - 3_000, "buy_lots": 2_001}},
        Reason.LIMIT_POSITION,
    ),
    (
        {"side": -1, "exposure": {"position_lots": 3_000 - POSITION, "sell_lots": 2_000}},
        {"side": -1, "exposure": {"position_lots": 3_000 - POSITION, "sell_lots": 2_001}},
        Reason.LIMIT_POSITION,
    ),
    (
        {"exposure": {"buy_lots": PASSIVE - 1_000}},
        {"exposure": {"buy_lots": PASSIVE - 999}},
        Reason.LIMIT_PASSIVE_VOLUME,
    ),
    (
        {"exposure": {"gross_usdc": GROSS - 1_000}},
        {"exposure": {"gross_usdc": GROSS - 999}},
        Reason.LIMIT_NOTIONAL,
    ),
    ({"px_tick": TICK - COLLAR}, {"px_tick": TICK - COLLAR - 10}, Reason.LIMIT_COLLAR),
    ({"px_tick": TICK + COLLAR}, {"px_tick": TICK + COLLAR + 10}, Reason.LIMIT_COLLAR),
    ({"px_tick": TICK}, {"px_tick": TICK + 1}, Reason.LIMIT_TICK_LOT),  # six significant figures
    ({"qty_lots": 10}, {"qty_lots": 9}, Reason.LIMIT_TICK_LOT),  # 10 USDC
    ({"qty_lots": 1}, {"qty_lots": 0}, Reason.LIMIT_TICK_LOT),
    ({"exposure": {"tokens": RESERVE + 1.0}}, {"exposure": {"tokens": RESERVE + 0.5}}, Reason.LIMIT_RATE),
    (
        {"exposure": {"open_orders": OPEN - 1}},
        {"exposure": {"open_orders": OPEN}},
        Reason.LIMIT_OPEN_ORDERS,
    ),
    ({"exposure": {"twins": 0}}, {"exposure": {"twins": 1}}, Reason.LIMIT_OPEN_ORDERS),
    (
        {"tif": int(Tif.IOC), "exposure": {"aggressive_ts_ns": NOW - INTERVAL}},
        {"tif": int(Tif.IOC), "exposure": {"aggressive_ts_ns": NOW - INTERVAL + 1}},
        Reason.LIMIT_AGGRESSIVE_INTERVAL,
    ),
    (
        {"exposure": {"low_sell_tick": TICK + 10}},
        {"exposure": {"low_sell_tick": TICK}},
        Reason.SELF_CROSS,
    ),
    (
        {"side": -1, "exposure": {"high_buy_tick": TICK - 10}},
        {"side": -1, "exposure": {"high_buy_tick": TICK}},
        Reason.SELF_CROSS,
    ),
    (
        {"exposure": {"unknown_orders": CONFIG.risk.unknown_max}},
        {"exposure": {"unknown_orders": CONFIG.risk.unknown_max + 1}},
        Reason.UNKNOWN_ORDERS,
    ),
]


@pytest.mark.parametrize(("inside", "beyond", "reason"), EDGES)
def test_each_limit_holds_at_its_edge(inside: dict[str, Any], beyond: dict[str, Any], reason: Reason) -> None:
    if "qty_lots" not in inside or inside["qty_lots"] >= 10:
        assert check(**inside) == Reason.NONE
    assert check(**beyond) == reason


@pytest.mark.parametrize(
    ("order", "exposure", "reason"),
    [
        ({"mid_px": math.nan}, {}, Reason.LIMIT_COLLAR),
        ({"mid_px": math.inf}, {}, Reason.LIMIT_COLLAR),
        ({"mid_px": 0.0}, {}, Reason.LIMIT_COLLAR),
        ({}, {"tokens": math.nan}, Reason.LIMIT_RATE),
        ({}, {"gross_usdc": math.nan}, Reason.LIMIT_NOTIONAL),
        ({"side": 0}, {}, Reason.LIMIT_TICK_LOT),
        ({"px_tick": -TICK}, {}, Reason.LIMIT_TICK_LOT),
    ],
)
def test_what_is_no_number_passes_no_limit(
    order: dict[str, Any], exposure: dict[str, Any], reason: Reason
) -> None:
    assert check(exposure, **order) == reason


def test_a_cancel_always_passes() -> None:
    full = {"tokens": 0.0, "open_orders": 10**6, "gross_usdc": math.nan, "unknown_orders": 10**6}
    assert check(full, kind=int(IntentKind.CANCEL), mid_px=math.nan, qty_lots=0) == Reason.NONE


def test_an_order_that_can_only_shrink_the_position_passes_every_exposure_limit() -> None:
    over = {"position_lots": 3 * POSITION, "gross_usdc": 10 * GROSS, "unknown_orders": 10**6}
    assert check(over, side=-1, qty_lots=3 * POSITION) == Reason.NONE
    assert check(over, side=-1, qty_lots=3 * POSITION + 1) == Reason.LIMIT_ORDER_SIZE
    assert check({**over, "sell_lots": 1}, side=-1, qty_lots=3 * POSITION) == Reason.LIMIT_ORDER_SIZE
    assert check({**over, "tokens": 0.0}, side=-1) == Reason.LIMIT_RATE


@given(
    st.integers(-2 * POSITION, 2 * POSITION), st.integers(0, POSITION), st.integers(0, POSITION),
    st.sampled_from([1, -1]), st.integers(1, 2 * POSITION),
)  # fmt: skip
def test_what_passes_never_leads_over_the_limit_and_what_reduces_never_grows(
    held: int, buys: int, sells: int, side: int, lots: int
) -> None:
    exposure = {"position_lots": held, "buy_lots": buys, "sell_lots": sells}
    if check(exposure, side=side, qty_lots=lots) != Reason.NONE:
        return
    live = buys if side > 0 else sells
    worst = side * held + live + lots
    order, row = np.zeros(1, INTENT), np.zeros(1, EXPOSURE)
    order["side"], order["qty_lots"] = side, lots
    for name, value in exposure.items():
        row[name] = value
    if reduces(order[0], row[0]):
        assert worst <= 0
    else:
        assert worst <= POSITION


def test_the_budget_refills_by_time_and_never_beyond_its_size() -> None:
    rate, size = CONFIG.risk.requests_per_s_max, CONFIG.risk.requests_per_s_max + RESERVE
    assert refill(0.0, 500 * MS, RISK) == pytest.approx(rate / 2)
    assert refill(size, 10_000 * MS, RISK) == size
    assert refill(5.0, -10_000 * MS, RISK) == 5.0
