"""An exchange in this process and a trader who signs for its demo account."""

from typing import Any

import msgspec

from mmpipe.enums import Tif
from mmpipe.venue.hyperliquid_signing import Signer, address_of
from mmpipe.venue.sim.exchange import BlockResult, Exchange
from mmpipe.venue.sim.market import CROWD_FIRST
from mmpipe.venue.sim.matching import submit
from mmpipe.venue.sim.profiles import load_profile
from mmpipe.venue.sim.settings import VenueSettings, demo_agents, demo_keys, demo_vaults
from mmpipe.venue.sim.wire import Envelope

WALL_MS = 1_800_000_000_000
ALO = int(Tif.ALO)
KEYS = demo_keys()
MASTER = address_of(KEYS.master)


def settings(**changes: Any) -> VenueSettings:
    base = VenueSettings(
        host="127.0.0.1",
        port=0,
        scenario="quiet",
        seed=7,
        coins=("BTC", "ETH"),
        leads=("BTCUSDT", "ETHUSDT"),
        profile=load_profile("instant"),
        deposit_usdc=100_000.0,
        accounts=(MASTER,),
        agents=demo_agents(),
        vaults=demo_vaults(),
    )
    return msgspec.structs.replace(base, **changes)


def order(px: str, sz: str, **changes: Any) -> dict[str, Any]:
    wire: dict[str, Any] = {"a": 0, "b": True, "p": px, "s": sz, "r": False, "t": {"limit": {"tif": "Alo"}}}
    if "tif" in changes:
        wire["t"] = {"limit": {"tif": changes.pop("tif")}}
    return wire | changes


def place(*orders: dict[str, Any]) -> dict[str, Any]:
    return {"type": "order", "orders": list(orders), "grouping": "na"}


def cancel(oid: int, asset: int = 0) -> dict[str, Any]:
    return {"type": "cancel", "cancels": [{"a": asset, "o": oid}]}


class Trader:
    """Signs actions and runs the blocks they need."""

    def __init__(self, key: bytes = KEYS.execution, **changes: Any) -> None:
        self.exchange = Exchange(settings(**changes), 0)
        self.signer = Signer(key, False)
        self.nonce = WALL_MS
        self.ts_ms = WALL_MS
        self.answers: list[Any] = []
        self.makers: set[str] = set()
        self.run(50)

    def run(self, blocks: int) -> BlockResult:
        for _ in range(blocks):
            self.ts_ms += 20
            result = self.exchange.run_block(self.ts_ms)
            self.makers |= {self.exchange.state.addresses[i] for i in result.fills["maker_account"].tolist()}
            for done, answer in result.answers:
                done(answer)
        self.result = result
        return result

    def envelope(self, action: dict[str, Any], expires: int | None = None) -> Envelope:
        self.nonce += 1
        signature = self.signer.sign(action, self.nonce, expires)
        return Envelope(action, self.nonce, signature, None, expires)

    def enqueue(self, action: dict[str, Any], expires: int | None = None) -> None:
        refused = self.exchange.admit(self.envelope(action, expires), self.ts_ms, self.answers.append)
        assert refused is None, refused

    def act(self, action: dict[str, Any], expires: int | None = None) -> Any:
        """Statuses of the action after the block that processed it, or the whole refusal."""
        refused = self.exchange.admit(self.envelope(action, expires), self.ts_ms, self.answers.append)
        if refused is not None:
            return refused
        self.run(1)
        answer = self.answers.pop()
        if answer["status"] != "ok" or "data" not in answer["response"]:
            return answer
        return answer["response"]["data"]["statuses"]

    @property
    def account(self) -> Any:
        return self.exchange.state.accounts[MASTER]

    def touch(self, symbol: int = 0) -> tuple[int, int]:
        """Best bid and ask in whole quote units of BTC."""
        from mmpipe.venue.sim.matching import best_tick

        return tuple(best_tick(self.exchange.state.market, symbol, side) // 10 for side in (1, -1))  # type: ignore[return-value]  # two sides


def furnished(**changes: Any) -> Trader:
    """A trader in a market where nobody else acts: 100 BTC at each of 60 prices on both sides of 100,000."""
    trader = Trader(**{"scenario": "still"} | changes)
    state = trader.exchange.state
    start = int(state.market.prices["oracle_tick"][0])
    for step in range(1, 61):
        for side in (1, -1):
            submit(state.market, CROWD_FIRST, 0, side, start - side * 10 * step, 10**7, ALO, 0)
    trader.run(1)
    return trader
