"""What each action does to the market, and the venue's answer to it, word for word."""

from typing import Final

import numpy as np

from mmpipe.units import CASH_PER_USDC
from mmpipe.venue.sim.accounts import Account, Answer
from mmpipe.venue.sim.admission import done, refusal, success
from mmpipe.venue.sim.ledger import deposit, transfer
from mmpipe.venue.sim.limits import RESERVE_CASH
from mmpipe.venue.sim.margin import WORTH, isolated_value_cash, position_cash, weigh
from mmpipe.venue.sim.market import FEE_ACCOUNT
from mmpipe.venue.sim.orders import Orders
from mmpipe.venue.sim.signers import DAY_MS
from mmpipe.venue.sim.state import VenueState
from mmpipe.venue.sim.wire import (
    ADDRESS,
    Action,
    ApproveAgentAction,
    ApproveBuilderFeeAction,
    BatchModifyAction,
    CancelAction,
    CancelByCloidAction,
    ModifyAction,
    NoopAction,
    OrderAction,
    ReserveWeightAction,
    ScheduleCancelAction,
    SetReferrerAction,
    UpdateIsolatedMarginAction,
    UpdateLeverageAction,
    UsdClassTransferAction,
    count_of,
    text_of,
)

SCHEDULE_AHEAD_MS: Final = 5_000
SCHEDULES_PER_DAY: Final = 10
NOTIONAL_PER_USDC: Final = 1_000_000
NTLI_CASH: Final = 100  # cash in one unit of updateIsolatedMargin
PPM_OF_PERCENT: Final = 1_000  # tenths of a basis point
FEE_RATE_MAX: Final = 100  # 0.1 %, in tenths of a basis point


class Actions:
    """Applies admitted actions.

    Parameters
    ----------
    state : VenueState
        Changed in place.
    orders : Orders
        Places, replaces and cancels.
    """

    def __init__(self, state: VenueState, orders: Orders) -> None:
        self._state = state
        self._orders = orders
        self._worth = np.zeros(1, WORTH)

    def apply(self, account: Account, action: Action) -> Answer:
        """Do one action; the answer is the venue's."""
        match action:
            case OrderAction():
                return success("order", self._orders.place_all(account, action.orders, action.grouping))
            case CancelAction():
                cancels = action.cancels
                return success("cancel", [self._orders.cancel(account, c.a, c.o, action.f) for c in cancels])
            case CancelByCloidAction():
                ids = [(c.asset, account.oid_of_cloid.get(c.cloid.lower(), 0)) for c in action.cancels]
                return success(
                    "cancel", [self._orders.cancel(account, asset, oid, action.f) for asset, oid in ids]
                )
            case ModifyAction():
                item = self._orders.modify(account, action.oid, action.order, action.a)
                return refusal(item["error"]) if "error" in item else done()
            case BatchModifyAction():
                modifies = action.modifies
                return success(
                    "order", [self._orders.modify(account, m.oid, m.order, action.a) for m in modifies]
                )
        refused = self._settle(account, action)
        return done() if refused is None else refusal(refused)

    def _settle(self, account: Account, action: Action) -> str | None:
        match action:
            case ScheduleCancelAction():
                return self._schedule(account, action.time)
            case UpdateLeverageAction():
                return self._set_leverage(account, action)
            case UpdateIsolatedMarginAction():
                return self._move_margin(account, action)
            case ReserveWeightAction():
                return self._reserve(account, action.weight)
            case UsdClassTransferAction():
                return self._transfer(account, action)
            case ApproveAgentAction():
                return self._approve_agent(account, action)
            case ApproveBuilderFeeAction():
                return _approve_builder(account, action)
            case SetReferrerAction():
                if account.referrer:
                    return "Referrer already set."
                account.referrer = action.code
            case NoopAction():
                pass  # its nonce is used up, which is all it is for
        return None

    def _schedule(self, account: Account, time_ms: int | None) -> str | None:
        state = self._state
        required = state.settings.profile.schedule_gate_usdc
        traded = account.volume_notional // NOTIONAL_PER_USDC
        if traded < required:
            return (
                f"Cannot set scheduled cancel time until enough volume traded. Required: ${required}. "
                f"Traded: ${traded}."
            )
        if time_ms is None:
            account.scheduled_ms = 0
            return None
        if time_ms < state.ts_ms + SCHEDULE_AHEAD_MS:
            return "Scheduled cancel time too early, must be at least 5 seconds from now."
        if account.triggered_days.get(state.ts_ms // DAY_MS, 0) >= SCHEDULES_PER_DAY:
            return f"Scheduled cancel triggered too many times today. Limit: {SCHEDULES_PER_DAY}."
        account.scheduled_ms = time_ms
        return None

    def _set_leverage(self, account: Account, action: UpdateLeverageAction) -> str | None:
        state, symbol = self._state, action.asset
        if not 0 <= symbol < len(state.coins):
            return f"Invalid asset: {symbol}"
        if not 1 <= action.leverage <= state.coins[symbol].max_leverage:
            return "Invalid leverage value"
        standing = state.market.standings[account.index, symbol]
        isolated = 0 if action.isCross else 1
        if standing["lots"] != 0 and standing["isolated"] != isolated:
            return "Cannot switch leverage type with open position."
        before = standing.copy()
        standing["leverage"] = action.leverage
        standing["isolated"] = isolated
        needed = abs(position_cash(state.market, account.index, symbol)) // action.leverage
        if isolated and standing["lots"] != 0:
            value = isolated_value_cash(state.market, account.index, symbol)
            standing["margin_cash"] += max(needed - value, 0)
        if self._free_cash(account) < 0 and action.leverage < before["leverage"]:
            state.market.standings[account.index, symbol] = before
            return "Insufficient margin to set leverage."
        return None

    def _move_margin(self, account: Account, action: UpdateIsolatedMarginAction) -> str | None:
        state, symbol = self._state, action.asset
        if not 0 <= symbol < len(state.coins):
            return f"Invalid asset: {symbol}"
        standing = state.market.standings[account.index, symbol]
        if standing["isolated"] == 0 or standing["lots"] == 0:
            return "No isolated position to update margin of."
        cash = action.ntli * NTLI_CASH
        needed = abs(position_cash(state.market, account.index, symbol)) // int(standing["leverage"])
        left = isolated_value_cash(state.market, account.index, symbol) + cash
        if cash > self._free_cash(account) or (cash < 0 and left < needed):
            return "Insufficient margin to update isolated margin."
        standing["margin_cash"] += cash
        return None

    def _reserve(self, account: Account, weight: int) -> str | None:
        cash = weight * RESERVE_CASH
        if cash > self._free_cash(account):
            return "Insufficient balance to reserve request weight."
        transfer(self._state.market, account.index, FEE_ACCOUNT, cash)
        account.reserved_requests += weight
        return None

    def _transfer(self, account: Account, action: UsdClassTransferAction) -> str | None:
        cash = count_of(action.amount, CASH_PER_USDC)
        if cash is None or cash <= 0:
            return "Invalid amount."
        if cash > (account.spot_cash if action.toPerp else self._free_cash(account)):
            return "Insufficient balance for transfer."
        signed = cash if action.toPerp else -cash
        deposit(self._state.market, account.index, signed)
        account.spot_cash -= signed
        delta = {
            "type": "accountClassTransfer",
            "usdc": text_of(cash, CASH_PER_USDC),
            "toPerp": action.toPerp,
        }
        account.ledger.append((self._state.ts_ms, delta))
        return None

    def _approve_agent(self, account: Account, action: ApproveAgentAction) -> str | None:
        agent = action.agentAddress.lower()
        if ADDRESS.fullmatch(agent) is None:
            return "Invalid agent address."
        return self._state.signers.approve(account, agent, action.agentName or "", self._state.ts_ms)

    def _free_cash(self, account: Account) -> int:
        weigh(self._state.market, account.index, self._worth)
        row = self._worth[0]
        return int(row["cross_cash"]) - int(row["cross_used_cash"])


def _approve_builder(account: Account, action: ApproveBuilderFeeAction) -> str | None:
    rate = count_of(action.maxFeeRate.removesuffix("%"), PPM_OF_PERCENT)
    builder = action.builder.lower()
    if rate is None or not 0 <= rate <= FEE_RATE_MAX or ADDRESS.fullmatch(builder) is None:
        return "Invalid builder fee."
    account.builder_fees[builder] = rate
    return None
