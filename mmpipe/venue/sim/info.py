"""Answers to POST /info about markets: a table from request type to a function of venue and request."""

from collections.abc import Callable
from typing import Any, Final

from mmpipe.clock import NS_PER_MS
from mmpipe.venue import hyperliquid_messages as wire
from mmpipe.venue.sim.account_info import ACCOUNT_ANSWERS
from mmpipe.venue.sim.candles import INTERVAL_MIN
from mmpipe.venue.sim.info_request import Desk, Request, UnreadableRequestError, time_of
from mmpipe.venue.sim.instruments import meta_of
from mmpipe.venue.sim.pricing import funding_rate
from mmpipe.venue.sim.views import book_view, context_view, grouped_book_view, mids_view, rate_text

UNREADABLE: Final = "Failed to deserialize the JSON body into the target type"
FIGURES: Final = (2, 3, 4, 5)
MANTISSAS: Final = (1, 2, 5)
HOUR_MS: Final = 3_600_000
ROWS_MAX: Final = 500


def answer_info(desk: Desk, request: object) -> Any:
    """Answer to one info request, ready to be encoded.

    Parameters
    ----------
    desk : Desk
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
    return _ANSWERS[kind](desk, request)


def _meta(desk: Desk, request: Request) -> Any:
    if request.get("dex") not in (None, ""):
        raise UnreadableRequestError("dex")
    return meta_of(desk.state.coins, desk.state.market.prices["delisted"].tolist())


def _meta_and_contexts(desk: Desk, request: Request) -> Any:
    return [
        _meta(desk, request),
        [context_view(desk.state, symbol) for symbol in range(len(desk.state.coins))],
    ]


def _spot_meta(_desk: Desk, _: Request) -> Any:
    usdc = {
        "name": "USDC",
        "szDecimals": 8,
        "weiDecimals": 8,
        "index": 0,
        "tokenId": "0x" + "0" * 32,
        "isCanonical": True,
        "evmContract": None,
        "fullName": None,
        "deployerTradingFeeShare": "0.0",
    }
    return {"tokens": [usdc], "universe": []}


def _book(desk: Desk, request: Request) -> Any:
    coin = request.get("coin")
    if not isinstance(coin, str):
        raise UnreadableRequestError("coin")
    symbol = desk.state.symbol_of.get(coin)
    if symbol is None:
        return None
    grouping = grouping_of(request)
    return grouped_book_view(desk.state, symbol, *grouping) if grouping else book_view(desk.state, symbol)


def grouping_of(request: Request) -> tuple[int, int] | None:
    """Significant figures and mantissa of a book request; None for the full book.

    Raises
    ------
    UnreadableRequestError
        If the venue knows no such grouping.
    """
    figures, mantissa = request.get("nSigFigs"), request.get("mantissa")
    if figures is None and mantissa is None:
        return None
    known = type(figures) is int and figures in FIGURES
    if not known or (mantissa is not None and (figures != FIGURES[-1] or mantissa not in MANTISSAS)):
        raise UnreadableRequestError("nSigFigs")
    assert isinstance(figures, int)
    return figures, int(mantissa or 1)


def _candles(desk: Desk, request: Request) -> Any:
    inner = request.get("req")
    if not isinstance(inner, dict) or not isinstance(inner.get("coin"), str):
        raise UnreadableRequestError("req")
    interval = inner.get("interval")
    if not isinstance(interval, str) or interval not in INTERVAL_MIN:
        raise UnreadableRequestError("interval")
    symbol = desk.state.symbol_of.get(inner["coin"])
    start, end = time_of(inner, "startTime", None), time_of(inner, "endTime", 2**63)
    return None if symbol is None else desk.history.candles[symbol].between(interval, start, end)


def _recent_trades(desk: Desk, request: Request) -> Any:
    symbol = desk.state.symbol_of.get(str(request.get("coin")))
    return None if symbol is None else list(reversed(desk.history.trades[symbol]))


def _funding_history(desk: Desk, request: Request) -> Any:
    symbol = desk.state.symbol_of.get(str(request.get("coin")))
    start, end = time_of(request, "startTime", None), time_of(request, "endTime", 2**63)
    if symbol is None:
        return None
    return [
        wire.FundingRecord(row["coin"], rate_text(row["fundingRate"]), row["time"], rate_text(row["premium"]))
        for row in desk.state.funding_log[symbol]
        if start <= row["time"] <= end
    ][:ROWS_MAX]


def _predicted_fundings(desk: Desk, _: Request) -> Any:
    next_ms = (desk.state.ts_ms // HOUR_MS + 1) * HOUR_MS
    return [
        [
            coin.name,
            [
                [
                    "HlPerp",
                    {
                        "fundingRate": rate_text(funding_rate(desk.state.market, symbol)),
                        "nextFundingTime": next_ms,
                        "fundingIntervalHours": 1,
                    },
                ]
            ],
        ]
        for symbol, coin in enumerate(desk.state.coins)
    ]


def _phases(desk: Desk, _: Request) -> Any:
    # Ours, not the venue's: the labels a test or an acceptance run compares its verdicts with.
    return {
        "scenario": desk.state.scenario.name,
        "seed": desk.state.settings.seed,
        "time": desk.state.ts_ms,
        "phases": desk.state.phase_log,
        "cascades": [
            {
                "coin": desk.state.coins[row["symbol"]].name,
                "start": int(row["start_ts_ns"]) // NS_PER_MS,
                "end": int(row["end_ts_ns"]) // NS_PER_MS or None,
                "lots": int(row["lots"]),
            }
            for row in desk.state.crowd.labels[: int(desk.state.crowd.clock["labels"][0])]
        ],
    }


_ANSWERS: Final[dict[str, Callable[[Desk, Request], Any]]] = ACCOUNT_ANSWERS | {
    "meta": _meta,
    "metaAndAssetCtxs": _meta_and_contexts,
    "allPerpMetas": lambda desk, request: [_meta(desk, request)],
    "spotMeta": _spot_meta,
    "spotMetaAndAssetCtxs": lambda desk, request: [_spot_meta(desk, request), []],
    "outcomeMeta": lambda _desk, _request: {"outcomes": [], "questions": []},
    "perpDexs": lambda _desk, _request: [None],
    "allMids": lambda desk, _request: mids_view(desk.state),
    "l2Book": _book,
    "candleSnapshot": _candles,
    "recentTrades": _recent_trades,
    "fundingHistory": _funding_history,
    "predictedFundings": _predicted_fundings,
    "exchangeStatus": lambda desk, _request: {"time": desk.state.ts_ms, "specialStatuses": None},
    "scenarioPhases": _phases,
}
