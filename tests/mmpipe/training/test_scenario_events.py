"""A simulated market is the venue's own, decoded, with the truth beside it."""

import itertools
from functools import lru_cache

import numpy as np
import pytest

from mmpipe.clock import NS_PER_MS, NS_PER_S
from mmpipe.enums import EventFlag, EventKind, Venue
from mmpipe.errors import UsageError
from mmpipe.training.scenario_events import START_MS, ScenarioMarket, scenario_market
from mmpipe.venue.sim.profiles import load_profile

COINS, LEADS = ("BTC", "ETH"), ("BTCUSDT", "ETHUSDT")


@lru_cache(maxsize=4)
def made(scenario: str, seed: int, seconds: float, profile: str = "brisk") -> ScenarioMarket:
    return scenario_market(scenario, seed, seconds, COINS, LEADS, profile)


def test_every_stream_is_one_market_in_order_of_whole_messages() -> None:
    market = made("thin", 3, 5.0)
    assert len(market.streams) == 4
    for index, stream in enumerate(market.streams):
        venue, symbol = (Venue.MAKER, index) if index < 2 else (Venue.LEAD, index - 2)
        assert (stream["venue"] == venue).all()
        assert (stream["symbol"] == symbol).all()
        assert (np.diff(stream["local_ts_ns"]) >= 0).all()
        assert stream["flags"][-1] & EventFlag.LAST
        kinds = {EventKind.BBO, EventKind.TRADE}
        kinds |= {EventKind.BOOK_DELTA, EventKind.FUNDING} if venue == Venue.MAKER else set()
        assert kinds <= set(stream["kind"])


def test_the_same_seed_is_the_same_market_and_another_is_another() -> None:
    market = made("thin", 3, 5.0)
    again, other = scenario_market("thin", 3, 5.0, COINS, LEADS), made("thin", 4, 5.0)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(market.streams, again.streams, strict=True))
    assert market.streams[0].tobytes() != other.streams[0].tobytes()


def test_the_lead_shows_the_efficient_price_in_the_block_it_moves() -> None:
    market = made("lead-lag", 3, 5.0)
    for symbol in range(2):
        quotes = market.streams[2 + symbol]
        bids = quotes[(quotes["kind"] == EventKind.BBO) & (quotes["side"] > 0)]
        blocks = np.searchsorted(market.block_ts_ns, bids["local_ts_ns"])
        efficient = market.efficient_px[blocks, symbol]
        assert np.abs(np.log(bids["px"] / efficient) * 1e4 - 1.0).max() < 0.5  # the lead's basis is 1 bp
        assert (market.block_ts_ns[blocks] == bids["exch_ts_ns"]).all()


def test_a_cascade_begins_with_its_first_forced_trade_and_ends_with_its_last() -> None:
    market = made("cascade", 1, 50.0)
    assert len(market.cascades) >= 2
    for cascade in market.cascades:
        trades = market.streams[int(cascade["symbol"])]
        trades = trades[trades["kind"] == EventKind.TRADE]
        assert cascade["side"] == -1  # leveraged longs are sold
        for name in ("start_ts_ns", "end_ts_ns"):
            at = trades[trades["exch_ts_ns"] == cascade[name]]
            assert (at["side"] == -1).any(), f"nothing sold at {name}"
        phase = next(p for p in market.phases if p.start_ts_ns <= cascade["start_ts_ns"] < p.end_ts_ns)
        assert phase.name in ("push", "cascade", "recovery")


def test_phases_follow_one_another_without_gaps() -> None:
    phases = made("cascade", 1, 50.0).phases
    assert [phase.name for phase in phases] == ["calm", "push", "cascade", "recovery"]
    assert phases[0].start_ts_ns == START_MS * NS_PER_MS
    assert all(a.end_ts_ns == b.start_ts_ns for a, b in itertools.pairwise(phases))
    assert phases[-1].end_ts_ns == START_MS * NS_PER_MS + 50 * NS_PER_S


def test_data_is_as_late_as_the_profile_says_and_the_lead_is_not() -> None:
    market = made("thin", 3, 5.0, "hyperliquid")
    low_ms, high_ms = load_profile("hyperliquid").data_age_ms
    late, lead = market.streams[0], market.streams[2]
    trades = late[late["kind"] == EventKind.TRADE]
    age_ms = (trades["local_ts_ns"] - trades["exch_ts_ns"]) / NS_PER_MS
    # Later blocks never arrive earlier: one may wait for the one before it.
    assert age_ms.min() >= low_ms - 1.0
    assert age_ms.max() <= high_ms + 1.0
    assert np.ptp(age_ms) > 10.0
    assert (lead["local_ts_ns"] == lead["exch_ts_ns"]).all()


def test_faults_of_the_scenario_happen() -> None:
    quotes = made("dead-feed", 1, 35.0).streams[2]
    gap_s = np.diff(quotes["local_ts_ns"]).max() / NS_PER_S
    assert 9.9 < gap_s < 12.0  # the lead is silent for ten seconds


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match=r"scenario thin: 0 s: give more than 0"):
        scenario_market("thin", 1, 0.0, COINS, LEADS)
    with pytest.raises(UsageError, match="nowhere"):
        scenario_market("nowhere", 1, 1.0, COINS, LEADS)
