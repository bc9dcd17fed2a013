"""What the embedded exchange is: its market, its participants, its accounts, and what time it is."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from mmpipe.units import CASH_PER_USDC
from mmpipe.venue.sim import market as codes
from mmpipe.venue.sim.accounts import Account, Fill, Funding, Order
from mmpipe.venue.sim.crowd import ACCOUNTS_PER_SYMBOL, Crowd, new_crowd
from mmpipe.venue.sim.instruments import Coin, coins_of, start_table
from mmpipe.venue.sim.ledger import deposit
from mmpipe.venue.sim.market import CROWD_FIRST, Market
from mmpipe.venue.sim.scenarios import Scenario, load_scenario
from mmpipe.venue.sim.settings import VenueSettings
from mmpipe.venue.sim.signers import Signers

MAKER_FEE_PPM: Final = 150  # 1.5 bps
TAKER_FEE_PPM: Final = 450  # 4.5 bps
ACCOUNTS_MORE: Final = 32  # that may be opened while it runs


@dataclass(slots=True)
class BlockResult:
    """What a block changed that somebody may want to hear of."""

    ts_ms: int
    fills: np.ndarray  # (n,) FILL, valid until the next block
    answers: list[Any] = field(default_factory=list)  # (done, answer)
    updates: dict[str, list[Order]] = field(default_factory=dict)  # by address, a copy per change
    user_fills: dict[str, list[Fill]] = field(default_factory=dict)
    fundings: dict[str, list[Funding]] = field(default_factory=dict)
    venue_cancels: dict[str, list[Order]] = field(default_factory=dict)  # not asked for by the owner
    liquidated: dict[str, dict[str, Any]] = field(default_factory=dict)


class VenueState:
    """Market, crowd and accounts; changed by one writer, block by block.

    Parameters
    ----------
    settings : VenueSettings
        Host and port are not used here.
    first_serial : int
        Order and trade numbers start above it, so that a restarted exchange does not repeat itself.

    Attributes
    ----------
    ts_ms : int
        Time of the last block.
    post_only : bool
        Right after an upgrade the venue takes nothing but post-only orders.
    result : BlockResult
        Of the block that is running.
    """

    def __init__(self, settings: VenueSettings, first_serial: int) -> None:
        self.settings = settings
        self.scenario: Scenario = load_scenario(settings.scenario)
        self.coins: tuple[Coin, ...] = coins_of(settings.coins, settings.leads)
        self.symbol_of = {coin.name: i for i, coin in enumerate(self.coins)}
        self.crowd: Crowd = new_crowd(
            settings.seed, settings.profile.block_ms, self.scenario.phases, start_table(self.coins)
        )
        self.first_user = CROWD_FIRST + ACCOUNTS_PER_SYMBOL * len(self.coins)
        size = self.first_user + len(settings.accounts) + len(settings.vaults) + ACCOUNTS_MORE
        self.market: Market = codes.new_market(len(self.coins), size, MAKER_FEE_PPM, TAKER_FEE_PPM)
        self.market.header["serial"] = first_serial
        self.market.header["tid"] = first_serial
        self.market.prices["max_leverage"] = [coin.max_leverage for coin in self.coins]
        start = start_table(self.coins)[:, 0].astype(np.int64)
        for name in ("oracle_tick", "mark_tick", "spot_tick"):
            self.market.prices[name] = start
        self.signers = Signers()
        self.accounts: dict[str, Account] = {}
        self.by_index: dict[int, Account] = {}
        self.addresses = [f"0x{i:040x}" for i in range(self.first_user)]
        self.ts_ms = 0
        self.post_only = False
        self.funding_log: list[list[dict[str, Any]]] = [[] for _ in self.coins]
        self.phase_log: list[dict[str, Any]] = []
        self.result = BlockResult(0, self.market.fills[:0])
        for address in settings.accounts:
            self.signers.add_master(self.open_account(address, settings.deposit_usdc))
        for agent, master in settings.agents.items():
            self.signers.add_agent(self.accounts[master.lower()], agent.lower(), agent[-8:])
        for vault, leader in settings.vaults.items():
            account = self.open_account(vault, settings.deposit_usdc)
            account.role, account.leader = "vault", leader.lower()

    def open_account(self, address: str, deposit_usdc: float) -> Account:
        """A new account with money on it; one address has one account."""
        index = len(self.addresses)
        assert index < len(self.market.cash), "there is room for this account"
        account = Account(index, address.lower())
        self.addresses.append(account.address)
        self.accounts[account.address] = account
        self.by_index[index] = account
        self.market.margined[index] = 1
        for symbol, coin in enumerate(self.coins):
            leverage = min(codes.DEFAULT_LEVERAGE, coin.max_leverage)
            self.market.standings[index, symbol]["leverage"] = leverage
        self.pay_in(account, round(deposit_usdc * CASH_PER_USDC))
        return account

    def pay_in(self, account: Account, cash: int) -> None:
        """A deposit, or a withdrawal when negative."""
        deposit(self.market, account.index, cash)
        kind = "deposit" if cash >= 0 else "withdraw"
        account.ledger.append((self.ts_ms, {"type": kind, "usdc": abs(cash)}))

    def mark_tick(self, symbol: int) -> int:
        """Mark price of one market, finest ticks."""
        return int(self.market.prices[symbol]["mark_tick"])

    def tell(self, account: Account, order: Order) -> None:
        """Remember for the owner that an order changed."""
        self.result.updates.setdefault(account.address, []).append(replace(order))
