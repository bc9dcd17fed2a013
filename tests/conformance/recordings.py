"""Recorded messages of the real venue, from four collections, each with its kind."""

import gzip
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

DATA = Path(os.environ.get("MMPIPE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
FIXTURES = DATA / "hl_fixtures"

# Kinds of the files that do not say it themselves.
_ENDPOINTS = {
    "GetAccountInfo": "clearinghouseState",
    "GetFundingHistory": "userFunding",
    "GetExchangeInfo": "meta",
    "GetExchangeInfoAndTickers": "metaAndAssetCtxs",
    "GetFundingRateHistory": "fundingHistory",
    "SetLeverage": "default",
    "GetAccountLedger": "userNonFundingLedgerUpdates",
    "GetApprovedBuilderFee": "maxBuilderFee",
    "GetBalances": "spotClearinghouseState",
    "GetExtraAgents": "extraAgents",
    "GetRateLimits": "userRateLimit",
    "GetKlines": "candleSnapshot",
    "GetOrderBook": "l2Book",
    "GetPrices": "allMids",
    "GetOpenOrders": "openOrders",
    "GetOpenOrdersExtended": "frontendOpenOrders",
    "GetUserTrades": "userFills",
    "PlaceOrder": "order",
}
_NAUTILUS = {
    "http_clearinghouse_state_negative_total_raw_usd": "",  # cut to a few fields by whoever kept it
    "http_funding_history": "fundingHistory",
    "http_l2_book_btc": "l2Book",
    "http_l2_book_snapshot": "l2Book",
    "http_meta_perp_sample": "meta",
    "http_recent_trades_btc": "recentTrades",
    "http_spot_clearinghouse_state": "spotClearinghouseState",
    "http_all_perp_metas_non_usdc_collateral": "allPerpMetas",
    "http_user_fills_dust_conversion": "userFills",
    "ws_book_data": "l2Book",
}
_REPORTED = {
    "meta": "meta",
    "meta_and_asset_ctxs": "metaAndAssetCtxs",
    "all_mids": "allMids",
    "l2_snapshot": "l2Book",
    "recent_trades": "recentTrades",
    "candles_snapshot": "candleSnapshot",
    "user_role": "userRole",
    "extra_agents": "extraAgents",
    "user_state": "clearinghouseState",
    "spot_user_state": "spotClearinghouseState",
    "open_orders": "openOrders",
    "frontend_open_orders": "frontendOpenOrders",
    "user_fills": "userFills",
    "user_fills_by_time": "userFills",
    "historical_orders": "historicalOrders",
    "user_fees": "userFees",
    "user_rate_limit": "userRateLimit",
    "user_funding_history": "userFunding",
    "query_order_by_oid": "orderStatus",
    "query_order_by_cloid": "orderStatus",
    "perp_dexs": "",
    "spot_meta": "spotMeta",
}
_SECTION = re.compile(r"\n(?=info\.\w+[^\n]*\n-+\n)")


class Recording(NamedTuple):
    """One message: what it answers or which channel it came by, from where, and how old."""

    kind: str
    origin: str
    old: bool  # before 2025: fields have come since
    message: Any


def recordings() -> list[Recording]:
    """Every message whose kind is known."""
    return [r for r in (*_cassettes(), *_jkorf(), *_nautilus(), *_reports()) if r.kind and r.message]


def _cassettes() -> Iterator[Recording]:
    for path in sorted((FIXTURES / "python_sdk" / "cassettes" / "info_test").glob("*.yaml")):
        for exchange in yaml.safe_load(path.read_text())["interactions"]:
            kind = json.loads(exchange["request"]["body"])["type"]
            kind = {"userFillsByTime": "userFills"}.get(kind, kind)
            yield Recording(kind, path.stem, True, json.loads(exchange["response"]["body"]["string"]))


def _jkorf() -> Iterator[Recording]:
    for path in sorted((FIXTURES / "jkorf_net" / "Endpoints").rglob("*.txt")):
        body = path.read_text().split("\n", 3)[3]
        # Written by hand after the venue's documents: fields are left out.
        kind = _ENDPOINTS.get(path.stem, "")
        if "Spot" in path.parts and kind.startswith("meta"):
            kind = "spotM" + kind[1:]
        yield Recording(kind, path.stem, True, json.loads(body))
    for path in sorted((FIXTURES / "jkorf_net" / "Subscriptions").glob("*.txt")):
        _, found, body = path.read_text().partition("\n= ")
        if found:
            message = json.loads(body)
            yield Recording("ws " + message["channel"], path.stem, True, message["data"])


def _nautilus() -> Iterator[Recording]:
    for path in sorted((FIXTURES / "nautilus").glob("*.json")):
        message = json.loads(path.read_text())
        if isinstance(message, dict) and "channel" in message:
            yield Recording("ws " + message["channel"], path.stem, False, message["data"])
        else:
            yield Recording(_NAUTILUS.get(path.stem, ""), path.stem, True, message)


def _reports() -> Iterator[Recording]:
    # Dumps of 2026, every list cut to ten items.
    for path in sorted((FIXTURES / "api_reports").glob("*.gz")):
        text = gzip.decompress(path.read_bytes()).decode().replace("\r\n", "\n")
        for section in _SECTION.split(text)[1:]:
            title = section.partition("\n")[0]
            name, _, about = title.removeprefix("info.").partition("[")
            if "xyz" in about or "nSigFigs" in about or "\nstatus: OK\n" not in section:
                continue
            body = section.partition("\nresponse:\n")[2]
            message, _ = json.JSONDecoder().raw_decode(body)
            yield Recording(_REPORTED.get(name, ""), f"{path.name[:40]} {title}", False, _whole(message))


def _whole(value: Any) -> Any:
    # The dumps replace a long list by an object that says how many items it had.
    if isinstance(value, dict):
        if "_items" in value:
            return _whole(value["_items"])
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value
