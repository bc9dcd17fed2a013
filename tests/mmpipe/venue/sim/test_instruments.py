"""Grids and `meta` of the coins."""

import msgspec
import pytest

from mmpipe.units import tick_step
from mmpipe.venue.sim.instruments import coins_of, meta_of, start_table

COINS = coins_of(("BTC", "ETH", "WHAT"), ("BTCUSDT", "ETHUSDT", "WHATUSDT"))


def test_grids_of_the_venue() -> None:
    btc, eth, _ = COINS
    assert (btc.ticks_in_unit, btc.lots_in_unit) == (10, 100_000)
    assert (eth.ticks_in_unit, eth.lots_in_unit) == (100, 10_000)
    table = start_table(COINS)
    assert table[0].tolist() == [1_000_000.0, 10.0, 100_000.0]
    assert tick_step(int(table[0, 0]), 10) == 10  # BTC moves in steps of 1 USDC
    assert tick_step(int(table[1, 0]), 100) == 10  # ETH in steps of 0.1


def test_unknown_coin_is_an_ordinary_one() -> None:
    assert (COINS[2].size_decimals, COINS[2].start_px) == (1, 20.0)


def test_meta_refers_to_its_margin_tables() -> None:
    meta = msgspec.to_builtins(meta_of(COINS, (0, 1, 0)))
    tables = dict(meta["marginTables"])
    assert [coin.get("isDelisted") for coin in meta["universe"]] == [None, True, None]
    for coin in meta["universe"]:
        assert tables[coin["marginTableId"]]["marginTiers"][0]["maxLeverage"] == coin["maxLeverage"]


def test_every_coin_needs_a_lead() -> None:
    with pytest.raises(ValueError, match="shorter"):
        coins_of(("BTC", "ETH"), ("BTCUSDT",))
