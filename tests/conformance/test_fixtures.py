"""Recorded messages of the real venue: they decode by our types, and ours look like them."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info
from hyperliquid.utils.types import Cloid

from mmpipe.venue import hyperliquid_messages as wire
from tests.conformance.parties import ALO, IOC, ME, statuses, touch
from tests.conformance.recordings import FIXTURES, Recording, recordings
from tests.mmpipe.venue.sim.running import wait_for

pytestmark = pytest.mark.skipif(
    not FIXTURES.is_dir(), reason=f"recorded messages not found at {FIXTURES}; set MMPIPE_DATA"
)
RECORDED: list[Recording] = recordings() if FIXTURES.is_dir() else []

TYPES: dict[str, Any] = {
    "l2Book": wire.Book,
    "ws l2Book": wire.Book,
    "ws bbo": wire.Bbo,
    "ws trades": list[wire.Trade],
    "recentTrades": list[wire.Trade],
    "ws candle": wire.Candle,
    "candleSnapshot": list[wire.Candle],
    "ws allMids": dict[str, dict[str, str]],
    "allMids": dict[str, str],
    "meta": wire.Meta,
    "allPerpMetas": list[wire.Meta],
    "metaAndAssetCtxs": tuple[wire.Meta, list[wire.Context]],
    "clearinghouseState": wire.AccountState,
    "openOrders": list[wire.Order],
    "frontendOpenOrders": list[wire.FullOrder],
    "historicalOrders": list[wire.OrderRecord],
    "userFills": list[wire.Fill],
    "ws orderUpdates": list[wire.OrderUpdate],
    "fundingHistory": list[wire.FundingRecord],
    "userFunding": list[wire.UserFunding],
    "userNonFundingLedgerUpdates": list[wire.LedgerUpdate],
    "userRateLimit": wire.RateLimit,
    "extraAgents": list[wire.Agent],
    "ws allDexsAssetCtxs": dict[str, list[tuple[str, list[wire.Context]]]],
    "ws user": dict[str, list[wire.Fill]],
}
# Kinds without a type: a number, an object of one or two keys, or what this exchange has none of.
PLAIN = {"spotMetaAndAssetCtxs", "userRole", "userFees", "orderStatus", "spotMeta", "maxBuilderFee",
         "spotClearinghouseState", "order", "default"}  # fmt: skip
ACCOUNT_KINDS = (
    *("clearinghouseState", "openOrders", "frontendOpenOrders", "historicalOrders", "userFills", "userFees"),
    *("userRateLimit", "extraAgents", "userRole", "spotClearinghouseState"),
)
NOT_SPOKEN = {"delegatorHistory", "portfolio", "userVaultEquities", "userTwapSliceFills"}

# Where ours may differ, and why: beginnings of paths, as `forms` gives them.
MISSING_OK = {
    "meta.universe.isDelisted": "only of delisted markets",
    "metaAndAssetCtxs.universe.isDelisted": "only of delisted markets",
    "spotMeta.universe": "nothing but USDC on the spot side",
    "spotMeta.tokens.evmContract.": "USDC has no contract here",
    "userFees.feeSchedule.tiers.": "one tier for everybody",
    "userFees.feeSchedule.stakingDiscountTiers.": "nothing is staked",
    "userFees.dailyUserVlm.": "not kept by day",
    "ws user.fills.liquidation.": "the recorded fill was one; ours are compared in the tests of liquidation",
}
EXTRA_OK = {
    "cloid": "only of orders that have one; all recorded open orders have none",
    "reduceOnly": "only of orders that are",
    "origSz": "in openOrders since 2024; the recording is of 2023",
}
_DECIMAL = re.compile(r"-?\d+\.\d+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")


@pytest.mark.parametrize("recording", RECORDED, ids=lambda r: f"{r.kind} {r.origin}")
def test_a_recorded_message_decodes_by_our_type(recording: Recording) -> None:
    if recording.kind in PLAIN | NOT_SPOKEN:
        return
    msgspec.convert(recording.message, TYPES[recording.kind])


def test_every_kind_is_known() -> None:
    assert {r.kind for r in RECORDED} <= set(TYPES) | PLAIN | NOT_SPOKEN
    assert len(RECORDED) > 140


def forms(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and form of every leaf; the items of a list share a path, numbers in text are told apart."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from forms(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for item in value:
            yield from forms(item, path)
    else:
        yield path, form(value)


def form(value: Any) -> str:
    if isinstance(value, str):
        if _DECIMAL.fullmatch(value):
            return "decimal"
        return f"hex{len(value)}" if _HEX.fullmatch(value) else "text"
    return "null" if value is None else type(value).__name__


def seen_forms(kind: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for recording in RECORDED:
        if recording.kind == kind:
            for path, shape in forms(recording.message):
                found[path].add(shape)
    return found


def required(kind: str) -> set[str]:
    """Paths that every recording of the kind has that is whole and recent (or all, when none is)."""
    mine = [r for r in RECORDED if r.kind == kind]
    recent = [r for r in mine if not r.old] or mine
    return set.intersection(*({path for path, _ in forms(r.message)} for r in recent)) if recent else set()


@pytest.fixture(scope="module")
def ours(venue: str, info: Info, exchange: Exchange, master: Exchange) -> dict[str, Any]:
    """Our own message of every kind, from an account that has done all there is to do."""
    bid, ask = touch(info)
    master.approve_agent("bot")
    master.usd_class_transfer(10.0, False)
    pushed: dict[str, Any] = {}
    listening = Info(venue)

    def keep(message: Any) -> None:
        pushed.setdefault(message["channel"], message["data"])

    try:
        for kind in ("trades", "bbo", "l2Book"):
            listening.subscribe({"type": kind, "coin": "BTC"}, keep)
        for kind in ("orderUpdates", "userEvents"):
            listening.subscribe({"type": kind, "user": ME}, keep)
        listening.subscribe({"type": "candle", "coin": "BTC", "interval": "1m"}, keep)
        listening.subscribe({"type": "allMids"}, keep)
        exchange.order("BTC", True, 0.01, ask + 300, IOC, cloid=Cloid.from_int(5))
        (item,) = statuses(exchange.order("BTC", True, 0.001, bid - 500, ALO, cloid=Cloid.from_int(3)))
        wait_for(lambda: len(pushed) >= 7, "a message of every channel")
    finally:
        listening.disconnect_websocket()

    def ask_for(kind: str, **fields: Any) -> Any:
        return info.post("/info", {"type": kind} | fields)

    everything = {f"ws {channel}": data for channel, data in pushed.items()}
    for kind in ("meta", "metaAndAssetCtxs", "allMids", "spotMeta", "allPerpMetas"):
        everything[kind] = ask_for(kind)
    for kind in ACCOUNT_KINDS:
        everything[kind] = ask_for(kind, user=ME)
    everything["userNonFundingLedgerUpdates"] = ask_for("userNonFundingLedgerUpdates", user=ME, startTime=0)
    everything["orderStatus"] = ask_for("orderStatus", user=ME, oid=item["resting"]["oid"])
    for kind in ("l2Book", "recentTrades"):
        everything[kind] = ask_for(kind, coin="BTC")
    whole = {"coin": "BTC", "interval": "1m", "startTime": 0, "endTime": 2**53}
    everything["candleSnapshot"] = ask_for("candleSnapshot", req=whole)
    exchange.cancel("BTC", item["resting"]["oid"])
    exchange.market_close("BTC")
    return everything


SOCKET_KINDS = ("ws trades", "ws bbo", "ws l2Book", "ws orderUpdates", "ws user", "ws candle")
MARKET_KINDS = ("meta", "metaAndAssetCtxs", "spotMeta", "l2Book", "recentTrades", "candleSnapshot")


@pytest.mark.parametrize("kind", [*SOCKET_KINDS, *MARKET_KINDS, *ACCOUNT_KINDS, "orderStatus"])
def test_our_message_has_the_recorded_shape(ours: dict[str, Any], kind: str) -> None:
    recorded = seen_forms(kind)
    mine: dict[str, set[str]] = defaultdict(set)
    for path, shape in forms(json.loads(json.dumps(ours[kind]))):
        mine[path].add(shape)
    extra = {p for p in mine if p not in recorded and p.rpartition(".")[2] not in EXTRA_OK}
    missing = {p for p in required(kind) if p not in mine and not (kind + p).startswith(tuple(MISSING_OK))}
    assert not extra, f"never recorded: {sorted(extra)}"
    assert not missing, f"always recorded: {sorted(missing)}"
    for path, shapes in mine.items():
        if path in recorded and path.rpartition(".")[2] not in EXTRA_OK:
            assert shapes <= recorded[path] | {"null"}, f"{path}: {shapes} but recorded {recorded[path]}"
