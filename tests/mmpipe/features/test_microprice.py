"""Microprice: a known chain, its martingale and its mirror image, the market it is estimated from."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe import config as configuration
from mmpipe.config import settings_row
from mmpipe.features import microprice
from mmpipe.features.microprice import HALF, IMBALANCES, MICROPRICE, STATES

CONFIG = Path(__file__).resolve().parents[3] / "pipeline.toml"
SETTINGS = settings_row(configuration.load(CONFIG).features)
S = 10**9


def known_chain() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ten imbalance states, symmetric: stays Q, moves S, mean move r of each, in ticks."""
    size = 10
    stays, leaves, drift = np.zeros((size, size)), np.zeros((size, size)), np.zeros(size)
    for state in range(size):
        imbalance = (state + 0.5) / size
        up, down = 0.1 + 0.35 * imbalance**2, 0.1 + 0.35 * (1 - imbalance) ** 2
        drift[state] = 0.5 * (up - down)
        # After a move up the new ask is rather thick: low imbalance is likelier; the mirror after a fall.
        weights = np.exp(-np.arange(size) / 30.0)
        leaves[state] = up * weights / weights.sum() + down * weights[::-1] / weights.sum()
        near = np.exp(-np.abs(np.arange(size) - state))
        stays[state] = (1.0 - up - down) * near / near.sum()
    return stays, leaves, drift


def solved(stays: np.ndarray, leaves: np.ndarray, drift: np.ndarray) -> tuple[int, np.ndarray]:
    factors, total = np.eye(len(drift)) - stays, np.zeros(len(drift))
    term = np.zeros((2, len(drift)))
    term[0] = drift
    return microprice.solve(factors, leaves.copy(), term, total), total


def test_a_known_chain_is_solved_and_its_price_is_a_martingale() -> None:
    stays, leaves, drift = known_chain()
    terms, price = solved(stays, leaves, drift)
    assert 1 <= terms < microprice.TERMS_MAX
    first = np.linalg.solve(np.eye(10) - stays, drift)
    step = np.linalg.solve(np.eye(10) - stays, leaves)
    expected = sum(np.linalg.matrix_power(step, power) @ first for power in range(60))
    assert np.abs(price - expected).max() < 1e-12
    # E[M' + G*(X')] = M + G*(X), whatever happens next
    assert np.abs(stays @ price + leaves @ price + drift - price).max() <= 1e-12
    assert np.abs(price + price[::-1]).max() <= 1e-12
    assert np.abs(np.linalg.matrix_power(step, 6) @ first).max() < 1e-9
    assert (np.diff(price) > 0.0).all()


def test_the_known_chain_played_out_ends_where_it_says() -> None:
    stays, leaves, drift = known_chain()
    _, price = solved(stays, leaves, drift)
    rng, size, walkers = np.random.default_rng(11), 10, 20_000
    for start in (0, 3, 9):
        state, mid = np.full(walkers, start), np.zeros(walkers)
        table = np.concatenate([stays, leaves], axis=1).cumsum(axis=1)
        mean_move = drift / leaves.sum(axis=1)
        for _ in range(120):
            drawn = (rng.uniform(size=walkers)[:, None] > table[state]).sum(axis=1).clip(0, 2 * size - 1)
            up_prob = (1.0 + mean_move[state] / 0.5) / 2.0
            up = rng.uniform(size=walkers) < up_prob
            mid += np.where(drawn >= size, np.where(up, 0.5, -0.5), 0.0)
            state = drawn % size
        error = mid.std() / np.sqrt(walkers)
        assert abs(mid.mean() - price[start]) < 3.0 * error


def test_a_state_that_is_never_left_is_refused() -> None:
    stays, leaves, drift = known_chain()
    stays[4], leaves[4], drift[4] = 0.0, 0.0, 0.0
    stays[4, 4] = 1.0
    assert solved(stays, leaves, drift)[0] == 0


def test_terms_that_grow_are_refused() -> None:
    stays, leaves, drift = known_chain()
    assert solved(stays, 3.0 * leaves, drift)[0] == 0


def test_a_mid_that_only_bounces_has_no_sum() -> None:
    # A heavy bid is always followed by a rise and a heavy ask, that by a fall: 1 - 1 + 1 - …
    stays, leaves = np.zeros((2, 2)), np.array([[0.0, 1.0], [1.0, 0.0]])
    assert solved(stays, leaves, np.array([1.0, -1.0]))[0] == 0


TOUCHES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 4), st.integers(1, 30), st.integers(1, 30)),
    min_size=2,
    max_size=40,
)


def play(touches: list[tuple[int, int, int, int]], mirrored: bool) -> np.ndarray:
    rows = np.zeros(1, MICROPRICE)
    for bid, spread, bid_qty, ask_qty in touches:
        tick = 1_000 - bid - spread if mirrored else 1_000 + bid
        first, second = (ask_qty, bid_qty) if mirrored else (bid_qty, ask_qty)
        microprice.on_touch(rows[0], tick, float(first), tick + spread, float(second))
    return rows


@given(TOUCHES)
@settings(max_examples=60, deadline=None)
def test_every_change_is_counted_with_its_mirror_image(touches: list[tuple[int, int, int, int]]) -> None:
    rows, other = play(touches, mirrored=False), play(touches, mirrored=True)
    for name in ("stays", "leaves", "drift_tick", "moves", "step_tick"):
        assert (rows[name] == other[name]).all()
    images = [microprice.mirror(index) for index in range(STATES)]
    assert (rows["stays"][0][images][:, images] == rows["stays"][0]).all()
    assert (rows["drift_tick"][0][images] == -rows["drift_tick"][0]).all()


@given(st.integers(1, 5), st.integers(1, 500), st.integers(1, 500))
@settings(max_examples=100, deadline=None)
def test_a_state_and_its_mirror_image(spread: int, bid_qty: int, ask_qty: int) -> None:
    rows = np.zeros(1, MICROPRICE)
    rows["step_tick"] = 1
    state = microprice.state_of(rows[0], spread, float(bid_qty), float(ask_qty))
    assert 0 <= state < STATES
    assert microprice.state_of(rows[0], spread, float(ask_qty), float(bid_qty)) == microprice.mirror(state)
    assert (state % IMBALANCES == HALF) == (9 * abs(bid_qty - ask_qty) < bid_qty + ask_qty)


def market(rows: np.ndarray, steps: int, seed: int) -> None:
    """A touch of one tick whose thin side gives way; both quantities are then drawn anew."""
    rng, bid_tick, quantities = np.random.default_rng(seed), 10_000, [5, 5]
    for step in range(steps):
        side = rng.integers(0, 2)
        quantities[side] = max(quantities[side] + rng.choice([-1, 1]), 0)
        if quantities[side] == 0:
            bid_tick += 1 if side == 1 else -1
            quantities = [int(rng.integers(1, 10)), int(rng.integers(1, 10))]
        microprice.on_touch(rows[0], bid_tick, float(quantities[0]), bid_tick + 1, float(quantities[1]))
        if step % 50 == 0:
            microprice.on_timer(rows[0], 10**15 + step * S // 20, 0, SETTINGS)


def test_from_a_market_that_follows_its_imbalance_the_table_does() -> None:
    rows = np.zeros(1, MICROPRICE)
    market(rows, 80_000, 2)
    assert rows["updates"][0] >= 10
    assert rows["refused"][0] == 0
    table = rows["table_tick"][0, :IMBALANCES]
    assert table[HALF] == pytest.approx(0.0, abs=1e-12)
    assert table + table[::-1] == pytest.approx(np.zeros(IMBALANCES), abs=1e-12)
    assert (np.diff(table) > 0.0).all()
    # The mid moves a tick when a side gives way: nine to one in quantity must say most of that, not more.
    assert 0.5 < table[-1] < 1.0


def test_until_enough_moves_were_seen_it_is_weighted_by_quantity() -> None:
    rows = np.zeros(1, MICROPRICE)
    assert microprice.offset_tick(rows[0], 2, 3.0, 1.0) == 0.5
    market(rows, 300, 2)
    assert rows["known"][0] == 0
    assert microprice.offset_tick(rows[0], 1, 3.0, 1.0) == 0.25


def test_a_preset_table_decides_until_this_market_was_estimated() -> None:
    rows, table = np.zeros(1, MICROPRICE), np.linspace(-0.4, 0.4, STATES)
    microprice.preset(rows[0], table, 1)
    state = microprice.state_of(rows[0], 1, 9.0, 1.0)
    assert microprice.offset_tick(rows[0], 1, 9.0, 1.0) == table[state]
    market(rows, 80_000, 2)
    assert microprice.offset_tick(rows[0], 1, 9.0, 1.0) != table[state]


def test_a_narrower_spread_begins_anew_and_a_void_book_is_no_change() -> None:
    rows = play([(0, 4, 5, 5), (1, 4, 6, 5), (2, 4, 5, 5)], mirrored=False)
    assert rows["moves"][0] == 2.0
    microprice.forget_touch(rows[0])
    microprice.on_touch(rows[0], 2_000, 5.0, 2_004, 5.0)
    assert rows["moves"][0] == 2.0
    microprice.on_touch(rows[0], 2_000, 5.0, 2_002, 5.0)
    assert (rows["moves"][0], rows["stays"].sum(), rows["step_tick"][0]) == (0.0, 0.0, 2)


def test_one_jump_counts_no_more_than_twice_the_spread() -> None:
    rows = play([(0, 1, 5, 5), (6, 1, 9, 1)], mirrored=False)
    state = microprice.state_of(rows[0], 1, 5.0, 5.0)
    assert rows["leaves"][0].sum() == 2.0
    assert rows["drift_tick"][0, state] == 0.0  # a balanced touch is its own mirror image
    rows = play([(0, 1, 9, 1), (6, 1, 9, 1)], mirrored=False)
    state = microprice.state_of(rows[0], 1, 9.0, 1.0)
    assert rows["drift_tick"][0, state] == 2.0


def test_what_is_old_counts_less() -> None:
    rows = np.zeros(1, MICROPRICE)
    market(rows, 1_000, 4)
    moves = float(rows["moves"][0])
    now_ns = int(rows["faded_ts_ns"][0]) + int(SETTINGS["microprice_halflife_s"][0]) * S
    microprice.on_timer(rows[0], now_ns, 0, SETTINGS)
    assert rows["moves"][0] == pytest.approx(moves / 2.0, rel=0.05)


def test_symbols_take_turns() -> None:
    rows = np.zeros(2, MICROPRICE)
    for symbol in range(2):
        microprice.on_timer(rows[symbol], 10**15, symbol, SETTINGS)
    assert rows["next_ts_ns"][1] > rows["next_ts_ns"][0]
