"""Hyperliquid's answers and pushes as types: the field names, their order, and which may be absent.

Numbers that matter travel as text; a field that the venue leaves out when it has nothing to say is `UNSET`
here, and one it writes as null is None. The embedded exchange builds its messages from these types, and the
recorded messages of the real venue decode by them.
"""

from typing import Any

from msgspec import UNSET, Struct, UnsetType

Maybe = str | UnsetType


class Level(Struct):
    """Price, size and number of orders of one price level."""

    px: str
    sz: str
    n: int | UnsetType = UNSET


class Book(Struct):
    """l2Book: bids and asks, best first; `fast` is there only in the fast feed."""

    coin: str
    levels: tuple[list[Level], list[Level]]
    time: int | UnsetType = UNSET
    fast: bool | UnsetType = UNSET


class Bbo(Struct):
    """Best bid and ask; null is an empty side."""

    coin: str
    time: int
    bbo: tuple[Level | None, Level | None]


class Trade(Struct):
    """A public trade; `side` is the aggressor's, `users` are buyer and seller."""

    coin: str
    side: str
    px: str
    sz: str
    time: int
    hash: str
    tid: int
    users: tuple[str, str] | UnsetType = UNSET


class Candle(Struct):
    """Open, close, high, low, volume and number of trades of one interval."""

    t: int
    T: int
    s: str
    i: str
    o: Maybe = UNSET
    c: Maybe = UNSET
    h: Maybe = UNSET
    l: Maybe = UNSET  # noqa: E741  # the venue's name of the low
    v: Maybe = UNSET
    n: int | UnsetType = UNSET


class Coin(Struct, omit_defaults=True):
    """One market of `meta`."""

    szDecimals: int
    name: str
    maxLeverage: int
    marginTableId: int | UnsetType = UNSET
    onlyIsolated: bool | UnsetType | None = UNSET
    isDelisted: bool | UnsetType | None = UNSET


class MarginTier(Struct):
    """Largest leverage above a notional."""

    lowerBound: str
    maxLeverage: int


class MarginTable(Struct):
    """Tiers of one margin table."""

    description: str
    marginTiers: list[MarginTier]


class Meta(Struct):
    """Markets in the order of their asset index."""

    universe: list[Coin]
    marginTables: list[tuple[int, MarginTable]] | UnsetType = UNSET
    collateralToken: int | UnsetType = UNSET


class Context(Struct):
    """What changes slowly about one market."""

    funding: str
    openInterest: str
    prevDayPx: str
    dayNtlVlm: str
    premium: str | None
    oraclePx: str
    markPx: str
    midPx: str | None
    impactPxs: tuple[str, str] | None
    dayBaseVlm: Maybe = UNSET


class Order(Struct):
    """An order as openOrders and orderUpdates show it."""

    coin: str
    side: str
    limitPx: str
    sz: str
    oid: int
    timestamp: int
    origSz: Maybe = UNSET
    cloid: str | UnsetType | None = UNSET
    reduceOnly: bool | UnsetType = UNSET


class FullOrder(Struct):
    """An order as frontendOpenOrders, historicalOrders and orderStatus show it."""

    coin: str
    side: str
    limitPx: str
    sz: str
    oid: int
    timestamp: int
    triggerCondition: str
    isTrigger: bool
    triggerPx: str
    children: list[Any]
    isPositionTpsl: bool
    reduceOnly: bool
    orderType: str
    origSz: str
    tif: str | None
    cloid: str | UnsetType | None = UNSET


class OrderUpdate(Struct):
    """What became of an order; the order is a FullOrder in histories."""

    order: Order
    status: str
    statusTimestamp: int


class OrderRecord(Struct):
    """One row of historicalOrders and the inner part of orderStatus."""

    order: FullOrder
    status: str
    statusTimestamp: int


class Liquidation(Struct):
    """Part of a fill that was a liquidation."""

    liquidatedUser: str
    markPx: str
    method: str


class Fill(Struct):
    """A fill as its owner sees it."""

    coin: str
    px: str
    sz: str
    side: str
    time: int
    startPosition: str
    dir: str
    closedPnl: str
    hash: str
    oid: int
    crossed: bool
    fee: str
    tid: int | UnsetType = UNSET
    cloid: str | UnsetType | None = UNSET
    liquidation: Liquidation | UnsetType = UNSET
    feeToken: Maybe = UNSET
    twapId: int | UnsetType | None = UNSET


class MarginSummary(Struct):
    """Value and use of margin."""

    accountValue: str
    totalNtlPos: str
    totalRawUsd: str
    totalMarginUsed: str


class Leverage(Struct):
    """Cross or isolated; `rawUsd` is there for isolated positions only."""

    type: str
    value: int
    rawUsd: Maybe = UNSET


class CumulativeFunding(Struct):
    """Funding paid (+) and received (-)."""

    allTime: str
    sinceOpen: str
    sinceChange: str


class Position(Struct):
    """One open position."""

    coin: str
    szi: str
    leverage: Leverage
    entryPx: str | None
    positionValue: str
    unrealizedPnl: str
    returnOnEquity: str
    liquidationPx: str | None
    marginUsed: str
    maxLeverage: int | UnsetType = UNSET
    cumFunding: CumulativeFunding | UnsetType = UNSET


class AssetPosition(Struct):
    """A position; the venue knows one-way positions only."""

    type: str
    position: Position


class AccountState(Struct):
    """clearinghouseState."""

    marginSummary: MarginSummary
    crossMarginSummary: MarginSummary
    withdrawable: str
    assetPositions: list[AssetPosition]
    crossMaintenanceMarginUsed: Maybe = UNSET
    time: int | UnsetType = UNSET


class FundingRecord(Struct):
    """One settled hour of one market."""

    coin: str
    fundingRate: str
    time: int
    premium: Maybe = UNSET


class FundingDelta(Struct):
    """What one settlement did to an account; negative `usdc` was paid."""

    type: str
    coin: str
    usdc: str
    szi: str
    fundingRate: str
    nSamples: int | UnsetType | None = UNSET


class UserFunding(Struct):
    """One row of userFunding."""

    time: int
    hash: str
    delta: FundingDelta


class LedgerUpdate(Struct):
    """Deposits, transfers and liquidations of an account."""

    time: int
    hash: str
    delta: dict[str, Any]


class Agent(Struct):
    """One named API wallet."""

    name: str
    address: str
    validUntil: int | None


class RateLimit(Struct):
    """Requests of an address."""

    cumVlm: str
    nRequestsUsed: int
    nRequestsCap: int
    nRequestsSurplus: int | UnsetType = UNSET


class ActiveAssetData(Struct):
    """What a user may trade of one coin now: buying first, then selling."""

    user: str
    coin: str
    leverage: Leverage
    maxTradeSzs: tuple[str, str]
    availableToTrade: tuple[str, str]
    markPx: Maybe = UNSET
