"""Answers to POST /info: a table from request type to a function of exchange and request."""

from collections.abc import Callable
from typing import Any, Final

from mmpipe.venue.sim.accounts import HISTORY_MAX, Account
from mmpipe.venue.sim.exchange import MAKER_FEE_PPM, TAKER_FEE_PPM, Exchange
from mmpipe.venue.sim.instruments import meta_of
from mmpipe.venue.sim.views import (
    BOOK_LEVELS,
    account_view,
    book_view,
    ctx_view,
    fill_view,
    full_order_view,
    mids_view,
    order_view,
)
from mmpipe.venue.sim.wire import ADDRESS, CLOID, text_of

UNREADABLE: Final = "Failed to deserialize the JSON body into the target type"

Request = dict[str, Any]


class UnreadableRequestError(Exception):
    """The request is none this exchange can read; answered by 422 and `UNREADABLE`."""


def answer_info(exchange: Exchange, request: object) -> Any:
    """Answer to one info request, ready to be encoded.

    Parameters
    ----------
    exchange : Exchange
        Read only.
    request : object
        Decoded JSON, whatever it is.

    Raises
    ------
    UnreadableRequestError
        If the type is unknown or a field is missing or of the wrong type.
    """
    kind = request.get("type") if isinstance(request, dict) else None
    if not isinstance(kind, str) or kind not in _ANSWERS:
        raise UnreadableRequestError(kind)
    assert isinstance(request, dict)
    return _ANSWERS[kind](exchange, request)


def _account(exchange: Exchange, request: Request) -> Account | None:
    user = request.get("user")
    if not isinstance(user, str) or ADDRESS.fullmatch(user.lower()) is None:
        raise UnreadableRequestError("user")
    return exchange.accounts.get(user.lower())


def _time(request: Request, key: str, default: int) -> int:
    value = request.get(key)
    if value is None and key == "endTime":
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnreadableRequestError(key)
    return value


def _meta(exchange: Exchange, _: Request) -> Any:
    return meta_of(exchange.coins)


def _meta_and_contexts(exchange: Exchange, _: Request) -> Any:
    return [meta_of(exchange.coins), [ctx_view(exchange, symbol) for symbol in range(len(exchange.coins))]]


def _spot_meta(_exchange: Exchange, _: Request) -> Any:
    usdc = {
        "name": "USDC",
        "szDecimals": 8,
        "weiDecimals": 8,
        "index": 0,
        "tokenId": "0x" + "0" * 32,
        "isCanonical": True,
        "evmContract": None,
        "fullName": None,
    }
    return {"tokens": [usdc], "universe": []}


def _all_mids(exchange: Exchange, _: Request) -> Any:
    return mids_view(exchange)


def _book(exchange: Exchange, request: Request) -> Any:
    coin = request.get("coin")
    if not isinstance(coin, str):
        raise UnreadableRequestError("coin")
    symbol = exchange.symbol_of.get(coin)
    return None if symbol is None else book_view(exchange, symbol, BOOK_LEVELS)


def _state(exchange: Exchange, request: Request) -> Any:
    return account_view(exchange, _account(exchange, request))


def _open_orders(exchange: Exchange, request: Request) -> Any:
    account = _account(exchange, request)
    orders = account.open.values() if account is not None else ()
    return [order_view(exchange, order) for order in orders]


def _frontend_open_orders(exchange: Exchange, request: Request) -> Any:
    account = _account(exchange, request)
    orders = account.open.values() if account is not None else ()
    return [full_order_view(exchange, order) for order in orders]


def _historical_orders(exchange: Exchange, request: Request) -> Any:
    account = _account(exchange, request)
    if account is None:
        return []
    newest_first = [*account.open.values(), *reversed(account.closed.values())][:HISTORY_MAX]
    return [
        {
            "order": full_order_view(exchange, order),
            "status": order.status,
            "statusTimestamp": order.status_ts_ms,
        }
        for order in newest_first
    ]


def _order_status(exchange: Exchange, request: Request) -> Any:
    account, oid = _account(exchange, request), request.get("oid")
    if isinstance(oid, str):
        if CLOID.fullmatch(oid) is None:
            raise UnreadableRequestError("oid")
        oid = account.oid_of_cloid.get(oid, 0) if account is not None else 0
    if not isinstance(oid, int) or isinstance(oid, bool):
        raise UnreadableRequestError("oid")
    order = account.order(oid) if account is not None else None
    if order is None:
        return {"status": "unknownOid"}
    view = full_order_view(exchange, order)
    body = {"order": view, "status": order.status, "statusTimestamp": order.status_ts_ms}
    return {"status": "order", "order": body}


def _user_fills(exchange: Exchange, request: Request) -> Any:
    account = _account(exchange, request)
    return [fill_view(exchange, fill) for fill in reversed(account.fills)] if account is not None else []


def _user_fills_by_time(exchange: Exchange, request: Request) -> Any:
    account = _account(exchange, request)
    start, end = _time(request, "startTime", 0), _time(request, "endTime", 2**63)
    fills = account.fills if account is not None else ()
    return [fill_view(exchange, fill) for fill in fills if start <= fill.ts_ms <= end]


def _user_fees(exchange: Exchange, request: Request) -> Any:
    _account(exchange, request)
    add, cross = (text_of(ppm, 1_000_000) for ppm in (MAKER_FEE_PPM, TAKER_FEE_PPM))
    tiers: Request = {"vip": [], "mm": []}
    return {
        "dailyUserVlm": [],
        "feeSchedule": {"cross": cross, "add": add, "tiers": tiers, "referralDiscount": "0.0"},
        "userCrossRate": cross,
        "userAddRate": add,
        "activeReferralDiscount": "0.0",
        "trial": None,
        "feeTrialReward": "0.0",
        "nextTrialAvailableTimestamp": None,
    }


def _user_role(exchange: Exchange, request: Request) -> Any:
    account = _account(exchange, request)
    if account is not None:
        return {"role": "user"}
    master = exchange.settings.agents.get(str(request["user"]).lower())
    return {"role": "agent", "data": {"user": master}} if master else {"role": "missing"}


def _user_rate_limit(exchange: Exchange, request: Request) -> Any:
    account = _account(exchange, request)
    fills = account.fills if account is not None else ()
    usdc = sum(f.tick * f.lots for f in fills) // 1_000_000
    return {"cumVlm": f"{usdc}.0", "nRequestsUsed": 0, "nRequestsCap": 10_000 + usdc}


def _phases(exchange: Exchange, _: Request) -> Any:
    # Ours, not the venue's: the labels a test or an acceptance run compares its verdicts with.
    return {
        "scenario": exchange.scenario.name,
        "seed": exchange.settings.seed,
        "time": exchange.ts_ms,
        "phases": exchange.phase_log,
    }


_ANSWERS: Final[dict[str, Callable[[Exchange, Request], Any]]] = {
    "meta": _meta,
    "metaAndAssetCtxs": _meta_and_contexts,
    "spotMeta": _spot_meta,
    "allMids": _all_mids,
    "l2Book": _book,
    "clearinghouseState": _state,
    "openOrders": _open_orders,
    "frontendOpenOrders": _frontend_open_orders,
    "historicalOrders": _historical_orders,
    "orderStatus": _order_status,
    "userFills": _user_fills,
    "userFillsByTime": _user_fills_by_time,
    "userFees": _user_fees,
    "userRole": _user_role,
    "userRateLimit": _user_rate_limit,
    "perpDexs": lambda _exchange, _request: [None],
    "scenarioPhases": _phases,
}
