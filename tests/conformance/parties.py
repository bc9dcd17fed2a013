"""Names and small steps the conformance tests share."""

from typing import Any

from hyperliquid.info import Info

from mmpipe.venue.hyperliquid_signing import address_of
from mmpipe.venue.sim.settings import demo_keys

ME = address_of(demo_keys().master)
ALO = {"limit": {"tif": "Alo"}}
GTC = {"limit": {"tif": "Gtc"}}
IOC = {"limit": {"tif": "Ioc"}}
DONE = {"status": "ok", "response": {"type": "default"}}


def touch(info: Info, coin: str = "BTC") -> tuple[float, float]:
    bids, asks = info.l2_snapshot(coin)["levels"]
    return float(bids[0]["px"]), float(asks[0]["px"])


def statuses(answer: Any) -> list[Any]:
    assert answer["status"] == "ok", answer
    return answer["response"]["data"]["statuses"]


def resting_oid(answer: Any) -> int:
    (item,) = statuses(answer)
    return int(item["resting"]["oid"])
