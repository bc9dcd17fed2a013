"""Millions of random orders, liquidations, fundings and deposits: cash and lots are conserved at each."""

import numpy as np
import pytest

from mmpipe.enums import Tif
from mmpipe.venue.sim.chance import CHANCE, uniform
from mmpipe.venue.sim.ledger import deposit, is_conserved
from mmpipe.venue.sim.liquidation import liquidate_block
from mmpipe.venue.sim.margin import WORTH
from mmpipe.venue.sim.market import Market, new_market
from mmpipe.venue.sim.matching import cancel, shrink, submit
from mmpipe.venue.sim.pricing import pay_funding
from ringbuf.jit import kernel

ACCOUNTS = 10
SYMBOLS = 2
CENTRE = 1_000_000
KEPT = 512
ALO, GTC, IOC = int(Tif.ALO), int(Tif.GTC), int(Tif.IOC)
NOT_CONSERVED, FILL_BEFORE_ORDER, CROSSED, LEVEL_WRONG = 1, 2, 3, 4


@kernel
def play(market: Market, chance: np.ndarray, oids: np.ndarray, worth: np.ndarray, events: int) -> int:
    """Random events, everything checked after each; 0, or what was violated."""
    head = market.header[0]
    for _ in range(events):
        head["fills"] = 0
        head["events"] = 0
        head["ts_ns"] += 1_000_000
        serial = head["serial"]
        draw = uniform(chance)
        account = 2 + int(uniform(chance) * ACCOUNTS)
        symbol = int(uniform(chance) * SYMBOLS)
        at = int(uniform(chance) * KEPT)
        if draw < 0.25:
            cancel(market, market.orders[oids[at] % market.orders.shape[0]]["account"], oids[at])
        elif draw < 0.27:
            shrink(market, oids[at], int(uniform(chance) * 200))
        elif draw < 0.275:
            pay_funding(market, symbol)
        elif draw < 0.28:
            deposit(market, account, int((uniform(chance) - 0.4) * 1e10))
        elif draw < 0.30:
            move = 1.0 + (uniform(chance) - 0.5) * 0.2
            for name_symbol in range(SYMBOLS):
                market.prices[name_symbol]["mark_tick"] = int(CENTRE * move)
                market.prices[name_symbol]["oracle_tick"] = int(CENTRE * move)
            liquidate_block(market, worth)
        else:
            # What is forgotten is cancelled, or the book fills up and nobody can trade any more.
            cancel(market, market.orders[oids[at] % market.orders.shape[0]]["account"], oids[at])
            side = 1 if uniform(chance) < 0.5 else -1
            kind = uniform(chance)
            tif = ALO if kind < 0.4 else (GTC if kind < 0.8 else IOC)
            reduce_only = 1 if uniform(chance) < 0.1 else 0
            tick = CENTRE + int((uniform(chance) - 0.5) * 40) * 10
            submit(market, account, symbol, side, tick, 1 + int(uniform(chance) * 5_000), tif, reduce_only)
            oids[at] = head["last_oid"]
        wrong = violated(market, serial)
        if wrong != 0:
            return wrong
    return 0


@kernel
def violated(market: Market, serial_before: int) -> int:
    """What the state of the market breaks."""
    if not is_conserved(market):
        return NOT_CONSERVED
    slots = market.orders.shape[0]
    for i in range(market.header[0]["fills"]):
        row = market.fills[i]
        # An order is numbered when it arrives: the maker was there before, the taker came in this event.
        if row["maker_oid"] != 0 and row["maker_oid"] // slots >= row["taker_oid"] // slots:
            return FILL_BEFORE_ORDER
        if row["taker_oid"] != 0 and row["taker_oid"] // slots <= serial_before:
            return FILL_BEFORE_ORDER
    for symbol in range(SYMBOLS):
        bids, asks = market.level_counts[symbol, 0], market.level_counts[symbol, 1]
        if bids > 0 and asks > 0:
            if market.levels[symbol, 0, bids - 1]["key"] >= -market.levels[symbol, 1, asks - 1]["key"]:
                return CROSSED
        for index in range(2):
            lots = 0
            for level in range(market.level_counts[symbol, index]):
                lots += market.levels[symbol, index, level]["lots"]
            resting = 0
            for account in range(market.cash.shape[0]):
                standing = market.standings[account, symbol]
                resting += standing["bid_lots"] if index == 0 else standing["ask_lots"]
            if lots != resting:
                return LEVEL_WRONG
    return 0


@pytest.mark.parametrize("events", [1_000_000, pytest.param(10_000_000, marks=pytest.mark.long)])
def test_nothing_is_made_or_lost(events: int) -> None:
    market = new_market(SYMBOLS, 2 + ACCOUNTS, 150, 450)
    market.prices["mark_tick"] = market.prices["oracle_tick"] = CENTRE
    market.prices["max_leverage"] = 20
    for account in range(2, 2 + ACCOUNTS):
        deposit(market, account, 10**11 * (account % 4 + 1))
        market.margined[account] = account % 2
    chance, oids, worth = np.zeros(1, CHANCE), np.zeros(KEPT, np.int64), np.zeros(1, WORTH)
    chance["key"] = 7
    assert play(market, chance, oids, worth, events) == 0
    assert market.header["tid"][0] > events // 20  # it really traded
    assert market.prices["volume_lots"].min() > 0


def test_a_planted_leak_is_found() -> None:
    market = new_market(SYMBOLS, 2 + ACCOUNTS, 150, 450)
    market.cash[3] += 1
    assert violated(market, 0) == NOT_CONSERVED
