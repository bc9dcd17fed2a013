"""The participants have accounts of their own, between the house's and the users'."""

from mmpipe.venue.sim.crowd import ACCOUNTS_PER_SYMBOL, HOLDERS, MAKERS, new_crowd
from mmpipe.venue.sim.instruments import coins_of, start_table
from mmpipe.venue.sim.market import CROWD_FIRST
from mmpipe.venue.sim.scenarios import load_scenario


def test_accounts_are_all_different_and_follow_the_house() -> None:
    coins = coins_of(("BTC", "ETH"), ("BTCUSDT", "ETHUSDT"))
    crowd = new_crowd(3, 20, load_scenario("quiet").phases, start_table(coins))
    used: list[int] = []
    for name, size in (("maker_account", MAKERS), ("holder_account", HOLDERS), ("noise_account", 1),
                       ("informed_account", 1), ("counter_account", 1)):  # fmt: skip
        for first in crowd.symbols[name].tolist():
            used += range(first, first + size)
    assert sorted(used) == list(range(CROWD_FIRST, CROWD_FIRST + 2 * ACCOUNTS_PER_SYMBOL))
