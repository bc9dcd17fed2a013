"""Participants before the first block: everybody has an account of their own."""

from mmpipe.venue.sim.crowd import ACCOUNTS_PER_SYMBOL, new_crowd
from mmpipe.venue.sim.instruments import coins_of, start_table
from mmpipe.venue.sim.market import CROWD_FIRST
from mmpipe.venue.sim.scenarios import load_scenario


def test_accounts_are_all_different_and_follow_the_fee_account() -> None:
    coins = coins_of(("BTC", "ETH"), ("BTCUSDT", "ETHUSDT"))
    crowd = new_crowd(3, 20, load_scenario("quiet").phases, start_table(coins))
    used = crowd.providers["account"].ravel().tolist()
    for name in ("noise_account", "informed_account", "liquidated_account"):
        used += crowd.symbols[name].tolist()
    assert sorted(used) == list(range(CROWD_FIRST, CROWD_FIRST + 2 * ACCOUNTS_PER_SYMBOL))
    assert crowd.clock["dt_s"][0] == 0.02
    assert crowd.symbols["lots_per_usdc"][0] == 1.0  # a lot of BTC at 100000 is a dollar
