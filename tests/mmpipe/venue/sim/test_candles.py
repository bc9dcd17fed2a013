"""Minutes and what they add up to."""

from hypothesis import given
from hypothesis import strategies as st

from mmpipe.venue.sim.candles import INTERVAL_MIN, MINUTE_MS, Candles
from mmpipe.venue.sim.instruments import coins_of

COIN = coins_of(("BTC",), ("BTCUSDT",))[0]
START_MS = 1_800_000_000_000 // 86_400_000 * 86_400_000
TRADES = st.lists(
    st.tuples(st.integers(0, 400 * MINUTE_MS), st.integers(900_000, 1_100_000), st.integers(1, 1_000)),
    min_size=1,
    max_size=60,
)


@given(TRADES, st.sampled_from(["1m", "5m", "1h", "4h", "1d"]))
def test_candles_equal_their_trades(trades: list[tuple[int, int, int]], interval: str) -> None:
    candles = Candles(COIN)
    trades = sorted(trades)
    for offset, tick, lots in trades:
        candles.add(START_MS + offset, tick, lots)
    width = INTERVAL_MIN[interval] * MINUTE_MS
    shown = candles.between(interval, START_MS, START_MS + 500 * MINUTE_MS)
    assert [c.t for c in shown] == sorted({(START_MS + t[0]) // width * width for t in trades})
    for candle in shown:
        mine = [t for t in trades if candle.t <= START_MS + t[0] <= candle.T]
        prices = [t[1] / 10 for t in mine]
        assert (float(str(candle.o)), float(str(candle.c))) == (prices[0], prices[-1])
        assert (float(str(candle.h)), float(str(candle.l))) == (max(prices), min(prices))
        assert candle.n == len(mine)
        assert round(float(str(candle.v)) * 100_000) == sum(t[2] for t in mine)
    assert candles.last(interval) == shown[-1]


def test_no_trades_no_candles() -> None:
    assert Candles(COIN).last("1m") is None
    assert Candles(COIN).between("1m", 0, START_MS) == []
