"""The embedded exchange without sockets, block by block.

    signed action ──admit──▶ pending
    run_block:  1 post-only actions   2 cancels and the rest   3 crowd quotes   4 actions that may trade
                5 crowd takes   6 oracle, mark, liquidations   7 triggers, scheduled cancels, funding
                └─▶ answers, fills, order updates of the block

Within a block post-only orders come first, then cancels, then orders that may take, as on the venue.
One writer, integer money: `ledger.is_conserved` is asserted in every block.
"""

import hashlib
from typing import Final

import numpy as np

from mmpipe.clock import NS_PER_MS
from mmpipe.errors import UsageError
from mmpipe.units import CASH_PER_USDC
from mmpipe.venue.sim import market as codes
from mmpipe.venue.sim.accounts import Account, Answer, Funding
from mmpipe.venue.sim.actions import Actions
from mmpipe.venue.sim.admission import Admission, Done, Pending, refusal
from mmpipe.venue.sim.block import clear_block
from mmpipe.venue.sim.flow import quote_block, take_block
from mmpipe.venue.sim.ledger import is_conserved
from mmpipe.venue.sim.liquidation import close_market
from mmpipe.venue.sim.margin import WORTH
from mmpipe.venue.sim.orders import Orders
from mmpipe.venue.sim.pricing import pay_funding
from mmpipe.venue.sim.settings import VenueSettings
from mmpipe.venue.sim.signers import DAY_MS
from mmpipe.venue.sim.state import BlockResult, VenueState
from mmpipe.venue.sim.tape import tell_owners
from mmpipe.venue.sim.wire import ADDRESS, Envelope, new_orders_of, takes

HOUR_MS: Final = 3_600_000
FUNDING_RECORDS_MAX: Final = 500


class Exchange:
    """One market with its accounts.

    Parameters are those of `VenueState`.

    Attributes
    ----------
    state : VenueState
        Read by those who publish; changed only here.
    """

    def __init__(self, settings: VenueSettings, first_serial: int) -> None:
        self.state = VenueState(settings, first_serial)
        self._orders = Orders(self.state)
        self._actions = Actions(self.state, self._orders)
        profile = settings.profile
        self._door = Admission(
            self.state.signers, self.state.accounts, profile.limits, profile.place_ms, profile.take_extra_ms
        )
        self._worth = np.zeros(1, WORTH)
        self._hour = 0

    def admit(self, envelope: Envelope, wall_ms: int, done: Done) -> Answer | None:
        """Queue a signed action for a block; see `Admission.admit`."""
        return self._door.admit(envelope, wall_ms, done)

    def deposit(self, address: str, usdc: float) -> None:
        """Put money on an account, opening it if there is none.

        Raises
        ------
        UsageError
            If that is no address, no amount, or there is no room for another account.
        """
        state, address = self.state, address.lower()
        if ADDRESS.fullmatch(address) is None or not 0.0 < usdc <= 1e9:  # as in the settings
            raise UsageError(f"deposit {usdc} to {address!r}: give 0x and 40 digits, and 0 to 1e9 USDC")
        if address in state.accounts:
            state.pay_in(state.accounts[address], round(usdc * CASH_PER_USDC))
        elif len(state.addresses) == len(state.market.cash):
            raise UsageError("deposit: no room for another account; restart with it in the settings")
        else:
            state.signers.add_master(state.open_account(address, usdc))

    def delist(self, coin: str) -> None:
        """Close one market: orders end, positions are settled at the oracle price.

        Raises
        ------
        UsageError
            If there is no such coin.
        """
        if coin not in self.state.symbol_of:
            raise UsageError(f"no coin {coin!r}; choose one of: {', '.join(self.state.symbol_of)}")
        symbol = self.state.symbol_of[coin]
        if not self.state.market.prices[symbol]["delisted"]:
            close_market(self.state.market, symbol)

    def run_block(self, ts_ms: int) -> BlockResult:
        """Process everything that is due and let the crowd act once.

        Parameters
        ----------
        ts_ms : int
            Venue time. Every block has one of its own: one that is not after the last gets the next.
        """
        state, market = self.state, self.state.market
        # A venue that catches up runs several blocks within a millisecond, and books are known by their time.
        state.ts_ms = max(ts_ms, state.ts_ms + 1)
        market.header["ts_ns"] = state.ts_ms * NS_PER_MS
        state.result = BlockResult(state.ts_ms, market.fills[:0])
        due = self._door.take_due(state.ts_ms)
        early = [p for p in due if not takes(p.action)]
        makes = [p for p in early if new_orders_of(p.action)]
        rest = [p for p in early if not new_orders_of(p.action)]
        answers = {id(p): self._apply(p) for p in (*makes, *rest)}
        quote_block(market, state.crowd)
        answers |= {id(p): self._apply(p) for p in due if takes(p.action)}
        take_block(market, state.crowd)
        self._clear()
        state.result.fills = market.fills[: int(market.header["fills"][0])]
        state.result.answers = [(each.done, answers[id(each)]) for each in due]
        tell_owners(state, self._orders)
        # What was delisted while the block was told belongs to the next one.
        market.header["fills"] = 0
        market.header["events"] = 0
        assert is_conserved(market), "cash is what was paid in, and lots sum to zero"
        self._log_phase()
        return state.result

    def state_hash(self) -> str:
        """Digest of every array of market and crowd; equal for equal seeds and equal actions."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (*self.state.market[:-2], *self.state.crowd):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def _apply(self, pending: Pending) -> Answer:
        expired = pending.expires_ms is not None and self.state.ts_ms > pending.expires_ms
        if expired:
            return refusal("Action already expired")
        return self._actions.apply(pending.account, pending.action)

    def _clear(self) -> None:
        state = self.state
        clear_block(state.market, state.crowd, self._worth)
        for account in state.accounts.values():
            if account.sleeping:
                self._orders.wake(account)
            if account.scheduled_ms and state.ts_ms >= account.scheduled_ms:
                self._cancel_scheduled(account)
        hour = state.ts_ms // HOUR_MS
        if self._hour and hour != self._hour:
            self._settle_funding()
        self._hour = hour

    def _cancel_scheduled(self, account: Account) -> None:
        account.scheduled_ms = 0
        day = self.state.ts_ms // DAY_MS
        account.triggered_days = {day: account.triggered_days.get(day, 0) + 1}
        self._orders.cancel_open(account, codes.SCHEDULED_CANCELED, "scheduledCancel")

    def _settle_funding(self) -> None:
        state = self.state
        for symbol, log in enumerate(state.funding_log):
            price = state.market.prices[symbol]
            if price["delisted"]:
                continue
            count = int(price["premium_count"])
            premium = float(price["premium_sum"]) / count if count else 0.0
            rate = pay_funding(state.market, symbol)
            log.append({"coin": state.coins[symbol].name, "fundingRate": rate, "premium": premium,
                        "time": state.ts_ms})  # fmt: skip
            del log[:-FUNDING_RECORDS_MAX]
            for account in state.accounts.values():
                standing = state.market.standings[account.index, symbol]
                if standing["lots"]:
                    cash, lots = int(standing["settled_cash"]), int(standing["lots"])
                    paid = Funding(symbol, state.ts_ms, cash, lots, rate)
                    account.fundings.append(paid)
                    state.result.fundings.setdefault(account.address, []).append(paid)

    def _log_phase(self) -> None:
        # Labels for those who judge a run; the current phase has no end yet.
        state = self.state
        clock = state.crowd.clock[0]
        if len(state.phase_log) == int(clock["phases_begun"]):
            return
        if state.phase_log:
            state.phase_log[-1]["end"] = state.ts_ms
        name = state.scenario.phase_names[int(clock["phase"])]
        state.phase_log.append({"name": name, "start": state.ts_ms, "end": None})
