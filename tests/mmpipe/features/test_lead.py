import numpy as np
import pytest

from mmpipe.features import lead

S = 1_000_000_000


def quoted(bid_px: float, ask_px: float) -> np.ndarray:
    rows = np.zeros(1, lead.LEAD)
    lead.on_quote(rows[0], 1, bid_px, 1.0, S)
    lead.on_quote(rows[0], -1, ask_px, 1.0, S)
    return rows


def test_the_basis_is_not_a_divergence_and_a_jump_is() -> None:
    rows = quoted(100.04, 100.06)  # 5 bps over a maker at 100
    lead.on_timer(rows[0], 100.0, S, 30.0)
    assert lead.divergence_bps(rows[0], 100.0) == pytest.approx(0.0, abs=1e-9)
    lead.on_quote(rows[0], 1, 100.07, 1.0, S)
    lead.on_quote(rows[0], -1, 100.09, 1.0, S)
    assert lead.divergence_bps(rows[0], 100.0) == pytest.approx(3.0)


def test_the_basis_follows_half_way_in_its_halflife() -> None:
    rows = quoted(99.99, 100.01)
    lead.on_timer(rows[0], 100.0, S, 30.0)
    lead.on_quote(rows[0], 1, 100.03, 1.0, S)
    lead.on_quote(rows[0], -1, 100.05, 1.0, S)
    lead.on_timer(rows[0], 100.0, 31 * S, 30.0)
    assert lead.divergence_bps(rows[0], 100.0) == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize(("bid_px", "ask_px"), [(0.0, 100.0), (100.0, 0.0), (101.0, 100.0)])
def test_a_missing_or_crossed_lead_says_nothing(bid_px: float, ask_px: float) -> None:
    rows = quoted(bid_px, ask_px)
    assert lead.mid(rows[0]) == 0.0
    lead.on_timer(rows[0], 100.0, S, 30.0)
    assert lead.divergence_bps(rows[0], 100.0) == 0.0


def test_an_emptied_side_ends_the_mid() -> None:
    rows = quoted(99.99, 100.01)
    lead.on_quote(rows[0], 1, 0.0, 0.0, S)
    assert lead.mid(rows[0]) == 0.0


def test_imbalance_at_the_touch_of_the_lead() -> None:
    rows = np.zeros(1, lead.LEAD)
    assert lead.imbalance(rows[0]) == 0.0
    lead.on_quote(rows[0], 1, 100.0, 3.0, S)
    assert lead.imbalance(rows[0]) == 0.0  # a touch of one side is none
    lead.on_quote(rows[0], -1, 100.1, 1.0, S)
    assert lead.imbalance(rows[0]) == 0.5
    lead.on_book(rows[0], 100.0, 1.0, 100.1, 4.0, S)
    assert lead.imbalance(rows[0]) == pytest.approx(-0.6)
    lead.on_quote(rows[0], -1, 100.1, 0.0, S)
    assert lead.imbalance(rows[0]) == 0.0
