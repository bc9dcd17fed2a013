"""The embedded exchange's market without processes: a scenario and a seed in, EVENT rows and their truth out.

The exchange runs block by block on a clock of its own; what it would send to feed's four connections passes
through the real encoders, the delays of its profile, and the real decoders. Because the market is simulated,
the truth comes with it: when each cascade began, and the efficient price that the lead shows at once.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from mmpipe.clock import NS_PER_MS, NS_PER_S
from mmpipe.config import Config
from mmpipe.enums import Venue
from mmpipe.errors import UsageError
from mmpipe.records import EVENT
from mmpipe.venue.binance import BinanceDecoder
from mmpipe.venue.frame_decoder import FrameDecoder
from mmpipe.venue.hyperliquid import HyperliquidDecoder
from mmpipe.venue.hyperliquid_meta import parse_meta
from mmpipe.venue.port import DEPTH_ROWS_MAX
from mmpipe.venue.sim.exchange import Exchange
from mmpipe.venue.sim.instruments import meta_of
from mmpipe.venue.sim.limits import Client
from mmpipe.venue.sim.profiles import load_profile
from mmpipe.venue.sim.publisher import Publisher
from mmpipe.venue.sim.settings import VenueSettings

START_MS: Final = 1_760_000_000_000
SECONDS_MAX: Final = 3_600.0  # of one scenario: it is held in memory
QUICK: Final[tuple[dict[str, Any], ...]] = (
    {"type": "bbo"}, {"type": "trades"}, {"type": "l2Book", "fast": True}, {"type": "activeAssetCtx"},
)  # fmt: skip
FULL: Final[tuple[dict[str, Any], ...]] = ({"type": "l2Book"},)

CASCADE = np.dtype(
    [
        ("symbol", "i8"),
        ("side", "i8"),  # of the forced trades: -1 sells, which poisons bids
        ("start_ts_ns", "i8"),  # venue time of the first forced trade
        ("end_ts_ns", "i8"),  # … of the last; 0: it still ran when the scenario ended
    ],
    align=True,
)


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of a scenario under one name; `end_ts_ns` is the beginning of the next, or the end."""

    name: str
    start_ts_ns: int
    end_ts_ns: int


@dataclass(frozen=True, slots=True)
class ScenarioMarket:
    """A simulated market as feed would have told it, and what really happened.

    Attributes
    ----------
    scenario, seed : str, int
        What it was made of.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Grids.
    streams : tuple of ndarray of EVENT
        One per market: makers by symbol, then leads by symbol, each in order of `local_ts_ns`; the input of
        `mmpipe.replay.timeline`. `local_ts_ns` and `exch_ts_ns` are on one clock, so that their difference
        is the venue's own latency.
    phases : tuple of Phase
        In order, without gaps.
    cascades : ndarray of CASCADE, shape (n,)
        In order of their beginning.
    block_ts_ns : ndarray of int64, shape (blocks,)
        Venue time of each block.
    efficient_px : ndarray of float64, shape (blocks, symbols)
        The price everybody will know in the end, quote units.
    """

    scenario: str
    seed: int
    instruments: np.ndarray
    streams: tuple[np.ndarray, ...]
    phases: tuple[Phase, ...]
    cascades: np.ndarray
    block_ts_ns: np.ndarray
    efficient_px: np.ndarray


def scenario_market(
    scenario: str,
    seed: int,
    seconds: float,
    coins: tuple[str, ...],
    leads: tuple[str, ...],
    profile: str = "brisk",
) -> ScenarioMarket:
    """Simulate a market and decode what it says.

    Parameters
    ----------
    scenario, profile : str
        As `mmpipe venue --list` names them; the profile says how late the data is.
    seed : int
        The same seed is the same market, row by row.
    seconds : float
        Of market, above 0 and at most SECONDS_MAX.
    coins, leads : tuple of str
        Markets and their names at the lead, of one length.

    Raises
    ------
    UsageError
        There is no such scenario or profile, or the time is out of range.
    """
    if not 0.0 < seconds <= SECONDS_MAX:
        raise UsageError(f"scenario {scenario}: {seconds:g} s: give more than 0 and at most {SECONDS_MAX:g}")
    settings = VenueSettings(
        host="127.0.0.1", port=0, scenario=scenario, seed=seed, coins=coins, leads=leads,
        profile=load_profile(profile), deposit_usdc=1e5, accounts=(), agents={},
    )  # fmt: skip
    exchange = Exchange(settings, 1)
    loop = _MarketLoop()
    publisher = Publisher(exchange, lambda: loop)
    instruments = parse_meta(
        msgspec.to_builtins(meta_of(exchange.state.coins, (0,) * len(coins))), list(coins)
    )
    ears = _listen(publisher, loop, instruments, coins, leads)
    publisher.begin_turns(0)
    count = int(seconds * 1000) // settings.profile.block_ms
    block_ts_ns = (START_MS + settings.profile.block_ms * np.arange(count, dtype=np.int64)) * NS_PER_MS
    efficient_px = np.zeros((count, len(coins)))
    for block, ts_ns in enumerate(block_ts_ns.tolist()):
        since_ns = ts_ns - START_MS * NS_PER_MS
        loop.run_until(since_ns / NS_PER_S)
        publisher.controls.tick(ts_ns // NS_PER_MS, attended=True)
        result = exchange.run_block(ts_ns // NS_PER_MS)
        publisher.delivery.begin_block()
        publisher.publish(result)
        publisher.publish_slow(since_ns)
        crowd = exchange.state.crowd.symbols
        efficient_px[block] = crowd["efficient_tick"] / crowd["ticks_in_unit"]
    loop.run_until(np.inf)
    return ScenarioMarket(
        scenario, seed, instruments, _streams(ears, len(coins)), _phases(exchange, seconds),
        _cascades(exchange, settings.profile.block_ms), block_ts_ns, efficient_px,
    )  # fmt: skip


def market_config(config: Config, market: ScenarioMarket) -> Config:
    """The configuration with as many symbols as the market has; names matter to nobody here."""
    symbol = config.symbol[0]
    named = tuple(msgspec.structs.replace(symbol, coin=f"S{i}") for i in range(len(market.instruments)))
    return msgspec.structs.replace(config, symbol=list(named))


class _MarketLoop:
    # An event loop whose time is the market's: seconds since START_MS. Equal times keep their order.
    def __init__(self) -> None:
        self._now_s = 0.0
        self._calls: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._made = 0

    def time(self) -> float:
        return self._now_s

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> object:
        self._made += 1
        heapq.heappush(self._calls, (when, self._made, callback, args))
        return None

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> object:
        return self.call_at(self._now_s + delay, callback, *args)

    def run_until(self, when: float) -> None:
        while self._calls and self._calls[0][0] <= when:
            due_s, _, callback, args = heapq.heappop(self._calls)
            self._now_s = max(due_s, self._now_s)
            callback(*args)
        if when < np.inf:
            self._now_s = when


class _Ear:
    # A session of one connection: what is sent is decoded at once, with the loop's time as that of receipt.
    def __init__(self, decoder: FrameDecoder, loop: _MarketLoop) -> None:
        self.topics: dict[Any, None] = {}
        self.parts: list[np.ndarray] = []
        self._decoder = decoder
        self._loop = loop
        self._rows = np.zeros(DEPTH_ROWS_MAX, EVENT)

    def send(self, frame: bytes) -> None:
        ts_ns = START_MS * NS_PER_MS + round(self._loop.time() * NS_PER_S)
        count = self._decoder.decode(frame, ts_ns, self._rows)
        if count:
            self.parts.append(self._rows[:count].copy())


def _listen(
    publisher: Publisher,
    loop: _MarketLoop,
    instruments: np.ndarray,
    coins: tuple[str, ...],
    leads: tuple[str, ...],
) -> list[Any]:
    # The connections of feed; the lead's depth needs REST snapshots and says nothing its quotes do not.
    ears: list[Any] = []
    for kinds in (QUICK, FULL):
        ear: Any = _Ear(HyperliquidDecoder(list(coins), instruments), loop)
        ears.append(ear)
        for coin in coins:
            for kind in kinds:
                publisher.subscriptions.subscribe({**kind, "coin": coin}, ear, Client())
    for route, stream in (("public", "bookTicker"), ("market", "aggTrade")):
        ear = _Ear(BinanceDecoder(list(leads), instruments), loop)
        ears.append(ear)
        publisher.lead.listen(route, [f"{lead.lower()}@{stream}" for lead in leads], ear)
    return ears


def _streams(ears: list[Any], symbol_count: int) -> tuple[np.ndarray, ...]:
    rows = np.concatenate([part for ear in ears for part in ear.parts] or [np.zeros(0, EVENT)])
    rows = rows[np.argsort(rows["local_ts_ns"], kind="stable")]
    return tuple(
        rows[(rows["venue"] == venue) & (rows["symbol"] == symbol)]
        for venue in (Venue.MAKER, Venue.LEAD)
        for symbol in range(symbol_count)
    )


def _phases(exchange: Exchange, seconds: float) -> tuple[Phase, ...]:
    end_ms = START_MS + int(seconds * 1000)
    return tuple(
        Phase(row["name"], row["start"] * NS_PER_MS, (row["end"] or end_ms) * NS_PER_MS)
        for row in exchange.state.phase_log
    )


def _cascades(exchange: Exchange, block_ms: int) -> np.ndarray:
    crowd = exchange.state.crowd
    labels = crowd.labels[: int(crowd.clock["labels"][0])]
    cascades = np.zeros(len(labels), CASCADE)
    cascades["symbol"], cascades["side"] = labels["symbol"], np.sign(labels["lots"])
    # A block sees what was forced in the one before: the trades themselves carry that one's time.
    behind_ns = block_ms * NS_PER_MS
    cascades["start_ts_ns"] = labels["start_ts_ns"] - behind_ns
    cascades["end_ts_ns"] = np.where(labels["end_ts_ns"] > 0, labels["end_ts_ns"] - behind_ns, 0)
    return cascades
