"""Instruments from the venue's meta."""

import pytest

from mmpipe.errors import PreflightError
from mmpipe.units import CASH_PER_TICK_LOT, CASH_PER_USDC
from mmpipe.venue.hyperliquid_meta import parse_meta

from .frames import META


def test_delisted_coins_keep_their_index_and_grids_follow_size_decimals() -> None:
    rows = parse_meta(META, ["ETH", "BTC"])
    assert rows["asset"].tolist() == [2, 0]
    assert rows["symbol"].tolist() == [0, 1]
    assert rows["ticks_per_unit"].tolist() == [100, 10]
    assert rows["tick_px"].tolist() == [0.01, 0.1]
    assert rows["lot_qty"].tolist() == [1e-4, 1e-5]
    assert rows["min_notional_cash"].tolist() == [10 * CASH_PER_USDC] * 2
    # One tick times one lot is 1e-6 USDC whatever the asset.
    assert (rows["tick_px"] * rows["lot_qty"] * CASH_PER_USDC).tolist() == pytest.approx(
        [CASH_PER_TICK_LOT] * 2
    )


@pytest.mark.parametrize(("coin", "word"), [("DOGE", "does not exist"), ("MATIC", "delisted")])
def test_an_unusable_coin_is_named(coin: str, word: str) -> None:
    with pytest.raises(PreflightError, match=word) as caught:
        parse_meta(META, ["BTC", coin])
    assert coin in str(caught.value)


@pytest.mark.parametrize(
    "meta",
    [
        None,
        [],
        {"universe": [{"name": "BTC"}]},
        {"universe": [{"name": "BTC", "szDecimals": 9, "maxLeverage": 1}]},
    ],
)
def test_what_is_no_meta_is_a_preflight_error(meta: object) -> None:
    with pytest.raises(PreflightError, match="meta of the venue"):
        parse_meta(meta, ["BTC"])
