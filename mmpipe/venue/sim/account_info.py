"""Answers to POST /info about accounts: orders, fills, money, agents and limits."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from mmpipe.venue import hyperliquid_messages as wire
from mmpipe.venue.sim.accounts import HISTORY_MAX, Account, Order
from mmpipe.venue.sim.info_request import (
    Desk,
    Request,
    UnreadableRequestError,
    account_of,
    symbol_of,
    time_of,
    user_of,
)
from mmpipe.venue.sim.limits import request_limits
from mmpipe.venue.sim.margin import WORTH, weigh
from mmpipe.venue.sim.state import MAKER_FEE_PPM, TAKER_FEE_PPM
from mmpipe.venue.sim.views import (
    account_view,
    fill_view,
    full_order_view,
    funding_view,
    ledger_view,
    leverage_view,
    order_view,
    record_view,
    usdc,
)
from mmpipe.venue.sim.wire import CLOID, text_of

CASH_PER_NOTIONAL: Final = 100
NOTIONAL_UNITS: Final = 10**6


def active_asset_view(desk: Desk, account: Account | None, user: str, symbol: int) -> wire.ActiveAssetData:
    """What a user may trade of one coin now."""
    state, coin = desk.state, desk.state.coins[symbol]
    mark_tick = state.mark_tick(symbol)
    mark = text_of(mark_tick, coin.ticks_in_unit)
    if account is None:
        return wire.ActiveAssetData(
            user, coin.name, wire.Leverage("cross", 1), ("0.0", "0.0"), ("0.0", "0.0"), mark
        )
    worth = np.zeros(1, WORTH)
    weigh(state.market, account.index, worth)
    free = max(int(worth[0]["cross_cash"]) - int(worth[0]["cross_used_cash"]), 0)
    standing = state.market.standings[account.index, symbol]
    leverage, lots = int(standing["leverage"]), int(standing["lots"])
    fresh = free * leverage // (mark_tick * CASH_PER_NOTIONAL)
    # The side that closes the position may trade it away and the same again.
    sizes = [fresh + (2 * abs(lots) if side * lots < 0 else 0) for side in (1, -1)]
    money = [size * mark_tick * CASH_PER_NOTIONAL // leverage for size in sizes]
    lot_texts = [text_of(size, coin.lots_in_unit) for size in sizes]
    return wire.ActiveAssetData(
        user, coin.name, leverage_view(state, account, symbol), (lot_texts[0], lot_texts[1]),
        (usdc(money[0]), usdc(money[1])), mark,
    )  # fmt: skip


def _open_orders(desk: Desk, request: Request) -> Any:
    return [order_view(desk.state, order) for order in open_of(desk, request)]


def open_of(desk: Desk, request: Request) -> list[Order]:
    """Open orders of the account a request asks about."""
    account = account_of(desk, request)
    return list(account.open.values()) if account is not None else []


def _frontend_open_orders(desk: Desk, request: Request) -> Any:
    orders = open_of(desk, request)
    children: dict[int, list[Order]] = {}
    for order in orders:
        if order.parent:
            children.setdefault(order.parent, []).append(order)
    return [full_order_view(desk.state, o, children.get(o.oid)) for o in orders if not o.parent]


def _historical_orders(desk: Desk, request: Request) -> Any:
    account = account_of(desk, request)
    if account is None:
        return []
    newest_first = [*account.open.values(), *reversed(account.closed.values())][:HISTORY_MAX]
    return [record_view(desk.state, order) for order in newest_first]


def _order_status(desk: Desk, request: Request) -> Any:
    account, oid = account_of(desk, request), request.get("oid")
    if isinstance(oid, str):
        if CLOID.fullmatch(oid.lower()) is None:
            raise UnreadableRequestError("oid")
        oid = oid.lower()
    elif not isinstance(oid, int) or isinstance(oid, bool):
        raise UnreadableRequestError("oid")
    order = account.order_by(oid) if account is not None else None
    if order is None:
        return {"status": "unknownOid"}
    return {"status": "order", "order": record_view(desk.state, order)}


def _user_fills(desk: Desk, request: Request) -> Any:
    account = account_of(desk, request)
    return [fill_view(desk.state, fill) for fill in reversed(account.fills)] if account is not None else []


def _user_fills_by_time(desk: Desk, request: Request) -> Any:
    account = account_of(desk, request)
    start, end = time_of(request, "startTime", None), time_of(request, "endTime", 2**63)
    fills = account.fills if account is not None else ()
    return [fill_view(desk.state, fill) for fill in fills if start <= fill.ts_ms <= end]


def _user_funding(desk: Desk, request: Request) -> Any:
    account = account_of(desk, request)
    start, end = time_of(request, "startTime", 0), time_of(request, "endTime", 2**63)
    fundings = account.fundings if account is not None else ()
    return [funding_view(desk.state, row) for row in fundings if start <= row.ts_ms <= end]


def _ledger(desk: Desk, request: Request) -> Any:
    account = account_of(desk, request)
    start, end = time_of(request, "startTime", 0), time_of(request, "endTime", 2**63)
    rows = account.ledger if account is not None else ()
    return [ledger_view(desk.state, ts_ms, delta) for ts_ms, delta in rows if start <= ts_ms <= end]


def _user_fees(_desk: Desk, request: Request) -> Any:
    # One tier for everybody, no staking, no referrals; spot is not traded here.
    user_of(request)
    add, cross = (text_of(ppm, NOTIONAL_UNITS) for ppm in (MAKER_FEE_PPM, TAKER_FEE_PPM))
    return {
        "dailyUserVlm": [],
        "feeSchedule": {
            "cross": cross,
            "add": add,
            "spotCross": "0.0",
            "spotAdd": "0.0",
            "tiers": {"vip": [], "mm": []},
            "referralDiscount": "0.0",
            "stakingDiscountTiers": [],
        },
        "userCrossRate": cross,
        "userAddRate": add,
        "userSpotCrossRate": "0.0",
        "userSpotAddRate": "0.0",
        "activeReferralDiscount": "0.0",
        "trial": None,
        "feeTrialEscrow": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": None,
        "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
    }


def _user_role(desk: Desk, request: Request) -> Any:
    account = account_of(desk, request)
    if account is not None:
        return {"role": account.role}
    signer = desk.state.signers.find(user_of(request), desk.state.ts_ms)
    return {"role": "agent", "data": {"user": signer.account.address}} if signer else {"role": "missing"}


def _user_rate_limit(desk: Desk, request: Request) -> Any:
    account = account_of(desk, request) or Account(0, "")
    limits = request_limits(account)
    volume = text_of(account.volume_notional, NOTIONAL_UNITS)
    return wire.RateLimit(volume, limits["used"], limits["cap"], account.reserved_requests)


def _extra_agents(desk: Desk, request: Request) -> Any:
    account = account_of(desk, request)
    agents = desk.state.signers.agents(account).items() if account is not None else ()
    return [wire.Agent(signer.name, a, signer.until_ms or None) for a, signer in agents if signer.name]


def _max_builder_fee(desk: Desk, request: Request) -> Any:
    account = account_of(desk, request)
    return account.builder_fees.get(str(request.get("builder")).lower(), 0) if account is not None else 0


def _spot_state(desk: Desk, request: Request) -> Any:
    account = account_of(desk, request)
    if account is None or account.spot_cash == 0:
        return {"balances": []}
    total = usdc(account.spot_cash)
    balance = {"coin": "USDC", "token": 0, "hold": "0.0", "total": total, "entryNtl": "0.0"}
    return {"balances": [balance], "tokenToAvailableAfterMaintenance": [[0, total]]}


ACCOUNT_ANSWERS: Final[dict[str, Callable[[Desk, Request], Any]]] = {
    "clearinghouseState": lambda desk, request: account_view(desk.state, account_of(desk, request)),
    "spotClearinghouseState": _spot_state,
    "openOrders": _open_orders,
    "frontendOpenOrders": _frontend_open_orders,
    "historicalOrders": _historical_orders,
    "orderStatus": _order_status,
    "userFills": _user_fills,
    "userFillsByTime": _user_fills_by_time,
    "userFunding": _user_funding,
    "userNonFundingLedgerUpdates": _ledger,
    "userFees": _user_fees,
    "userRole": _user_role,
    "userRateLimit": _user_rate_limit,
    "userAbstraction": lambda _desk, request: "default" if user_of(request) else None,
    "extraAgents": _extra_agents,
    "maxBuilderFee": _max_builder_fee,
    "activeAssetData": lambda desk, request: active_asset_view(
        desk, account_of(desk, request), user_of(request), symbol_of(desk, request)
    ),
}
