"""Requests and frames as a client might send them, and as nobody should."""

import json
import random
from typing import Any

from mmpipe.venue.hyperliquid_signing import Signer
from tests.mmpipe.venue.sim.trader import KEYS, MASTER, cancel, order, place

CLOID = "0x" + "0" * 31 + "7"
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 1e400, float("nan"), 1.5, -0.0),
    *(
        "",
        "0",
        "-1",
        "NaN",
        "1e400",
        "1_000",
        "٣",
        "0x",
        "0x" + "f" * 400,
        " 1",
        "1 ",
        "1.",
        ".1",
        "00",
        "9" * 400,
    ),
    *("BTC", "btc", "\u0000", "\ud800", "'; drop", "Alo", "Gtc", "Ioc", MASTER, CLOID),
    *([], [[]], {}, {"a": {}}, [0] * 300),
]
PIECES = [
    *(b"null", b"{}", b"[]", b'"', b"\\", b"\x00", b"\xff\xfe", b"1e999", b"-", b"NaN", b",", b":"),
    *(b"9" * 40, b"[" * 60, b'{"a":' * 40, b"\xf0\x9f\x98\x80"),
]

MARKET_KINDS = ("meta", "metaAndAssetCtxs", "allMids", "spotMeta", "perpDexs", "exchangeStatus",
                "predictedFundings", "scenarioPhases")  # fmt: skip
ACCOUNT_KINDS = (
    *("clearinghouseState", "openOrders", "frontendOpenOrders", "userFills", "historicalOrders", "userFees"),
    *("userRole", "extraAgents", "userRateLimit", "spotClearinghouseState"),
)
TIMED_KINDS = ("userFillsByTime", "userFunding", "userNonFundingLedgerUpdates")
INFO: list[dict[str, Any]] = [
    *({"type": kind} for kind in MARKET_KINDS),
    *({"type": kind, "user": MASTER} for kind in ACCOUNT_KINDS),
    *({"type": kind, "user": MASTER, "startTime": 0, "endTime": 2**53} for kind in TIMED_KINDS),
    {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2},
    {"type": "orderStatus", "user": MASTER, "oid": CLOID},
    {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1m", "startTime": 0, "endTime": 2**53}},
    {"type": "fundingHistory", "coin": "BTC", "startTime": 0},
    {"type": "recentTrades", "coin": "BTC"},
    {"type": "activeAssetData", "user": MASTER, "coin": "BTC"},
    {"type": "maxBuilderFee", "user": MASTER, "builder": MASTER},
]
_TRIGGER = {"trigger": {"isMarket": True, "triggerPx": "90000", "tpsl": "sl"}}
ACTIONS: list[dict[str, Any]] = [
    place(order("90000", "0.001", c=CLOID), order("90001", "0.002", tif="Gtc")),
    place(order("90000", "0.001", b=False, r=True, t=_TRIGGER)) | {"grouping": "positionTpsl"},
    cancel(12345),
    {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}], "f": True},
    {"type": "modify", "oid": 5, "order": order("90000", "0.001")},
    {"type": "batchModify", "modifies": [{"oid": CLOID, "order": order("90000", "0.001")}], "a": True},
    {"type": "scheduleCancel", "time": 1_900_000_000_000},
    {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 5},
    {"type": "updateIsolatedMargin", "asset": 0, "isBuy": True, "ntli": 1_000_000},
    {"type": "noop"},
    {"type": "reserveRequestWeight", "weight": 1},
]
FRAMES: list[dict[str, Any]] = [
    {"method": "ping"},
    {
        "method": "subscribe",
        "subscription": {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "fast": True},
    },
    {"method": "subscribe", "subscription": {"type": "userFills", "user": MASTER, "aggregateByTime": True}},
    {"method": "subscribe", "subscription": {"type": "candle", "coin": "ETH", "interval": "1m"}},
    {"method": "unsubscribe", "subscription": {"type": "bbo", "coin": "BTC"}},
    {"method": "post", "id": 1, "request": {"type": "info", "payload": {"type": "l2Book", "coin": "BTC"}}},
]


class Mutator:
    """A seeded source of damaged requests."""

    def __init__(self, seed: int, nonce: int) -> None:
        self._chance = random.Random(seed)
        self._signer = Signer(KEYS.execution, False)
        self._nonce = nonce
        self._signed: list[bytes] = []

    def envelope(self, nonce: int) -> dict[str, Any]:
        """A good request, properly signed."""
        action = self._chance.choice(ACTIONS)
        signature = self._signer.sign(action, nonce, None)
        return {"action": action, "nonce": nonce, "signature": signature, "vaultAddress": None,
                "expiresAfter": None}  # fmt: skip

    def action(self) -> bytes:
        """A damaged signed action; its nonce is one that a good one may have."""
        if len(self._signed) < 200:
            self._nonce += 1
            self._signed.append(json.dumps(self.envelope(self._nonce)).encode())
        return self.damaged(self._chance.choice(self._signed))

    def info(self) -> bytes:
        """A damaged info request."""
        return self.damaged(json.dumps(self._chance.choice(INFO)).encode())

    def frame(self) -> bytes:
        """A damaged frame; a third of them post an action."""
        if self._chance.random() < 0.33:
            self._nonce += 1
            request = {"type": "action", "payload": self.envelope(self._nonce)}
            return self.damaged(json.dumps({"method": "post", "id": 7, "request": request}).encode())
        return self.damaged(json.dumps(self._chance.choice(FRAMES)).encode())

    def damaged(self, text: bytes) -> bytes:
        """The text with one to three things wrong, in its bytes or in its values."""
        for _ in range(self._chance.randint(1, 3)):
            text = self._bytes(text) if self._chance.random() < 0.4 else self._values(text)
        return text

    def _bytes(self, text: bytes) -> bytes:
        chance = self._chance
        at, to = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        match chance.randrange(5):
            case 0:
                return text[:at] + text[to:]
            case 1:
                return text[:to] + text[at:]
            case 2:
                return text[:at] + chance.choice(PIECES) + text[at:]
            case 3:
                return text[:at] + bytes([chance.randrange(256)]) + text[at + 1 :]
        return text[at:] + text[:at]

    def _values(self, text: bytes) -> bytes:
        try:
            tree = json.loads(text)
        except (ValueError, RecursionError):
            return self._bytes(text)
        holder = [tree]
        self._change(holder, 0)
        return json.dumps(holder[0], ensure_ascii=self._chance.random() < 0.5).encode(
            "utf-8", "surrogatepass"
        )

    def _change(self, holder: Any, key: Any) -> None:
        value = holder[key]
        inner = (
            list(value)
            if isinstance(value, dict)
            else list(range(len(value)))
            if isinstance(value, list)
            else []
        )
        if inner and self._chance.random() < 0.85:
            self._change(value, self._chance.choice(inner))
        elif isinstance(holder, dict) and self._chance.random() < 0.15:
            del holder[key]
        else:
            holder[key] = self._chance.choice(VALUES)
